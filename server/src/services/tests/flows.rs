//! Steps and nonces.

use app::domain::key::KeyKind;
use app::domain::servicer::ServicerStatus;

use super::*;
use crate::services::sessions::SessionProof;
use crate::storage::keys::TenantAuth;
use crate::storage::testing::on_both;
use app::domain::session::SessionStatus;

on_both!(
    a_form_session_chains_its_nonces,
    a_nonce_is_good_for_its_own_step_only,
    a_refusal_or_a_failing_bank_leaves_the_nonce_good,
    a_nonce_lives_for_thirty_minutes_and_a_session_for_its_time,
    what_comes_next_is_the_same_until_it_is_used,
    only_registered_links_and_whitelisted_skills_pass,
    a_wrong_link_is_told_its_nearest_in_the_sandbox_alone,
    a_cancelled_session_takes_nothing_more,
    a_crash_between_claim_and_effect_is_taken_over
);

fn form(name: &str) -> NewStep {
    step(FORM, name, json!({ "value": "100000" }))
}

#[expect(clippy::unnecessary_wraps, reason = "a line of a script")]
fn next(step: &str) -> Result<Next, ConnectorError> {
    Ok(Next::Step {
        name: step.into(),
        data: json!({ "rate": "4.5" }),
        bank_ref: Some(Opaque::new(b"kept".to_vec())),
    })
}

#[expect(clippy::unnecessary_wraps, reason = "a line of a script")]
fn done() -> Result<Next, ConnectorError> {
    Ok(Next::Done {
        granted: granted(),
        data: json!({ "accepted": true }),
    })
}

fn script(world: &World, outcomes: impl IntoIterator<Item = Result<Next, ConnectorError>>) {
    world.provider.submits.lock().unwrap().extend(outcomes);
}

async fn a_form_session_chains_its_nonces(db: Db) {
    let world = World::scripted(db).await;
    script(&world, [next("confirm"), done()]);
    let opened = world.client.open(FORM).await;
    assert_eq!(
        (opened.status, opened.next_step.as_str()),
        (SessionStatus::Created, "product_form")
    );
    let first = world
        .client
        .submit(opened.session_id, &opened.nonce, form("product_form"))
        .await
        .unwrap();
    assert_eq!(first.status, SessionStatus::InProgress);
    assert_eq!(first.next_step.as_deref(), Some("confirm"));
    let nonce = first.nonce.unwrap();
    assert_ne!(nonce, opened.nonce);
    let last = world
        .client
        .submit(opened.session_id, &nonce, form("confirm"))
        .await
        .unwrap();
    assert_eq!(last.status, SessionStatus::Completed);
    assert!(last.nonce.is_none() && last.step_id != first.step_id);
    world
        .client
        .exchange(&last.temp_token.unwrap())
        .await
        .unwrap();
}

async fn a_nonce_is_good_for_its_own_step_only(db: Db) {
    let world = World::scripted(db).await;
    script(&world, [next("confirm")]);
    let (one, two) = (world.client.open(FORM).await, world.client.open(FORM).await);
    let foreign = world
        .client
        .submit(one.session_id, &two.nonce, form("product_form"))
        .await;
    assert_eq!(code(foreign), Code::InvalidNonce);
    let unknown = world
        .client
        .submit(one.session_id, "x", form("product_form"))
        .await;
    assert_eq!(code(unknown), Code::InvalidNonce);
    let wrong_step = world
        .client
        .submit(one.session_id, &one.nonce, form("confirm"))
        .await;
    assert_eq!(code(wrong_step), Code::InvalidStep);
    let wrong_skill = world.client.submit(one.session_id, &one.nonce, sca()).await;
    assert_eq!(code(wrong_skill), Code::InvalidSkillName);
    world
        .client
        .submit(one.session_id, &one.nonce, form("product_form"))
        .await
        .unwrap();
    let used = world
        .client
        .submit(one.session_id, &one.nonce, form("confirm"))
        .await;
    assert_eq!(code(used), Code::InvalidNonce);
    let stranger = world.beside().await.client;
    let step = NewStep {
        session_id: two.session_id,
        nonce: two.nonce.into(),
        ..form("product_form")
    };
    let foreign = steps::submit(&world.state, &stranger.named(), step).await;
    assert_eq!(code(foreign), Code::InvalidSessionId);
}

