//! Consents: what a tenant may read, until when, and whether its data has been fetched yet.

use app::domain::ids::{CredentialsId, JobId, SessionId, TenantId};
use app::domain::session::{ConsentStatus, EndedBy};
use app::domain::skill::SkillName;
use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;

use super::{Stored, Tx, run};
use crate::crypto::Digest;

/// One consent record. Before the exchange it has neither a token nor an end.
#[derive(Clone, sqlx::FromRow)]
pub struct ConsentRow {
    pub id: CredentialsId,
    pub tenant_id: TenantId,
    pub session_id: SessionId,
    pub skill: SkillName,
    /// As stored: its time may have run out since.
    pub status: ConsentStatus,
    pub access_token: Option<Digest>,
    pub tenant_user: Option<Digest>,
    /// What opens the data at the provider, sealed; gone once the data is.
    pub bank_grant: Option<Vec<u8>>,
    /// When the provider ends the consent by itself.
    pub valid_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub exchanged_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub data_until: DateTime<Utc>,
    pub fetched_at: Option<DateTime<Utc>>,
    pub fetch_until: Option<DateTime<Utc>>,
    /// When the bank was asked without the end-user, as [`crate::services::budget`] writes it.
    pub bank_calls: Option<Vec<u8>>,
    /// Until when the bank is left alone.
    pub quiet_until: Option<DateTime<Utc>>,
    /// Since when what the bank says waits to be confirmed.
    pub suspect_since: Option<DateTime<Utc>>,
    /// Entries of the bank's last answer that could not be read.
    pub unreadable: i64,
    pub erased_at: Option<DateTime<Utc>>,
    /// Who ended it before its time.
    pub ended_by: Option<EndedBy>,
}

/// What the exchange of a token opens.
pub struct Opening<'a> {
    pub access_token: &'a Digest,
    pub now: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub data_until: DateTime<Utc>,
    /// Of how many days before the end nobody needs to be told: it begins with fewer.
    pub reminded: Option<i64>,
}

/// Which of a tenant's consents; what is none matches all.
#[derive(Clone, Debug, Default)]
pub struct ConsentFilter {
    pub status: Option<ConsentStatus>,
    pub skill: Option<SkillName>,
}

/// What a fetch claims a consent's data with.
pub struct FetchClaim<'a> {
    pub claim: JobId,
    pub now: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// Data fetched by then is fetched again; none: only what was never fetched.
    pub outdated: Option<DateTime<Utc>>,
    /// The bank calls that were counted when it was decided to fetch: the claim fails if there are others since.
    pub counted: Option<&'a [u8]>,
    /// The same with this call.
    pub calls: Option<&'a [u8]>,
}

/// How a fetch ended.
pub struct FetchEnd<'a> {
    /// When all was there; none if it failed.
    pub fetched_at: Option<DateTime<Utc>>,
    pub quiet_until: Option<DateTime<Utc>>,
    pub refresh_at: Option<DateTime<Utc>>,
    pub calls: Option<&'a [u8]>,
    /// Of one that came to its end: whether the answer waits to be confirmed, and how many entries could not be read.
    pub judged: Option<(bool, i64)>,
    pub now: DateTime<Utc>,
}

/// Every column of a consent, in one place.
macro_rules! consent_columns {
    () => {
        "id, tenant_id, session_id, skill, status, access_token, tenant_user, bank_grant, valid_until, created_at, \
         updated_at, exchanged_at, expires_at, data_until, fetched_at, fetch_until, bank_calls, \
         quiet_until, suspect_since, unreadable, erased_at, ended_by"
    };
}

