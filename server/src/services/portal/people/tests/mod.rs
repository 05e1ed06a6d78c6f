//! People's rules on both databases: who gets in, who does not, and what an outsider can learn.

mod contract;
mod endings;
mod hijack;
mod letters;
mod links;
mod operators;
mod places;
mod sign_in;
mod spelling;
mod start;
mod timing;

use app::domain::ids::ServicerId;
use app::domain::person::Role;
use app::domain::servicer::{ServicerKind, ServicerStatus};
use app::portal::admin::Admin as _;
use app::portal::people::People as _;
use app::portal::{Membership, PortalError};
use chrono::Duration;
use uuid::Uuid;

use super::*;
use crate::skills::Registry;
use crate::storage::Db;
use crate::storage::portal_sessions::PortalSessionRow;
use crate::testing::{PASSWORD, World, source_at, start_form, state, state_with};

const OTHER: &str = "seven oboes in a barn";

/// A world in which nobody has started yet, and without skills.
async fn world(db: Db) -> World {
    let world = World::builder(state(db)).with_nobody();
    world.skills(Registry::default()).build().await
}

impl World {
    /// Opens the link in the last letter to an address and shows a password, without being signed in.
    async fn confirm(&self, email: &str, password: &str) -> PortalResult<PersonId> {
        let token = self.token(email).await;
        self.confirm_with(&token, password, "").await
    }

    /// Confirms with a link and these passwords.
    async fn confirm_with(
        &self,
        token: &str,
        own: &str,
        confirmed: &str,
    ) -> PortalResult<PersonId> {
        let given = GivenPasswords {
            own: own.to_owned(),
            confirmed: confirmed.to_owned(),
        };
        self.services
            .verify(None, token, given, &source_at("a"))
            .await
    }

    async fn start_with(&self, email: &str, password: &str) -> Started {
        let mut form = start_form(email);
        form.password = password.to_owned();
        let started = self.services.start(form, &source_at("b")).await.unwrap();
        self.letters(email).await;
        self.state.clock.advance(Duration::seconds(1));
        started
    }

    /// Signs a browser in, as the portal does.
    async fn browser(&self, person: PersonId, email: &str) -> Actor {
        let state = &self.state;
        let (handle, now) = (state.clock.id(), state.clock.now());
        let row = PortalSessionRow {
            handle,
            person_id: Some(person),
            servicer_id: None,
            data: "{}".to_owned(),
            user_agent: "test".to_owned(),
            ip: "a".to_owned(),
            created_at: now,
            seen_at: now,
            proved_at: Some(now),
            expires_at: now + Duration::hours(12),
        };
        let mut tx = state.db.write().await.unwrap();
        let digest = state.pepper.digest("session", &handle.to_string());
        tx.add_portal_session(&digest, &row).await.unwrap();
        let servicer = tx.servicers_of(person).await.unwrap().first().copied();
        tx.commit().await.unwrap();
        Actor {
            person,
            email: app::domain::person::Email::parse(email).unwrap(),
            verified: false,
            admin: false,
            membership: servicer.map(|servicer| Membership {
                servicer,
                name: "Example Ltd".to_owned(),
                status: ServicerStatus::Sandbox,
                suspended_reason: None,
                role: Role::Owner,
            }),
            proved_at: now,
            session: handle,
        }
    }

    async fn sessions(&self, person: PersonId) -> Vec<Uuid> {
        let state = &self.state;
        let mut tx = state.db.read().await.unwrap();
        let rows = tx.portal_sessions_of(person, state.clock.now()).await;
        rows.unwrap().into_iter().map(|row| row.handle).collect()
    }

    /// The servicers of a person, the first joined first.
    async fn places(&self, person: PersonId) -> Vec<ServicerId> {
        let mut tx = self.state.db.read().await.unwrap();
        let places = tx.memberships_of(person).await.unwrap();
        places.into_iter().map(|(id, _)| id).collect()
    }

    /// The servicer that a browser works in.
    async fn works_in(&self, actor: &Actor) -> ServicerId {
        let state = &self.state;
        let digest = state.pepper.digest("session", &actor.session.to_string());
        let mut tx = state.db.read().await.unwrap();
        let row = tx.actor(&digest, state.clock.now()).await.unwrap().unwrap();
        row.servicer_id.unwrap()
    }

    async fn servicers(&self, person: PersonId) -> Vec<ServicerId> {
        let mut tx = self.state.db.read().await.unwrap();
        tx.servicers_of(person).await.unwrap()
    }
}

fn refused(answer: PortalResult<impl std::fmt::Debug>) -> Vec<(&'static str, String)> {
    match answer.unwrap_err() {
        PortalError::Refused(errors) => errors
            .into_iter()
            .map(|error| (error.name, error.message))
            .collect(),
        other => panic!("{other:?}"),
    }
}
