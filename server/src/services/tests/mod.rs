//! The engine's rules in play: whole flows, races and crashes, with a scripted provider and a clock that stands still.

mod clocks;
mod consents;
mod data;
mod differential;
mod erasure;
mod fillers;
mod flows;
mod model;
mod odd_banks;
mod pending;
mod provider;
mod query_plans;
mod races;
mod random;
mod refresh;
mod renamed;
mod returns;
mod secrets;
mod steady;
mod swap;
mod sync_clients;
mod tokens;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use app::domain::account::BalanceType;
use app::domain::ids::{ServicerId, SessionId, TenantId};
use app::domain::key::KeyKind;
use app::domain::problem::Code;
use app::domain::servicer::{LegalForm, ServicerKind, ServicerStatus};
use app::domain::skill::SkillName;
use app::domain::tenant::{Environment, RedirectLink, TenantStatus};
use app::domain::transaction::BookingStatus;
use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

pub use self::provider::{Provider, granted};
use super::access::keys::Client;
use super::consents::Credentials;
use super::refusal::ApiError;
use super::sessions::callbacks::{AuthorizationResponse, CallbackResult};
use super::sessions::steps::{self, NewStep, StepResult};
use super::sessions::tokens::{Exchange, Exchanged};
use super::sessions::{self, NewSession, OpenedSession};
use crate::aad;
use crate::skills::{
    BankAccount, BankBalance, BankTransaction, BankTransactionPage, Connector, ConnectorError,
    ConsentOutcome, Grant, Granted, Next, Opaque, PageRequest, ProviderCallback, Psu, Registry,
    Submission, VerificationOutcome,
};
use crate::state::AppState;
use crate::storage::Db;
use crate::storage::keys::TenantAuth;
use crate::storage::servicers::NewServicer;
use crate::storage::tenants::{TenantRow, WhitelistRow};

pub const AISP: &str = "xyz_aisp_sbx_#1.0";
pub const FORM: &str = "xyz_sbx_#3.0";
/// Two steps, each of which may lead anywhere.
pub const ANY: &str = "xyz_any_sbx_#1.0";
pub const LINK: &str = "myapp://return";
/// Interval after which the provider wants to be asked again.
pub const POLL_AFTER: std::time::Duration = std::time::Duration::from_secs(5);

/// One tenant, its provider, and a clock to move.
#[derive(Clone)]
pub struct World {
    pub state: AppState,
    pub client: Client,
    pub provider: Arc<Provider>,
}

impl World {
    pub async fn new(db: Db) -> Self {
        Self::with(db, crate::config::Config::default()).await
    }

    pub async fn with(db: Db, config: crate::config::Config) -> Self {
        Self::in_state(crate::state::testing::state_with(db, config)).await
    }

    /// In a state whose keys were changed before anything was sealed.
    pub async fn in_state(state: AppState) -> Self {
        let provider = Arc::new(Provider {
            submits: Mutex::default(),
            verdicts: Mutex::default(),
            finishes: Mutex::default(),
            sent: Mutex::default(),
            accounts: Mutex::new(vec![account("acc-1", "RO00TEST0000000000000001")]),
            pages: Mutex::new(vec![
                vec![
                    transaction("t3", "-12.50", "2026-01-03"),
                    transaction("t2", "4.27", "2026-01-02"),
                ],
                vec![transaction("t1", "1000.00", "2025-12-31")],
            ]),
            unreadable: Mutex::default(),
            own_pages: Mutex::default(),
            keys: Mutex::default(),
            in_circles: AtomicBool::new(false),
            down: Mutex::default(),
            submitted: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            stopped: AtomicUsize::new(0),
            fetched: AtomicUsize::new(0),
            paged: AtomicUsize::new(0),
            revoked: AtomicUsize::new(0),
            gate: Semaphore::new(1_000),
        });
        let connectors =
            HashMap::from([("fake".to_owned(), provider.clone() as Arc<dyn Connector>)]);
        let manifests = serde_json::from_value(manifests()).unwrap();
        let registry = Registry::with(manifests, connectors).unwrap();
        let state = state.with_skills(registry);
        let client = tenant(&state).await;
        Self {
            state,
            client,
            provider,
        }
    }

    pub async fn open(&self, skill: &str) -> OpenedSession {
        sessions::create(&self.state, &self.client, new_session(skill))
            .await
            .unwrap()
    }

