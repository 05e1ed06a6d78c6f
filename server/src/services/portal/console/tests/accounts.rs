//! Account information: the bank's consent, then accounts, transactions and balances; and what holds for every run.

use app::portal::skills::Skills as _;

use super::*;
use crate::jobs::console::ForgetRun;
use crate::worker::JobHandler as _;

on_both!(
    a_run_goes_from_keys_to_transactions_and_shows_no_secret,
    balances_are_offered_and_nothing_of_other_kinds_is,
    a_refusal_is_told_and_the_session_goes_on,
    of_many_sendings_of_one_form_one_calls,
    a_foreign_run_is_not_there,
    a_run_is_forgotten_after_a_day,
    a_call_that_failed_may_be_made_again,
    data_that_is_no_json_is_refused_with_its_place
);

const SKILL: &str = "xyz_ro_aisp_sbx_#1.0";

/// The API by its documents.
fn api(asked: &Asked) -> (u16, Value) {
    let body = &asked.body;
    let steps = format!("/v1/sessions/{SESSION}/steps");
    let get = format!("/v1/sessions/{SESSION}/get");
    let answer = match asked.path.as_str() {
        "/v1/sessions" => {
            json!({"session_id": SESSION, "nonce": NONCE, "status": "SESSION_CREATED", "next_step": "sca"})
        }
        path if path == steps && body["data"]["psu_redirect_link"] == "myapp://unknown" => {
            let refusal =
                json!({"http": 400, "code": "invalid_redirect_link", "message": "Not registered."});
            return (400, refusal);
        }
        path if path == steps => {
            assert!([NONCE, FRESH].contains(&body["nonce"].as_str().unwrap()));
            json!({"step_id": STEP, "status": "SESSION_IN_PROGRESS", "data": {"method": "GET", "url": "http://127.0.0.1:4/authorise", "headers": {}}})
        }
        path if path == get => {
            // The end-user was away: only the server is told.
            assert!(body.get("nonce").is_none(), "{body}");
            json!({"session_id": SESSION, "status": "SESSION_IN_PROGRESS", "nonce": FRESH, "next_step": "sca"})
        }
        "/v1/token" => {
            assert_eq!(body["temp_token"], TEMP);
            json!({"credentials_id": SESSION, "access_token": ACCESS})
        }
        "/v1/accounts/get" | "/v1/transactions/get" | "/v1/balances/get" => {
            assert_eq!(body["access_token"], ACCESS);
            json!([{"id": "1", "echo": ACCESS}])
        }
        other => panic!("the console called {other}"),
    };
    (200, answer)
}

async fn accounts(db: Db) -> ConsoleUser {
    console(db, SKILL, api).await
}

async fn a_run_goes_from_keys_to_transactions_and_shows_no_secret(db: Db) {
    let console = accounts(db).await;
    assert!(!console.world.services.skills().await.unwrap().is_empty());
    let id = console.new_run().await;
    let run = console.advance(id).await;
    let (name, data) = step_of(&run);
    assert_eq!(name, "sca");
    assert!(
        data.contains("http://127.0.0.1:3000/console/return"),
        "{data}"
    );
    let run = console.advance(id).await;
    assert_eq!(run.next, NextCall::Bank);
    assert_eq!(
        run.bank_url.as_deref(),
        Some("http://127.0.0.1:4/authorise")
    );
    assert_eq!(run.nonces[0].used_by, Some(1));
    assert_eq!(console.back(Some(TEMP), None).await.unwrap(), id);
    assert_eq!(console.run(id).await.next, NextCall::Exchange);
    assert_eq!(console.advance(id).await.next, NextCall::Accounts);
    assert_eq!(console.advance(id).await.next, NextCall::Transactions);
    let run = console.advance(id).await;
    assert_eq!(run.next, NextCall::Done);
    assert!(run.calls[2].request_body.contains("$TESSERA_CLIENT_SECRET"));
    let shown = format!("{run:?}");
    for secret in [NONCE, TEMP, ACCESS] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let listed = console.world.services.runs(&console.actor).await.unwrap();
    assert_eq!(
        (listed[0].id, listed[0].stage, listed[0].calls),
        (id, RunStage::Done, 5)
    );
    // Late and repeated returns change nothing.
    console
        .back(Some("another-token-another-token-another-tok"), None)
        .await
        .unwrap();
    assert_eq!(console.run(id).await.next, NextCall::Done);
}

async fn a_refusal_is_told_and_the_session_goes_on(db: Db) {
    let console = accounts(db).await;
    let id = console.new_run().await;
    console.advance(id).await;
    console.advance(id).await;
    console.back(None, Some("access_denied")).await.unwrap();
    let run = console.run(id).await;
    assert_eq!(
        (run.next, run.refusal.as_deref()),
        (NextCall::Ask, Some("access_denied"))
    );
    let run = console.advance(id).await;
    assert!(matches!(run.next, NextCall::Step { .. }) && run.refusal.is_none());
    assert_eq!(run.nonces.len(), 2);
    assert_eq!(console.advance(id).await.next, NextCall::Bank);
}

