//! Sessions. Their steps are in [`super::steps`], the callbacks from providers' pages in [`super::callbacks`].
//!
//! A session changes only from the progress it is believed to be in, and work on it is claimed first: the claim is
//! committed before a bank is called, and is free again when it is let go or its lease has run out.

use app::domain::ids::{SessionId, StepId, TenantId};
use app::domain::session::{Awaiting, Progress, SessionStatus};
use app::domain::skill::SkillName;
use chrono::{DateTime, Duration, Utc};
use kernel::crypto::Digest;

use super::{DbResult, Tx, run};

/// One session. The sealed columns open with the associated data that `services/sessions/standing` names.
#[derive(Clone, sqlx::FromRow)]
pub struct SessionRow {
    pub id: SessionId,
    pub tenant_id: TenantId,
    pub skill: SkillName,
    pub status: SessionStatus,
    pub awaiting: Awaiting,
    pub position: i64,
    pub next_step: Option<String>,
    pub tenant_user: Option<Digest>,
    pub code_challenge: Option<String>,
    pub client_state: Option<Vec<u8>>,
    pub bank_ref: Option<Vec<u8>>,
    pub claim_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub pending_since: Option<DateTime<Utc>>,
    /// Number of enquiries at the provider about the present verification.
    pub asked: i64,
}

impl SessionRow {
    /// Returns the time the session ends, as far as can be said now: time in an offline verification does not count.
    pub fn ends_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.pending_since
            .map_or(self.expires_at, |since| self.expires_at + (now - since))
    }

    /// Returns the stored progress of the session: its time may have run out since.
    pub fn progress(&self) -> Progress {
        Progress {
            status: self.status,
            position: self.position,
            awaiting: self.awaiting,
        }
    }
}

/// The new face of a session after an event.
pub struct SessionAdvance<'a> {
    pub from: Progress,
    pub to: Progress,
    pub next_step: Option<&'a str>,
    pub bank_ref: Option<&'a [u8]>,
    pub expires_at: DateTime<Utc>,
    pub pending_since: Option<DateTime<Utc>>,
    pub now: DateTime<Utc>,
}

