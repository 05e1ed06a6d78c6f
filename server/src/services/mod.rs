//! The rules: whether something is allowed, and what happens then. One file per noun.
//!
//! `Services` implements the portal's traits; the API's handlers call the same files. No service reads a header or
//! knows which of the two called.

pub mod accounts;
pub mod audit;
pub mod bank_allowance;
pub mod bounds;
pub mod callbacks;
pub mod catalog;
pub mod consents;
pub mod console;
/// The contract of every portal, which the fake of the page tests is held to as well.
#[cfg(test)]
#[path = "../../../app/tests/contract/mod.rs"]
mod contract;
pub mod cursors;
pub mod data;
pub mod export;
pub mod fetch;
pub mod filler;
pub mod grants;
pub mod idempotency;
pub mod keys;
pub mod networks;
pub mod one_time_tokens;
pub mod operators;
pub mod passwords;
pub mod payments;
pub mod people;
pub mod products;
pub mod provider_access;
pub mod rate_limits;
pub mod refusal;
pub mod reminders;
pub mod renewals;
pub mod request_log;
pub mod retention;
pub mod secrets;
pub mod service_error;
pub mod servicers;
pub mod sessions;
pub mod signatures;
pub mod skills;
pub mod steps;
pub mod sync;
pub mod tenants;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
pub mod tokens;
pub mod transactions;
mod transition;
pub mod uploads;
pub mod utx;
pub mod verifications;

use std::fmt::Display;
use std::time::{Duration, Instant};

use app::portal::PortalError;
use tokio_util::sync::CancellationToken;

use self::secrets::watch::{self, Watch};
use crate::background::{Restarts, supervise};
use crate::state::AppState;
use crate::storage::{DbError, Tx, is_busy};

/// The server's answer to every trait of [`app::portal`].
#[derive(Clone)]
pub struct Services {
    pub state: AppState,
    /// The public API's router, for the console: its calls take the same route as everybody's.
    api: Option<axum::Router>,
}

/// Returns the reason why calls should not be sent to this process, if there is one: the database does not answer, or a
/// background task stands still. `None` if the process is ready.
pub async fn not_ready(state: &AppState) -> Option<String> {
    let alive = match state.db.read().await {
        Ok(mut tx) => tx.is_alive().await,
        Err(_) => false,
    };
    if !alive {
        return Some("The database does not answer.".to_owned());
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

/// The names of the tasks that write beside the requests, as `/readyz` gives them.
const LOG_TASK: &str = "request log";
const KEY_USE_TASK: &str = "use of keys";

/// Runs the tasks that write beside the requests until told to stop, then writes what is left.
pub async fn background(state: AppState, stop: CancellationToken) {
    let (pulse, restarts) = (state.pulse.clone(), Restarts::default());
    let log = || {
        let (state, stop) = (state.clone(), stop.clone());
        async move { state.request_log.clone().run(state, stop).await }
    };
    let keys = || note_key_use(state.clone(), stop.clone());
    let watch = || Watch::new(state.clone()).run(stop.clone());
    futures_util::join!(
        supervise(LOG_TASK, &pulse, &stop, restarts, log),
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
        if let Err(error) = state.key_use.flush(&state).await {
            tracing::warn!(%error, "which keys were used could not be written; it is tried again");
        }
        if let Err(error) = state.digests.flush(&state).await {
            tracing::warn!(%error, "digests could not be renewed; each is tried again at its next use");
        }
        if last {
            return;
        }
    }
}

impl Services {
    /// Services without a way back into the API: all but the console's calls.
    pub fn new(state: AppState) -> Self {
        Self { state, api: None }
    }

    /// Hands the console the router that serves the public API.
    #[must_use]
    pub fn with_api(self, api: axum::Router) -> Self {
        Self {
            api: Some(api),
            ..self
        }
    }

    /// Begins a transaction that reads, for a portal request.
    pub(crate) async fn read(&self) -> Result<Tx, PortalError> {
        self.state
            .db
            .read()
            .await
            .map_err(|error| self.database_error(&error))
    }

    /// The transaction of a portal request that may write.
    pub(crate) async fn write(&self) -> Result<Tx, PortalError> {
        self.state
            .db
            .write()
            .await
            .map_err(|error| self.database_error(&error))
    }

    /// The database could not do it: worth another try, or our own fault.
    pub(crate) fn database_error(&self, error: &DbError) -> PortalError {
        if is_busy(error) {
            tracing::warn!(%error, "the database is busy");
            return PortalError::Unavailable;
        }
        self.internal_error(error)
    }

    /// Our own fault, logged under the reference that the person is shown. `error` carries no secret.
    pub(crate) fn internal_error(&self, error: impl Display) -> PortalError {
        let reference = self.state.clock.id().to_string();
        tracing::error!(%reference, %error, "a portal request failed");
        PortalError::Internal(reference)
    }
}
