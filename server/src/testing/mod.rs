//! The one test kit for tests inside this process: a whole installation over a fresh database, and clients to speak as.
//!
//! A test makes a [`World`], whose clock and randomness stand still until it moves them, and acts through objects: a tenant's
//! server ([`TenantClient`]), a person's browser at the portal ([`Browser`]), people who sign in (`people`), a provider
//! that says what the test writes ([`Provider`]), the sandbox bank next door ([`NextDoor`]). A room that needs more
//! wraps the world, or adds to it, beside its tests. For the real binary there is `tests/it/world`.

mod browser;
pub mod counter;
mod next_door;
mod people;
mod provider;
mod state;
mod tenant;

use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use app::domain::person::Role;
use app::domain::servicer::ServicerStatus;
use app::domain::skill::SkillManifest;
use app::portal::Actor;
use axum::Router;
use serde_json::json;

pub use self::browser::{Browser, cookie_of, header, text};
pub use self::next_door::{NextDoor, http, walk};
pub use self::people::{PASSWORD, actor, source, source_at, start_form};
pub use self::provider::{
    AISP, ANY, FORM, LINK, POLL_AFTER, Provider, account, granted, manifests, sca, transaction,
};
pub use self::state::{state, state_with};
pub use self::tenant::{TenantClient, code, new_session, pair, query, step};
use crate::config::Config;
use crate::mail::MemoryMailer;
use crate::services::consents::Credentials;
use crate::services::portal::Services;
use crate::services::refusal::ApiError;
use crate::services::sessions::OpenedSession;
use crate::services::sessions::callbacks::{
    AuthorizationResponse, CallbackResult, handle_callback,
};
use crate::skills::{Connector, Registry, offline};
use crate::state::AppState;
use crate::storage::Db;

/// An installation, seen from its first servicer: the owner, and the server of a sandbox tenant that may use every
/// sandbox skill. Clones share the installation.
#[derive(Clone)]
pub struct World {
    pub state: AppState,
    pub services: Services,
    /// Receives every letter that is sent.
    pub mail: MemoryMailer,
    /// Provider of the scripted skills; nobody reaches it in a world with other skills.
    pub provider: Arc<Provider>,
    /// The tenant's server, which proved itself with its secret.
    pub client: Somebody<TenantClient>,
    /// Owner of the tenant's servicer, signed in. No row tells of them: who needs one starts as a person does.
    pub owner: Somebody<Actor>,
    bank: Option<NextDoor>,
}

/// Somebody of the world's servicer, or nobody in a world that was built so: who is looked for there fails.
#[derive(Clone)]
pub struct Somebody<T>(Option<T>);

impl<T> Deref for Somebody<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("a world with somebody in it")
    }
}

/// Parts of a world to be: its state, with database, clock, keys and settings, and what is on the other side of the skills.
pub struct Builder {
    state: AppState,
    provider: Arc<Provider>,
    is_beside_bank: bool,
    is_empty: bool,
}

impl World {
    /// Returns a world with the shipped skills, which reach nobody.
    pub async fn new(db: Db) -> Self {
        Self::builder(state(db)).build().await
    }

    /// Returns a world with these settings and the shipped skills, which reach nobody.
    pub async fn with(db: Db, config: Config) -> Self {
        Self::builder(state_with(db, config)).build().await
    }

    /// Returns a world whose skills lead to the scripted provider.
    pub async fn scripted(db: Db) -> Self {
        Self::builder(state(db)).scripted().build().await
    }

    /// Begins a world in a state in which nothing was done yet. Its skills are the shipped ones, which reach nobody.
    pub fn builder(state: AppState) -> Builder {
        Builder {
            state: state.with_skills(offline::registry().unwrap()),
            provider: Arc::new(Provider::new()),
            is_beside_bank: false,
            is_empty: false,
        }
    }

    /// Returns the same installation, seen from a further servicer with a tenant of its own.
    pub async fn beside(&self) -> Self {
        let client = TenantClient::register(&self.state).await;
        Self {
            owner: Somebody(Some(owner(&self.state, &client))),
            client: Somebody(Some(client)),
            ..self.clone()
        }
    }

    /// Returns somebody else of the same servicer, signed in.
    pub fn actor(&self, role: Role, status: ServicerStatus) -> Actor {
        actor(&self.state, self.client.servicer(), role, status)
    }

