//! Steps that repeat, branch, lead away more than once, or wait for somebody's decision.

use super::*;
use crate::jobs::resume_session::ResumeSession;
use crate::services::sessions::{SessionProof, verifications};
use crate::storage::testing::on_both;
use app::domain::session::SessionStatus;

on_both!(
    steps_repeat_and_branch_as_the_connector_says,
    a_step_that_the_manifest_lacks_is_our_fault_and_changes_nothing,
    a_session_may_lead_to_the_bank_more_than_once,
    a_pending_step_goes_on_once_the_provider_has_decided,
    a_last_step_that_was_pending_leaves_its_token_to_be_asked_for,
    a_refused_verification_asks_for_the_same_step_again,
    a_failed_verification_ends_the_session,
    time_in_a_verification_does_not_count,
    no_verification_lasts_forever,
    a_failing_provider_is_asked_again_later_and_later,
    an_asking_takes_place_once_however_often_its_job_runs,
    a_crash_while_asking_is_taken_over,
    calling_off_a_pending_session_tells_the_provider,
    what_took_effect_for_a_session_called_off_meanwhile_is_taken_back,
    a_step_handed_over_twice_carries_the_same_key
);

fn form(name: &str) -> NewStep {
    step(FORM, name, json!({ "value": "100000" }))
}

fn case() -> Opaque {
    Opaque::new(b"case-1".to_vec())
}

fn goes_on(step: &str) -> Next {
    Next::Step {
        name: step.into(),
        data: json!({}),
        bank_ref: Some(case()),
    }
}

fn pending() -> Next {
    Next::Pending {
        poll_after: POLL_AFTER,
        data: json!({ "documents": ["selfie"] }),
        bank_ref: case(),
    }
}

fn verified(step: &str) -> VerificationOutcome {
    VerificationOutcome::Verified(Next::Step {
        name: step.into(),
        data: json!({ "rate": "4.5" }),
        bank_ref: Some(case()),
    })
}

impl World {
    fn will(&self, outcomes: impl IntoIterator<Item = Next>) {
        let mut script = self.provider.submits.lock().unwrap();
        script.extend(outcomes.into_iter().map(Ok));
    }

    fn says(&self, verdict: Result<VerificationOutcome, ConnectorError>) {
        self.provider.verdicts.lock().unwrap().push_back(verdict);
    }

    fn asked(&self) -> usize {
        self.provider.asked.load(Ordering::SeqCst)
    }

    /// A session that waits for the provider.
    async fn waiting(&self) -> OpenedSession {
        self.will([pending()]);
        let opened = self.client.open(FORM).await;
        let taken = self
            .client
            .submit(opened.session_id, &opened.nonce, form("product_form"))
            .await
            .unwrap();
        assert_eq!(taken.status, SessionStatus::Pending);
        opened
    }

    /// Lets the time to the next asking pass, and the worker ask.
    async fn next_asking(&self) {
        self.advance(5);
        self.work().await;
    }
}

async fn steps_repeat_and_branch_as_the_connector_says(db: Db) {
    let world = World::scripted(db).await;
    world.will(["product_form", "product_form", "confirm", "product_form"].map(goes_on));
    let opened = world.client.open(FORM).await;
    let (mut nonce, mut name) = (opened.nonce, "product_form".to_owned());
    let mut seen = vec![nonce.clone()];
    for next in ["product_form", "product_form", "confirm", "product_form"] {
        let taken = world
            .client
            .submit(opened.session_id, &nonce, form(&name))
            .await;
        let taken = taken.unwrap();
        assert_eq!(taken.next_step.as_deref(), Some(next));
        nonce = taken.nonce.unwrap();
        assert!(!seen.contains(&nonce), "each step has a nonce of its own");
        seen.push(nonce.clone());
        name = next.to_owned();
    }
    let other = world
        .client
        .submit(opened.session_id, &nonce, form("confirm"))
        .await;
    assert_eq!(code(other), Code::InvalidStep);
}

async fn a_step_that_the_manifest_lacks_is_our_fault_and_changes_nothing(db: Db) {
    let world = World::scripted(db).await;
    world.will(["no_such_step", "confirm"].map(goes_on));
    let opened = world.client.open(FORM).await;
    let submit = || {
        world
            .client
            .submit(opened.session_id, &opened.nonce, form("product_form"))
    };
    assert!(matches!(submit().await, Err(ApiError::Broken(_))));
    submit().await.unwrap();
}

