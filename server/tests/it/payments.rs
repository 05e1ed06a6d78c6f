//! Payments through the real door: ordered in a session, confirmed on the bank's page, read and called off with the pair.

mod refusals;

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::world::browser::{self, Browser, End, Page};
use crate::world::{Database, Keys, RETURN, World, on_both};

on_both!(
    a_single_payment_from_order_to_execution,
    a_future_dated_payment_is_called_off_in_both_styles,
    a_standing_order_is_ordered_and_called_off,
    a_bulk_tells_its_good_payments_from_its_bad_one
);

pub const SKILL: &str = "xyz_ro_pisp_sbx_#1.0";
const SHOP: &str = "RO49AAAA1B31007593840000";
/// Valid, of the sandbox bank, and of nobody.
const NOBODY: &str = "RO65XYZB0000000000000042";

fn transfer(amount: &str, iban: &str) -> Value {
    json!({
        "payment_id": {"end_to_end_id": "invoice-77"},
        "amount": {"instructed_amount": {"amount": amount, "currency": "RON"}},
        "creditor": {"name": "Corner Shop"},
        "creditor_account": {"iban": iban},
        "remittance_information": {"unstructured": "Invoice 77"},
    })
}

/// One transfer, with more members of its `payment_info`.
pub fn single(members: &Value) -> Value {
    let mut info = json!({"credit_transfer_transaction_information": [transfer("12.50", SHOP)]});
    for (name, value) in members.as_object().unwrap() {
        info[name] = value.clone();
    }
    info
}

pub fn in_days(days: i64) -> String {
    // The server of these tests goes by the machine's clock, and so must the test.
    let now = kernel::clock::Clock::system().now();
    let today = app::domain::zone::Zone::BUCHAREST.day(now);
    (today + chrono::Duration::days(days)).to_string()
}

async fn session(world: &World, keys: &Keys) -> (String, String) {
    let open =
        json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": SKILL});
    let (status, session) = world.post("/v1/sessions", &open).await;
    assert_eq!(status, 200, "{session}");
    let text = |name: &str| session[name].as_str().unwrap().to_owned();
    (text("session_id"), text("nonce"))
}

fn intent(keys: &Keys, nonce: &str, data: Value) -> Value {
    json!({"client_id": keys.client_id, "nonce": nonce, "skill": SKILL, "step": "payment_intent", "data": data})
}

/// Orders; the bank's page.
async fn order(world: &World, keys: &Keys, info: Value) -> String {
    let (session, nonce) = session(world, keys).await;
    let body = intent(
        keys,
        &nonce,
        json!({"psu_redirect_link": RETURN, "payment_info": [info]}),
    );
    let (status, step) = world
        .post(&format!("/v1/sessions/{session}/steps"), &body)
        .await;
    assert_eq!(
        (status, &step["status"]),
        (200, &json!("SESSION_IN_PROGRESS")),
        "{step}"
    );
    step["data"]["url"].as_str().unwrap().to_owned()
}

/// Signs `family` in at the bank.
async fn signed_in(browser: &mut Browser, bank: &str) -> Page {
    let End::Page(page) = browser.open(bank).await else {
        panic!("{bank} is no page")
    };
    let End::Page(page) = browser
        .submit(&page, &[("username", "family"), ("password", "sandbox")])
        .await
    else {
        panic!("signing in left the bank")
    };
    page
}

/// Confirms with the first account offered; the link the user ends at.
async fn confirm(bank: &str) -> String {
    let mut browser = Browser::default();
    let page = signed_in(&mut browser, bank).await;
    let (_, account) = browser::inputs(&page.html, "name=\"account\"").remove(0);
    match browser
        .submit(&page, &[("decision", "approve"), ("account", &account)])
        .await
    {
        End::Left(link) => link,
        End::Page(page) => panic!("the bank did not let go: {} {}", page.status, page.html),
    }
}