async fn a_refusal_or_a_failing_bank_leaves_the_nonce_good(db: Db) {
    let world = World::scripted(db).await;
    let opened = world.client.open(FORM).await;
    let missing = world
        .client
        .submit(
            opened.session_id,
            &opened.nonce,
            step(FORM, "product_form", json!({})),
        )
        .await;
    assert_eq!(code(missing), Code::InvalidInput);
    script(&world, [Err(ConnectorError::Timeout), next("confirm")]);
    let failed = world
        .client
        .submit(opened.session_id, &opened.nonce, form("product_form"))
        .await;
    assert_eq!(code(failed), Code::ExternalApiConnectionError);
    world
        .client
        .submit(opened.session_id, &opened.nonce, form("product_form"))
        .await
        .unwrap();
}

async fn a_nonce_lives_for_thirty_minutes_and_a_session_for_its_time(db: Db) {
    let world = World::scripted(db).await;
    let (one, two) = (world.client.open(AISP).await, world.client.open(AISP).await);
    world.advance(30 * 60 - 1);
    world
        .client
        .submit(one.session_id, &one.nonce, sca())
        .await
        .unwrap();
    world.advance(1);
    assert_eq!(
        code(world.client.submit(two.session_id, &two.nonce, sca()).await),
        Code::ExpiredNonce
    );
    world.advance(24 * 3600);
    assert_eq!(
        code(world.client.submit(two.session_id, &two.nonce, sca()).await),
        Code::SessionEnded
    );
    let standing = sessions::get(
        &world.state,
        &world.client,
        one.session_id,
        SessionProof::Secret,
    )
    .await
    .unwrap();
    assert_eq!(standing.status, SessionStatus::Expired);
    let link = world.come_back("code-1").await.unwrap();
    assert_eq!(query(&link, "error").as_deref(), Some("expired"));
}

async fn what_comes_next_is_the_same_until_it_is_used(db: Db) {
    let world = World::scripted(db).await;
    script(&world, [next("confirm"), done()]);
    let opened = world.client.open(FORM).await;
    let id = opened.session_id;
    let taken = world
        .client
        .submit(id, &opened.nonce, form("product_form"))
        .await
        .unwrap();
    let get = |proof| sessions::get(&world.state, &world.client, id, proof);
    let bare = get(SessionProof::None).await.unwrap();
    assert!(bare.nonce.is_none() && bare.status == SessionStatus::InProgress);
    for proof in [SessionProof::Nonce(&opened.nonce), SessionProof::Secret] {
        assert_eq!(get(proof).await.unwrap().nonce, taken.nonce);
    }
    assert_eq!(
        code(get(SessionProof::Nonce("x")).await),
        Code::InvalidNonce
    );
    let last = world
        .client
        .submit(id, taken.nonce.as_deref().unwrap(), form("confirm"))
        .await
        .unwrap();
    let standing = get(SessionProof::Nonce(taken.nonce.as_deref().unwrap()))
        .await
        .unwrap();
    assert_eq!(standing.temp_token, last.temp_token);
    world
        .client
        .exchange(&last.temp_token.unwrap())
        .await
        .unwrap();
    assert!(
        get(SessionProof::Secret)
            .await
            .unwrap()
            .temp_token
            .is_none()
    );
}

async fn only_registered_links_and_whitelisted_skills_pass(db: Db) {
    let world = World::scripted(db).await;
    let opened = world.client.open(AISP).await;
    let elsewhere = step(
        AISP,
        "sca",
        json!({ "psu_redirect_link": "https://evil.example.com/" }),
    );
    assert_eq!(
        code(
            world
                .client
                .submit(opened.session_id, &opened.nonce, elsewhere)
                .await
        ),
        Code::InvalidRedirectLink
    );
    assert_eq!(world.provider.submitted.load(Ordering::SeqCst), 0);
    let create = |skill: &str| sessions::create(&world.state, &world.client, new_session(skill));
    assert_eq!(code(create("nonsense").await), Code::InvalidSkillName);
    assert_eq!(
        code(create("abc_aisp_sbx_#1.0").await),
        Code::InvalidSkillName
    );
    let mut tx = world.state.db.write().await.unwrap();
    tx.remove_tenant_skill(world.client.tenant(), &SkillName::parse(FORM).unwrap())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(code(create(FORM).await), Code::UnauthorizedTenant);
}