impl Tx {
    /// Keeps what an end-user consented to, in place of what a step before brought; nobody can read it before the
    /// exchange.
    pub async fn put_consent(&mut self, row: &ConsentRow) -> Stored<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO consents (id, tenant_id, session_id, skill, status, tenant_user, bank_grant, valid_until,
                                       created_at, updated_at, data_until)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
                 ON CONFLICT (session_id) DO UPDATE
                 SET bank_grant = excluded.bank_grant, valid_until = excluded.valid_until, updated_at = excluded.updated_at",
            )
            .bind(row.id)
            .bind(row.tenant_id)
            .bind(row.session_id)
            .bind(&row.skill)
            .bind(row.status)
            .bind(&row.tenant_user)
            .bind(&row.bank_grant)
            .bind(row.valid_until)
            .bind(row.created_at)
            .bind(row.updated_at)
            .bind(row.data_until)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// A consent by its id; whose it is has to be looked at.
    pub async fn consent(&mut self, id: CredentialsId) -> Stored<Option<ConsentRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "SELECT ",
                consent_columns!(),
                " FROM consents WHERE id = $1"
            ))
            .bind(id)
            .fetch_optional(conn)
            .await
        })
    }

    /// The consent that a session led to.
    pub async fn consent_of(&mut self, session: SessionId) -> Stored<Option<ConsentRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "SELECT ",
                consent_columns!(),
                " FROM consents WHERE session_id = $1"
            ))
            .bind(session)
            .fetch_optional(conn)
            .await
        })
    }

    /// The exchanged consents of a tenant as they are at a time, newest first, those after one.
    pub async fn consents_of_tenant(
        &mut self,
        tenant: TenantId,
        filter: &ConsentFilter,
        now: DateTime<Utc>,
        after: Option<CredentialsId>,
        limit: i64,
    ) -> Stored<Vec<ConsentRow>> {
        run!(self, |conn| {
            let mut sql = QueryBuilder::new(concat!(
                "SELECT ",
                consent_columns!(),
                " FROM consents WHERE access_token IS NOT NULL AND tenant_id = "
            ));
            sql.push_bind(tenant);
            match filter.status {
                None => {}
                Some(ConsentStatus::Active) => {
                    sql.push(" AND status = 'ACTIVE' AND expires_at > ")
                        .push_bind(now);
                    sql.push(" AND data_until > ").push_bind(now);
                }
                Some(ConsentStatus::Expired) => {
                    sql.push(" AND (status = 'EXPIRED' OR (status = 'ACTIVE' AND (expires_at <= ")
                        .push_bind(now);
                    sql.push(" OR data_until <= ").push_bind(now).push(")))");
                }
                Some(ConsentStatus::Deleted) => {
                    sql.push(" AND status = 'DELETED'");
                }
            }
            if let Some(skill) = &filter.skill {
                sql.push(" AND skill = ").push_bind(skill);
            }
            if let Some(after) = after {
                sql.push(" AND id < ").push_bind(after);
            }
            sql.push(" ORDER BY id DESC LIMIT ").push_bind(limit);
            sql.build_query_as().fetch_all(conn).await
        })
    }

    /// Gives a session's consent its token and its end; `false` if it has them, or has ended.
    pub async fn open_consent(
        &mut self,
        session: SessionId,
        opening: &Opening<'_>,
    ) -> Stored<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE consents SET access_token = $2, exchanged_at = $3, updated_at = $3, expires_at = $4, data_until = $5,
                                     reminded = $6
                 WHERE session_id = $1 AND access_token IS NULL AND status = 'ACTIVE'",
            )
            .bind(session)
            .bind(opening.access_token)
            .bind(opening.now)
            .bind(opening.expires_at)
            .bind(opening.data_until)
            .bind(opening.reminded)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Living consents whose token or end-user is known under a pepper alone: the one with this id, or (`first`) the one from
    /// before there were ids.
    pub async fn consents_on_pepper(
        &mut self,
        tag: &[u8],
        first: bool,
        now: DateTime<Utc>,
        limit: i64,
    ) -> Stored<Vec<ConsentRow>> {
        let sql = if first {
            concat!(
                "SELECT ",
                consent_columns!(),
                " FROM consents WHERE status = 'ACTIVE' AND data_until > $1 AND length($3) < 9
                  AND (length(access_token) = 32 OR length(tenant_user) = 32) ORDER BY id LIMIT $2"
            )
        } else {
            concat!(
                "SELECT ",
                consent_columns!(),
                " FROM consents WHERE status = 'ACTIVE' AND data_until > $1
                  AND (substr(access_token, 1, 8) = $3 AND length(access_token) = 40
                       OR substr(tenant_user, 1, 8) = $3 AND length(tenant_user) = 40) ORDER BY id LIMIT $2"
            )
        };
        run!(self, |conn| {
            sqlx::query_as(sql)
                .bind(now)
                .bind(limit)
                .bind(tag)
                .fetch_all(conn)
                .await
        })
    }

    /// Consents of a tenant that is being erased, whose data is still kept.
    pub async fn consents_to_end(
        &mut self,
        tenant: TenantId,
        now: DateTime<Utc>,
        limit: i64,
    ) -> Stored<Vec<ConsentRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "SELECT ",
                consent_columns!(),
                " FROM consents WHERE tenant_id = $1 AND erased_at IS NULL AND (data_until > $2 OR status = 'ACTIVE')
                 ORDER BY id LIMIT $3"
            ))
            .bind(tenant)
            .bind(now)
            .bind(limit)
            .fetch_all(conn)
            .await
        })
    }

    /// Ends an active consent; its data goes at `data_until`. `false` if it had ended.
    pub async fn end_consent(
        &mut self,
        id: CredentialsId,
        now: DateTime<Utc>,
        data_until: DateTime<Utc>,
        by: EndedBy,
    ) -> Stored<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE consents SET status = 'DELETED', updated_at = $2, data_until = $3, ended_by = $4
                 WHERE id = $1 AND status = 'ACTIVE'",
            )
            .bind(id)
            .bind(now)
            .bind(data_until)
            .bind(by)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Marks consents whose time has run out; readers look at the time itself and do not wait for this.
    pub async fn expire_consents(&mut self, now: DateTime<Utc>) -> Stored<u64> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE consents SET status = 'EXPIRED', updated_at = $1
                 WHERE status = 'ACTIVE' AND expires_at <= $1 AND erased_at IS NULL",
            )
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })
    }

    /// Claims the fetch of a consent's data, so that two processes do not both do it; `None` if it is not due, somebody
    /// else is at it, or the bank was asked since.
    pub async fn claim_fetch(
        &mut self,
        id: CredentialsId,
        claim: &FetchClaim<'_>,
    ) -> Stored<Option<ConsentRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "UPDATE consents SET fetch_claim = $2, fetch_until = $4, bank_calls = $7
                 WHERE id = $1 AND status = 'ACTIVE' AND bank_grant IS NOT NULL
                   AND (expires_at IS NULL OR expires_at > $3) AND (fetch_until IS NULL OR fetch_until <= $3)
                   AND (fetched_at IS NULL OR (fetched_at <= $5 AND (quiet_until IS NULL OR quiet_until <= $3)))
                   AND bank_calls IS NOT DISTINCT FROM $6
                 RETURNING ",
                consent_columns!()
            ))
            .bind(id)
            .bind(claim.claim)
            .bind(claim.now)
            .bind(claim.until)
            .bind(claim.outdated)
            .bind(claim.counted)
            .bind(claim.calls)
            .fetch_optional(conn)
            .await
        })
    }

    /// Holds a claimed fetch longer and locks its consent until the transaction ends; `false` if the claim was lost or
    /// the consent is over, and then nothing more may be written.
    pub async fn hold_fetch(
        &mut self,
        id: CredentialsId,
        claim: JobId,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Stored<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE consents SET fetch_until = $4
                 WHERE id = $1 AND fetch_claim = $2 AND status = 'ACTIVE' AND erased_at IS NULL
                   AND (expires_at IS NULL OR expires_at > $3)",
            )
            .bind(id)
            .bind(claim)
            .bind(now)
            .bind(until)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Ends a claimed fetch: all was there, or it failed and may be tried again. `false` if the claim was lost.
    pub async fn finish_fetch(
        &mut self,
        id: CredentialsId,
        claim: JobId,
        end: &FetchEnd<'_>,
    ) -> Stored<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE consents SET fetched_at = COALESCE($3, fetched_at), quiet_until = $4, refresh_at = $5,
                                     bank_calls = $6, fetch_claim = NULL, fetch_until = NULL,
                                     suspect_since = CASE WHEN $7 IS NULL THEN suspect_since
                                                          WHEN $7 THEN COALESCE(suspect_since, $8) ELSE NULL END,
                                     unreadable = COALESCE($9, unreadable)
                 WHERE id = $1 AND fetch_claim = $2",
            )
            .bind(id)
            .bind(claim)
            .bind(end.fetched_at)
            .bind(end.quiet_until)
            .bind(end.refresh_at)
            .bind(end.calls)
            .bind(end.judged.map(|(suspect, _)| suspect))
            .bind(end.now)
            .bind(end.judged.map(|(_, unreadable)| unreadable))
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Takes consents whose data is to be fetched again though nobody reads it, and puts off the next time to `next`.
    /// Those of tenants that may not call now wait.
    pub async fn take_refreshes(
        &mut self,
        now: DateTime<Utc>,
        next: DateTime<Utc>,
        limit: i64,
    ) -> Stored<Vec<CredentialsId>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "UPDATE consents SET refresh_at = $2
                 WHERE status = 'ACTIVE' AND refresh_at <= $1 AND id IN
                    (SELECT c.id FROM consents c
                     JOIN tenants t ON t.id = c.tenant_id AND t.status = 'active'
                     JOIN servicers s ON s.id = t.servicer_id AND s.status <> 'suspended'
                     WHERE c.status = 'ACTIVE' AND c.refresh_at <= $1 AND c.expires_at > $1
                     ORDER BY c.refresh_at LIMIT $3)
                 RETURNING id",
            )
            .bind(now)
            .bind(next)
            .bind(limit)
            .fetch_all(conn)
            .await
        })
    }

    /// Notes when a consent's data was asked of its provider; `false` if the consent has ended, and then nothing may be
    /// kept under it.
    pub async fn mark_fetched(&mut self, id: CredentialsId, at: DateTime<Utc>) -> Stored<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE consents SET fetched_at = $2
                 WHERE id = $1 AND status = 'ACTIVE' AND erased_at IS NULL",
            )
            .bind(id)
            .bind(at)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Consents whose data has to go by now, the oldest first.
    pub async fn consents_to_erase(
        &mut self,
        now: DateTime<Utc>,
        limit: i64,
    ) -> Stored<Vec<CredentialsId>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT id FROM consents WHERE erased_at IS NULL AND data_until <= $1 ORDER BY data_until LIMIT $2",
            )
            .bind(now)
            .bind(limit)
            .fetch_all(conn)
            .await
        })
    }

    /// Deletes up to `limit` each of a consent's transactions and past changes; says how many there were.
    pub async fn erase_transactions(&mut self, id: CredentialsId, limit: i64) -> Stored<u64> {
        run!(self, |conn| {
            let rows = sqlx::query(
                "DELETE FROM transactions WHERE consent_id = $1 AND change_no > 0 AND change_no IN
                    (SELECT change_no FROM transactions WHERE consent_id = $1 AND change_no > 0
                     ORDER BY change_no LIMIT $2)",
            )
            .bind(id)
            .bind(limit)
            .execute(&mut *conn)
            .await?
            .rows_affected();
            let past = sqlx::query(
                "DELETE FROM past_changes WHERE consent_id = $1 AND change_no IN
                    (SELECT change_no FROM past_changes WHERE consent_id = $1 ORDER BY change_no LIMIT $2)",
            )
            .bind(id)
            .bind(limit)
            .execute(conn)
            .await?
            .rows_affected();
            Ok(rows + past)
        })
    }

    /// Deletes what else is kept under a consent, its way into the bank included. The record itself stays, empty.
    pub async fn erase_consent(&mut self, id: CredentialsId, now: DateTime<Utc>) -> Stored<()> {
        run!(self, |conn| {
            for sql in [
                "DELETE FROM past_changes WHERE consent_id = $1",
                "DELETE FROM unreadable_entries WHERE consent_id = $1",
                "DELETE FROM transactions WHERE consent_id = $1",
                "DELETE FROM balances WHERE consent_id = $1",
                "DELETE FROM accounts WHERE consent_id = $1",
                "DELETE FROM payments WHERE consent_id = $1",
                "DELETE FROM products WHERE consent_id = $1",
            ] {
                sqlx::query(sql).bind(id).execute(&mut *conn).await?;
            }
            sqlx::query(
                "UPDATE consents SET bank_grant = NULL, tenant_user = NULL, erased_at = $2, bank_calls = NULL,
                                     fetch_claim = NULL, fetch_until = NULL, refresh_at = NULL,
                                     status = CASE WHEN status = 'ACTIVE' THEN 'EXPIRED' ELSE status END
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
