//! The end-user's way back.

use super::*;
use crate::services::sessions::SessionProof;
use crate::storage::testing::on_both;
use app::domain::session::SessionStatus;

on_both!(
    a_return_ends_at_the_tenants_link,
    a_refusal_ends_the_attempt_and_the_session_goes_on,
    a_repeated_return_harms_no_earlier_one,
    a_return_is_repeatable_five_times_and_for_ten_minutes,
    a_paused_tenants_return_brings_nothing_and_gives_the_consent_back,
    the_own_state_comes_back_on_every_outcome,
    a_failing_bank_leaves_the_return_good,
    a_redirect_that_was_not_last_goes_on_with_the_next_step
);

async fn a_return_ends_at_the_tenants_link(db: Db) {
    let world = World::scripted(db).await;
    let new = NewSession {
        state: Some("a b&c".into()),
        ..new_session(AISP)
    };
    let opened = sessions::create(&world.state, &world.client, new)
        .await
        .unwrap();
    let taken = world
        .client
        .submit(opened.session_id, &opened.nonce, sca())
        .await
        .unwrap();
    assert_eq!(
        (taken.data["method"].as_str(), taken.nonce),
        (Some("GET"), None)
    );
    assert!(
        taken.data["url"]
            .as_str()
            .unwrap()
            .starts_with("https://bank.example.com/")
    );
    let standing = sessions::get(
        &world.state,
        &world.client,
        opened.session_id,
        SessionProof::Secret,
    )
    .await
    .unwrap();
    assert_eq!(standing.data, Some(taken.data));
    let link = world.come_back("code-1").await.unwrap();
    assert!(link.starts_with("myapp://return?temp_token="), "{link}");
    assert_eq!(
        query(&link, "session_id"),
        Some(opened.session_id.to_string())
    );
    assert_eq!(query(&link, "state").as_deref(), Some("a b&c"));
    world
        .client
        .exchange(&query(&link, "temp_token").unwrap())
        .await
        .unwrap();
    *world.provider.sent.lock().unwrap() = "made-up".into();
    assert_eq!(
        code(world.come_back("code-1").await),
        Code::TppRedirectError
    );
}

async fn a_refusal_ends_the_attempt_and_the_session_goes_on(db: Db) {
    let world = World::scripted(db).await;
    let refused = ConsentOutcome::Refused {
        reason: "access_denied".into(),
    };
    world
        .provider
        .finishes
        .lock()
        .unwrap()
        .push_back(Ok(refused));
    let opened = world.at_bank().await;
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let link = world.come_back("code-1").await.unwrap();
        assert_eq!(query(&link, "error").as_deref(), Some("access_denied"));
        assert!(query(&link, "temp_token").is_none());
        nonces.push(query(&link, "nonce").unwrap());
    }
    assert_eq!(nonces[0], nonces[1], "the same until it is used");
    let next = SessionProof::Nonce(&nonces[0]);
    for proof in [next, SessionProof::Secret] {
        let standing = sessions::get(&world.state, &world.client, opened.session_id, proof);
        let standing = standing.await.unwrap();
        assert_eq!(
            (standing.status, standing.next_step.as_deref()),
            (SessionStatus::InProgress, Some("sca"))
        );
        assert_eq!(standing.nonce.as_ref(), Some(&nonces[0]));
    }
    world
        .client
        .submit(opened.session_id, &nonces[0], sca())
        .await
        .unwrap();
    let link = world.come_back("code-2").await.unwrap();
    world
        .client
        .exchange(&query(&link, "temp_token").unwrap())
        .await
        .unwrap();
}

async fn a_repeated_return_harms_no_earlier_one(db: Db) {
    let world = World::scripted(db).await;
    world.at_bank().await;
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let link = world.come_back("code-1").await.unwrap();
        tokens.push(query(&link, "temp_token").unwrap());
    }
    assert!(tokens[0] != tokens[1] && tokens[1] != tokens[2]);
    assert_eq!(
        code(world.come_back("another-code").await),
        Code::TppRedirectError
    );
    // Whichever the app took is good; the others end with it, and whoever tries them ends nothing.
    let pair = pair(world.client.exchange(&tokens[1]).await.unwrap());
    world.advance(60);
    for sibling in [&tokens[0], &tokens[2]] {
        assert_eq!(
            code(world.client.exchange(sibling).await),
            Code::TempTokenUsed
        );
    }
    let read = crate::services::consents::accounts::list(&world.state, &world.client, &pair).await;
    assert!(read.is_ok());
    // Come back once more: it is over, and well.
    for _ in 0..2 {
        let link = world.come_back("code-1").await.unwrap();
        assert_eq!(
            query(&link, "error_code").as_deref(),
            Some("already_completed")
        );
        assert!(query(&link, "error").is_none() && query(&link, "temp_token").is_none());
    }
    // Refused in another window, after all: it was agreed to.
    let state = world.provider.sent.lock().unwrap().clone();
    let refusal = AuthorizationResponse {
        state: state.into(),
        code: None,
        refused: true,
    };
    let onward = crate::services::sessions::callbacks::handle_callback(&world.state, refusal).await;
    let Ok(CallbackResult::Link(link)) = onward else {
        panic!("no link")
    };
    assert_eq!(
        query(&link, "error_code").as_deref(),
        Some("already_completed")
    );
}

async fn a_return_is_repeatable_five_times_and_for_ten_minutes(db: Db) {
    let world = World::scripted(db).await;
    world.at_bank().await;
    let token = async || query(&world.come_back("code-1").await.unwrap(), "temp_token");
    let first = token().await.unwrap();
    for _ in 1..5 {
        assert!(token().await.is_some());
    }
    assert_eq!(token().await, None, "five for one return");
    world.client.exchange(&first).await.unwrap();
    world.at_bank().await;
    let first = token().await.unwrap();
    world.advance(600);
    let last = token().await.unwrap();
    assert_eq!(
        code(world.client.exchange(&first).await),
        Code::TempTokenExpired
    );
    world.advance(1);
    assert_eq!(token().await, None, "none later than ten minutes");
    world.client.exchange(&last).await.unwrap();
}

