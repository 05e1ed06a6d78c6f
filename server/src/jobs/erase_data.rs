//! Really deletes what is past its time: cached data with the way into the bank behind it, and the one-time things of
//! sessions that are over. It puts itself back every ten minutes.

use app::domain::ids::SessionId;
use chrono::Duration;
use serde::{Deserialize, Serialize};

use super::{Class, Job, JobError};
use crate::state::AppState;

/// Time between two runs. Readers go by the clock and never wait for this.
const EVERY: Duration = Duration::minutes(10);
/// Time that data which only a live session needs stays readable afterwards, so that late callers are told what
/// happened.
const SESSION_MEMORY: Duration = Duration::days(1);
/// Idle time after which an upload is taken for abandoned: longer than any piece of it may take.
const UPLOAD_REST: Duration = Duration::minutes(15);
/// Rows in one transaction, so that nobody waits long for the writer.
const ROWS: i64 = 2_000;
/// Consents or sessions that are read at once.
const NOUNS: i64 = 200;

/// One run of the erasure.
#[derive(Serialize, Deserialize)]
pub struct EraseData {}

#[async_trait::async_trait]
impl Job for EraseData {
    const KIND: &'static str = "erase_data";
    const CLASS: Class = Class::Erasure;
    const LIMIT: std::time::Duration = std::time::Duration::from_mins(10);
    /// It is never given up.
    const TRIES: i64 = i64::MAX;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        erase(state).await?;
        let mut tx = state.db.write().await?;
        // This very job is still in the table; another one beside it is enough.
        if tx.count_jobs(Self::KIND).await? <= 1 {
            let next = state.clock.now() + EVERY;
            state.queue.add_at(&mut tx, self, next).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}

/// Deletes everything whose time has come, also from where the database keeps what it wrote lately.
pub async fn erase(state: &AppState) -> Result<(), JobError> {
    delete(state).await?;
    if !state.db.scrub().await? {
        tracing::info!("what was erased is still in the database's log: the next look tries again");
    }
    Ok(())
}

async fn delete(state: &AppState) -> Result<(), JobError> {
    let now = state.clock.now();
    let mut tx = state.db.write().await?;
    tx.expire_consents(now).await?;
    tx.commit().await?;
    loop {
        let mut tx = state.db.read().await?;
        let due = tx.consents_to_erase(now, NOUNS).await?;
        drop(tx);
        if due.is_empty() {
            break;
        }
        for id in due {
            loop {
                let mut tx = state.db.write().await?;
                let gone = tx.erase_transactions(id, ROWS).await?;
                if gone == 0 {
                    tx.erase_consent(id, now).await?;
                }
                tx.commit().await?;
                if gone == 0 {
                    break;
                }
            }
        }
    }
    sweep_uploads(state).await?;
    loop {
        let mut tx = state.db.read().await?;
        let due = tx.sessions_to_erase(now - SESSION_MEMORY, NOUNS).await?;
        drop(tx);
        if due.is_empty() {
            return Ok(());
        }
        for id in &due {
            erase_uploads(state, *id).await?;
        }
        let mut tx = state.db.write().await?;
        for id in due {
            tx.erase_session(id, now).await?;
        }
        tx.commit().await?;
    }
}

/// Throws away what a crash left of files that never became whole, one in a transaction.
async fn sweep_uploads(state: &AppState) -> Result<(), JobError> {
    let before = state.clock.now() - UPLOAD_REST;
    loop {
        let mut tx = state.db.write().await?;
        let swept = tx.sweep_upload(before).await?;
        tx.commit().await?;
        if !swept {
            return Ok(());
        }
    }
}

/// Erases a session's files, one in a transaction: each has many pieces.
async fn erase_uploads(state: &AppState, session: SessionId) -> Result<(), JobError> {
    loop {
        let mut tx = state.db.write().await?;
        let erased = tx.erase_upload(session).await?;
        tx.commit().await?;
        if !erased {
            return Ok(());
        }
    }
}
