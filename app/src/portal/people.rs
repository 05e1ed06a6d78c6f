//! Registering, signing in and out, passwords and portal sessions.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Actor, Answered, Source};
use crate::domain::ids::{PersonId, ServicerId, TenantId};
use crate::domain::servicer::LegalForm;

/// The one-form start: three typed fields, the rest preselected.
#[derive(Clone, Debug)]
pub struct Start {
    pub name: String,
    pub email: String,
    pub password: String,
    pub legal_form: LegalForm,
    /// ISO 3166-1 alpha-2, upper case.
    pub country: String,
}

/// What the one-form start made: all of it works at once, in the sandbox.
#[derive(Clone, Debug)]
pub struct Started {
    pub person: PersonId,
    pub servicer: ServicerId,
    pub tenant: TenantId,
    /// Shown once, in the answer to the form.
    pub client_secret: String,
    pub client_app_key: String,
}

/// Signing up to a servicer that exists already.
#[derive(Clone, Debug)]
pub struct SignUp {
    pub servicer_id: String,
    /// One-time, mailed or printed with the `servicer_id`, which alone lets nobody in.
    pub claim_token: String,
    pub email: String,
    pub password: String,
}

/// One signed-in browser.
#[derive(Clone, Debug)]
pub struct Device {
    /// Opaque handle, good only for ending the session.
    pub handle: String,
    pub user_agent: String,
    pub ip: String,
    pub signed_in_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    pub current: bool,
}

#[async_trait]
pub trait People: Send + Sync {
    /// Creates servicer (sandbox), owner, tenant, keys, whitelist and links in one transaction, and mails the `servicer_id`.
    /// Answers alike whether or not the address has an account already.
    async fn start(&self, form: Start, source: &Source) -> Answered<Started>;
    /// Joins an existing servicer with its claim token: the first person becomes owner, later ones developers.
    async fn sign_up(&self, form: SignUp, source: &Source) -> Answered<PersonId>;
    /// Checks a pair of address and password; a wrong one says no more than that it is wrong.
    async fn sign_in(&self, email: &str, password: &str, source: &Source) -> Answered<PersonId>;
    /// Proves it is still the same person; starts the ten minutes in which breaking acts are allowed.
    async fn prove(&self, actor: &Actor, password: &str, source: &Source) -> Answered<()>;
    /// Mails a link that works once, for ten minutes, if the address has an account; answers alike if not.
    async fn forgot(&self, email: &str, source: &Source) -> Answered<()>;
    /// Whether a password link is still good: the masked address it is for.
    async fn reset_link(&self, token: &str) -> Answered<String>;
    /// Sets a password with a link, ends every session of that person.
    async fn reset(&self, token: &str, password: &str, source: &Source) -> Answered<PersonId>;
    /// Proves an address with the link that was mailed to it.
    async fn verify(&self, token: &str) -> Answered<PersonId>;
    /// Mails the proof link again.
    async fn send_verification(&self, actor: &Actor) -> Answered<()>;
    /// Changes the password, ends every other session.
    async fn change_password(
        &self,
        actor: &Actor,
        old: &str,
        new: &str,
        source: &Source,
    ) -> Answered<()>;
    /// The browsers signed in as this person, this one first.
    async fn devices(&self, actor: &Actor) -> Answered<Vec<Device>>;
    /// Ends one session, at once.
    async fn end_device(&self, actor: &Actor, handle: &str) -> Answered<()>;
}
