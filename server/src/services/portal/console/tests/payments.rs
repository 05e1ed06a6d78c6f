//! A payment: ordered with the bank's consent, read with its pair, and called off while the bank lets it be. And a card,
//! whose token waits for the files of the last step.

use super::*;

on_both!(
    a_run_goes_from_an_order_to_the_payments_status,
    a_payment_that_has_a_day_to_come_may_be_called_off,
    a_last_steps_files_come_before_its_token
);

const SKILL: &str = "xyz_ro_pisp_sbx_#1.0";
const CARD: &str = "xyz_card_sbx_#1.0";

/// The API by its documents: a payment with a day is open until it is called off, any other is executed at once.
fn api(asked: &Asked) -> (u16, Value) {
    let payment = |kind: &str, status: &str, is_final: bool| json!({"id": "1", "kind": kind, "status": status, "final": is_final});
    (
        200,
        match asked.path.as_str() {
            "/v1/sessions" => {
                json!({"session_id": SESSION, "nonce": NONCE, "status": "SESSION_CREATED", "next_step": "payment_intent"})
            }
            "/v1/token" => json!({"credentials_id": SESSION, "access_token": ACCESS}),
            "/v1/payments/get" => payment("single", "ACSC", true),
            "/v1/payments/cancel" => payment("future_dated", "CANC", true),
            path if path.ends_with("/steps") => {
                json!({"step_id": STEP, "status": "SESSION_IN_PROGRESS", "data": {"method": "GET", "url": "http://127.0.0.1:4/pay", "headers": {}}})
            }
            other => panic!("the console called {other}"),
        },
    )
}

/// Answers like [`api`], but the payment's day has not come.
fn later(asked: &Asked) -> (u16, Value) {
    if asked.path == "/v1/payments/get" {
        return (
            200,
            json!({"id": "1", "kind": "future_dated", "status": "ACTC", "final": false}),
        );
    }
    api(asked)
}

impl ConsoleUser {
    /// To the payment, read once.
    async fn paid(&self) -> RunId {
        let id = self.new_run().await;
        let run = self.advance(id).await;
        let (name, data) = step_of(&run);
        assert_eq!(name, "payment_intent");
        assert!(
            data.contains("http://127.0.0.1:3000/console/return"),
            "{data}"
        );
        assert_eq!(self.advance(id).await.next, NextCall::Bank);
        self.back(Some(TEMP), None).await.unwrap();
        assert_eq!(self.advance(id).await.next, NextCall::Payment);
        assert_eq!(self.advance(id).await.next, NextCall::Done);
        id
    }
}

async fn a_run_goes_from_an_order_to_the_payments_status(db: Db) {
    let console = console(db, SKILL, api).await;
    let id = console.paid().await;
    let run = console.run(id).await;
    assert_eq!(
        run.offers,
        [Offer::Payment],
        "what is executed is not called off"
    );
    assert!(run.calls[3].path.ends_with("/payments/get") && !run.calls[3].browser_safe);
    assert_ne!(
        run.session_status.as_deref(),
        Some("ACSC"),
        "a payment's status is not the session's"
    );
    let run = console
        .act(id, RunAction::Offered(Offer::Payment))
        .await
        .unwrap();
    assert_eq!((run.calls.len(), run.next), (5, NextCall::Done));
}

async fn a_payment_that_has_a_day_to_come_may_be_called_off(db: Db) {
    let console = console(db, SKILL, later).await;
    let id = console.paid().await;
    assert_eq!(
        console.run(id).await.offers,
        [Offer::Payment, Offer::CancelPayment]
    );
    let run = console
        .act(id, RunAction::Offered(Offer::CancelPayment))
        .await
        .unwrap();
    assert_eq!(run.calls[4].title, "Cancel payment");
    assert_eq!(run.offers, [Offer::Payment], "it is off");
}

async fn a_last_steps_files_come_before_its_token(db: Db) {
    let console = console(db, CARD, |asked| {
        let step = asked.body["step"].as_str().unwrap_or_default();
        let kind = asked.body["kind"].as_str().unwrap_or_default();
        (200, match asked.path.as_str() {
            "/v1/sessions" => json!({"session_id": SESSION, "nonce": NONCE, "status": "SESSION_CREATED", "next_step": "card_form"}),
            "/v1/token" => json!({"credentials_id": SESSION, "access_token": ACCESS}),
            path if path.ends_with("/upload") => json!({"upload_id": kind, "kind": kind, "size": 1, "sha256": "ab12", "status": "SESSION_IN_PROGRESS"}),
            _ if step == "card_form" => json!({"step_id": STEP, "status": "SESSION_IN_PROGRESS", "nonce": FRESH, "next_step": "kyc", "data": {}}),
            _ => json!({"step_id": SESSION, "status": "SESSION_IN_PROGRESS", "temp_token": TEMP, "data": {}}),
        })
    })
    .await;
    let id = console.new_run().await;
    console.advance(id).await;
    console.advance(id).await;
    let run = console.sample(id, "payslip").await;
    assert_eq!(
        step_of(&run).0,
        "kyc",
        "files of the first step come before the second"
    );
    let run = console.advance(id).await;
    assert!(
        matches!(&run.next, NextCall::Uploads { step, .. } if step == "kyc")
            && run.temp_token.is_none()
    );
    console.sample(id, "id_document").await;
    console
        .world
        .services
        .state
        .clock
        .advance(Duration::minutes(5));
    let run = console.sample(id, "selfie").await;
    assert_eq!(run.next, NextCall::Exchange);
    let life = console
        .world
        .services
        .state
        .config
        .sandbox
        .temp_token_seconds;
    let end = console.world.services.state.clock.now() + Duration::seconds(life);
    assert_eq!(
        run.temp_token_expires_at,
        Some(end),
        "its life begins with the last file"
    );
    assert_eq!(console.advance(id).await.next, NextCall::Products);
}