async fn a_session_may_lead_to_the_bank_more_than_once(db: Db) {
    let world = World::scripted(db).await;
    let opened = world.at_bank().await;
    let goes_on = ConsentOutcome::Consented(Next::Step {
        name: "sca".into(),
        data: json!({ "signed": 1 }),
        bank_ref: None,
    });
    let again = ConsentOutcome::Consented(Next::Pending {
        poll_after: POLL_AFTER,
        data: Value::Null,
        bank_ref: case(),
    });
    for (round, returned) in [goes_on, again].into_iter().enumerate() {
        let good = format!("code-{round}");
        world
            .provider
            .finishes
            .lock()
            .unwrap()
            .push_back(Ok(returned));
        // The same return once more changes nothing, and another code is none of this return's.
        for _ in 0..2 {
            let link = world.come_back(&good).await.unwrap();
            assert!(query(&link, "temp_token").is_none() && query(&link, "error").is_none());
        }
        assert_eq!(
            code(world.come_back("code-x").await),
            Code::TppRedirectError
        );
        let standing = world.client.standing(opened.session_id).await;
        if round == 0 {
            assert_eq!(standing.data, Some(json!({ "signed": 1 })));
            world
                .client
                .submit(opened.session_id, &standing.nonce.unwrap(), sca())
                .await
                .unwrap();
        } else {
            assert_eq!(standing.status, SessionStatus::Pending);
            assert_eq!(standing.data, Some(json!({ "poll_after": 5 })));
        }
    }
    world.says(Ok(verified("sca")));
    world.next_asking().await;
    let standing = world.client.standing(opened.session_id).await;
    world
        .client
        .submit(opened.session_id, &standing.nonce.unwrap(), sca())
        .await
        .unwrap();
    let link = world.come_back("code-3").await.unwrap();
    world
        .client
        .exchange(&query(&link, "temp_token").unwrap())
        .await
        .unwrap();
}

async fn a_pending_step_goes_on_once_the_provider_has_decided(db: Db) {
    let world = World::scripted(db).await;
    let opened = world.waiting().await;
    let standing = world.client.standing(opened.session_id).await;
    assert_eq!(standing.status, SessionStatus::Pending);
    assert_eq!(
        standing.data,
        Some(json!({ "poll_after": 5, "documents": ["selfie"] }))
    );
    assert!(standing.nonce.is_none() && standing.next_step.is_none());
    // Not before the provider said it would know.
    world.advance(4);
    world.work().await;
    assert_eq!(world.asked(), 0);
    world.advance(1);
    world.work().await;
    assert_eq!(world.asked(), 1);
    world.says(Ok(verified("confirm")));
    world.next_asking().await;
    assert_eq!(world.asked(), 2);
    // The nonce's life starts when it is first asked for.
    world.advance(7_200);
    let standing = world.client.standing(opened.session_id).await;
    assert_eq!(standing.status, SessionStatus::InProgress);
    assert_eq!(standing.next_step.as_deref(), Some("confirm"));
    assert_eq!(standing.data, Some(json!({ "rate": "4.5" })));
    world.advance(30 * 60 - 1);
    world.will([goes_on("confirm")]);
    world
        .client
        .submit(opened.session_id, &standing.nonce.unwrap(), form("confirm"))
        .await
        .unwrap();
    world.next_asking().await;
    assert_eq!(world.asked(), 2, "nobody asks any more");
}

async fn a_last_step_that_was_pending_leaves_its_token_to_be_asked_for(db: Db) {
    let world = World::scripted(db).await;
    let opened = world.waiting().await;
    world.says(Ok(VerificationOutcome::Verified(Next::Done {
        granted: granted(),
        data: json!({ "card": "ready" }),
    })));
    world.next_asking().await;
    world.advance(3_600);
    let standing = world.client.standing(opened.session_id).await;
    assert_eq!(standing.status, SessionStatus::Completed);
    assert_eq!(standing.data, Some(json!({ "card": "ready" })));
    let token = standing.temp_token.unwrap();
    world.advance(599);
    let standing = world.client.standing(opened.session_id).await;
    assert_eq!(standing.temp_token.as_ref(), Some(&token));
    world.client.exchange(&token).await.unwrap();
}

