//! Consents: what a tenant may read, until when, and whether its data has been fetched yet.

use app::domain::ids::{CredentialsId, JobId, SessionId, TenantId};
use app::domain::session::{ConsentStatus, EndedBy};
use app::domain::skill::SkillName;
use chrono::{DateTime, Duration, Utc};
use kernel::crypto::Digest;
use sqlx::QueryBuilder;

use super::{DbResult, Signal, Tx, run};

/// The signal that a fetch of a consent's data has ended, well or not.
pub fn fetch_ended(id: CredentialsId) -> Signal {
    Signal::about("fetches", id)
}

/// One consent record. Before the exchange it has neither a token nor an end.
#[derive(Clone, sqlx::FromRow)]
pub struct ConsentRow {
    pub id: CredentialsId,
    pub tenant_id: TenantId,
    pub session_id: SessionId,
    pub skill: SkillName,
    /// Stored status: a consent whose time has run out since may still be stored as active.
    pub status: ConsentStatus,
    pub access_token: Option<Digest>,
    pub tenant_user: Option<Digest>,
    /// Grant that gives access to the data at the provider, sealed; `None` once the data is erased.
    pub bank_grant: Option<Vec<u8>>,
    /// Time the provider ends the consent by itself; `None` if it named none.
    pub valid_until: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub exchanged_at: Option<DateTime<Utc>>,
    pub expires_at: Option<DateTime<Utc>>,
    pub data_until: DateTime<Utc>,
    pub fetched_at: Option<DateTime<Utc>>,
    pub fetch_until: Option<DateTime<Utc>>,
    /// Times of the calls to the bank without the end-user, as `services/consents/bank_allowance` writes them.
    pub bank_calls: Option<Vec<u8>>,
    /// Time until which the bank is not called.
    pub quiet_until: Option<DateTime<Utc>>,
    /// Time since which an answer of the bank waits to be confirmed; `None` if none does.
    pub suspect_since: Option<DateTime<Utc>>,
    /// Entries of the bank's last answer that could not be read.
    pub unreadable: i64,
    pub erased_at: Option<DateTime<Utc>>,
    /// Party that ended it before its time.
    pub ended_by: Option<EndedBy>,
}

/// Terms that the exchange of a token opens a consent with.
pub struct Opening<'a> {
    pub access_token: &'a Digest,
    pub now: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub data_until: DateTime<Utc>,
    /// Days before the end for which no reminder is due, as the consent begins with fewer; `None` if every reminder is
    /// due.
    pub reminded: Option<i64>,
}

/// Filter of a tenant's consents; a field that is `None` matches all.
#[derive(Default)]
pub struct ConsentFilter {
    pub status: Option<ConsentStatus>,
    pub skill: Option<SkillName>,
    /// The end-user whom the consent's session named.
    pub tenant_user: Option<Digest>,
}

/// Terms on which a fetch claims a consent's data.
pub struct FetchClaim<'a> {
    pub claim: JobId,
    /// The tenant's time: by it the consent is alive, its data old and its bank to be left in peace.
    pub now: DateTime<Utc>,
    /// The real time, which leases go by: two processes agree on it.
    pub real: DateTime<Utc>,
    /// End of the lease.
    pub until: DateTime<Utc>,
    /// Data fetched by this time is fetched again; `None` claims only data that was never fetched.
    pub outdated: Option<DateTime<Utc>>,
    /// The bank calls that were counted when it was decided to fetch: the claim fails if there are others since.
    pub counted: Option<&'a [u8]>,
    /// The counted bank calls, with the call of this fetch added.
    pub calls: Option<&'a [u8]>,
}

/// Most that two clocks may differ. A fetch from later than that was dated by a clock that has been set back since.
pub const CLOCKS: Duration = Duration::hours(1);

/// Result of a fetch.
pub struct FetchEnd<'a> {
    /// Time all of the data was there; `None` if the fetch failed.
    pub fetched_at: Option<DateTime<Utc>>,
    pub quiet_until: Option<DateTime<Utc>>,
    /// The real time at which it is fetched again though nobody reads it.
    pub refresh_at: Option<DateTime<Utc>>,
    pub calls: Option<&'a [u8]>,
    /// `true` if the answer waits to be confirmed, and the number of entries that could not be read; `None` if the
    /// fetch failed.
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
    pub async fn put_consent(&mut self, row: &ConsentRow) -> DbResult<()> {
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
    pub async fn consent(&mut self, id: CredentialsId) -> DbResult<Option<ConsentRow>> {
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
    pub async fn consent_of(&mut self, session: SessionId) -> DbResult<Option<ConsentRow>> {
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
    ) -> DbResult<Vec<ConsentRow>> {
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
            if let Some(user) = &filter.tenant_user {
                sql.push(" AND tenant_user IN (").push_bind(user);
                sql.push(", ").push_bind(user.other()).push(")");
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
    ) -> DbResult<bool> {
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
    ) -> DbResult<Vec<ConsentRow>> {
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
    ) -> DbResult<Vec<ConsentRow>> {
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
    ) -> DbResult<bool> {
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
    pub async fn expire_consents(&mut self, now: DateTime<Utc>) -> DbResult<u64> {
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
    ) -> DbResult<Option<ConsentRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "UPDATE consents SET fetch_claim = $2, fetch_until = $4, bank_calls = $7
                 WHERE id = $1 AND status = 'ACTIVE' AND bank_grant IS NOT NULL
                   AND (expires_at IS NULL OR expires_at > $3)
                   AND (fetch_until IS NULL OR fetch_until <= $10 OR fetch_until > $11)
                   AND (fetched_at IS NULL OR ((fetched_at <= $5 OR ($5 IS NOT NULL AND fetched_at > $8))
                                               AND (quiet_until IS NULL OR quiet_until <= $3 OR quiet_until > $9)))
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
            .bind(claim.now + CLOCKS)
            .bind(claim.now + Duration::days(1) + CLOCKS)
            .bind(claim.real)
            .bind(claim.real + CLOCKS)
            .fetch_optional(conn)
            .await
        })
    }

    /// Holds a claimed fetch until a later real time and locks its consent until the transaction ends; `false` if the claim
    /// was lost or the consent is over at `now`, the tenant's time, and then nothing more may be written.
    pub async fn hold_fetch(
        &mut self,
        id: CredentialsId,
        claim: JobId,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> DbResult<bool> {
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
    ) -> DbResult<bool> {
        self.signal(fetch_ended(id));
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
    ) -> DbResult<Vec<CredentialsId>> {
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
    pub async fn mark_fetched(&mut self, id: CredentialsId, at: DateTime<Utc>) -> DbResult<bool> {
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
}
