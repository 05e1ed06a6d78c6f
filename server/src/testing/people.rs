//! People: who is signed in, and how somebody gets there.

use app::domain::ids::{PersonId, ServicerId};
use app::domain::person::{Email, Role};
use app::domain::servicer::{LegalForm, ServicerStatus};
use app::portal::people::{People as _, Start, Started};
use app::portal::{Actor, Membership, PortalResult, RequestSource};

use super::World;
use crate::mail::Letter;
use crate::state::AppState;

/// Password of everybody who starts, unless a test says otherwise.
pub const PASSWORD: &str = "kumquat lamps over gravel";

/// Returns somebody who is signed in and has just proved themselves. No row tells of them.
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
    source_at("192.0.2.1")
}

pub fn source_at(ip: &str) -> RequestSource {
    RequestSource {
        ip: ip.into(),
        user_agent: "test".into(),
        device: String::new(),
    }
}

/// Returns the one form of a new servicer, as this person fills it in.
pub fn start_form(email: &str) -> Start {
    Start {
        name: "Example Ltd".into(),
        email: email.into(),
        password: PASSWORD.into(),
        legal_form: LegalForm::Company,
        country: "ro".into(),
    }
}

impl World {
    /// Somebody fills in the one form of a new servicer.
    pub async fn start(&self, email: &str) -> Started {
        let form = start_form(email);
        let started = self.services.start(form, &source_at("a")).await.unwrap();
        // Sent before anything else is wanted: the clock stands still, and jobs of one instant have no order.
        self.letters(email).await;
        started
    }

    pub async fn sign_in(&self, email: &str, password: &str) -> PortalResult<PersonId> {
        let source = source_at("a");
        self.services.sign_in(email, password, &source).await
    }

    /// Runs every job that is due, then returns all letters to an address so far.
    pub async fn letters(&self, to: &str) -> Vec<Letter> {
        self.work().await;
        let letters = self.mail.letters();
        letters.into_iter().filter(|it| it.to == to).collect()
    }

    /// Returns the token at the end of the link in the last letter to an address.
    pub async fn token(&self, to: &str) -> String {
        let letter = self.letters(to).await.pop().expect("a letter");
        let link = letter
            .body
            .lines()
            .find(|line| line.starts_with("http://127.0.0.1:3000/"))
            .expect("a link")
            .to_owned();
        link.rsplit('/').next().unwrap().to_owned()
    }
}
