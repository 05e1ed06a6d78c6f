//! Really deletes what is past its time: cached data with the way into the bank behind it, and the one-time things of
//! sessions that are over.

use app::domain::ids::SessionId;
use chrono::Duration;

use crate::state::AppState;
use crate::storage::DbResult;

/// Time that data which only a live session needs stays readable afterwards, so that late callers are told what
/// happened.
const SESSION_MEMORY: Duration = Duration::days(1);
/// Idle time after which an upload is taken for abandoned: longer than any piece of it may take.
const UPLOAD_REST: Duration = Duration::minutes(15);
/// Rows in one transaction, so that nobody waits long for the writer.
const ROWS: i64 = 2_000;
/// Consents or sessions that are read at once.
const NOUNS: i64 = 200;

/// Deletes everything whose time has come, also from where the database keeps what it wrote lately.
pub async fn erase(state: &AppState) -> DbResult<()> {
    delete(state).await?;
    if !state.db.scrub().await? {
        tracing::info!("what was erased is still in the database's log: the next look tries again");
    }
    Ok(())
}

async fn delete(state: &AppState) -> DbResult<()> {
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
async fn sweep_uploads(state: &AppState) -> DbResult<()> {
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
async fn erase_uploads(state: &AppState, session: SessionId) -> DbResult<()> {
    loop {
        let mut tx = state.db.write().await?;
        let erased = tx.erase_upload(session).await?;
        tx.commit().await?;
        if !erased {
            return Ok(());
        }
    }
}
