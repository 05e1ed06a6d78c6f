//! Sessions that renew a consent, and how the consent goes on after one.

use app::domain::ids::{CredentialsId, SessionId};
use chrono::{DateTime, Utc};

use super::consents::Opening;
use super::{DbResult, Tx, run};

/// A session that renews a consent.
#[derive(Clone, Copy, sqlx::FromRow)]
pub struct RenewalRow {
    pub session_id: SessionId,
    pub consent_id: CredentialsId,
    pub done_at: Option<DateTime<Utc>>,
}

/// Values that a renewed consent goes on with.
pub struct Renewal<'a> {
    pub opening: Opening<'a>,
    /// Sealed for the consent's own place.
    pub bank_grant: &'a [u8],
    pub valid_until: Option<DateTime<Utc>>,
}

impl Tx {
    /// Notes that a session renews a consent.
    pub async fn insert_renewal(
        &mut self,
        session: SessionId,
        consent: CredentialsId,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("INSERT INTO renewals (session_id, consent_id) VALUES ($1, $2)")
                .bind(session)
                .bind(consent)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// The renewal that a session is, if it is one.
    pub async fn renewal(&mut self, session: SessionId) -> DbResult<Option<RenewalRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT session_id, consent_id, done_at FROM renewals WHERE session_id = $1",
            )
            .bind(session)
            .fetch_optional(conn)
            .await
        })
    }

    /// Returns `true` if a consent is being renewed: a session for it is under way, or waits for its exchange.
    pub async fn is_renewing(
        &mut self,
        consent: CredentialsId,
        now: DateTime<Utc>,
    ) -> DbResult<bool> {
        let count: i64 = run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT COUNT(*) FROM renewals r JOIN sessions s ON s.id = r.session_id
                 WHERE r.consent_id = $1 AND r.done_at IS NULL AND s.expires_at > $2
                   AND s.status NOT IN ('SESSION_FAILED', 'SESSION_EXPIRED', 'SESSION_CANCELLED')",
            )
            .bind(consent)
            .bind(now)
            .fetch_one(conn)
            .await
        })?;
        Ok(count > 0)
    }

    /// Lets a consent go on with what its renewal brought: the old token dies. `false` if the consent was deleted or its
    /// data is gone; one whose time ran out while the end-user was at the bank goes on.
    pub async fn renew_consent(
        &mut self,
        consent: CredentialsId,
        renewal: &Renewal<'_>,
    ) -> DbResult<bool> {
        let opening = &renewal.opening;
        run!(self, |conn| {
            sqlx::query(
                "UPDATE consents SET status = 'ACTIVE', access_token = $2, updated_at = $3, expires_at = $4, data_until = $5,
                                     bank_grant = $6, valid_until = $7, quiet_until = NULL, reminded = $8,
                                     fetch_claim = NULL, fetch_until = NULL
                 WHERE id = $1 AND status <> 'DELETED' AND erased_at IS NULL",
            )
            .bind(consent)
            .bind(opening.access_token)
            .bind(opening.now)
            .bind(opening.expires_at)
            .bind(opening.data_until)
            .bind(renewal.bank_grant)
            .bind(renewal.valid_until)
            .bind(opening.reminded)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Notes that a renewal is done, and empties the record its session made on the way.
    pub async fn finish_renewal(&mut self, session: SessionId, now: DateTime<Utc>) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE renewals SET done_at = $2 WHERE session_id = $1")
                .bind(session)
                .bind(now)
                .execute(&mut *conn)
                .await?;
            sqlx::query(
                "UPDATE consents SET status = 'DELETED', bank_grant = NULL, tenant_user = NULL, erased_at = $2, updated_at = $2
                 WHERE session_id = $1 AND access_token IS NULL",
            )
            .bind(session)
            .bind(now)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }
}
