//! Signed-in browsers. A row is found by the digest of its cookie; the cookie itself is kept nowhere.

use app::domain::ids::{PersonId, ServicerId};
use app::domain::person::Role;
use app::domain::servicer::ServicerStatus;
use chrono::{DateTime, Duration, Utc};
use kernel::crypto::Digest;
use uuid::Uuid;

use super::{DbResult, Tx, run};

/// Without a request for so long, a session ends: 2 hours, 15 minutes for operators.
const IDLE: Duration = Duration::hours(2);
const ADMIN_IDLE: Duration = Duration::minutes(15);

/// One signed-in browser.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct PortalSessionRow {
    /// Names it in the device list; the same over changes of the cookie.
    pub handle: Uuid,
    pub person_id: Option<PersonId>,
    /// The servicer chosen in this browser.
    pub servicer_id: Option<ServicerId>,
    /// Whatever else is kept: a JSON object.
    pub data: String,
    pub user_agent: String,
    pub ip: String,
    pub created_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    pub proved_at: Option<DateTime<Utc>>,
    /// Time it ends at the latest, however busy it is.
    pub expires_at: DateTime<Utc>,
}

/// Owner of a session, with the servicer they work in: everything an `Actor` is made of.
#[derive(Clone, sqlx::FromRow)]
pub struct ActorRow {
    /// Stored digest, under the active pepper or the other one of a rotation.
    pub digest: Digest,
    pub handle: Uuid,
    pub person_id: PersonId,
    pub email: String,
    pub verified_at: Option<DateTime<Utc>>,
    pub admin: bool,
    pub proved_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
    pub seen_at: DateTime<Utc>,
    pub servicer_id: Option<ServicerId>,
    pub role: Option<Role>,
    pub servicer_name: Option<String>,
    pub servicer_status: Option<ServicerStatus>,
    pub suspended_reason: Option<String>,
    /// Number of servicers the person may work in.
    pub places: i64,
}