    pub async fn submit(
        &self,
        session: SessionId,
        nonce: &str,
        step: NewStep,
    ) -> Result<StepResult, ApiError> {
        let step = NewStep {
            session_id: session,
            nonce: nonce.to_owned().into(),
            ..step
        };
        steps::submit(&self.state, &self.client.named(), step).await
    }

    /// Takes a new session to the bank; what comes back is the session and the nonce that was used.
    pub async fn at_bank(&self) -> OpenedSession {
        let opened = self.open(AISP).await;
        self.submit(opened.session_id, &opened.nonce, sca())
            .await
            .unwrap();
        opened
    }

    /// Comes back from the bank; answers the whole link the end-user is sent to.
    pub async fn come_back(&self, code: &str) -> Result<String, ApiError> {
        let state = self.provider.sent.lock().unwrap().clone();
        let arrival = AuthorizationResponse {
            state: state.into(),
            code: Some(code.to_owned().into()),
            refused: false,
        };
        match super::sessions::callbacks::handle_callback(&self.state, arrival).await? {
            CallbackResult::Link(link) => Ok(link),
            CallbackResult::Wait => Ok("wait".into()),
        }
    }

    /// The whole way to a `temp_token`.
    pub async fn temp_token(&self) -> String {
        self.at_bank().await;
        query(&self.come_back("code-1").await.unwrap(), "temp_token").unwrap()
    }

    pub async fn exchange(&self, token: &str) -> Result<Exchanged, ApiError> {
        let exchange = Exchange {
            temp_token: token.to_owned().into(),
            code_verifier: None,
            tenant_user_id: None,
            pair: None,
        };
        super::sessions::tokens::exchange(&self.state, &self.client, exchange).await
    }

    /// The whole way to a pair.
    pub async fn pair(&self) -> Credentials {
        let token = self.temp_token().await;
        pair(self.exchange(&token).await.unwrap())
    }

    /// Returns the state of a session, as its tenant's server is told.
    pub async fn standing(&self, session: SessionId) -> sessions::SessionState {
        let proof = sessions::SessionProof::Secret;
        sessions::get(&self.state, &self.client, session, proof)
            .await
            .unwrap()
    }

    /// Lets the worker do everything that is due.
    pub async fn work(&self) {
        while crate::worker::run_one(&self.state).await.unwrap() {}
    }

    pub fn advance(&self, seconds: i64) {
        self.state.clock.advance(chrono::Duration::seconds(seconds));
    }
}

pub fn pair(exchanged: Exchanged) -> Credentials {
    Credentials {
        id: exchanged.credentials_id,
        access_token: exchanged.access_token,
        tenant_user_id: None,
    }
}

pub fn new_session(skill: &str) -> NewSession {
    NewSession {
        skill: skill.into(),
        tenant_user_id: None,
        code_challenge: None,
        state: None,
    }
}

pub fn sca() -> NewStep {
    step(AISP, "sca", json!({ "psu_redirect_link": LINK }))
}

pub fn step(skill: &str, name: &str, data: Value) -> NewStep {
    NewStep {
        session_id: SessionId(uuid::Uuid::nil()),
        nonce: SecretString::default(),
        skill: skill.into(),
        step: name.into(),
        data: data.as_object().unwrap().clone(),
        tenant_user_id: None,
        psu: Psu::default(),
    }
}

/// The code of a refusal.
pub fn code<T>(result: Result<T, ApiError>) -> Code {
    match result {
        Ok(_) => panic!("was not refused"),
        Err(ApiError::Refused(refusal)) => refusal.code,
        Err(other) => panic!("{other}"),
    }
}

