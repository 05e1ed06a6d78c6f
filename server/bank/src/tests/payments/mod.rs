//! Payments at the bank: ordered once, confirmed by a person, executed by the clock, cancelled in time.

mod refusals;

use chrono::Duration;
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::world::{REDIRECT, VERIFIER, Visit, World, code, end, json as body, tpp_code};
use crate::storage::Db;
use crate::tests::on_both;

on_both!(
    a_person_confirms_and_the_payment_is_executed,
    the_same_request_is_the_same_payment,
    a_named_account_is_the_only_one_that_pays,
    a_later_payment_waits_for_its_day_and_can_be_cancelled_until_then,
    a_standing_order_is_executed_again_and_again,
    a_bulk_is_judged_payment_by_payment,
    of_two_windows_one_decides,
);

const SEPA: &str = "/v1/payments/sepa-credit-transfers";
const RON: &str = "/v1/payments/domestic-credit-transfers";
/// The first account of `family`, in RON.
const ACCOUNT: (&str, &str) = ("account", "201");
const SHOP: &str = "DE89370400440532013000";
/// Valid, of this bank, and of nobody.
const NOBODY: &str = "RO65XYZB0000000000000042";

fn transfer(amount: &str, currency: &str, creditor: &str) -> Value {
    json!({
        "instructedAmount": { "currency": currency, "amount": amount },
        "creditorAccount": { "iban": creditor },
        "creditorName": "Corner <Shop>",
        "remittanceInformationUnstructured": "Invoice 77",
    })
}

/// A transfer in RON with more members.
fn with(members: Value) -> Value {
    let mut order = transfer("12.50", "RON", SHOP);
    for (name, value) in members.as_object().unwrap() {
        order[name] = value.clone();
    }
    order
}

impl World {
    async fn post(&self, path: &str, order: &Value, request_id: Uuid) -> Response {
        let call = self
            .http
            .post(self.url(path))
            .basic_auth("tpp", Some("s3cret"));
        let call = call.header("x-request-id", request_id.to_string());
        call.header("tpp-redirect-uri", REDIRECT)
            .json(order)
            .send()
            .await
            .unwrap()
    }

    /// Orders a payment; its address.
    async fn order(&self, path: &str, order: &Value) -> String {
        let response = self.post(path, order, self.clock.id()).await;
        let location = response.headers()["location"].to_str().unwrap().to_owned();
        assert_eq!(response.status(), StatusCode::CREATED);
        let answer = body(response).await;
        assert_eq!(answer["transactionStatus"], "RCVD");
        assert_eq!(answer["_links"]["self"]["href"], json!(location));
        location
    }

    async fn standing(&self, payment: &str) -> Value {
        let all = body(
            self.call(self.http.get(self.url(payment)))
                .send()
                .await
                .unwrap(),
        )
        .await;
        let status = self.call(self.http.get(self.url(&format!("{payment}/status"))));
        let status = body(status.send().await.unwrap()).await;
        assert_eq!(status["transactionStatus"], all["transactionStatus"]);
        all
    }

    async fn status(&self, payment: &str) -> String {
        self.standing(payment).await["transactionStatus"]
            .as_str()
            .unwrap()
            .to_owned()
    }

    async fn cancel(&self, payment: &str) -> Response {
        self.call(self.http.delete(self.url(payment)))
            .send()
            .await
            .unwrap()
    }

    async fn confirm_page(&self, payment: &str) -> Visit<'_> {
        let id = payment.rsplit('/').next().unwrap();
        let visit = self.visit_for(&format!("PIS:{id}")).await;
        visit.sign_in("family", "sandbox").await;
        visit
    }

    /// The whole way to a yes; the code it brought.
    async fn confirm(&self, payment: &str) -> String {
        let visit = self.confirm_page(payment).await;
        code(&visit.answer(&[("decision", "approve"), ACCOUNT]).await)
    }
}

impl Visit<'_> {
    async fn answer(&self, fields: &[(&str, &str)]) -> Response {
        self.form("decision", fields).send().await.unwrap()
    }
}

