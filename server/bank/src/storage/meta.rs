//! Facts about the database, one line each.

use kernel::db::{DbResult, Link, run};

/// Key of the line that is there once the database was opened for the first time, and earlier rows were taken over.
pub const TAKEN_OVER: &str = "taken_over";
/// Key of the line that says whose bank it is: an id that its owner keeps.
pub const OWNER: &str = "owner";

/// Returns a fact, if it is known.
pub async fn find(tx: &mut impl Link, key: &str) -> DbResult<Option<String>> {
    run!(tx, |conn| {
        sqlx::query_scalar("SELECT value FROM bank_meta WHERE key = $1")
            .bind(key)
            .fetch_optional(conn)
            .await
    })
}

/// Writes a fact down unless it is known already; says whether this call wrote it. Of several processes that try at once
/// the others wait until the first has committed.
pub async fn claim(tx: &mut impl Link, key: &str, value: &str) -> DbResult<bool> {
    run!(tx, |conn| {
        sqlx::query("INSERT INTO bank_meta (key, value) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(key)
            .bind(value)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
    })
}
