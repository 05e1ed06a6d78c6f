//! A small world for tests: a servicer with an owner and a sandbox tenant, over a fresh database.

pub mod counter;
pub mod next_door;

use app::domain::ids::{PersonId, ServicerId, TenantId};
use app::domain::key::KeyKind;
use app::domain::person::{Email, Role};
use app::domain::servicer::{LegalForm, ServicerKind, ServicerStatus};
use app::portal::{Actor, Membership, RequestSource};

use crate::services::access::keys::{self, Client, PresentedKey};
use crate::services::portal::Services;
use crate::services::portal::tenants::{CheckedTenant, create_in};
use crate::skills::offline;
use crate::state::AppState;
use crate::state::testing::state_with;
use crate::storage::Db;
use crate::storage::servicers::NewServicer;

pub struct World {
    pub services: Services,
    pub owner: Actor,
    pub servicer: ServicerId,
    pub tenant: TenantId,
    pub client_secret: String,
    pub client_app_key: String,
}

impl World {
    pub async fn new(db: Db) -> Self {
        Self::with(db, crate::config::Config::default()).await
    }

    pub async fn with(db: Db, config: crate::config::Config) -> Self {
        let state = state_with(db, config).with_skills(offline::registry().unwrap());
        Self::in_state(state).await
    }

    /// A further servicer in the same installation.
    pub async fn beside(&self) -> Self {
        Self::in_state(self.state().clone()).await
    }

    pub async fn in_state(state: AppState) -> Self {
        let servicer = ServicerId(state.clock.id());
        let mut tx = state.db.write().await.unwrap();
        tx.add_servicer(&NewServicer {
            id: servicer,
            name: "Example Ltd".into(),
            kind: ServicerKind::Consumer,
            legal_form: LegalForm::Company,
            country: "RO".into(),
            created_at: state.clock.now(),
        })
        .await
        .unwrap();
        let ready = CheckedTenant::starter(&state, "Example app");
        let made = create_in(&mut tx, &state, servicer, &ready, "owner@example.com")
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let owner = actor(&state, servicer, Role::Owner, ServicerStatus::Sandbox);
        Self {
            services: Services::new(state),
            owner,
            servicer,
            tenant: made.id,
            client_secret: made.client_secret,
            client_app_key: made.client_app_key,
        }
    }

    pub fn state(&self) -> &AppState {
        &self.services.state
    }

    /// The tenant's server, which proved itself.
    pub async fn client(&self) -> Client {
        let given = PresentedKey {
            kind: KeyKind::Secret,
            text: &self.client_secret.clone().into(),
        };
        let mut tx = self.state().db.read().await.unwrap();
        keys::verify(self.state(), &mut tx, &self.tenant.to_string(), given)
            .await
            .unwrap()
    }

    /// Somebody else of the same servicer.
    pub fn actor(&self, role: Role, status: ServicerStatus) -> Actor {
        actor(self.state(), self.servicer, role, status)
    }
}

pub fn actor(state: &AppState, servicer: ServicerId, role: Role, status: ServicerStatus) -> Actor {
    Actor {
        person: PersonId(state.clock.id()),
        email: Email::parse("owner@example.com").unwrap(),
        verified: true,
        admin: false,
        membership: Some(Membership {
            servicer,
            name: "Example Ltd".into(),
            status,
            suspended_reason: None,
            role,
        }),
        proved_at: state.clock.now(),
        session: state.clock.id(),
    }
}

pub fn source() -> RequestSource {
    RequestSource {
        ip: "192.0.2.1".into(),
        user_agent: "test".into(),
        device: String::new(),
    }
}
