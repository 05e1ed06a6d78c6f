//! Times of letters to addresses that nobody proved. A subject is a digest, so that the table holds no address.

use chrono::{DateTime, Utc};

use super::{DbResult, Tx, run};

impl Tx {
    /// Takes one of an address's places for letters: the first that is free or was taken before `again`. Says whether
    /// there was one. Each try is one conditional statement, so that many at once take no place twice.
    pub async fn take_letter_slot(
        &mut self,
        subject: &str,
        places: i64,
        now: DateTime<Utc>,
        again: DateTime<Utc>,
    ) -> DbResult<bool> {
        for place in 0..places {
            let taken = run!(self, |conn| {
                sqlx::query(
                    "INSERT INTO letters_sent (subject, place, at) VALUES ($1, $2, $3)
                     ON CONFLICT (subject, place) DO UPDATE SET at = $3 WHERE letters_sent.at <= $4",
                )
                .bind(subject)
                .bind(place)
                .bind(now)
                .bind(again)
                .execute(conn)
                .await
                .map(|done| done.rows_affected() == 1)
            })?;
            if taken {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
