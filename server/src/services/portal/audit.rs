//! The audit log's actors and entries: who does something in the portal or on the command line.

use app::domain::ids::{AuditId, PersonId, ServicerId, TenantId};
use app::portal::{Actor, FreshProof, RequestSource};

use crate::security::SecurityEvent;
use crate::state::AppState;
use crate::storage::audit::AuditRow;
use crate::storage::{DbResult, Tx};

/// The actor of an act, as the audit log names it.
#[derive(Clone, Debug)]
pub struct AuditActor {
    pub person: Option<PersonId>,
    /// An e-mail address, `operator` or `server`.
    pub name: String,
    pub ip: String,
}

impl AuditActor {
    /// A signed-in person.
    pub fn actor(actor: &Actor, source: &RequestSource) -> Self {
        Self {
            person: Some(actor.person),
            name: actor.email.to_string(),
            ip: source.ip.clone(),
        }
    }

    /// Somebody known by id and address who is not, or not yet, signed in.
    pub fn person(person: PersonId, email: &str, source: &RequestSource) -> Self {
        Self {
            person: Some(person),
            name: email.to_owned(),
            ip: source.ip.clone(),
        }
    }

    /// The server itself, on its schedule.
    pub fn server() -> Self {
        Self {
            person: None,
            name: "server".to_owned(),
            ip: String::new(),
        }
    }

    /// The operator's command line.
    pub fn operator() -> Self {
        Self {
            person: None,
            name: "operator".to_owned(),
            ip: String::new(),
        }
    }
}

/// Proof that the actor may change what production depends on: a signed-in person who gave their password just now, or
/// the operator's command line, which can read the database anyway. Acts that take a `ProductionProof` can be done by nobody
/// else.
#[derive(Clone, Debug)]
pub struct ProductionProof(AuditActor);

impl ProductionProof {
    /// Somebody signed in.
    pub fn fresh(proof: FreshProof<'_>, source: &RequestSource) -> Self {
        Self(AuditActor::actor(proof.actor(), source))
    }

    /// The operator's command line.
    pub fn command_line() -> Self {
        Self(AuditActor::operator())
    }

    /// Returns the actor, for the audit log.
    pub const fn by(&self) -> &AuditActor {
        &self.0
    }
}

/// An act as a row of the audit log. `action` is `noun.verb`; `detail` holds no secret and nothing about an end-user.
pub fn audit_row(
    state: &AppState,
    by: &AuditActor,
    servicer: Option<ServicerId>,
    action: SecurityEvent,
    target: impl ToString,
    detail: serde_json::Value,
) -> AuditRow {
    let target = target.to_string();
    AuditRow {
        tenant: affected_tenant(action, &target, &detail),
        id: AuditId(state.clock.id()),
        at: state.clock.now(),
        person: by.person,
        actor: by.name.clone(),
        servicer,
        action,
        target,
        detail,
        ip: by.ip.clone(),
    }
}

/// The tenant of an act: what it is done to, or what its detail names.
fn affected_tenant(
    action: SecurityEvent,
    target: &str,
    detail: &serde_json::Value,
) -> Option<TenantId> {
    let named = detail.get("tenant").and_then(serde_json::Value::as_str);
    let itself = action.as_str().starts_with("tenant.").then_some(target);
    named.or(itself)?.parse().ok()
}

/// Writes an act into the audit log, in the transaction of the act: what cannot be written down does not happen.
pub async fn audit(
    state: &AppState,
    tx: &mut Tx,
    by: &AuditActor,
    servicer: Option<ServicerId>,
    action: SecurityEvent,
    target: impl ToString + Send,
    detail: serde_json::Value,
) -> DbResult<()> {
    tx.audit(&audit_row(state, by, servicer, action, target, detail))
        .await
}