async fn a_refused_verification_asks_for_the_same_step_again(db: Db) {
    let world = World::scripted(db).await;
    let opened = world.waiting().await;
    world.says(Ok(VerificationOutcome::Refused {
        reason: "document_unreadable".into(),
    }));
    world.next_asking().await;
    let standing = world.client.standing(opened.session_id).await;
    assert_eq!(standing.status, SessionStatus::InProgress);
    assert_eq!(standing.next_step.as_deref(), Some("product_form"));
    assert_eq!(
        standing.data,
        Some(json!({ "reason": "document_unreadable" }))
    );
    world.will([pending()]);
    let taken = world
        .client
        .submit(
            opened.session_id,
            &standing.nonce.unwrap(),
            form("product_form"),
        )
        .await
        .unwrap();
    assert_eq!(taken.status, SessionStatus::Pending);
    let keys = world.provider.keys.lock().unwrap().clone();
    assert_ne!(keys[0], keys[1], "another attempt has another key");
}

async fn a_failed_verification_ends_the_session(db: Db) {
    let world = World::scripted(db).await;
    for verdict in [
        Ok(VerificationOutcome::Failed {
            reason: "rejected".into(),
        }),
        Err(ConnectorError::Rejected {
            code: "UNKNOWN".into(),
        }),
    ] {
        let opened = world.waiting().await;
        world.says(verdict);
        world.next_asking().await;
        let standing = world.client.standing(opened.session_id).await;
        assert_eq!(standing.status, SessionStatus::Failed);
        assert!(standing.data.unwrap()["reason"].is_string());
        assert!(standing.nonce.is_none() && standing.temp_token.is_none());
    }
    assert_eq!(world.provider.stopped.load(Ordering::SeqCst), 2);
}

async fn time_in_a_verification_does_not_count(db: Db) {
    let world = World::scripted(db).await;
    let opened = world.waiting().await;
    world.advance(3 * 86_400);
    let standing = world.client.standing(opened.session_id).await;
    assert_eq!(standing.status, SessionStatus::Pending);
    assert_eq!(
        standing.expires_at - world.state.clock.now(),
        chrono::Duration::days(1)
    );
    world.says(Ok(verified("confirm")));
    world.work().await;
    world.advance(86_399);
    assert_eq!(
        world.client.standing(opened.session_id).await.status,
        SessionStatus::InProgress
    );
    // At the instant, and without anybody's doing.
    world.advance(1);
    assert_eq!(
        world.client.standing(opened.session_id).await.status,
        SessionStatus::Expired
    );
}

async fn no_verification_lasts_forever(db: Db) {
    let world = World::scripted(db).await;
    let opened = world.waiting().await;
    world.advance(30 * 86_400);
    world.work().await;
    assert_eq!(world.asked(), 0);
    assert_eq!(world.provider.stopped.load(Ordering::SeqCst), 1);
    let standing = world.client.standing(opened.session_id).await;
    assert_eq!(standing.status, SessionStatus::Failed);
}

async fn a_failing_provider_is_asked_again_later_and_later(db: Db) {
    let world = World::scripted(db).await;
    let opened = world.waiting().await;
    for (wait, asked) in [(5, 1), (5, 2), (10, 3), (20, 4)] {
        world.says(Err(ConnectorError::Unreachable));
        world.advance(wait - 1);
        world.work().await;
        assert_eq!(world.asked(), asked - 1);
        world.advance(1);
        world.work().await;
        assert_eq!(world.asked(), asked);
    }
    world.advance(3_600);
    world.says(Ok(verified("confirm")));
    world.work().await;
    let standing = world.client.standing(opened.session_id).await;
    assert_eq!(standing.next_step.as_deref(), Some("confirm"));
}

async fn an_asking_takes_place_once_however_often_its_job_runs(db: Db) {
    let world = World::scripted(db).await;
    let opened = world.waiting().await;
    let asking = ResumeSession::first(opened.session_id, 2);
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (state, asking) = (world.state.clone(), asking.clone());
            tokio::spawn(async move { verifications::poll(&state, &asking).await.is_ok() })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    verifications::poll(&world.state, &asking).await.unwrap();
    assert_eq!(world.asked(), 1);
    // The job of the step is one repetition more; only the asking after it is new.
    world.next_asking().await;
    assert_eq!(world.asked(), 2);
    world.next_asking().await;
    assert_eq!(world.asked(), 3);
}

