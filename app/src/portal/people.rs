//! Registering, signing in and out, passwords and portal sessions.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Actor, PortalResult, RequestSource};
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

/// Result of the one-form start: all of it works at once, in the sandbox.
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

/// Account and address that a link confirms, and the passwords that confirming takes.
#[derive(Clone, Debug)]
pub struct AddressLink {
    /// The address, masked: `an…@example.com`.
    pub address: String,
    /// `true` if the person signed in is the one that the link is for; else the account's password is asked for.
    pub signed_in: bool,
    /// `true` if another account has confirmed the address already: its password is asked for, too, and it takes over
    /// the servicers of this one.
    pub confirmed_elsewhere: bool,
    /// The servicers of the account.
    pub servicers: Vec<String>,
}

/// Passwords given to confirm an address.
#[derive(Clone, Debug, Default)]
pub struct GivenPasswords {
    /// Password of the account that the link is for.
    pub own: String,
    /// Password of the account that confirmed the address before.
    pub confirmed: String,
}

/// Address and accounts that a password link is for.
#[derive(Clone, Debug)]
pub struct PasswordLink {
    /// The address, masked.
    pub address: String,
    /// Accounts that nobody confirmed, when there are several with the address: one is chosen.
    pub choices: Vec<PasswordChoice>,
    /// `true` if the address was not confirmed before: keys made until now are stopped.
    pub unconfirmed: bool,
}

/// One of several accounts with one address.
#[derive(Clone, Debug)]
pub struct PasswordChoice {
    pub account: PersonId,
    /// The servicer it registered or joined.
    pub servicer: String,
    pub registered_at: DateTime<Utc>,
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
    async fn start(&self, form: Start, source: &RequestSource) -> PortalResult<Started>;
    /// Joins an existing servicer with its claim token: the first person becomes owner, later ones developers.
    async fn sign_up(&self, form: SignUp, source: &RequestSource) -> PortalResult<PersonId>;
    /// Checks a pair of address and password; a wrong one says no more than that it is wrong.
    async fn sign_in(
        &self,
        email: &str,
        password: &str,
        source: &RequestSource,
    ) -> PortalResult<PersonId>;
    /// Proves it is still the same person; starts the ten minutes in which breaking acts are allowed.
    async fn prove(
        &self,
        actor: &Actor,
        password: &str,
        source: &RequestSource,
    ) -> PortalResult<()>;
    /// Mails a link that works once, for ten minutes, if the address has an account; answers alike if not.
    async fn forgot(&self, email: &str, source: &RequestSource) -> PortalResult<()>;
    /// A password link that is still good: the masked address it is for, and the accounts to choose from.
    async fn reset_link(&self, token: &str, source: &RequestSource) -> PortalResult<PasswordLink>;
    /// Sets a password with a link, ends every session of that person. `account` is one of the link's choices, empty
    /// where there is no choice.
    async fn reset(
        &self,
        token: &str,
        account: &str,
        password: &str,
        source: &RequestSource,
    ) -> PortalResult<PersonId>;
    /// A link that confirms an address, still good; looking confirms nothing.
    async fn verify_link(
        &self,
        actor: Option<&Actor>,
        token: &str,
        source: &RequestSource,
    ) -> PortalResult<AddressLink>;
    /// Confirms an address with the link that was mailed to it, for whoever shows the account's password or is signed in
    /// as its person. Answers the account that the address belongs to.
    async fn verify(
        &self,
        actor: Option<&Actor>,
        token: &str,
        given: GivenPasswords,
        source: &RequestSource,
    ) -> PortalResult<PersonId>;
    /// Counts the other accounts that registered with the actor's confirmed address and never confirmed it, up to four;
    /// 0 if the actor's address is not confirmed.
    async fn unconfirmed(&self, actor: &Actor) -> PortalResult<usize>;
    /// Takes over the servicers of another account that registered with the actor's confirmed address, by its password.
    async fn bring_in(
        &self,
        actor: &Actor,
        password: &str,
        source: &RequestSource,
    ) -> PortalResult<()>;
    /// Joins a servicer with its claim token, as the account that is signed in.
    async fn join(
        &self,
        actor: &Actor,
        servicer_id: &str,
        claim_token: &str,
        source: &RequestSource,
    ) -> PortalResult<()>;
    /// The servicers that the actor may work in, the first joined first.
    async fn places(&self, actor: &Actor) -> PortalResult<Vec<(ServicerId, String)>>;
    /// Works in another of the actor's servicers, in this browser and in those that sign in later.
    async fn work_in(&self, actor: &Actor, servicer: ServicerId) -> PortalResult<()>;
    /// Mails the proof link again.
    async fn send_verification(&self, actor: &Actor) -> PortalResult<()>;
    /// Changes the password, ends every other session.
    async fn change_password(
        &self,
        actor: &Actor,
        old: &str,
        new: &str,
        source: &RequestSource,
    ) -> PortalResult<()>;
    /// The browsers signed in as this person, this one first.
    async fn devices(&self, actor: &Actor) -> PortalResult<Vec<Device>>;
    /// Ends one session, at once; asks for fresh proof.
    async fn end_device(
        &self,
        actor: &Actor,
        handle: &str,
        source: &RequestSource,
    ) -> PortalResult<()>;
}