/// A parameter of a link's query.
pub fn query(link: &str, name: &str) -> Option<String> {
    let (_, query) = link.split_once('?')?;
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

pub fn account(id: &str, iban: &str) -> BankAccount {
    BankAccount {
        id: id.into(),
        iban: Some(iban.into()),
        bic: Some("TESTROBU".into()),
        currency: "RON".into(),
        name: Some("Everyday".into()),
        product: None,
        cash_account_type: Some("CACC".into()),
        usage: None,
        balances: vec![BankBalance {
            balance_type: BalanceType::InterimAvailable,
            amount: "-150.00".parse().unwrap(),
            currency: "RON".into(),
            credit_limit_included: false,
            reference_date: None,
            changed_at: None,
        }],
    }
}

pub fn transaction(id: &str, amount: &str, day: &str) -> BankTransaction {
    BankTransaction {
        id: Some(id.into()),
        entry_reference: None,
        status: BookingStatus::Booked,
        amount: amount.parse().unwrap(),
        currency: "RON".into(),
        booking_date: Some(day.parse().unwrap()),
        value_date: None,
        creditor: Some(crate::skills::Counterparty {
            name: Some("Corner Shop".into()),
            iban: None,
        }),
        debtor: None,
        remittance: Some("Card purchase".into()),
        end_to_end_id: None,
        bank_transaction_code: None,
        merchant_category_code: None,
        category: Some("shopping".into()),
        balance_after: None,
    }
}

/// Another tenant of a servicer of its own, with both skills and the link registered.
pub async fn tenant(state: &AppState) -> Client {
    let now = state.clock.now();
    let facts = TenantAuth {
        tenant: TenantId(state.clock.id()),
        servicer: ServicerId(state.clock.id()),
        name: "Example app".into(),
        environment: Environment::Sandbox,
        tenant_status: TenantStatus::Active,
        servicer_status: ServicerStatus::Sandbox,
        signed_only: false,
        signature_seconds: 3600,
        networks: String::new(),
    };
    let mut tx = state.db.write().await.unwrap();
    tx.add_servicer(&NewServicer {
        id: facts.servicer,
        name: "Example Ltd".into(),
        kind: ServicerKind::Consumer,
        legal_form: LegalForm::Company,
        country: "RO".into(),
        created_at: now,
    })
    .await
    .unwrap();
    let row = TenantRow {
        id: facts.tenant,
        servicer_id: facts.servicer,
        name: facts.name.clone(),
        environment: facts.environment,
        status: facts.tenant_status,
        created_at: now,
        version: 1,
    };
    let state = &state.for_new_tenant(&mut tx, facts.tenant).await.unwrap();
    let place = aad::utx_key(facts.tenant);
    let key = state.vault.seal(&state.clock, &place, &[7; 32]).unwrap();
    tx.add_tenant(&row, &key).await.unwrap();
    for name in [AISP, FORM, ANY] {
        let skill = WhitelistRow {
            skill: SkillName::parse(name).unwrap(),
            consent_duration: 129_600,
            cache_max_data_retention: 172_800,
        };
        tx.add_tenant_skill(facts.tenant, &skill, now)
            .await
            .unwrap();
    }
    let link = RedirectLink::parse(LINK, Environment::Sandbox).unwrap();
    tx.set_tenant_links(facts.tenant, &[link], &[])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    Client::for_test(facts, KeyKind::Secret)
}

fn manifests() -> Value {
    let link = json!({
        "type": "object",
        "properties": { "psu_redirect_link": { "type": "string" } },
        "required": ["psu_redirect_link"],
        "additionalProperties": false
    });
    let form = json!({
        "type": "object",
        "properties": { "value": { "type": "string" } },
        "required": ["value"],
        "additionalProperties": false
    });
    json!([
        {
            "names": [AISP], "title": "Accounts", "provider": { "code": "xyz", "name": "XYZ Bank" }, "country": "ro",
            "type": "account_information", "connector": "fake", "session_minutes": 1440, "data_contract": "Accounts.",
            "steps": [{ "name": "sca", "title": "Consent", "redirect": true, "last": true, "schema": link,
                        "example": { "psu_redirect_link": LINK } }]
        },
        {
            "names": [ANY], "title": "Anything", "provider": { "code": "xyz", "name": "XYZ Bank" },
            "type": "marketplace", "connector": "fake", "session_minutes": 1440, "data_contract": "Anything.",
            "steps": [
                { "name": "one", "title": "One", "redirect": true, "pending": true, "last": true, "schema": link,
                  "example": { "psu_redirect_link": LINK } },
                { "name": "two", "title": "Two", "redirect": true, "pending": true, "last": true, "schema": link,
                  "example": { "psu_redirect_link": LINK } }
            ]
        },
        {
            "names": [FORM], "title": "Deposit", "provider": { "code": "xyz", "name": "XYZ Bank" },
            "type": "marketplace", "connector": "fake", "session_minutes": 1440, "data_contract": "A deposit.",
            "steps": [
                { "name": "product_form", "title": "Form", "schema": form, "example": { "value": "1" } },
                { "name": "confirm", "title": "Confirm", "last": true, "schema": form, "example": { "value": "1" } }
            ]
        }
    ])
}
