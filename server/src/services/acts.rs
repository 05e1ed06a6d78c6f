//! Who does something in the portal or on the command line, and how it is written into the audit log.

use app::domain::ids::{AuditId, PersonId, ServicerId};
use app::portal::{Actor, FreshProof, Source};

use crate::state::AppState;
use crate::storage::audit::AuditRow;
use crate::storage::{Stored, Tx};

/// Who acts, as the audit log names them.
#[derive(Clone, Debug)]
pub struct By {
    pub person: Option<PersonId>,
    /// An e-mail address, `operator` or `server`.
    pub name: String,
    pub ip: String,
}

impl By {
    /// A signed-in person.
    pub fn actor(actor: &Actor, source: &Source) -> Self {
        Self {
            person: Some(actor.person),
            name: actor.email.to_string(),
            ip: source.ip.clone(),
        }
    }

    /// Somebody known by id and address who is not, or not yet, signed in.
    pub fn person(person: PersonId, email: &str, source: &Source) -> Self {
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

/// Who acts on what production hangs on: somebody signed in who gave their password just now, or somebody at the
/// operator's command line, who can read the database anyway. Acts that ask for one are done by nobody else.
#[derive(Clone, Debug)]
pub struct Proved(By);

impl Proved {
    /// Somebody signed in.
    pub fn fresh(proof: FreshProof<'_>, source: &Source) -> Self {
        Self(By::actor(proof.actor(), source))
    }

    /// The operator's command line.
    pub fn command_line() -> Self {
        Self(By::operator())
    }

    /// Returns who it is, for the audit log.
    pub const fn by(&self) -> &By {
        &self.0
    }
}

/// An act as a row of the audit log. `action` is `noun.verb`; `detail` holds no secret and nothing about an end-user.
pub fn row(
    state: &AppState,
    by: &By,
    servicer: Option<ServicerId>,
    action: &'static str,
    target: impl ToString,
    detail: serde_json::Value,
) -> AuditRow {
    AuditRow {
        id: AuditId(state.clock.id()),
        at: state.clock.now(),
        person: by.person,
        actor: by.name.clone(),
        servicer,
        action,
        target: target.to_string(),
        detail,
        ip: by.ip.clone(),
    }
}

/// Writes an act into the audit log, in the transaction of the act: what cannot be written down does not happen.
pub async fn audit(
    state: &AppState,
    tx: &mut Tx,
    by: &By,
    servicer: Option<ServicerId>,
    action: &'static str,
    target: impl ToString + Send,
    detail: serde_json::Value,
) -> Stored<()> {
    tx.audit(&row(state, by, servicer, action, target, detail))
        .await
}