async fn a_wrong_link_is_told_its_nearest_in_the_sandbox_alone(db: Db) {
    let world = World::scripted(db).await;
    let opened = world.client.open(AISP).await;
    let typo = || NewStep {
        session_id: opened.session_id,
        nonce: opened.nonce.clone().into(),
        ..step(
            AISP,
            "sca",
            json!({ "psu_redirect_link": "myapp://Return" }),
        )
    };
    let own = world.client.named();
    let production = TenantAuth {
        tenant: own.tenant(),
        servicer: own.servicer(),
        name: "Example app".into(),
        environment: Environment::Production,
        tenant_status: TenantStatus::Active,
        servicer_status: ServicerStatus::Approved,
        signed_only: false,
        signature_seconds: 3600,
        networks: String::new(),
    };
    let production = Client::for_test(production, KeyKind::AppKey).named();
    for (client, told) in [(own, true), (production, false)] {
        let Err(ApiError::Refused(refusal)) = steps::submit(&world.state, &client, typo()).await
        else {
            panic!("was not refused")
        };
        assert_eq!(refusal.code, Code::InvalidRedirectLink);
        let hint = refusal.hint.unwrap_or_default();
        assert_eq!(hint.contains("myapp://[R]eturn"), told, "{hint}");
        assert_eq!(hint.contains(LINK), told, "{hint}");
    }
}

async fn a_cancelled_session_takes_nothing_more(db: Db) {
    let world = World::scripted(db).await;
    let opened = world.client.open(AISP).await;
    let cancel = |id, proof| sessions::cancel(&world.state, &world.client, id, proof);
    assert_eq!(
        code(cancel(opened.session_id, SessionProof::None).await),
        Code::MissingFields
    );
    for _ in 0..2 {
        let off = cancel(opened.session_id, SessionProof::Secret)
            .await
            .unwrap();
        assert_eq!(off.status, SessionStatus::Cancelled);
    }
    assert_eq!(
        code(
            world
                .client
                .submit(opened.session_id, &opened.nonce, sca())
                .await
        ),
        Code::SessionEnded
    );
    // A completed session can be cancelled until its token is exchanged.
    let at_bank = world.at_bank().await;
    let token = query(&world.come_back("code-1").await.unwrap(), "temp_token").unwrap();
    cancel(at_bank.session_id, SessionProof::Secret)
        .await
        .unwrap();
    assert_eq!(
        code(world.client.exchange(&token).await),
        Code::TempTokenExpired
    );
    let at_bank = world.at_bank().await;
    let token = query(&world.come_back("code-1").await.unwrap(), "temp_token").unwrap();
    world.client.exchange(&token).await.unwrap();
    assert_eq!(
        code(cancel(at_bank.session_id, SessionProof::Secret).await),
        Code::SessionEnded
    );
}

async fn a_crash_between_claim_and_effect_is_taken_over(db: Db) {
    let world = World::scripted(db).await;
    let opened = world.client.open(AISP).await;
    // The first submission hangs at the bank, claim in hand, as if its process had died there.
    world.provider.gate.forget_permits(1_000);
    let hung = tokio::spawn({
        let (world, nonce) = (world.clone(), opened.nonce.clone());
        async move { world.client.submit(opened.session_id, &nonce, sca()).await }
    });
    while world.provider.submitted.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(
        code(
            world
                .client
                .submit(opened.session_id, &opened.nonce, sca())
                .await
        ),
        Code::StepInFlight
    );
    world.advance(61);
    let second = tokio::spawn({
        let (world, nonce) = (world.clone(), opened.nonce.clone());
        async move { world.client.submit(opened.session_id, &nonce, sca()).await }
    });
    while world.provider.submitted.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    world.provider.gate.add_permits(1_000);
    let outcomes = [hung.await.unwrap(), second.await.unwrap()];
    // The one that lost its lease cannot complete, even though it was first; the session went on once.
    assert!(outcomes[0].is_err() && outcomes[1].is_ok());
    assert_eq!(
        code(
            world
                .client
                .submit(opened.session_id, &opened.nonce, sca())
                .await
        ),
        Code::InvalidNonce
    );
}
