//! Keys at work: turning what a call presents into a [`Client`], the proof every service asks for.

#[cfg(test)]
mod tests;

use std::net::IpAddr;

use app::domain::ids::{KeyId, RunId, ServicerId, TenantId};
use app::domain::key::{KeyKind, KeyShape};
use app::domain::problem::Code;
use app::domain::servicer::ServicerStatus;
use app::domain::tenant::{Environment, TenantStatus};
use chrono::{DateTime, Utc};
use kernel::crypto::{Digest, Pepper};
use secrecy::{ExposeSecret as _, SecretString};

use super::networks::Networks;
use crate::services::refusal::{ApiError, Refusal};
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::digests::DigestOwner;
use crate::storage::keys::TenantAuth;

/// A tenant that proved itself with a live key. Made here alone; services take it as the permission to act.
#[derive(Clone, Debug)]
pub struct Client {
    facts: TenantAuth,
    proof: ClientProof,
}

/// A tenant that a call names without proving it: what authorises the call is the nonce it carries.
#[derive(Clone, Debug)]
pub struct NamedTenant {
    facts: TenantAuth,
}

/// Credential that a client authenticated with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientProof {
    Key(KeyId, KeyKind),
    /// A run of the sandbox console stands in for either key.
    Console(RunId),
}

/// Stands in for a sandbox tenant's keys. Put into a request's extensions by the console, which calls the API inside
/// the process; nothing that arrives over the network can carry one.
#[derive(Clone, Copy, Debug)]
pub struct ConsoleGrant {
    pub tenant: TenantId,
    pub run: RunId,
    pub expires: DateTime<Utc>,
}

/// One of the two keys, as presented.
#[derive(Clone, Copy)]
pub struct PresentedKey<'a> {
    pub kind: KeyKind,
    pub text: &'a SecretString,
}

macro_rules! facts {
    ($($name:ident),+) => {$(impl $name {
        pub fn tenant(&self) -> TenantId {
            self.facts.tenant
        }
        pub fn servicer(&self) -> ServicerId {
            self.facts.servicer
        }
        pub fn environment(&self) -> Environment {
            self.facts.environment
        }
        /// Returns `true` if every call of its server must be signed.
        pub fn is_signed_only(&self) -> bool {
            self.facts.signed_only
        }
        /// Returns the longest lifetime of its signatures, in seconds.
        pub fn signature_seconds(&self) -> i64 {
            self.facts.signature_seconds
        }
        /// Returns `true` if its server may call from this address.
        pub fn lets_in(&self, ip: IpAddr) -> bool {
            Networks::kept(&self.facts.networks).is_some_and(|networks| networks.lets_in(ip))
        }
        /// The tenant's display name.
        pub fn name(&self) -> &str {
            &self.facts.name
        }
    })+};
}
facts!(Client, NamedTenant);

impl Client {
    pub fn proof(&self) -> ClientProof {
        self.proof
    }

    /// The tenant without its proof.
    pub fn named(&self) -> NamedTenant {
        NamedTenant {
            facts: self.facts.clone(),
        }
    }

    /// Returns `true` if the call may do what only a server may: it proved itself with the `client_secret`, or comes
    /// from the console.
    pub fn is_server(&self) -> bool {
        !matches!(self.proof, ClientProof::Key(_, KeyKind::AppKey))
    }

    /// A client as if it had proved itself, for tests of services.
    #[cfg(test)]
    pub fn for_test(facts: TenantAuth, kind: KeyKind) -> Self {
        let proof = ClientProof::Key(KeyId(uuid::Uuid::nil()), kind);
        Self { facts, proof }
    }
}

