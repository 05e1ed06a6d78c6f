//! The audit log: who did what to what, written in the act's own transaction. If it cannot be written, the act does
//! not happen.

use app::domain::ids::{AuditId, PersonId, ServicerId, TenantId};
use chrono::{DateTime, Utc};

use super::{DbResult, Tx, run};
use crate::security::{EventActor, SecurityEvent, tell_of};

/// One act. `detail` is JSON without secrets and without anything that identifies an end-user.
#[derive(Clone, Debug)]
pub struct AuditRow {
    pub id: AuditId,
    pub at: DateTime<Utc>,
    /// `None` for the operator's command line and for the server itself; `actor` then says which.
    pub person: Option<PersonId>,
    /// The e-mail address at the time of the act, `operator` or `server`.
    pub actor: String,
    pub servicer: Option<ServicerId>,
    /// For the log; the table finds it in `target` or `detail`.
    pub tenant: Option<TenantId>,
    /// `noun.verb`: `key.rotated`, `servicer.approved`.
    pub action: SecurityEvent,
    /// The id of what was acted on.
    pub target: String,
    pub detail: serde_json::Value,
    pub ip: String,
}

/// An act that is told when its transaction is committed.
pub struct AuditedAct {
    event: SecurityEvent,
    who: EventActor,
    tenant: Option<TenantId>,
    target: String,
    ip: String,
}

impl AuditedAct {
    fn of(row: &AuditRow) -> Self {
        let who = match (row.person, row.actor.as_str()) {
            (Some(person), _) => EventActor::Person(person),
            (None, "operator") => EventActor::Operator,
            (None, _) => EventActor::Server,
        };
        Self {
            event: row.action,
            who,
            tenant: row.tenant,
            target: row.target.clone(),
            ip: row.ip.clone(),
        }
    }

    pub(super) fn tell(&self) {
        tell_of(self.event, self.who, self.tenant, &self.ip, &self.target);
    }
}

impl Tx {
    /// Writes one act; the log tells it once the transaction is committed.
    pub async fn audit(&mut self, row: &AuditRow) -> DbResult<()> {
        let detail = row.detail.to_string();
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO audit_log (id, at, person_id, actor, servicer_id, action, target, detail, ip)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(row.id)
            .bind(row.at)
            .bind(row.person)
            .bind(&row.actor)
            .bind(row.servicer)
            .bind(row.action.as_str())
            .bind(&row.target)
            .bind(&detail)
            .bind(&row.ip)
            .execute(conn)
            .await
            .map(|_| ())
        })?;
        self.1.push(AuditedAct::of(row));
        Ok(())
    }

    /// Counts the audit entries of an action.
    #[cfg(test)]
    pub async fn count_audited(&mut self, action: &str) -> DbResult<i64> {
        run!(self, |conn| {
            sqlx::query_scalar("SELECT COUNT(*) FROM audit_log WHERE action = $1")
                .bind(action)
                .fetch_one(conn)
                .await
        })
    }
}
