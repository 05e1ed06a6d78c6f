//! Runs of the sandbox console and the calls they made.
//!
//! A run stands still at `next_call` until one asker claims it (`claim_run`, a conditional statement) and writes down
//! what came of the call (`finish_run_call`). Runs are found through their servicer alone: a foreign one is not there.

use app::domain::console::RunStage;
use app::domain::ids::{PersonId, RequestId, RunId, ServicerId, SessionId, TenantId};
use app::domain::tenant::Environment;
use chrono::{DateTime, Utc};

use super::{DbResult, Tx, run};

/// One run. `held` opens only in its own row.
#[derive(Clone, sqlx::FromRow)]
pub struct RunRow {
    pub id: RunId,
    pub tenant_id: TenantId,
    pub tenant_name: String,
    pub skill: String,
    pub next_call: RunStage,
    pub session_id: Option<SessionId>,
    pub session_status: Option<String>,
    pub calls: i64,
    pub held: Option<Vec<u8>>,
    pub started_at: DateTime<Utc>,
    pub forget_at: DateTime<Utc>,
}

/// Values of a new run.
pub struct NewRun {
    pub id: RunId,
    pub servicer: ServicerId,
    pub tenant: TenantId,
    pub person: PersonId,
    pub skill: String,
    pub held: Vec<u8>,
    pub started_at: DateTime<Utc>,
    pub forget_at: DateTime<Utc>,
}

/// State of a run after a call or a return from the bank.
pub struct RunProgress {
    pub next: RunStage,
    pub session: Option<SessionId>,
    pub status: Option<String>,
    pub held: Vec<u8>,
}

/// One call of a run; `bodies` are sealed.
#[derive(Clone, sqlx::FromRow)]
pub struct CallRow {
    pub position: i64,
    pub request_id: RequestId,
    pub at: DateTime<Utc>,
    pub title: String,
    pub method: String,
    pub path: String,
    pub status: i64,
    /// Microseconds.
    pub latency: i64,
    pub browser_safe: bool,
    pub bodies: Vec<u8>,
}

/// Facts about a tenant that the console needs before it prepares a run on it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct RunTenant {
    pub name: String,
    pub environment: Environment,
    pub whitelisted: bool,
}

const RUN: &str = "SELECT r.id, r.tenant_id, t.name AS tenant_name, r.skill, r.next_call, r.session_id, r.session_status,
                          r.calls, r.held, r.started_at, r.forget_at
                   FROM console_runs r JOIN tenants t ON t.id = r.tenant_id ";