/// Checks a pair of `client_id` and key: one indexed read, whatever is wrong, and one answer for all that can be.
pub async fn verify(
    state: &AppState,
    tx: &mut Tx,
    client_id: &str,
    given: PresentedKey<'_>,
) -> Result<Client, ApiError> {
    // A text that is no key of this kind is refused before the database is asked (its last characters are a checksum).
    let shape = KeyShape::read(given.text.expose_secret());
    if shape.is_none_or(|shape| shape.kind != given.kind) {
        return Err(empty(client_id, given).unwrap_or_else(|| wrong_keys(given)));
    }
    let presented = digest(&state.pepper, given.kind, given.text);
    let found = tx.key_by_digest(&presented).await?;
    let now = state.clock.now();
    let claimed: Option<TenantId> = client_id.parse().ok();
    let live = found.filter(|found| {
        Some(found.tenant.tenant) == claimed && found.kind == given.kind && found.is_live(now)
    });
    match live {
        Some(found) => {
            is_served(&found.tenant)?;
            let whose = DigestOwner::Key(found.key);
            state.digests.note(whose, &found.digest, &presented);
            let proof = ClientProof::Key(found.key, found.kind);
            Ok(Client {
                facts: found.tenant,
                proof,
            })
        }
        None => Err(empty(client_id, given).unwrap_or_else(|| wrong_keys(given))),
    }
}

/// The tenant a grant of the console stands for, if the call names that one or none.
pub async fn by_grant(
    state: &AppState,
    tx: &mut Tx,
    client_id: Option<&str>,
    grant: ConsoleGrant,
) -> Result<Client, ApiError> {
    let names_it = client_id.is_none_or(|id| id.parse() == Ok(grant.tenant));
    if !names_it || grant.expires <= state.clock.now() {
        return Err(Code::InvalidApiKeys.into());
    }
    let facts = tx.tenant_auth(grant.tenant).await?;
    let facts = facts.filter(|facts| facts.environment == Environment::Sandbox);
    let facts = facts.ok_or(Code::InvalidApiKeys)?;
    is_served(&facts)?;
    Ok(Client {
        facts,
        proof: ClientProof::Console(grant.run),
    })
}

/// The tenant a call names; proves nothing.
pub async fn named(tx: &mut Tx, client_id: &str) -> Result<NamedTenant, ApiError> {
    if client_id.trim().is_empty() {
        return Err(is_empty("client_id").into());
    }
    let id: TenantId = client_id.parse().map_err(|_| Code::InvalidApiKeys)?;
    let facts = tx.tenant_auth(id).await?.ok_or(Code::InvalidApiKeys)?;
    is_served(&facts)?;
    Ok(NamedTenant { facts })
}

/// Refuses what is done in the name of a tenant that is paused, or whose servicer is suspended.
pub async fn check_served(tx: &mut Tx, tenant: TenantId) -> Result<(), ApiError> {
    let facts = tx.tenant_auth(tenant).await?;
    let facts = facts.ok_or_else(|| ApiError::broken("a tenant that is gone"))?;
    is_served(&facts)
}

/// The digest under which a key is stored.
pub fn digest(pepper: &Pepper, kind: KeyKind, text: &SecretString) -> Digest {
    pepper.digest(kind.as_str(), text.expose_secret())
}

fn is_served(facts: &TenantAuth) -> Result<(), ApiError> {
    if facts.servicer_status == ServicerStatus::Suspended {
        return Err(Code::ServicerSuspended.into());
    }
    if facts.tenant_status == TenantStatus::Paused {
        return Err(Code::TenantPaused.into());
    }
    Ok(())
}

/// Returns the refusal for unknown, wrong and ended keys, which does not tell them apart. A key of the wrong kind is
/// named: its prefix shows it anyway.
fn wrong_keys(given: PresentedKey<'_>) -> ApiError {
    let refusal = Refusal::new(Code::InvalidApiKeys);
    match KeyShape::by_prefix(given.text.expose_secret()) {
        Some(shape) if shape.kind != given.kind => refusal.hints(format!(
            "This is a {}; a {} is needed here.",
            shape.kind, given.kind
        )),
        _ => refusal,
    }
    .into()
}

/// The sentence for the commonest mistake: an empty text, because the variable it should come from was not set.
fn empty(client_id: &str, given: PresentedKey<'_>) -> Option<ApiError> {
    if client_id.trim().is_empty() {
        return Some(is_empty("client_id").into());
    }
    let empty = given.text.expose_secret().trim().is_empty();
    empty.then(|| is_empty(given.kind.as_str()).into())
}

fn is_empty(name: &str) -> Refusal {
    Refusal::new(Code::InvalidApiKeys)
        .says(format!("The {name} is empty."))
        .hints("The variable it comes from is probably not set: compare the name your code reads with the .env of the portal's Keys page.")
}
