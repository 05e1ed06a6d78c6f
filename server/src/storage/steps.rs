//! Steps that took effect, each with the answer that was given, sealed.

use app::domain::ids::{SessionId, StepId};
use chrono::{DateTime, Utc};

use super::{DbResult, Tx, run};

/// One submitted step.
#[derive(Clone, sqlx::FromRow)]
pub struct StepRow {
    pub id: StepId,
    pub session_id: SessionId,
    pub position: i64,
    pub step: String,
    /// The data of its answer, sealed.
    pub answer: Vec<u8>,
    pub created_at: DateTime<Utc>,
}

impl Tx {
    /// Writes down a step that took effect.
    pub async fn insert_step(&mut self, row: &StepRow) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO session_steps (id, session_id, position, step, answer, created_at)
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(row.id)
            .bind(row.session_id)
            .bind(row.position)
            .bind(&row.step)
            .bind(&row.answer)
            .bind(row.created_at)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Brings a step's answer up to date.
    pub async fn answer_step(
        &mut self,
        session: SessionId,
        position: i64,
        answer: &[u8],
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE session_steps SET answer = $3 WHERE session_id = $1 AND position = $2",
            )
            .bind(session)
            .bind(position)
            .bind(answer)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// The step submitted last.
    pub async fn last_step(&mut self, session: SessionId) -> DbResult<Option<StepRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT id, session_id, position, step, answer, created_at FROM session_steps
                 WHERE session_id = $1 ORDER BY position DESC LIMIT 1",
            )
            .bind(session)
            .fetch_optional(conn)
            .await
        })
    }

    /// A step by its id; whose it is has to be looked at.
    pub async fn step(&mut self, id: StepId) -> DbResult<Option<StepRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT id, session_id, position, step, answer, created_at FROM session_steps WHERE id = $1",
            )
            .bind(id)
            .fetch_optional(conn)
            .await
        })
    }

    /// Notes that the attempt which a step began ended with the end-user's or the provider's no.
    pub async fn refuse_step(&mut self, session: SessionId, position: i64) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE session_steps SET refused = TRUE WHERE session_id = $1 AND position = $2",
            )
            .bind(session)
            .bind(position)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Returns `true` if the attempt which a step began was refused; `false` if there is no such step.
    pub async fn was_refused(&mut self, session: SessionId, position: i64) -> DbResult<bool> {
        let refused: Option<bool> = run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT refused FROM session_steps WHERE session_id = $1 AND position = $2",
            )
            .bind(session)
            .bind(position)
            .fetch_optional(conn)
            .await
        })?;
        Ok(refused.unwrap_or_default())
    }
}
