//! Payments in play, at the real sandbox bank: one clock for both sides, and a browser that walks the bank's pages.

mod crashes;
mod life;

use std::sync::Arc;

use app::domain::ids::PaymentId;
use app::domain::problem::Code;
use serde_json::{Value, json};

use crate::services::consents::lifecycle::Credentials;
use crate::services::consents::payments::{self, OpenedPayment};
use crate::services::refusal::ApiError;
use crate::services::sessions::callbacks::AuthorizationResponse;
use crate::services::sessions::steps::{self, NewStep, StepResult};
use crate::services::sessions::{self, OpenedSession};
use crate::storage::Db;
use crate::testing::{self, AISP, LINK, World, code, new_session, query, sca, state, step};

const PISP: &str = "xyz_ro_pisp_sbx_#1.0";
const SHOP: &str = "RO49AAAA1B31007593840000";

/// A world beside the bank, whose tenant orders payments.
#[derive(Clone)]
struct Street {
    world: World,
}

/// Query that the bank's pages sent the browser back with.
struct Back {
    state: String,
    code: Option<String>,
}

impl Street {
    async fn open(db: Db) -> Self {
        let world = World::builder(state(db)).beside_bank().build().await;
        Self { world }
    }

    async fn submit(&self, opened: &OpenedSession, info: Value) -> Result<StepResult, ApiError> {
        let step = intent(opened, &opened.nonce, info);
        let (session, nonce) = (opened.session_id, &opened.nonce);
        self.world.client.submit(session, nonce, step).await
    }

    /// Opens a session and orders; gives the session and the URL of the bank's page.
    async fn order(&self, info: Value) -> (OpenedSession, String) {
        let opened = self.world.client.open(PISP).await;
        let taken = self.submit(&opened, info).await.unwrap();
        let url = taken.data["url"].as_str().unwrap().to_owned();
        (opened, url)
    }

    /// Comes back from the bank; gives the whole link the end-user is sent to.
    async fn come_back(&self, back: &Back) -> String {
        self.world.arrive(back.arrival()).await.unwrap()
    }

    /// The whole way to a pair that reads an authorised payment.
    async fn paid(&self, info: Value) -> Credentials {
        let (_, url) = self.order(info).await;
        let link = self.come_back(&walk(&url, "approve").await).await;
        let token = query(&link, "temp_token").unwrap();
        self.world.client.redeem(&token).await
    }

    async fn get(&self, pair: &Credentials) -> OpenedPayment {
        payments::get(&self.world.state, &self.world.client, pair, None)
            .await
            .unwrap()
    }

    async fn cancel(&self, pair: &Credentials) -> Result<OpenedPayment, ApiError> {
        payments::cancel(&self.world.state, &self.world.client, pair, None).await
    }

    fn advance(&self, by: chrono::Duration) {
        self.world.state.clock.advance(by);
    }

    /// Returns the statuses of all payments at the bank.
    async fn at_bank(&self) -> Vec<&'static str> {
        let now = self.world.state.clock.now();
        bank::records::payments(&self.world.bank().db, now)
            .await
            .unwrap()
    }
}

impl Back {
    fn arrival(&self) -> AuthorizationResponse {
        AuthorizationResponse {
            state: self.state.clone().into(),
            code: self.code.clone().map(Into::into),
            refused: self.code.is_none(),
        }
    }
}

fn intent(opened: &OpenedSession, nonce: &str, info: Value) -> NewStep {
    NewStep {
        session_id: opened.session_id,
        nonce: nonce.to_owned().into(),
        ..step(
            PISP,
            "payment_intent",
            json!({ "psu_redirect_link": LINK, "payment_info": [info] }),
        )
    }
}

/// A transfer in RON, with more members of its `payment_info`.
fn transfer(members: Value) -> Value {
    let mut info = json!({ "credit_transfer_transaction_information": [{
        "payment_id": { "end_to_end_id": "invoice-77" },
        "amount": { "instructed_amount": { "amount": "12.50", "currency": "RON" } },
        "creditor": { "name": "Corner Shop" },
        "creditor_account": { "iban": SHOP },
    }] });
    for (name, value) in members.as_object().unwrap() {
        info[name] = value.clone();
    }
    info
}

/// Walks the bank's pages as `family`, and decides on a payment.
async fn walk(url: &str, decision: &str) -> Back {
    walk_with(url, decision, ("account", "201")).await
}

/// Walks the bank's pages as `family`, and decides.
async fn walk_with(url: &str, decision: &str, ticked: (&str, &str)) -> Back {
    let end = testing::walk(url, "family", &[("decision", decision), ticked]).await;
    Back {
        state: query(end.as_str(), "state").unwrap(),
        code: query(end.as_str(), "code"),
    }
}