/// The whole way to the pair.
pub async fn pay(world: &World, keys: &Keys, info: Value) -> (String, String) {
    let end = confirm(&order(world, keys, info).await).await;
    assert!(end.starts_with("myapp://return?"), "{end}");
    let temp_token = browser::query(&end, "temp_token").unwrap();
    let exchange = json!({"client_id": keys.client_id, "client_secret": keys.client_secret, "temp_token": temp_token});
    let (status, pair) = world.post("/v1/token", &exchange).await;
    assert_eq!(status, 200, "{pair}");
    let text = |name: &str| pair[name].as_str().unwrap().to_owned();
    (text("credentials_id"), text("access_token"))
}

/// A call of the REST style: keys in Basic, the pair in headers.
fn rest(
    world: &World,
    keys: &Keys,
    pair: &(String, String),
    method: Method,
    id: &Value,
) -> RequestBuilder {
    let url = world.api(&format!("/v1/payments/{}", id.as_str().unwrap()));
    reqwest::Client::new()
        .request(method, url)
        .basic_auth(&keys.client_id, Some(&keys.client_secret))
        .header("X-Credentials-Id", &pair.0)
        .header("X-Access-Token", &pair.1)
}

async fn answer(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Reads until nothing can happen any more.
async fn to_the_end(world: &World, keys: &Keys, pair: &(String, String)) -> Value {
    let begin = Instant::now();
    loop {
        let (status, payment) = world.post("/v1/payments/get", &keys.data(pair)).await;
        assert_eq!(status, 200, "{payment}");
        if payment["final"] == json!(true) {
            return payment;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{payment}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn a_single_payment_from_order_to_execution(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant_with(&[SKILL]).await;
    let pair = pay(&world, &keys, single(&json!({}))).await;
    let (status, first) = world.post("/v1/payments/get", &keys.data(&pair)).await;
    assert_eq!(
        (status, &first["kind"], &first["final"]),
        (200, &json!("single"), &json!(false)),
        "{first}"
    );
    assert!(
        ["ACTC", "ACSP"].contains(&first["status"].as_str().unwrap()),
        "{first}"
    );
    assert_eq!(
        (&first["amount"], &first["currency"]),
        (&json!("12.50"), &json!("RON"))
    );
    assert_eq!(
        (&first["skill"], &first["servicer_name"]),
        (&json!(SKILL), &json!("XYZ Bank"))
    );
    assert_eq!(first["items"][0]["creditor_account"]["iban"], SHOP);
    assert!(
        first["debtor_account"]["iban"]
            .as_str()
            .unwrap()
            .contains("XYZB")
    );
    assert!(
        first["ordered"]["payment_info"][0].is_object()
            && first["ordered"].get("psu_redirect_link").is_none()
    );
    let last = to_the_end(&world, &keys, &pair).await;
    assert_eq!(
        (&last["status"], &last["status_text"]),
        (&json!("ACSC"), &json!("executed")),
        "{last}"
    );
    let (status, same) = answer(rest(&world, &keys, &pair, Method::GET, &first["id"])).await;
    assert_eq!(
        (status, &same["id"], &same["status"]),
        (200, &first["id"], &json!("ACSC"))
    );
    let (status, late) = world.post("/v1/payments/cancel", &keys.data(&pair)).await;
    assert_eq!(
        (status, &late["code"]),
        (409, &json!("payment_not_cancellable")),
        "{late}"
    );
}

async fn a_future_dated_payment_is_called_off_in_both_styles(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant_with(&[SKILL]).await;
    let day = in_days(10);
    let later = single(&json!({"requested_execution_date": day}));
    let pair = pay(&world, &keys, later.clone()).await;
    let (_, payment) = world.post("/v1/payments/get", &keys.data(&pair)).await;
    let seen = (
        &payment["kind"],
        &payment["status"],
        &payment["execution_date"],
    );
    assert_eq!(
        seen,
        (&json!("future_dated"), &json!("ACTC"), &json!(day)),
        "{payment}"
    );
    // Twice with one key is once, and the second answer is the first.
    let call = || {
        let request = reqwest::Client::new()
            .post(world.api("/v1/payments/cancel"))
            .json(&keys.data(&pair));
        request.header("Idempotency-Key", "cancel-1").send()
    };
    let (one, two) = (call().await.unwrap(), call().await.unwrap());
    assert!(two.headers().contains_key("Idempotent-Replayed"));
    let (one, two): (Value, Value) = (one.json().await.unwrap(), two.json().await.unwrap());
    assert_eq!(
        (&one["status"], &one["final"]),
        (&json!("CANC"), &json!(true)),
        "{one}"
    );
    assert_eq!(one, two);

    let pair = pay(&world, &keys, later).await;
    let (_, payment) = world.post("/v1/payments/get", &keys.data(&pair)).await;
    for _ in 0..2 {
        let (status, off) =
            answer(rest(&world, &keys, &pair, Method::DELETE, &payment["id"])).await;
        assert_eq!(
            (status, &off["status"], &off["status_text"]),
            (200, &json!("CANC"), &json!("cancelled")),
            "{off}"
        );
    }
}

async fn a_standing_order_is_ordered_and_called_off(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant_with(&[SKILL]).await;
    let standing = single(
        &json!({"frequency": "Monthly", "start_date": in_days(5), "execution_rule": "following"}),
    );
    let bank = order(&world, &keys, standing).await;
    let mut browser = Browser::default();
    let page = signed_in(&mut browser, &bank).await;
    assert!(
        page.html.contains("Every month from")
            && page.html.contains("until you or the app cancels it")
    );
    let (_, account) = browser::inputs(&page.html, "name=\"account\"").remove(0);
    let End::Left(end) = browser
        .submit(&page, &[("decision", "approve"), ("account", &account)])
        .await
    else {
        panic!("still there")
    };
    let token = browser::query(&end, "temp_token").unwrap();
    let exchange = json!({"client_id": keys.client_id, "client_secret": keys.client_secret, "temp_token": token});
    let (_, pair) = world.post("/v1/token", &exchange).await;
    let text = |name: &str| pair[name].as_str().unwrap().to_owned();
    let pair = (text("credentials_id"), text("access_token"));
    let (_, payment) = world.post("/v1/payments/get", &keys.data(&pair)).await;
    assert_eq!(
        (&payment["kind"], &payment["status"]),
        (&json!("periodic"), &json!("ACTC")),
        "{payment}"
    );
    assert_eq!(payment["executions"]["done"], 0);
    assert_eq!(
        payment["executions"]["next_date"],
        payment["execution_date"]
    );
    let (status, off) = world.post("/v1/payments/cancel", &keys.data(&pair)).await;
    assert_eq!(
        (status, &off["status"], &off["executions"]["next_date"]),
        (200, &json!("CANC"), &Value::Null),
        "{off}"
    );
}

async fn a_bulk_tells_its_good_payments_from_its_bad_one(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant_with(&[SKILL]).await;
    let several = [
        transfer("10.00", SHOP),
        transfer("20.50", NOBODY),
        transfer("5", SHOP),
    ];
    let pair = pay(
        &world,
        &keys,
        json!({"credit_transfer_transaction_information": several}),
    )
    .await;
    let bulk = to_the_end(&world, &keys, &pair).await;
    assert_eq!(
        (&bulk["kind"], &bulk["status"], &bulk["amount"]),
        (&json!("bulk"), &json!("PART"), &json!("35.50")),
        "{bulk}"
    );
    let statuses: Vec<_> = bulk["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["status"].clone())
        .collect();
    assert_eq!(statuses, ["ACSC", "RJCT", "ACSC"]);
    assert_eq!(bulk["items"][1]["reason"], "AC03");
}