async fn of_many_sendings_of_one_form_one_calls(db: Db) {
    let console = Arc::new(accounts(db).await);
    let id = console.new_run().await;
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let console = console.clone();
            tokio::spawn(async move {
                console
                    .world
                    .services
                    .advance(
                        &console.actor,
                        id,
                        0,
                        RunAction::Next(None),
                        &RequestSource::default(),
                    )
                    .await
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!(console.calls.load(Ordering::SeqCst), 1);
    assert_eq!(console.run(id).await.calls.len(), 1);
    // And once more, long after.
    console
        .world
        .services
        .advance(
            &console.actor,
            id,
            0,
            RunAction::Next(None),
            &RequestSource::default(),
        )
        .await
        .unwrap();
    assert_eq!(console.calls.load(Ordering::SeqCst), 1);
}

async fn a_foreign_run_is_not_there(db: Db) {
    let console = accounts(db).await;
    let id = console.new_run().await;
    console.advance(id).await;
    let (stranger, tenant) = person(&console.world, "eve@example.com").await;
    let (services, source) = (&console.world.services, RequestSource::default());
    let session = SESSION.parse().unwrap();
    assert_eq!(
        services.run(&stranger, id).await.err(),
        Some(PortalError::NotFound)
    );
    assert_eq!(
        services
            .advance(&stranger, id, 1, RunAction::Next(None), &source)
            .await
            .err(),
        Some(PortalError::NotFound)
    );
    assert_eq!(
        services.repeat(&stranger, id, &source).await.err(),
        Some(PortalError::NotFound)
    );
    assert_eq!(
        services
            .bank_return(&stranger, session, Some(TEMP), None)
            .await
            .err(),
        Some(PortalError::NotFound)
    );
    assert_eq!(
        services
            .new_run(&stranger, console.tenant, SKILL, &source)
            .await
            .err(),
        Some(PortalError::NotFound)
    );
    assert!(services.runs(&stranger).await.unwrap().is_empty());
    assert!(
        services
            .new_run(&stranger, tenant, SKILL, &source)
            .await
            .is_ok()
    );
    assert_eq!(console.run(id).await.calls.len(), 1);
}

async fn a_run_is_forgotten_after_a_day(db: Db) {
    let console = accounts(db).await;
    let id = console.new_run().await;
    console.advance(id).await;
    let job = ForgetRun { run: id };
    job.run(&console.world.services.state).await.unwrap();
    assert_eq!(console.run(id).await.calls.len(), 1, "its day is not over");
    console
        .world
        .services
        .state
        .clock
        .advance(Duration::days(1));
    let run = console.run(id).await;
    assert!(
        matches!(run.next, NextCall::DeadEnd(_)) && run.calls.is_empty() && run.nonces.is_empty()
    );
    job.run(&console.world.services.state).await.unwrap();
    let mut tx = console.world.services.state.db.read().await.unwrap();
    assert!(tx.run_calls(id).await.unwrap().is_empty());
    drop(tx);
    let late = console
        .world
        .services
        .advance(
            &console.actor,
            id,
            1,
            RunAction::Next(None),
            &RequestSource::default(),
        )
        .await;
    assert!(matches!(late, Err(PortalError::Conflict(_))));
    assert!(
        console
            .world
            .services
            .repeat(&console.actor, id, &RequestSource::default())
            .await
            .is_ok()
    );
}

async fn a_call_that_failed_may_be_made_again(db: Db) {
    let console = accounts(db).await;
    let id = console.new_run().await;
    console.advance(id).await;
    let wrong = r#"{"psu_redirect_link": "myapp://unknown"}"#;
    let run = console.submit(id, wrong).await;
    assert_eq!((run.calls[1].status, run.nonces[0].used_by), (400, None));
    let (_, data) = step_of(&run);
    assert_eq!(data, wrong, "what was typed is kept");
    let right = r#"{"psu_redirect_link": "myapp://return"}"#;
    let run = console.submit(id, right).await;
    assert_eq!((run.next, run.nonces[0].used_by), (NextCall::Bank, Some(2)));
    let again = console
        .world
        .services
        .repeat(&console.actor, id, &RequestSource::default())
        .await
        .unwrap();
    assert_eq!(console.run(again).await.next, NextCall::OpenSession);
}

async fn data_that_is_no_json_is_refused_with_its_place(db: Db) {
    let console = accounts(db).await;
    let id = console.new_run().await;
    console.advance(id).await;
    let refused = console
        .world
        .services
        .advance(
            &console.actor,
            id,
            1,
            RunAction::Next(Some("{\n  \"a\": oops\n}")),
            &RequestSource::default(),
        )
        .await;
    let Err(PortalError::Refused(errors)) = refused else {
        panic!("not refused")
    };
    assert!(
        errors[0].message.contains("line 2, column"),
        "{}",
        errors[0].message
    );
    assert_eq!(console.calls.load(Ordering::SeqCst), 1, "nothing was sent");
}

async fn balances_are_offered_and_nothing_of_other_kinds_is(db: Db) {
    let console = accounts(db).await;
    let id = console.new_run().await;
    console.advance(id).await;
    console.advance(id).await;
    console.back(Some(TEMP), None).await.unwrap();
    for _ in 0..3 {
        console.advance(id).await;
    }
    let run = console.run(id).await;
    assert_eq!(run.offers, [Offer::Balances]);
    let run = console
        .act(id, RunAction::Offered(Offer::Balances))
        .await
        .unwrap();
    assert_eq!((run.next, run.calls.len()), (NextCall::Done, 6));
    for offer in [Offer::Payment, Offer::CancelPayment, Offer::Products] {
        let refused = console.act(id, RunAction::Offered(offer)).await;
        assert!(matches!(refused, Err(PortalError::Conflict(_))), "{offer}");
    }
    assert_eq!(console.calls.load(Ordering::SeqCst), 6, "nothing was sent");
}