    /// Returns the sandbox bank, which the world was built beside.
    pub fn bank(&self) -> &NextDoor {
        self.bank.as_ref().expect("a world beside the bank")
    }

    /// Returns the routes of the API.
    pub fn api(&self) -> Router {
        crate::api::router(&self.state)
    }

    /// Returns the routes of the portal.
    pub fn portal(&self) -> Router {
        let services = Arc::new(self.services.clone());
        crate::portal::router(&self.state, services, Arc::new(json!({})))
    }

    /// Takes a new session to the scripted bank; returns the session and the nonce that was used.
    pub async fn at_bank(&self) -> OpenedSession {
        let opened = self.client.open(AISP).await;
        self.client
            .submit(opened.session_id, &opened.nonce, sca())
            .await
            .unwrap();
        opened
    }

    /// Comes back from the scripted bank with a code; returns the whole link that the end-user is sent to.
    pub async fn come_back(&self, code: &str) -> Result<String, ApiError> {
        let sent = self.provider.sent.lock().unwrap().clone();
        self.arrive(AuthorizationResponse {
            state: sent.into(),
            code: Some(code.to_owned().into()),
            refused: false,
        })
        .await
    }

    /// Comes back from a provider's pages; returns the whole link that the end-user is sent to, or `wait`.
    pub async fn arrive(&self, arrival: AuthorizationResponse) -> Result<String, ApiError> {
        match handle_callback(&self.state, arrival).await? {
            CallbackResult::Link(link) => Ok(link),
            CallbackResult::Wait => Ok("wait".into()),
        }
    }

    /// Goes the whole way to a `temp_token`.
    pub async fn temp_token(&self) -> String {
        self.at_bank().await;
        query(&self.come_back("code-1").await.unwrap(), "temp_token").unwrap()
    }

    /// Goes the whole way to a pair.
    pub async fn pair(&self) -> Credentials {
        let token = self.temp_token().await;
        self.client.redeem(&token).await
    }

    /// Lets the worker do everything that is due.
    pub async fn work(&self) {
        while crate::worker::run_one(&self.state).await.unwrap() {}
    }

    pub fn advance(&self, seconds: i64) {
        self.state.clock.advance(chrono::Duration::seconds(seconds));
    }
}

impl Builder {
    /// Publishes skills whose steps lead to the scripted provider.
    pub fn scripted(self) -> Self {
        let manifests = serde_json::from_value(manifests()).unwrap();
        self.scripted_with(manifests)
    }

    /// Publishes these skills, whose connector is `fake`: the scripted provider.
    pub fn scripted_with(self, manifests: Vec<SkillManifest>) -> Self {
        let provider = self.provider.clone() as Arc<dyn Connector>;
        let connectors = HashMap::from([("fake".to_owned(), provider)]);
        self.skills(Registry::with(manifests, connectors).unwrap())
    }

    /// Publishes these skills.
    pub fn skills(self, skills: Registry) -> Self {
        Self {
            state: self.state.with_skills(skills),
            ..self
        }
    }

    /// Opens the sandbox bank next door, and publishes the shipped skills, which reach it by HTTP.
    pub fn beside_bank(self) -> Self {
        Self {
            is_beside_bank: true,
            ..self
        }
    }

    /// Leaves the world without a servicer: whoever is to be there starts, as people do.
    pub fn with_nobody(self) -> Self {
        Self {
            is_empty: true,
            ..self
        }
    }

    pub async fn build(self) -> World {
        let mut state = self.state;
        let mail = MemoryMailer::default();
        state.mailer = Arc::new(mail.clone());
        let mut bank = None;
        if self.is_beside_bank {
            let opened = NextDoor::open(&state.db, &state.clock).await;
            state = opened.publish(state);
            bank = Some(opened);
        }
        let client = if self.is_empty {
            None
        } else {
            Some(TenantClient::register(&state).await)
        };
        World {
            services: Services::new(state.clone()),
            mail,
            provider: self.provider,
            owner: Somebody(client.as_ref().map(|client| owner(&state, client))),
            client: Somebody(client),
            state,
            bank,
        }
    }
}

fn owner(state: &AppState, client: &TenantClient) -> Actor {
    let (role, status) = (Role::Owner, ServicerStatus::Sandbox);
    actor(state, client.servicer(), role, status)
}
