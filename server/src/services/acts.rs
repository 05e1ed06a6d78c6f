//! Who does something in the portal or on the command line, and how it is written into the audit log.

use app::domain::ids::{AuditId, PersonId, ServicerId};
use app::portal::{Actor, Source};

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

    /// The operator's command line.
    pub fn operator() -> Self {
        Self {
            person: None,
            name: "operator".to_owned(),
            ip: String::new(),
        }
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