impl Tx {
    /// Adds a signed-in browser.
    pub async fn add_portal_session(
        &mut self,
        digest: &Digest,
        row: &PortalSessionRow,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO portal_sessions (digest, handle, person_id, servicer_id, data, user_agent, ip, created_at, seen_at, proved_at, expires_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            )
            .bind(digest)
            .bind(row.handle)
            .bind(row.person_id)
            .bind(row.servicer_id)
            .bind(&row.data)
            .bind(&row.user_agent)
            .bind(&row.ip)
            .bind(row.created_at)
            .bind(row.seen_at)
            .bind(row.proved_at)
            .bind(row.expires_at)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// A session that has not reached its end.
    pub async fn portal_session(
        &mut self,
        digest: &Digest,
        now: DateTime<Utc>,
    ) -> DbResult<Option<PortalSessionRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT handle, person_id, servicer_id, data, user_agent, ip, created_at, seen_at, proved_at, expires_at
                 FROM portal_sessions WHERE digest IN ($1, $3) AND expires_at > $2",
            )
            .bind(digest)
            .bind(now)
            .bind(digest.other())
            .fetch_optional(conn)
            .await
        })
    }

    /// Changes what a session keeps; one that has ended stays ended.
    pub async fn save_portal_session(&mut self, digest: &Digest, data: &str) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE portal_sessions SET data = $2 WHERE digest IN ($1, $3)")
                .bind(digest)
                .bind(data)
                .bind(digest.other())
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Ends the session of a cookie.
    pub async fn end_portal_session(&mut self, digest: &Digest) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("DELETE FROM portal_sessions WHERE digest IN ($1, $2)")
                .bind(digest)
                .bind(digest.other())
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Returns the owner of a cookie's session if it is live: neither at its end nor idle for too long. Of several
    /// servicers it names the one chosen in this browser, else the one chosen last anywhere, else the first joined:
    /// nothing that happens to a person elsewhere changes where they work.
    ///
    /// As long as the address is not proved, places other than the person's own are not open: whoever typed the address
    /// need not be who reads its mail.
    pub async fn actor(
        &mut self,
        digest: &Digest,
        now: DateTime<Utc>,
    ) -> DbResult<Option<ActorRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT s.digest, s.handle, s.proved_at, s.created_at, s.seen_at, p.id AS person_id, p.email, p.verified_at, p.admin,
                        m.servicer_id, m.role, v.name AS servicer_name, v.status AS servicer_status, v.suspended_reason,
                        (SELECT COUNT(*) FROM memberships n WHERE n.person_id = p.id AND (p.verified_at IS NOT NULL OR n.role = 'owner')) AS places
                 FROM portal_sessions s
                 JOIN people p ON p.id = s.person_id
                 LEFT JOIN memberships m ON m.person_id = p.id AND m.servicer_id =
                      COALESCE(
                          (SELECT c.servicer_id FROM memberships c WHERE c.person_id = p.id AND (p.verified_at IS NOT NULL OR c.role = 'owner') AND c.servicer_id = s.servicer_id),
                          (SELECT l.servicer_id FROM memberships l WHERE l.person_id = p.id AND (p.verified_at IS NOT NULL OR l.role = 'owner') AND l.servicer_id = p.last_servicer),
                          (SELECT f.servicer_id FROM memberships f WHERE f.person_id = p.id AND (p.verified_at IS NOT NULL OR f.role = 'owner')
                           ORDER BY f.created_at, f.servicer_id LIMIT 1))
                 LEFT JOIN servicers v ON v.id = m.servicer_id
                 WHERE s.digest IN ($1, $5) AND s.expires_at > $2
                   AND s.seen_at > CASE WHEN p.admin THEN $4 ELSE $3 END",
            )
            .bind(digest)
            .bind(now)
            .bind(now - IDLE)
            .bind(now - ADMIN_IDLE)
            .bind(digest.other())
            .fetch_optional(conn)
            .await
        })
    }

    /// Notes that a session is in use, if that was noted before `unless_after`.
    pub async fn touch_portal_session(
        &mut self,
        handle: Uuid,
        now: DateTime<Utc>,
        unless_after: DateTime<Utc>,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE portal_sessions SET seen_at = $2 WHERE handle = $1 AND seen_at < $3",
            )
            .bind(handle)
            .bind(now)
            .bind(unless_after)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Chooses the servicer that a browser works in.
    pub async fn set_session_servicer(
        &mut self,
        handle: Uuid,
        servicer: ServicerId,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE portal_sessions SET servicer_id = $2 WHERE handle = $1")
                .bind(handle)
                .bind(servicer)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Notes that the password was just given again; says whether the session still lives.
    pub async fn prove_portal_session(
        &mut self,
        handle: Uuid,
        person: PersonId,
        now: DateTime<Utc>,
    ) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE portal_sessions SET proved_at = $3 WHERE handle = $1 AND person_id = $2",
            )
            .bind(handle)
            .bind(person)
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// A person's live sessions, the last used first.
    pub async fn portal_sessions_of(
        &mut self,
        person: PersonId,
        now: DateTime<Utc>,
    ) -> DbResult<Vec<PortalSessionRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT s.handle, s.person_id, s.servicer_id, s.data, s.user_agent, s.ip, s.created_at, s.seen_at, s.proved_at, s.expires_at
                 FROM portal_sessions s JOIN people p ON p.id = s.person_id
                 WHERE s.person_id = $1 AND s.expires_at > $2 AND s.seen_at > CASE WHEN p.admin THEN $4 ELSE $3 END
                 ORDER BY s.seen_at DESC, s.handle",
            )
            .bind(person)
            .bind(now)
            .bind(now - IDLE)
            .bind(now - ADMIN_IDLE)
            .fetch_all(conn)
            .await
        })
    }

    /// Ends one session of a person; says whether it was theirs and alive.
    pub async fn end_portal_session_of(
        &mut self,
        person: PersonId,
        handle: Uuid,
    ) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query("DELETE FROM portal_sessions WHERE person_id = $1 AND handle = $2")
                .bind(person)
                .bind(handle)
                .execute(conn)
                .await
                .map(|done| done.rows_affected() == 1)
        })
    }

    /// Ends all sessions of a person, but for one if given; says how many.
    pub async fn end_portal_sessions_of(
        &mut self,
        person: PersonId,
        but: Option<Uuid>,
    ) -> DbResult<u64> {
        run!(self, |conn| {
            sqlx::query(
                "DELETE FROM portal_sessions WHERE person_id = $1 AND ($2 IS NULL OR handle <> $2)",
            )
            .bind(person)
            .bind(but)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })
    }
}
