//! Work beside the requests: writing which keys were used, and the answer to whether this process is ready.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::state::AppState;

/// Returns the reason why calls should not be sent to this process, if there is one: a database does not answer, or a
/// background task stands still. `None` if the process is ready.
pub async fn not_ready(state: &AppState) -> Option<String> {
    if !is_alive(&state.db).await {
        return Some("The database does not answer.".to_owned());
    }
    if let Some(bank) = &state.bank_database
        && !is_alive(&bank.db).await
    {
        return Some("The sandbox bank's database does not answer.".to_owned());
    }
    let silent = state.heartbeats.silent(Instant::now());
    let tasks: Vec<String> = silent
        .iter()
        .map(|(task, silence)| format!("{task} ({} s)", silence.as_secs()))
        .collect();
    if tasks.is_empty() {
        return None;
    }
    Some(format!(
        "Background work stands still: nothing was heard of {}.",
        tasks.join(", ")
    ))
}

async fn is_alive(db: &kernel::db::Db) -> bool {
    match db.read().await {
        Ok(mut tx) => tx.is_alive().await,
        Err(_) => false,
    }
}

/// The name of the task that writes the uses of keys, as `/readyz` gives it.
pub const KEY_USE_TASK: &str = "use of keys";

/// Writes again and again which keys were used, until told to stop, and then what is left. Whether an old key may end is
/// asked by somebody who has just moved their app to the new one.
pub async fn note_key_use(state: AppState, every: Duration, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(every);
    loop {
        let last = tokio::select! {
            _ = ticks.tick() => false,
            () = stop.cancelled() => true,
        };
        state.heartbeats.beat(KEY_USE_TASK);
        if let Err(error) = state.key_use.flush(&state.db).await {
            tracing::warn!(%error, "which keys were used could not be written; it is tried again");
        }
        if let Err(error) = state.digests.flush(&state.db).await {
            tracing::warn!(%error, "digests could not be renewed; each is tried again at its next use");
        }
        if last {
            return;
        }
    }
}