impl Tx {
    /// Returns a servicer's tenant as the console sees it; `None` if it is another's.
    pub async fn run_tenant(
        &mut self,
        servicer: ServicerId,
        tenant: TenantId,
        skill: &str,
    ) -> DbResult<Option<RunTenant>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT t.name, t.environment,
                        EXISTS (SELECT 1 FROM tenant_skills s WHERE s.tenant_id = t.id AND s.skill = $3) AS whitelisted
                 FROM tenants t WHERE t.id = $1 AND t.servicer_id = $2",
            )
            .bind(tenant)
            .bind(servicer)
            .bind(skill)
            .fetch_optional(conn)
            .await
        })
    }

    /// Adds a run that waits for its first call.
    pub async fn add_run(&mut self, new: &NewRun) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO console_runs (id, servicer_id, tenant_id, person_id, skill, next_call, calls, held, started_at, forget_at)
                 VALUES ($1, $2, $3, $4, $5, 'open_session', 0, $6, $7, $8)",
            )
            .bind(new.id)
            .bind(new.servicer)
            .bind(new.tenant)
            .bind(new.person)
            .bind(&new.skill)
            .bind(&new.held)
            .bind(new.started_at)
            .bind(new.forget_at)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// A servicer's last runs, newest first.
    pub async fn runs(&mut self, servicer: ServicerId, limit: i64) -> DbResult<Vec<RunRow>> {
        let text = format!("{RUN} WHERE r.servicer_id = $1 ORDER BY r.id DESC LIMIT $2");
        run!(self, |conn| {
            sqlx::query_as(sqlx::AssertSqlSafe(text))
                .bind(servicer)
                .bind(limit)
                .fetch_all(conn)
                .await
        })
    }

    /// One run of a servicer.
    pub async fn run_by_id(&mut self, servicer: ServicerId, id: RunId) -> DbResult<Option<RunRow>> {
        let text = format!("{RUN} WHERE r.servicer_id = $1 AND r.id = $2");
        run!(self, |conn| {
            sqlx::query_as(sqlx::AssertSqlSafe(text))
                .bind(servicer)
                .bind(id)
                .fetch_optional(conn)
                .await
        })
    }

    /// The run of a servicer that opened a session.
    pub async fn run_by_session(
        &mut self,
        servicer: ServicerId,
        session: SessionId,
    ) -> DbResult<Option<RunRow>> {
        let text = format!("{RUN} WHERE r.servicer_id = $1 AND r.session_id = $2");
        run!(self, |conn| {
            sqlx::query_as(sqlx::AssertSqlSafe(text))
                .bind(servicer)
                .bind(session)
                .fetch_optional(conn)
                .await
        })
    }

    /// The calls of a run, in order.
    pub async fn run_calls(&mut self, id: RunId) -> DbResult<Vec<CallRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT position, request_id, at, title, method, path, status, latency, browser_safe, bodies
                 FROM console_calls WHERE run_id = $1 ORDER BY position",
            )
            .bind(id)
            .fetch_all(conn)
            .await
        })
    }

    /// Takes the right to make the next call, until `until`; false if the run has moved on or somebody else has it.
    pub async fn claim_run(
        &mut self,
        run: &RunRow,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE console_runs SET claimed_until = $4
                 WHERE id = $1 AND calls = $2 AND next_call = $5 AND held IS NOT NULL
                   AND (claimed_until IS NULL OR claimed_until <= $3)",
            )
            .bind(run.id)
            .bind(run.calls)
            .bind(now)
            .bind(until)
            .bind(run.next_call)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Writes down a call and where the run stands after it; false if the claim (`until`) was lost meanwhile.
    pub async fn finish_run_call(
        &mut self,
        run: RunId,
        until: DateTime<Utc>,
        progress: &RunProgress,
        call: &CallRow,
    ) -> DbResult<bool> {
        let moved = run!(self, |conn| {
            sqlx::query(
                "UPDATE console_runs SET calls = calls + 1, claimed_until = NULL, next_call = $4,
                                         session_id = COALESCE($5, session_id), session_status = COALESCE($6, session_status), held = $7
                 WHERE id = $1 AND calls = $2 AND claimed_until = $3",
            )
            .bind(run)
            .bind(call.position)
            .bind(until)
            .bind(progress.next)
            .bind(progress.session)
            .bind(&progress.status)
            .bind(&progress.held)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })?;
        if moved {
            self.add_run_call(run, call).await?;
        }
        Ok(moved)
    }

    async fn add_run_call(&mut self, run: RunId, call: &CallRow) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO console_calls (run_id, position, request_id, at, title, method, path, status, latency, browser_safe, bodies)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            )
            .bind(run)
            .bind(call.position)
            .bind(call.request_id)
            .bind(call.at)
            .bind(&call.title)
            .bind(&call.method)
            .bind(&call.path)
            .bind(call.status)
            .bind(call.latency)
            .bind(call.browser_safe)
            .bind(&call.bodies)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Lets a claim go without a call, so that the next try need not wait for its end.
    pub async fn release_run(&mut self, run: RunId, until: DateTime<Utc>) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE console_runs SET claimed_until = NULL WHERE id = $1 AND claimed_until = $2",
            )
            .bind(run)
            .bind(until)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Moves a run that waits for `from` without a call: the bank's return. False if it stood elsewhere.
    pub async fn move_run(
        &mut self,
        run: &RunRow,
        now: DateTime<Utc>,
        progress: &RunProgress,
    ) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE console_runs SET next_call = $3, session_status = COALESCE($4, session_status), held = $5
                 WHERE id = $1 AND calls = $2 AND next_call = $6
                   AND (claimed_until IS NULL OR claimed_until <= $7)",
            )
            .bind(run.id)
            .bind(run.calls)
            .bind(progress.next)
            .bind(&progress.status)
            .bind(&progress.held)
            .bind(run.next_call)
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Forgets what a run held, if its day is over: tokens, nonces and every body.
    pub async fn forget_run(&mut self, id: RunId, now: DateTime<Utc>) -> DbResult<()> {
        let due = run!(self, |conn| {
            sqlx::query("UPDATE console_runs SET held = NULL WHERE id = $1 AND forget_at <= $2")
                .bind(id)
                .bind(now)
                .execute(conn)
                .await
                .map(|done| done.rows_affected() == 1)
        })?;
        if due {
            run!(self, |conn| {
                sqlx::query("DELETE FROM console_calls WHERE run_id = $1")
                    .bind(id)
                    .execute(conn)
                    .await
                    .map(|_| ())
            })?;
        }
        Ok(())
    }
}
