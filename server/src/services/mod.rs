//! The rules: whether something is allowed, and what happens then. One file per noun.
//!
//! `Services` answers the portal's seam; the API's doors call the same files. No service reads a header or knows
//! which door called.

pub mod accounts;
pub mod acts;
pub mod budget;
pub mod catalog;
pub mod consents;
pub mod console;
pub mod data;
pub mod fetch;
pub mod filler;
pub mod grants;
pub mod idempotency;
pub mod issue;
pub mod keys;
pub mod limits;
pub mod operators;
pub mod passwords;
pub mod payments;
pub mod people;
pub mod products;
pub mod providers;
pub mod refusal;
pub mod reminders;
pub mod renewals;
pub mod requests;
pub mod returns;
pub mod servicers;
pub mod sessions;
pub mod signatures;
pub mod skills;
pub mod steps;
pub mod sync;
pub mod tenants;
#[cfg(test)]
pub mod testing;
pub mod tokens;
pub mod transactions;
#[cfg(test)]
mod trials;
pub mod trouble;
mod turns;
pub mod uploads;
pub mod utx;
pub mod verifications;

use std::fmt::Display;
use std::time::Duration;

use app::portal::Trouble;
use tokio_util::sync::CancellationToken;

use crate::state::AppState;
use crate::storage::Tx;

/// How long calls stay in the request log.
const LOG_KEPT: chrono::Duration = chrono::Duration::days(30);

/// The server's answer to every trait of [`app::portal`].
#[derive(Clone)]
pub struct Services {
    pub state: AppState,
    /// The public API's router, for the console: its calls pass through the same door as everybody's.
    api: Option<axum::Router>,
}

/// Whether the database answers.
pub async fn is_ready(state: &AppState) -> bool {
    match state.db.read().await {
        Ok(mut tx) => tx.is_alive().await,
        Err(_) => false,
    }
}

/// What is written beside the requests, until told to stop; then what is left.
pub async fn background(state: AppState, stop: CancellationToken) {
    let log = state.request_log.clone();
    let tidy = async {
        let mut minute = tokio::time::interval(Duration::from_secs(30));
        let mut second = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                _ = minute.tick() => tidy(&state).await,
                // Whether an old key may end is asked by somebody who has just moved their app to the new one.
                _ = second.tick() => key_use(&state).await,
                () = stop.cancelled() => return tidy(&state).await,
            }
        }
    };
    futures_util::join!(log.run(state.clone(), stop.clone()), tidy);
}

async fn key_use(state: &AppState) {
    if let Err(error) = state.key_use.flush(state).await {
        tracing::warn!(%error, "which keys were used could not be written; it is tried again");
    }
}

/// Notes of key use are written down; kept answers, log rows and budgets whose time is over are forgotten.
async fn tidy(state: &AppState) {
    let tidied = async {
        state.key_use.flush(state).await?;
        let now = state.clock.now();
        let mut tx = state.db.write().await?;
        tx.forget_answers(now).await?;
        tx.forget_requests(now - LOG_KEPT).await?;
        tx.forget_refused_signatures(now - LOG_KEPT).await?;
        tx.forget_signatures(now).await?;
        tx.forget_budgets(now.timestamp_micros()).await?;
        tx.commit().await
    };
    if let Err(error) = tidied.await {
        tracing::warn!(%error, "tidying failed; it is tried again in half a minute");
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

    /// A connection that reads, for the portal's seam.
    pub(crate) async fn read(&self) -> Result<Tx, Trouble> {
        self.state
            .db
            .read()
            .await
            .map_err(|error| self.broken(error))
    }

    /// The transaction of a portal request that may write.
    pub(crate) async fn write(&self) -> Result<Tx, Trouble> {
        self.state
            .db
            .write()
            .await
            .map_err(|error| self.broken(error))
    }

    /// Our own fault, logged under the reference that the person is shown. `error` carries no secret.
    pub(crate) fn broken(&self, error: impl Display) -> Trouble {
        let reference = self.state.clock.id().to_string();
        tracing::error!(%reference, %error, "a portal request failed");
        Trouble::Internal(reference)
    }
}
