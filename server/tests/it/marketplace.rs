//! The skills of the marketplace, call by call: the deposit with its verification, and the card whose two steps each
//! take files, as the first documents' diagram draws it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::world::{Database, Keys, World, on_both};

on_both!(
    a_deposit_is_opened_call_by_call,
    a_card_is_taken_out_as_the_first_documents_draw_it,
    a_large_deposit_asks_for_more_and_a_bad_document_for_another,
    a_rejected_document_ends_the_session,
    a_session_called_off_while_pending_is_over
);

const DEPOSIT: &str = "xyz_sbx_#3.0";
const CARD: &str = "xyz_card_sbx_#1.0";

/// One session, walked with the fields that the documents print.
struct Walk<'w> {
    world: &'w World,
    keys: Keys,
    skill: &'static str,
    session: String,
    nonce: String,
}

impl<'w> Walk<'w> {
    async fn begin(world: &'w World, skill: &'static str) -> Self {
        let keys = world.tenant_with(&[skill, "xyz_aisp_sbx_#1.0"]).await;
        let open = json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": skill});
        let (status, session) = world.post("/v1/sessions", &open).await;
        assert_eq!(status, 200, "{session}");
        Self {
            world,
            keys,
            skill,
            session: session["session_id"].as_str().unwrap().into(),
            nonce: session["nonce"].as_str().unwrap().into(),
        }
    }

    /// Submits a step; the answer, and the nonce that its files are sent with.
    async fn step(&mut self, name: &str, data: Value) -> (Value, String) {
        let used = self.nonce.clone();
        let step = json!({"client_id": self.keys.client_id, "nonce": used, "skill": self.skill, "step": name, "data": data});
        let path = format!("/v1/sessions/{}/steps", self.session);
        let (status, answer) = self.world.post(&path, &step).await;
        assert_eq!(status, 200, "{name}: {answer}");
        assert!(answer["step_id"].is_string(), "{answer}");
        if let Some(nonce) = answer["nonce"].as_str() {
            self.nonce = nonce.into();
        }
        (answer, used)
    }

    /// Sends a file for a step, as browsers send forms (RFC 7578).
    async fn upload(&self, (step, nonce): &(Value, String), kind: &str, wish: &str) {
        let part = |name: &str, value: &str| {
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let mut body = part("client_id", &self.keys.client_id);
        body.push_str(&part("nonce", nonce));
        body.push_str(&part("kind", kind));
        body.push_str("--edge\r\nContent-Disposition: form-data; name=\"file\"; filename=\"scan.pdf\"\r\n\r\n");
        body.push_str("%PDF-1.7\n");
        body.push_str(&format!("{kind} {wish}\r\n--edge--\r\n"));
        let path = format!("/v1/steps/{}/upload", step["step_id"].as_str().unwrap());
        let answer = reqwest::Client::new()
            .post(self.world.api(&path))
            .header("content-type", "multipart/form-data; boundary=edge")
            .body(body)
            .send()
            .await
            .unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, 200, "{kind}: {text}");
    }

