//! When the entries of the schedule are due (`worker/schedule.rs`). A turn is taken by one conditional statement, so that
//! of many processes one has it.

use chrono::{DateTime, Utc};

use super::{DbResult, Tx, run};

/// An entry of the schedule as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct ScheduleRow {
    pub name: String,
    /// The time from which its turn may be taken.
    pub next_at: DateTime<Utc>,
    /// The time its turn was taken last; `None` before the first.
    pub last_at: Option<DateTime<Utc>>,
}

impl Tx {
    /// Returns every entry, by name.
    pub async fn schedule(&mut self) -> DbResult<Vec<ScheduleRow>> {
        run!(self, |conn| {
            sqlx::query_as("SELECT name, next_at, last_at FROM schedule ORDER BY name")
                .fetch_all(conn)
                .await
        })
    }

    /// Adds an entry that is not there yet, due at `next_at`.
    pub async fn add_schedule_entry(&mut self, name: &str, next_at: DateTime<Utc>) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO schedule (name, next_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
            )
            .bind(name)
            .bind(next_at)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Takes the turn of an entry that is due, and puts the next one off until `next_at`; `false` if it is not due, or
    /// somebody else was faster.
    pub async fn take_turn(
        &mut self,
        name: &str,
        now: DateTime<Utc>,
        next_at: DateTime<Utc>,
    ) -> DbResult<bool> {
        let taken: Option<String> = run!(self, |conn| {
            sqlx::query_scalar(
                "UPDATE schedule SET next_at = $3, last_at = $2 WHERE name = $1 AND next_at <= $2 RETURNING name",
            )
            .bind(name)
            .bind(now)
            .bind(next_at)
            .fetch_optional(conn)
            .await
        })?;
        Ok(taken.is_some())
    }

    /// Brings forward an entry whose next turn is later than `latest`: to `latest`.
    pub async fn bring_forward_turn(&mut self, name: &str, latest: DateTime<Utc>) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE schedule SET next_at = $2 WHERE name = $1 AND next_at > $2")
                .bind(name)
                .bind(latest)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Removes an entry.
    pub async fn remove_schedule_entry(&mut self, name: &str) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("DELETE FROM schedule WHERE name = $1")
                .bind(name)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }
}
