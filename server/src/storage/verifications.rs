//! Sessions that wait for somebody's decision, as the people of a servicer see them.

use app::domain::ids::{RunId, ServicerId, SessionId, TenantId};
use app::domain::skill::SkillName;
use chrono::{DateTime, Utc};

use super::{DbResult, Tx, run};

/// One sandbox session that waits for its provider.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct PendingRow {
    pub session_id: SessionId,
    /// The console's run that opened it.
    pub run: Option<RunId>,
    pub tenant_id: TenantId,
    pub tenant_name: String,
    pub skill: SkillName,
    pub position: i64,
    /// The step that is verified.
    pub step: String,
    pub pending_since: DateTime<Utc>,
}

impl Tx {
    /// The sandbox sessions of a servicer that wait, the longest waiting first; one of them if a session is named.
    pub async fn pending_sessions(
        &mut self,
        servicer: ServicerId,
        one: Option<SessionId>,
        limit: i64,
    ) -> DbResult<Vec<PendingRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT s.id AS session_id, r.id AS run, t.id AS tenant_id, t.name AS tenant_name, s.skill, s.position, p.step,
                        s.pending_since
                 FROM sessions s
                 JOIN tenants t ON t.id = s.tenant_id
                 JOIN session_steps p ON p.session_id = s.id AND p.position = s.position - 1
                 LEFT JOIN console_runs r ON r.session_id = s.id
                 WHERE t.servicer_id = $1 AND t.environment = 'sandbox' AND s.awaiting = 'provider'
                   AND ($2 IS NULL OR s.id = $2)
                 ORDER BY s.pending_since, s.id LIMIT $3",
            )
            .bind(servicer)
            .bind(one)
            .bind(limit)
            .fetch_all(conn)
            .await
        })
    }
}