async fn a_person_confirms_and_the_payment_is_executed(db: Db) {
    let world = World::open(db).await;
    let payment = world.order(RON, &with(json!({}))).await;
    let visit = world.confirm_page(&payment).await;
    let page = visit.page().await;
    for shown in [
        "12.50 RON",
        "Corner &lt;Shop&gt;",
        "DE89 3704 0044 0532 0130 00",
        "Invoice 77",
        "At once",
    ] {
        assert!(page.contains(shown), "{shown}");
    }
    assert_eq!(
        page.matches(" checked").count(),
        1,
        "the first account that has enough is chosen"
    );
    assert!(!page.contains("Euro account"));
    let answer = visit.answer(&[("decision", "approve"), ACCOUNT]).await;
    assert_eq!(end(&answer)["state"], "the state");
    let token = body(world.redeem(&code(&answer), VERIFIER).await).await;
    assert!(token["scope"].as_str().unwrap().starts_with("PIS:"));
    let (token, consent) = (
        token["access_token"].as_str().unwrap(),
        Uuid::nil().to_string(),
    );
    let accounts = world.read("/v1/accounts", token, &consent).await;
    assert_eq!(
        accounts.status(),
        StatusCode::UNAUTHORIZED,
        "it opens no accounts"
    );
    let mut seen = vec![world.status(&payment).await];
    for _ in 0..4 {
        world.clock.advance(Duration::seconds(1));
        seen.push(world.status(&payment).await);
    }
    assert_eq!(seen, ["ACTC", "ACSP", "ACSP", "ACSC", "ACSC"]);
    assert!(
        world.standing(&payment).await["debtorAccount"]["iban"]
            .as_str()
            .unwrap()
            .contains("XYZB")
    );
    let late = (
        StatusCode::METHOD_NOT_ALLOWED,
        "CANCELLATION_INVALID".to_owned(),
    );
    assert_eq!(tpp_code(world.cancel(&payment).await).await, late);
    world.close().await;
}

async fn the_same_request_is_the_same_payment(db: Db) {
    let world = World::open(db).await;
    let (id, order) = (world.clock.id(), with(json!({})));
    let calls = (0..16).map(|_| world.post(RON, &order, id));
    let mut payments = Vec::new();
    for response in futures_util::future::join_all(calls).await {
        assert_eq!(response.status(), StatusCode::CREATED);
        payments.push(body(response).await["paymentId"].clone());
    }
    payments.dedup();
    assert_eq!(payments.len(), 1);
    let other = world
        .post(RON, &with(json!({ "creditorName": "Somebody else" })), id)
        .await;
    assert_eq!(
        tpp_code(other).await,
        (
            StatusCode::BAD_REQUEST,
            "PARAMETER_NOT_CONSISTENT".to_owned()
        )
    );
    world.close().await;
}