/// A claim on the work at a session and the lease that it holds. Leases go by the real time, whoever the session's tenant
/// is: two processes agree on them, and no clock that a tenant moves makes two of them work on one step.
pub struct SessionClaim {
    id: StepId,
    now: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl SessionClaim {
    /// A claim from now on, the real time, for as long as `lease`.
    pub fn new(id: StepId, now: DateTime<Utc>, lease: Duration) -> Self {
        let until = now + lease;
        Self { id, now, until }
    }
}

/// Every column of a session, in one place.
macro_rules! session_columns {
    () => {
        "id, tenant_id, skill, status, awaiting, position, next_step, tenant_user, code_challenge, client_state, \
         bank_ref, claim_until, created_at, updated_at, expires_at, pending_since, asked"
    };
}

impl Tx {
    /// Opens a session.
    pub async fn insert_session(&mut self, row: &SessionRow) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO sessions (id, tenant_id, skill, status, awaiting, position, next_step, tenant_user,
                                       code_challenge, client_state, created_at, updated_at, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            )
            .bind(row.id)
            .bind(row.tenant_id)
            .bind(&row.skill)
            .bind(row.status)
            .bind(row.awaiting)
            .bind(row.position)
            .bind(&row.next_step)
            .bind(&row.tenant_user)
            .bind(&row.code_challenge)
            .bind(&row.client_state)
            .bind(row.created_at)
            .bind(row.updated_at)
            .bind(row.expires_at)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// A session by its id; whose it is has to be looked at.
    pub async fn session(&mut self, id: SessionId) -> DbResult<Option<SessionRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "SELECT ",
                session_columns!(),
                " FROM sessions WHERE id = $1"
            ))
            .bind(id)
            .fetch_optional(conn)
            .await
        })
    }

    /// Holds a session's row until the transaction ends, and reads it: whoever changes its tokens waits for each other here.
    pub async fn hold_session(&mut self, id: SessionId) -> DbResult<Option<SessionRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "UPDATE sessions SET updated_at = updated_at WHERE id = $1 RETURNING ",
                session_columns!()
            ))
            .bind(id)
            .fetch_optional(conn)
            .await
        })
    }

    /// Claims the step that a live, unused nonce of this session authorises at `now`, the tenant's time; `None` if anything
    /// is not so.
    pub async fn claim_step(
        &mut self,
        session: SessionId,
        tenant: TenantId,
        nonce: &Digest,
        claim: &SessionClaim,
        now: DateTime<Utc>,
    ) -> DbResult<Option<SessionRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "UPDATE sessions SET claim = $5, claim_until = $6
                 WHERE id = $1 AND tenant_id = $2 AND awaiting = 'step' AND expires_at > $4
                   AND (claim_until IS NULL OR claim_until <= $8)
                   AND position = (SELECT nonces.position FROM nonces
                                   WHERE nonces.digest IN ($3, $7) AND nonces.session_id = $1
                                     AND nonces.used_at IS NULL AND nonces.expires_at > $4)
                 RETURNING ",
                session_columns!()
            ))
            .bind(session)
            .bind(tenant)
            .bind(nonce)
            .bind(now)
            .bind(claim.id)
            .bind(claim.until)
            .bind(nonce.other())
            .bind(claim.now)
            .fetch_optional(conn)
            .await
        })
    }

    /// Claims the finishing of a redirect at `now`, the tenant's time; `None` if nobody is away any more, or somebody else
    /// follows them.
    pub async fn claim_callback(
        &mut self,
        session: SessionId,
        position: i64,
        claim: &SessionClaim,
        now: DateTime<Utc>,
    ) -> DbResult<Option<SessionRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "UPDATE sessions SET claim = $4, claim_until = $5
                 WHERE id = $1 AND awaiting = 'redirect' AND position = $2 AND expires_at > $3
                   AND (claim_until IS NULL OR claim_until <= $6)
                 RETURNING ",
                session_columns!()
            ))
            .bind(session)
            .bind(position)
            .bind(now)
            .bind(claim.id)
            .bind(claim.until)
            .bind(claim.now)
            .fetch_optional(conn)
            .await
        })
    }

    /// Claims one poll of a verification; `None` if it took place already, or somebody else polls.
    pub async fn claim_verification_poll(
        &mut self,
        session: SessionId,
        (position, asked): (i64, i64),
        claim: &SessionClaim,
    ) -> DbResult<Option<SessionRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "UPDATE sessions SET claim = $5, claim_until = $6
                 WHERE id = $1 AND awaiting = 'provider' AND position = $2 AND asked = $3
                   AND (claim_until IS NULL OR claim_until <= $4)
                 RETURNING ",
                session_columns!()
            ))
            .bind(session)
            .bind(position)
            .bind(asked)
            .bind(claim.now)
            .bind(claim.id)
            .bind(claim.until)
            .fetch_optional(conn)
            .await
        })
    }

    /// Counts an asking that brought no decision and lets its claim go; `false` if the claim was lost.
    pub async fn record_verification_poll(
        &mut self,
        session: SessionId,
        claim: StepId,
    ) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE sessions SET asked = asked + 1, claim = NULL, claim_until = NULL
                 WHERE id = $1 AND claim = $2 AND awaiting = 'provider'",
            )
            .bind(session)
            .bind(claim)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Lets a claim go; nothing else changes.
    pub async fn release_claim(&mut self, session: SessionId, claim: StepId) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE sessions SET claim = NULL, claim_until = NULL WHERE id = $1 AND claim = $2",
            )
            .bind(session)
            .bind(claim)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Moves a session on and lets its claim go; `false` if the claim was lost or the session moved meanwhile.
    pub async fn advance_session(
        &mut self,
        session: SessionId,
        claim: StepId,
        advance: &SessionAdvance<'_>,
    ) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE sessions SET status = $6, awaiting = $7, position = $8, next_step = $9, bank_ref = $10,
                                     expires_at = $11, pending_since = $12, updated_at = $13, asked = 0,
                                     claim = NULL, claim_until = NULL
                 WHERE id = $1 AND claim = $2 AND status = $3 AND awaiting = $4 AND position = $5",
            )
            .bind(session)
            .bind(claim)
            .bind(advance.from.status)
            .bind(advance.from.awaiting)
            .bind(advance.from.position)
            .bind(advance.to.status)
            .bind(advance.to.awaiting)
            .bind(advance.to.position)
            .bind(advance.next_step)
            .bind(advance.bank_ref)
            .bind(advance.expires_at)
            .bind(advance.pending_since)
            .bind(advance.now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Ends a session whatever is being worked on; `false` if it moved meanwhile.
    pub async fn end_session(
        &mut self,
        session: SessionId,
        from: Progress,
        to: Progress,
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE sessions SET status = $5, awaiting = $6, next_step = NULL, bank_ref = NULL, expires_at = $7,
                                     claim = NULL, claim_until = NULL, pending_since = NULL, updated_at = $8
                 WHERE id = $1 AND status = $2 AND awaiting = $3 AND position = $4",
            )
            .bind(session)
            .bind(from.status)
            .bind(from.awaiting)
            .bind(from.position)
            .bind(to.status)
            .bind(to.awaiting)
            .bind(expires_at)
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Sessions whose one-time things can go: over since before a time. The oldest first.
    pub async fn sessions_to_erase(
        &mut self,
        before: DateTime<Utc>,
        limit: i64,
    ) -> DbResult<Vec<SessionId>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT id FROM sessions
                 WHERE erased_at IS NULL AND expires_at <= $1 AND pending_since IS NULL ORDER BY expires_at LIMIT $2",
            )
            .bind(before)
            .bind(limit)
            .fetch_all(conn)
            .await
        })
    }

    /// Forgets what only a living session needs; that it took place, and which token it issued, stays known.
    pub async fn erase_session(&mut self, id: SessionId, now: DateTime<Utc>) -> DbResult<()> {
        run!(self, |conn| {
            for sql in [
                "DELETE FROM uploads WHERE session_id = $1",
                "DELETE FROM nonces WHERE session_id = $1",
                "DELETE FROM bank_returns WHERE session_id = $1",
                "DELETE FROM session_steps WHERE session_id = $1",
                "DELETE FROM payments WHERE session_id = $1 AND consent_id IS NULL",
            ] {
                sqlx::query(sql).bind(id).execute(&mut *conn).await?;
            }
            sqlx::query(
                "UPDATE sessions SET client_state = NULL, bank_ref = NULL, tenant_user = NULL, erased_at = $2
                 WHERE id = $1 AND erased_at IS NULL",
            )
            .bind(id)
            .bind(now)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }
}