async fn a_paused_tenants_return_brings_nothing_and_gives_the_consent_back(db: Db) {
    let world = World::scripted(db).await;
    let pause = async |status| {
        let mut tx = world.state.db.write().await.unwrap();
        tx.set_tenant_status(world.client.tenant(), status)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    };
    // Completed, and not exchanged.
    let done = world.at_bank().await;
    world.come_back("code-1").await.unwrap();
    let told = async || {
        let link = world.come_back("code-1").await.unwrap();
        assert!(query(&link, "temp_token").is_none() && query(&link, "nonce").is_none());
        (query(&link, "error"), query(&link, "error_code"))
    };
    let paused = (Some("expired".to_owned()), Some("tenant_paused".to_owned()));
    pause(TenantStatus::Paused).await;
    assert_eq!(told().await, paused);
    pause(TenantStatus::Active).await;
    assert_eq!(
        world.client.standing(done.session_id).await.status,
        SessionStatus::Completed
    );
    // At the bank.
    let open = world.at_bank().await;
    pause(TenantStatus::Paused).await;
    for _ in 0..2 {
        assert_eq!(told().await, paused);
    }
    world.work().await;
    assert_eq!(world.provider.revoked.load(Ordering::SeqCst), 1);
    pause(TenantStatus::Active).await;
    assert_eq!(
        world.client.standing(open.session_id).await.status,
        SessionStatus::Failed
    );
    let link = world.come_back("code-1").await.unwrap();
    assert_eq!(query(&link, "error_code").as_deref(), Some("access_denied"));
}

async fn the_own_state_comes_back_on_every_outcome(db: Db) {
    let world = World::scripted(db).await;
    let own = "a b&c=d%20é\u{1f600}+;#?";
    let open = async || {
        let new = NewSession {
            state: Some(own.into()),
            ..new_session(AISP)
        };
        let opened = sessions::create(&world.state, &world.client, new).await;
        let opened = opened.unwrap();
        assert_eq!(opened.state.as_deref(), Some(own));
        world
            .client
            .submit(opened.session_id, &opened.nonce, sca())
            .await
            .unwrap();
        opened
    };
    let refused = ConsentOutcome::Refused {
        reason: "access_denied".into(),
    };
    for (returned, error) in [
        (None, None),
        (Some(Ok(refused)), Some("access_denied")),
        (Some(Err(ConnectorError::Unreachable)), Some("bank_error")),
    ] {
        open().await;
        world.provider.finishes.lock().unwrap().extend(returned);
        let link = world.come_back("code-1").await.unwrap();
        assert_eq!(query(&link, "error").as_deref(), error);
        assert_eq!(query(&link, "state").as_deref(), Some(own), "{link}");
    }
    let cancelled = open().await;
    for proof in [SessionProof::Secret, SessionProof::Nonce(&cancelled.nonce)] {
        let get = sessions::get(&world.state, &world.client, cancelled.session_id, proof);
        assert_eq!(get.await.unwrap().state.as_deref(), Some(own));
    }
    let bare = sessions::get(
        &world.state,
        &world.client,
        cancelled.session_id,
        SessionProof::None,
    );
    assert_eq!(
        bare.await.unwrap().state,
        None,
        "shown to whoever opened it"
    );
    let off = sessions::cancel(
        &world.state,
        &world.client,
        cancelled.session_id,
        SessionProof::Secret,
    );
    assert_eq!(off.await.unwrap().state.as_deref(), Some(own));
    let ended = world.come_back("code-1").await.unwrap();
    open().await;
    world.advance(24 * 3600);
    let expired = world.come_back("code-1").await.unwrap();
    for link in [ended, expired] {
        assert_eq!(query(&link, "error").as_deref(), Some("expired"));
        assert_eq!(query(&link, "state").as_deref(), Some(own), "{link}");
    }
}

async fn a_failing_bank_leaves_the_return_good(db: Db) {
    let world = World::scripted(db).await;
    world
        .provider
        .finishes
        .lock()
        .unwrap()
        .push_back(Err(ConnectorError::Unreachable));
    world.at_bank().await;
    let link = world.come_back("code-1").await.unwrap();
    assert_eq!(query(&link, "error").as_deref(), Some("bank_error"));
    let link = world.come_back("code-1").await.unwrap();
    assert!(query(&link, "temp_token").is_some());
}

async fn a_redirect_that_was_not_last_goes_on_with_the_next_step(db: Db) {
    let world = World::scripted(db).await;
    world
        .provider
        .finishes
        .lock()
        .unwrap()
        .push_back(Ok(ConsentOutcome::Consented(Next::Step {
            name: "sca".into(),
            data: json!({ "then": "again" }),
            bank_ref: None,
        })));
    let opened = world.at_bank().await;
    let link = world.come_back("code-1").await.unwrap();
    assert!(query(&link, "temp_token").is_none() && query(&link, "error").is_none());
    let nonce = query(&link, "nonce").unwrap();
    let again = world.come_back("code-1").await.unwrap();
    assert_eq!(query(&again, "nonce"), Some(nonce.clone()));
    world
        .client
        .submit(opened.session_id, &nonce, sca())
        .await
        .unwrap();
    let link = world.come_back("code-2").await.unwrap();
    world
        .client
        .exchange(&query(&link, "temp_token").unwrap())
        .await
        .unwrap();
}