async fn a_named_account_is_the_only_one_that_pays(db: Db) {
    let world = World::open(db).await;
    let own = crate::ledger::accounts::of_id(Some(203)).unwrap().iban();
    let payment = world
        .order(RON, &with(json!({ "debtorAccount": { "iban": own } })))
        .await;
    // Of another user: they have no such account, and can only go back.
    let id = payment.rsplit('/').next().unwrap();
    let visit = world.visit_for(&format!("PIS:{id}")).await;
    visit.sign_in("student", "sandbox").await;
    let page = visit.page().await;
    assert!(page.contains("no account that can pay") && !page.contains("value=\"approve\""));
    assert_eq!(
        visit.answer(&[("decision", "approve")]).await.status(),
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let visit = world.confirm_page(&payment).await;
    assert!(!visit.page().await.contains("type=\"radio\""));
    code(&visit.answer(&[("decision", "approve")]).await);
    assert_eq!(
        world.standing(&payment).await["debtorAccount"]["iban"],
        json!(own)
    );
    world.close().await;
}

async fn a_later_payment_waits_for_its_day_and_can_be_cancelled_until_then(db: Db) {
    let world = World::open(db).await;
    let order = with(json!({ "requestedExecutionDate": "2026-01-05" }));
    let (kept, dropped) = (
        world.order(RON, &order).await,
        world.order(RON, &order).await,
    );
    world.confirm(&kept).await;
    world.confirm(&dropped).await;
    // 9:00 on the 1st: the last second of the 4th.
    world
        .clock
        .advance(Duration::hours(87) - Duration::seconds(1));
    assert_eq!(world.status(&kept).await, "ACTC");
    assert_eq!(
        world.cancel(&dropped).await.status(),
        StatusCode::NO_CONTENT
    );
    world.clock.advance(Duration::seconds(1));
    let late = tpp_code(world.cancel(&kept).await).await;
    assert_eq!(
        late,
        (
            StatusCode::METHOD_NOT_ALLOWED,
            "CANCELLATION_INVALID".to_owned()
        )
    );
    world.clock.advance(Duration::seconds(2));
    assert_eq!(world.status(&kept).await, "ACSP");
    world.clock.advance(Duration::days(9));
    assert_eq!(world.status(&kept).await, "ACSC");
    assert_eq!(world.status(&dropped).await, "CANC");
    assert_eq!(
        world.cancel(&dropped).await.status(),
        StatusCode::NO_CONTENT,
        "twice is no error"
    );
    world.close().await;
}

async fn a_standing_order_is_executed_again_and_again(db: Db) {
    let world = World::open(db).await;
    let path = "/v1/periodic-payments/domestic-credit-transfers";
    let monthly = |end: Option<&str>| {
        let mut order = with(
            json!({ "startDate": "2026-01-02", "frequency": "Monthly", "dayOfExecution": "5" }),
        );
        if let Some(end) = end {
            order["endDate"] = json!(end);
        }
        order
    };
    let ending = world.order(path, &monthly(Some("2026-03-31"))).await;
    let endless = world.order(path, &monthly(None)).await;
    let page = world.confirm_page(&ending).await.page().await;
    assert!(page.contains("Every month from 5 January 2026, until 31 March 2026"));
    world.confirm(&ending).await;
    world.confirm(&endless).await;
    let told = world.standing(&ending).await;
    assert_eq!(told["transactionStatus"], "ACTC");
    assert_eq!(
        told["executions"],
        json!({ "done": 0, "last": null, "next": "2026-01-05" })
    );
    // The 6th of February.
    world.clock.advance(Duration::days(36));
    let told = world.standing(&ending).await;
    assert_eq!(told["transactionStatus"], "ACSP");
    assert_eq!(
        told["executions"],
        json!({ "done": 2, "last": "2026-02-05", "next": "2026-03-05" })
    );
    assert_eq!(
        world.cancel(&endless).await.status(),
        StatusCode::NO_CONTENT
    );
    world.clock.advance(Duration::days(60));
    let told = world.standing(&endless).await;
    assert_eq!(told["transactionStatus"], "CANC");
    assert_eq!(
        told["executions"],
        json!({ "done": 2, "last": "2026-02-05", "next": null })
    );
    let told = world.standing(&ending).await;
    assert_eq!(told["transactionStatus"], "ACSC");
    assert_eq!(
        told["executions"],
        json!({ "done": 3, "last": "2026-03-05", "next": null })
    );
    assert_eq!(
        world.cancel(&ending).await.status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
    world.close().await;
}

async fn a_bulk_is_judged_payment_by_payment(db: Db) {
    let world = World::open(db).await;
    let path = "/v1/bulk-payments/domestic-credit-transfers";
    let payments = [
        transfer("10.00", "RON", SHOP),
        transfer("20.5", "RON", NOBODY),
    ];
    let bulk = world.order(path, &json!({ "payments": payments })).await;
    let page = world.confirm_page(&bulk).await.page().await;
    assert!(page.contains("30.50 RON") && page.contains("20.50 RON to Corner &lt;Shop&gt;"));
    world.confirm(&bulk).await;
    world.clock.advance(Duration::seconds(3));
    let told = world.standing(&bulk).await;
    assert_eq!(told["transactionStatus"], "PART");
    assert_eq!(told["payments"][0]["transactionStatus"], "ACSC");
    assert_eq!(told["payments"][1]["transactionStatus"], "RJCT");
    assert_eq!(told["payments"][1]["reasonCode"], "AC03");
    let single = world.order(RON, &transfer("10", "RON", NOBODY)).await;
    world.confirm(&single).await;
    world.clock.advance(Duration::seconds(3));
    let told = world.standing(&single).await;
    assert_eq!(
        (&told["transactionStatus"], &told["reasonCode"]),
        (&json!("RJCT"), &json!("AC03"))
    );
    world.close().await;
}

async fn of_two_windows_one_decides(db: Db) {
    let world = World::open(db).await;
    for _ in 0..8 {
        let payment = world.order(RON, &with(json!({}))).await;
        let (one, two) = (
            world.confirm_page(&payment).await,
            world.confirm_page(&payment).await,
        );
        let yes = [("decision", "approve"), ACCOUNT];
        let (one, two, cancelled) =
            tokio::join!(one.answer(&yes), two.answer(&yes), world.cancel(&payment));
        let confirmed = [&one, &two]
            .into_iter()
            .filter(|answer| answer.status() == StatusCode::SEE_OTHER)
            .count();
        let cancelled = usize::from(cancelled.status() == StatusCode::NO_CONTENT);
        assert_eq!(confirmed + cancelled, 1, "exactly one of them decides");
        world.clock.advance(Duration::seconds(3));
        let expected = if cancelled == 1 { "CANC" } else { "ACSC" };
        assert_eq!(world.status(&payment).await, expected);
    }
    world.close().await;
}
