//! Files sent along with steps: sealed pieces under a row that is `receiving` until one statement makes it `stored`.
//!
//! Pieces are written in transactions of their own, so that none is open while the network is waited for. What is only
//! `receiving` is nobody's upload: it is never read, and goes with its pieces when its sender does.

use app::domain::ids::{SessionId, StepId, TenantId, UploadId};
use app::domain::upload::MediaType;
use chrono::{DateTime, Utc};
use kernel::crypto::Digest;

use super::{DbResult, Tx, run};

/// A file that is about to come in.
pub struct NewUpload {
    pub id: UploadId,
    pub session_id: SessionId,
    pub step_id: StepId,
    pub kind: String,
    /// Media type, recognised by the file's first bytes.
    pub media_type: MediaType,
    pub now: DateTime<Utc>,
}

/// A file that is all there.
#[derive(Clone, sqlx::FromRow)]
pub struct UploadRow {
    pub id: UploadId,
    pub session_id: SessionId,
    pub step_id: StepId,
    pub kind: String,
    pub media_type: MediaType,
    /// Bytes.
    pub size: i64,
    pub content: Digest,
    pub created_at: DateTime<Utc>,
}

/// Every column of a stored upload, in one place.
macro_rules! upload_columns {
    () => {
        "id, session_id, step_id, kind, media_type, size, content, created_at"
    };
}

impl Tx {
    /// Makes the row for a file; `false` if the step has `most` files coming in already.
    pub async fn begin_upload(&mut self, new: &NewUpload, most: i64) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO uploads (id, session_id, step_id, kind, state, media_type, created_at, touched_at)
                 SELECT $1, $2, $3, $4, 'receiving', $5, $6, $6
                 WHERE (SELECT COUNT(*) FROM uploads WHERE step_id = $3 AND state = 'receiving') < $7",
            )
            .bind(new.id)
            .bind(new.session_id)
            .bind(new.step_id)
            .bind(&new.kind)
            .bind(new.media_type)
            .bind(new.now)
            .bind(most)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Adds a piece, counted from 0; `false` if the row is gone or no longer receives.
    pub async fn add_upload_chunk(
        &mut self,
        id: UploadId,
        position: i64,
        sealed: &[u8],
        now: DateTime<Utc>,
    ) -> DbResult<bool> {
        run!(self, |conn| {
            let touched = sqlx::query(
                "UPDATE uploads SET touched_at = $2 WHERE id = $1 AND state = 'receiving'",
            )
            .bind(id)
            .bind(now)
            .execute(&mut *conn)
            .await?;
            if touched.rows_affected() != 1 {
                return Ok(false);
            }
            sqlx::query(
                "INSERT INTO upload_chunks (upload_id, position, sealed) VALUES ($1, $2, $3)",
            )
            .bind(id)
            .bind(position)
            .bind(sealed)
            .execute(conn)
            .await
            .map(|_| true)
        })
    }

    /// Makes a file whole: `false` if its row no longer receives. The session was claimed before
    /// ([`Tx::hold_for_upload`]), so that nobody else stores one for the step meanwhile.
    pub async fn store_upload(
        &mut self,
        id: UploadId,
        size: i64,
        content: &Digest,
    ) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE uploads SET state = 'stored', size = $2, content = $3 WHERE id = $1 AND state = 'receiving'",
            )
            .bind(id)
            .bind(size)
            .bind(content)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Holds the session against everybody who would move it on, if it still takes files for the step at `position`:
    /// neither the next step was accepted nor has the session ended.
    pub async fn hold_for_upload(
        &mut self,
        session: SessionId,
        position: i64,
        now: DateTime<Utc>,
    ) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE sessions SET updated_at = $3
                 WHERE id = $1 AND position = $2 + 1 AND status IN ('SESSION_IN_PROGRESS', 'SESSION_PENDING')
                   AND (expires_at > $3 OR pending_since IS NOT NULL)",
            )
            .bind(session)
            .bind(position)
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Throws away a file that is not whole, with its pieces; one that is stays.
    pub async fn discard_upload(&mut self, id: UploadId) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("DELETE FROM uploads WHERE id = $1 AND state = 'receiving'")
                .bind(id)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Throws away a file whose sender has not been heard of since `before`; `false` if there is none.
    pub async fn sweep_upload(&mut self, before: DateTime<Utc>) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "DELETE FROM uploads WHERE state = 'receiving' AND touched_at < $1
                   AND id = (SELECT id FROM uploads WHERE state = 'receiving' AND touched_at < $1 LIMIT 1)",
            )
            .bind(before)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Erases one file of a session, in whatever state; `false` if none is left.
    pub async fn erase_upload(&mut self, session: SessionId) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "DELETE FROM uploads WHERE id = (SELECT id FROM uploads WHERE session_id = $1 LIMIT 1)",
            )
            .bind(session)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Erases one file of a tenant's sessions, in whatever state; `false` if none is left.
    pub async fn erase_upload_of_tenant(&mut self, tenant: TenantId) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "DELETE FROM uploads WHERE id = (SELECT u.id FROM uploads u JOIN sessions s ON s.id = u.session_id
                                                 WHERE s.tenant_id = $1 LIMIT 1)",
            )
            .bind(tenant)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// The files of a step, the oldest first.
    pub async fn uploads_of(&mut self, step: StepId) -> DbResult<Vec<UploadRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "SELECT ",
                upload_columns!(),
                " FROM uploads WHERE step_id = $1 AND state = 'stored' ORDER BY id"
            ))
            .bind(step)
            .fetch_all(conn)
            .await
        })
    }

    /// A file by its id.
    pub async fn upload(&mut self, id: UploadId) -> DbResult<Option<UploadRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "SELECT ",
                upload_columns!(),
                " FROM uploads WHERE id = $1 AND state = 'stored'"
            ))
            .bind(id)
            .fetch_optional(conn)
            .await
        })
    }

    /// One piece of a file.
    pub async fn upload_chunk(&mut self, id: UploadId, position: i64) -> DbResult<Option<Vec<u8>>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT sealed FROM upload_chunks WHERE upload_id = $1 AND position = $2",
            )
            .bind(id)
            .bind(position)
            .fetch_optional(conn)
            .await
        })
    }
}
