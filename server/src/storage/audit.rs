//! The audit log: who did what to what, written in the act's own transaction. If it cannot be written, the act does
//! not happen.

use app::domain::ids::{AuditId, PersonId, ServicerId};
use chrono::{DateTime, Utc};

use super::{Stored, Tx, run};

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
    /// `noun.verb`: `key.rotated`, `servicer.approved`.
    pub action: &'static str,
    /// The id of what was acted on.
    pub target: String,
    pub detail: serde_json::Value,
    pub ip: String,
}

impl Tx {
    /// Writes one act.
    pub async fn audit(&mut self, row: &AuditRow) -> Stored<()> {
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
            .bind(row.action)
            .bind(&row.target)
            .bind(&detail)
            .bind(&row.ip)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// How many acts of a kind were written down.
    #[cfg(test)]
    pub async fn count_audited(&mut self, action: &str) -> Stored<i64> {
        run!(self, |conn| {
            sqlx::query_scalar("SELECT COUNT(*) FROM audit_log WHERE action = $1")
                .bind(action)
                .fetch_one(conn)
                .await
        })
    }
}