async fn a_crash_while_asking_is_taken_over(db: Db) {
    let world = World::scripted(db).await;
    let opened = world.waiting().await;
    // The first asking hangs at the provider, claim in hand, as if its process had died there.
    world.provider.gate.forget_permits(1_000);
    world.advance(5);
    let hung = tokio::spawn({
        let world = world.clone();
        async move { world.work().await }
    });
    while world.asked() == 0 {
        tokio::task::yield_now().await;
    }
    world.advance(61);
    world.says(Ok(verified("confirm")));
    world.says(Ok(verified("product_form")));
    let second = tokio::spawn({
        let world = world.clone();
        async move { world.work().await }
    });
    while world.asked() < 2 {
        tokio::task::yield_now().await;
    }
    world.provider.gate.add_permits(1_000);
    hung.await.unwrap();
    second.await.unwrap();
    let standing = world.client.standing(opened.session_id).await;
    assert_eq!(standing.status, SessionStatus::InProgress);
    let step = standing.next_step.unwrap();
    world.will([goes_on("confirm")]);
    world
        .client
        .submit(opened.session_id, &standing.nonce.unwrap(), form(&step))
        .await
        .unwrap();
}

async fn calling_off_a_pending_session_tells_the_provider(db: Db) {
    let world = World::scripted(db).await;
    let opened = world.waiting().await;
    let cancel = || {
        sessions::cancel(
            &world.state,
            &world.client,
            opened.session_id,
            SessionProof::Secret,
        )
    };
    assert_eq!(cancel().await.unwrap().status, SessionStatus::Cancelled);
    assert_eq!(cancel().await.unwrap().status, SessionStatus::Cancelled);
    world.next_asking().await;
    assert_eq!(world.provider.stopped.load(Ordering::SeqCst), 1);
    assert_eq!(world.asked(), 0);
}

async fn what_took_effect_for_a_session_called_off_meanwhile_is_taken_back(db: Db) {
    let world = World::scripted(db).await;
    let done = || Next::Done {
        granted: granted(),
        data: json!({}),
    };
    for (round, outcome) in [done(), pending()].into_iter().enumerate() {
        world.will([outcome]);
        let opened = world.client.open(FORM).await;
        world.provider.gate.forget_permits(1_000);
        let submitted = world.provider.submitted.load(Ordering::SeqCst);
        let flying = tokio::spawn({
            let (world, nonce) = (world.clone(), opened.nonce.clone());
            async move {
                world
                    .client
                    .submit(opened.session_id, &nonce, form("product_form"))
                    .await
            }
        });
        while world.provider.submitted.load(Ordering::SeqCst) == submitted {
            tokio::task::yield_now().await;
        }
        sessions::cancel(
            &world.state,
            &world.client,
            opened.session_id,
            SessionProof::Secret,
        )
        .await
        .unwrap();
        world.provider.gate.add_permits(1_000);
        assert_eq!(code(flying.await.unwrap()), Code::SessionEnded);
        world.work().await;
        assert_eq!(world.provider.revoked.load(Ordering::SeqCst), 1);
        assert_eq!(world.provider.stopped.load(Ordering::SeqCst), round);
    }
}

async fn a_step_handed_over_twice_carries_the_same_key(db: Db) {
    let world = World::scripted(db).await;
    let failing = Err(ConnectorError::Timeout);
    world.provider.submits.lock().unwrap().push_back(failing);
    world.will(["product_form", "confirm"].map(goes_on));
    let opened = world.client.open(FORM).await;
    let submit = |nonce: String| {
        let world = world.clone();
        async move {
            world
                .client
                .submit(opened.session_id, &nonce, form("product_form"))
                .await
        }
    };
    assert!(submit(opened.nonce.clone()).await.is_err());
    let taken = submit(opened.nonce.clone()).await.unwrap();
    submit(taken.nonce.unwrap()).await.unwrap();
    let other = world.client.open(FORM).await;
    world.will([goes_on("confirm")]);
    world
        .client
        .submit(other.session_id, &other.nonce, form("product_form"))
        .await
        .unwrap();
    let keys = world.provider.keys.lock().unwrap().clone();
    assert_eq!(keys[0], keys[1]);
    assert!(keys[1] != keys[2] && keys[1] != keys[3]);
}