    /// Asks the session until it no longer waits for the bank.
    async fn decided(&mut self) -> Value {
        let path = format!("/v1/sessions/{}/get", self.session);
        let ask = json!({"client_id": self.keys.client_id, "client_app_key": self.keys.client_app_key, "nonce": self.nonce});
        let begun = Instant::now();
        loop {
            let (status, standing) = self.world.post(&path, &ask).await;
            assert_eq!(status, 200, "{standing}");
            if standing["status"] != "SESSION_PENDING" {
                if let Some(nonce) = standing["nonce"].as_str() {
                    self.nonce = nonce.into();
                }
                return standing;
            }
            assert!(
                begun.elapsed() < Duration::from_mins(1),
                "the bank never decides: {standing}"
            );
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn exchange(&self, temp_token: &Value) -> (u16, Value) {
        let exchange = json!({"client_id": self.keys.client_id, "client_secret": self.keys.client_secret, "temp_token": temp_token});
        self.world.post("/v1/token", &exchange).await
    }

    fn pair(&self, pair: &Value) -> Value {
        json!({
            "client_id": self.keys.client_id, "client_secret": self.keys.client_secret,
            "credentials_id": pair["credentials_id"], "access_token": pair["access_token"],
        })
    }
}

fn form(value: &str) -> Value {
    json!({ "value": value, "currency": "EUR", "period": "12" })
}

fn person() -> Value {
    json!({ "first_name": "Ana", "last_name": "Example", "date_of_birth": "1990-05-17" })
}

async fn a_deposit_is_opened_call_by_call(database: Database) {
    let world = World::shared(database).await;
    let mut walk = Walk::begin(&world, DEPOSIT).await;
    let (answer, _) = walk.step("product_form", form("100000")).await;
    assert_eq!(answer["status"], "SESSION_IN_PROGRESS");
    assert_eq!(answer["next_step"], "kyc");
    let offer = answer["data"]["offer"].clone();
    assert_eq!(offer["principal"], "100000.00");

    // The bank verifies: the session waits, and takes the files meanwhile.
    let kyc = walk.step("kyc", person()).await;
    assert_eq!(kyc.0["status"], "SESSION_PENDING", "{}", kyc.0);
    assert!(kyc.0["data"]["poll_after"].is_u64() && kyc.0.get("nonce").is_none());
    assert_eq!(kyc.0["data"]["documents"], json!(["id_document", "selfie"]));
    walk.upload(&kyc, "id_document", "front").await;
    walk.upload(&kyc, "selfie", "smile").await;
    let standing = walk.decided().await;
    assert_eq!(standing["status"], "SESSION_IN_PROGRESS", "{standing}");
    assert_eq!(standing["next_step"], "contract");

    let (last, _) = walk.step("contract", json!({ "accept": true })).await;
    assert_eq!(last["status"], "SESSION_COMPLETED", "{last}");
    assert!(last.get("nonce").is_none() && last["data"]["reference"].is_string());
    let (status, pair) = walk.exchange(&last["temp_token"]).await;
    assert_eq!(status, 200, "{pair}");

    // The pair points at the deposit, in both styles, and at nothing else.
    let read = walk.pair(&pair);
    let (status, products) = world.post("/v1/products/get", &read).await;
    assert_eq!(status, 200, "{products}");
    let product = &products[0];
    assert_eq!(products.as_array().unwrap().len(), 1);
    assert_eq!(product["servicer_name"], "XYZ Bank");
    assert_eq!(product["data"]["kind"], "deposit");
    assert_eq!(product["data"]["status"], "active");
    assert_eq!(product["data"]["reference"], last["data"]["reference"]);
    let terms = &product["data"]["terms"];
    // One spelling from the first offer to the product.
    let names = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(names(terms), names(&offer));
    assert_eq!(terms["principal"], "100000.00");
    assert_eq!(
        (&terms["currency"], &terms["period_months"]),
        (&json!("EUR"), &json!(12))
    );
    let page = reqwest::Client::new()
        .get(world.api("/v1/products"))
        .basic_auth(&walk.keys.client_id, Some(&walk.keys.client_secret))
        .header("x-credentials-id", pair["credentials_id"].as_str().unwrap())
        .header("x-access-token", pair["access_token"].as_str().unwrap())
        .send()
        .await
        .unwrap();
    let page: Value = serde_json::from_str(&page.text().await.unwrap()).unwrap();
    assert_eq!(page["items"][0]["id"], product["id"], "{page}");
    let (status, refused) = world.post("/v1/accounts/get", &read).await;
    assert_eq!(
        (status, &refused["code"]),
        (400, &json!("wrong_kind_of_consent"))
    );
    assert!(
        refused["hint"]
            .as_str()
            .unwrap()
            .contains("/v1/products/get")
    );

    // Ended, it reads nothing any more.
    let (status, _) = world.post("/v1/consents/delete", &read).await;
    assert_eq!(status, 200);
    let (status, refused) = world.post("/v1/products/get", &read).await;
    assert_eq!(
        (status, &refused["code"]),
        (401, &json!("inactive_credentials"))
    );
}

async fn a_card_is_taken_out_as_the_first_documents_draw_it(database: Database) {
    let world = World::shared(database).await;
    let mut walk = Walk::begin(&world, CARD).await;
    let wanted = json!({ "limit": "5000", "currency": "RON" });
    let first = walk.step("card_form", wanted).await;
    assert_eq!(first.0["status"], "SESSION_IN_PROGRESS");
    walk.upload(&first, "payslip", "September").await;

    let mut data = person();
    data["accept"] = true.into();
    let second = walk.step("kyc", data).await;
    let token = second.0["temp_token"].clone();
    assert!(token.is_string(), "{}", second.0);
    // The token is there with the answer, and good once the files are.
    let (status, refused) = walk.exchange(&token).await;
    assert_eq!((status, &refused["code"]), (400, &json!("uploads_missing")));
    walk.upload(&second, "id_document", "front").await;
    walk.upload(&second, "selfie", "smile").await;
    let (status, pair) = walk.exchange(&token).await;
    assert_eq!(status, 200, "{pair}");
    let read = walk.pair(&pair);
    let (status, products) = world.post("/v1/products/get", &read).await;
    assert_eq!(status, 200, "{products}");
    assert_eq!(products[0]["data"]["kind"], "credit_card");
    assert_eq!(products[0]["data"]["terms"]["credit_limit"], "5000.00");
    let status = &products[0]["data"]["status"];
    assert!(
        status == "awaiting_documents" || status == "active",
        "{status}"
    );
}

async fn a_large_deposit_asks_for_more_and_a_bad_document_for_another(database: Database) {
    let world = World::shared(database).await;
    let mut walk = Walk::begin(&world, DEPOSIT).await;
    walk.step("product_form", form("300000")).await;
    let kyc = walk.step("kyc", person()).await;
    walk.upload(&kyc, "id_document", "SANDBOX:ASK-AGAIN").await;
    walk.upload(&kyc, "selfie", "smile").await;
    // Steps repeat: the same one again, with a nonce and files of its own.
    let standing = walk.decided().await;
    assert_eq!(standing["status"], "SESSION_IN_PROGRESS", "{standing}");
    assert_eq!(standing["next_step"], "kyc");
    assert_eq!(standing["data"]["reason"], "document_unreadable");
    let kyc = walk.step("kyc", person()).await;
    walk.upload(&kyc, "id_document", "front").await;
    walk.upload(&kyc, "selfie", "smile").await;
    // Steps branch: this amount needs a word more.
    let standing = walk.decided().await;
    assert_eq!(standing["next_step"], "source_of_funds", "{standing}");
    let (answer, _) = walk
        .step("source_of_funds", json!({ "source": "savings" }))
        .await;
    assert_eq!(answer["next_step"], "contract");
    let (last, _) = walk.step("contract", json!({ "accept": true })).await;
    assert_eq!(last["status"], "SESSION_COMPLETED");
    assert_eq!(walk.exchange(&last["temp_token"]).await.0, 200);
}

async fn a_rejected_document_ends_the_session(database: Database) {
    let world = World::shared(database).await;
    let mut walk = Walk::begin(&world, DEPOSIT).await;
    walk.step("product_form", form("100000")).await;
    let kyc = walk.step("kyc", person()).await;
    walk.upload(&kyc, "id_document", "SANDBOX:REJECT").await;
    walk.upload(&kyc, "selfie", "smile").await;
    let standing = walk.decided().await;
    assert_eq!(standing["status"], "SESSION_FAILED", "{standing}");
    assert_eq!(standing["data"]["reason"], "document_rejected");
}

async fn a_session_called_off_while_pending_is_over(database: Database) {
    let world = World::shared(database).await;
    let mut walk = Walk::begin(&world, DEPOSIT).await;
    walk.step("product_form", form("100000")).await;
    walk.step("kyc", person()).await;
    let path = format!("/v1/sessions/{}/cancel", walk.session);
    let body = json!({"client_id": walk.keys.client_id, "client_secret": walk.keys.client_secret});
    let (status, answer) = world.post(&path, &body).await;
    assert_eq!(
        (status, &answer["status"]),
        (200, &json!("SESSION_CANCELLED"))
    );
    assert_eq!(walk.decided().await["status"], "SESSION_CANCELLED");
}
