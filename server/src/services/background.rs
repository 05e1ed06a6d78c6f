//! Work beside the requests: the tasks that write what calls left in memory, and the answer to whether this process is
//! ready.

use std::time::{Duration, Instant};

use kernel::background::{Restarts, supervise};
use tokio_util::sync::CancellationToken;

use super::portal::secrets::watch::{self, Watch};
use crate::state::{AppState, request_log};

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
    let silent = state.pulse.silent(Instant::now());
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
const KEY_USE_TASK: &str = "use of keys";

/// Runs the tasks that write beside the requests until told to stop, then writes what is left.
pub async fn run(state: AppState, stop: CancellationToken) {
    let (pulse, restarts) = (state.pulse.clone(), Restarts::default());
    let log = || {
        let (state, stop) = (state.clone(), stop.clone());
        async move { state.request_log.run(&state.db, &state.pulse, stop).await }
    };
    let keys = || note_key_use(state.clone(), stop.clone());
    let watch = || Watch::new(state.clone()).run(stop.clone());
    futures_util::join!(
        supervise(request_log::TASK, &pulse, &stop, restarts, log),
        supervise(KEY_USE_TASK, &pulse, &stop, restarts, keys),
        supervise(watch::TASK, &pulse, &stop, restarts, watch),
    );
}

/// Writes each second which keys were used: whether an old one may end is asked by somebody who has just moved their
/// app to the new one.
async fn note_key_use(state: AppState, stop: CancellationToken) {
    let mut second = tokio::time::interval(Duration::from_secs(1));
    loop {
        let last = tokio::select! {
            _ = second.tick() => false,
            () = stop.cancelled() => true,
        };
        state.pulse.beat(KEY_USE_TASK);
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
