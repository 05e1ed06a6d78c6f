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

use std::sync::Arc;

use app::domain::ids::ServicerId;
use app::domain::person::Role;
use app::domain::servicer::{LegalForm, ServicerKind, ServicerStatus};
use app::portal::admin::Admin as _;
use app::portal::people::People as _;
use app::portal::{Membership, PortalError};
use chrono::Duration;
use uuid::Uuid;

use super::*;
use crate::mail::{Letter, MemoryMailer};
use crate::state::testing;
use crate::storage::Db;
use crate::storage::portal_sessions::PortalSessionRow;
use crate::worker;

const PASSWORD: &str = "kumquat lamps over gravel";
const OTHER: &str = "seven oboes in a barn";

struct World {
    services: Services,
    mail: MemoryMailer,
}

fn world(db: Db) -> World {
    let mail = MemoryMailer::default();
    let mut state = testing::state(db);
    state.mailer = Arc::new(mail.clone());
    World {
        services: Services::new(state),
        mail,
    }
}

fn from(ip: &str) -> RequestSource {
    RequestSource {
        ip: ip.to_owned(),
        user_agent: "test".to_owned(),
        device: String::new(),
    }
}

fn form(email: &str) -> Start {
    Start {
        name: "Example Ltd".to_owned(),
        email: email.to_owned(),
        password: PASSWORD.to_owned(),
        legal_form: LegalForm::Company,
        country: "ro".to_owned(),
    }
}

impl World {
    async fn start(&self, email: &str) -> Started {
        let started = self.services.start(form(email), &from("a")).await.unwrap();
        // Sent before anything else is wanted: the clock stands still, and jobs of one instant have no order.
        self.letters(email).await;
        started
    }

    async fn sign_in(&self, email: &str, password: &str) -> PortalResult<PersonId> {
        self.services.sign_in(email, password, &from("a")).await
    }

    /// Runs every job that is due, then gives the letters to an address since last time asked.
    async fn letters(&self, to: &str) -> Vec<Letter> {
        while worker::run_one(&self.services.state).await.unwrap() {}
        let letters = self.mail.letters();
        letters.into_iter().filter(|it| it.to == to).collect()
    }

    /// The token at the end of the link in the last letter to an address.
    async fn token(&self, to: &str) -> String {
        let letter = self.letters(to).await.pop().expect("a letter");
        let link = letter
            .body
            .lines()
            .find(|line| line.starts_with("http://127.0.0.1:3000/"))
            .expect("a link")
            .to_owned();
        link.rsplit('/').next().unwrap().to_owned()
    }

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
        self.services.verify(None, token, given, &from("a")).await
    }

    async fn start_with(&self, email: &str, password: &str) -> Started {
        let mut form = form(email);
        form.password = password.to_owned();
        let started = self.services.start(form, &from("b")).await.unwrap();
        self.letters(email).await;
        self.services.state.clock.advance(Duration::seconds(1));
        started
    }

    /// Signs a browser in, as the portal does.
    async fn browser(&self, person: PersonId, email: &str) -> Actor {
        let state = &self.services.state;
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
        let state = &self.services.state;
        let mut tx = state.db.read().await.unwrap();
        let rows = tx.portal_sessions_of(person, state.clock.now()).await;
        rows.unwrap().into_iter().map(|row| row.handle).collect()
    }

    /// The servicers of a person, the first joined first.
    async fn places(&self, person: PersonId) -> Vec<ServicerId> {
        let mut tx = self.services.state.db.read().await.unwrap();
        let places = tx.memberships_of(person).await.unwrap();
        places.into_iter().map(|(id, _)| id).collect()
    }

    /// The servicer that a browser works in.
    async fn works_in(&self, actor: &Actor) -> ServicerId {
        let state = &self.services.state;
        let digest = state.pepper.digest("session", &actor.session.to_string());
        let mut tx = state.db.read().await.unwrap();
        let row = tx.actor(&digest, state.clock.now()).await.unwrap().unwrap();
        row.servicer_id.unwrap()
    }

    async fn servicers(&self, person: PersonId) -> Vec<ServicerId> {
        let mut tx = self.services.state.db.read().await.unwrap();
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
