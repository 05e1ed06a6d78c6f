//! Payments in play, at the real sandbox bank: one clock for both sides, and a browser that walks the bank's pages.

mod crashes;
mod life;

use std::sync::Arc;

use app::domain::ids::PaymentId;
use app::domain::problem::Code;
use app::domain::skill::SkillName;
use reqwest::header::{LOCATION, SET_COOKIE};
use serde_json::{Value, json};

use crate::services::access::keys::Client;
use crate::services::consents::lifecycle::Credentials;
use crate::services::consents::payments::{self, OpenedPayment};
use crate::services::refusal::ApiError;
use crate::services::sessions::callbacks::{AuthorizationResponse, CallbackResult};
use crate::services::sessions::steps::{self, NewStep, StepResult};
use crate::services::sessions::tokens::Exchange;
use crate::services::sessions::{self, OpenedSession};
use crate::services::tests::{AISP, LINK, code, new_session, pair, query, sca, step, tenant};
use crate::state::AppState;
use crate::storage::Db;
use crate::storage::tenants::WhitelistRow;
use crate::testing::next_door::{self, NextDoor};

const PISP: &str = "xyz_ro_pisp_sbx_#1.0";
const SHOP: &str = "RO49AAAA1B31007593840000";

/// A tenant, the middleware, and a bank next door.
#[derive(Clone)]
struct Street {
    state: AppState,
    client: Client,
    bank: NextDoor,
}

/// Query that the bank's pages sent the browser back with.
struct Back {
    state: String,
    code: Option<String>,
}

impl Street {
    async fn open(db: Db) -> Self {
        let (state, bank) = next_door::open(crate::state::testing::state(db)).await;
        let client = payer(&state).await;
        Self {
            state,
            client,
            bank,
        }
    }

    /// Stops the bank.
    async fn close(&self) {
        self.bank.close().await;
    }

    async fn session(&self) -> OpenedSession {
        sessions::create(&self.state, &self.client, new_session(PISP))
            .await
            .unwrap()
    }

    async fn submit(&self, opened: &OpenedSession, info: Value) -> Result<StepResult, ApiError> {
        steps::submit(
            &self.state,
            &self.client.named(),
            intent(opened, &opened.nonce, info),
        )
        .await
    }

    /// Opens a session and orders; gives the session and the URL of the bank's page.
    async fn order(&self, info: Value) -> (OpenedSession, String) {
        let opened = self.session().await;
        let taken = self.submit(&opened, info).await.unwrap();
        let url = taken.data["url"].as_str().unwrap().to_owned();
        (opened, url)
    }

    /// Comes back from the bank; gives the whole link the end-user is sent to.
    async fn come_back(&self, back: &Back) -> String {
        match crate::services::sessions::callbacks::handle_callback(&self.state, back.arrival())
            .await
            .unwrap()
        {
            CallbackResult::Link(link) => link,
            CallbackResult::Wait => "wait".into(),
        }
    }

    async fn exchange(&self, token: &str) -> Credentials {
        let exchange = Exchange {
            temp_token: token.to_owned().into(),
            code_verifier: None,
            tenant_user_id: None,
            pair: None,
        };
        pair(
            crate::services::sessions::tokens::exchange(&self.state, &self.client, exchange)
                .await
                .unwrap(),
        )
    }

    /// The whole way to a pair that reads an authorised payment.
    async fn paid(&self, info: Value) -> Credentials {
        let (_, url) = self.order(info).await;
        let link = self.come_back(&walk(&url, "approve").await).await;
        self.exchange(&query(&link, "temp_token").unwrap()).await
    }

    async fn get(&self, pair: &Credentials) -> OpenedPayment {
        payments::get(&self.state, &self.client, pair, None)
            .await
            .unwrap()
    }

    async fn cancel(&self, pair: &Credentials) -> Result<OpenedPayment, ApiError> {
        payments::cancel(&self.state, &self.client, pair, None).await
    }

    fn advance(&self, by: chrono::Duration) {
        self.state.clock.advance(by);
    }

    fn seconds(&self, seconds: i64) {
        self.advance(chrono::Duration::seconds(seconds));
    }

    /// Runs every job that is due.
    async fn work(&self) {
        while crate::worker::run_one(&self.state).await.unwrap() {}
    }

    /// Returns the statuses of all payments at the bank.
    async fn at_bank(&self) -> Vec<&'static str> {
        let now = self.state.clock.now();
        bank::records::payments(&self.bank.db, now).await.unwrap()
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

/// A tenant of its own, with the payment skill.
async fn payer(state: &AppState) -> Client {
    let client = tenant(state).await;
    let now = state.clock.now();
    let mut tx = state.db.write().await.unwrap();
    let skill = WhitelistRow {
        skill: SkillName::parse(PISP).unwrap(),
        consent_duration: 129_600,
        cache_max_data_retention: 172_800,
    };
    tx.add_tenant_skill(client.tenant(), &skill, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    client
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
async fn walk_with(url: &str, decision: &str, ticked: (&'static str, &str)) -> Back {
    let http = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
        .unwrap();
    let begun = http.get(url).send().await.unwrap();
    let header =
        |response: &reqwest::Response, name| response.headers()[name].to_str().unwrap().to_owned();
    let cookie = header(&begun, SET_COOKIE)
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let page = url::Url::parse(url)
        .unwrap()
        .join(&header(&begun, LOCATION))
        .unwrap();
    let form = |name: &str, fields: [(&'static str, String); 2]| {
        let request = http
            .post(format!("{page}/{name}"))
            .header("cookie", &cookie);
        request.form(&fields).send()
    };
    let who = [
        ("username", "family".to_owned()),
        ("password", "sandbox".to_owned()),
    ];
    form("sign-in", who).await.unwrap();
    let what = [
        ("decision", decision.to_owned()),
        (ticked.0, ticked.1.to_owned()),
    ];
    let end = form("decision", what).await.unwrap();
    let link = header(&end, LOCATION);
    Back {
        state: query(&link, "state").unwrap(),
        code: query(&link, "code"),
    }
}
