//! Fetches data again that nobody has read for a while. A look finds the consents that are due and adds a job for each;
//! the bank's budget is respected as by a read.

use chrono::Duration;

use super::{JobError, JobHandler};
use crate::jobs::refresh_data::{RefreshConsent, RefreshData};
use crate::services::consents::fetch::{FetchReason, fetch};
use crate::services::refusal::ApiError;
use crate::state::AppState;

/// Largest number of consents in one run.
const CONSENTS: i64 = 200;

#[async_trait::async_trait]
impl JobHandler for RefreshData {
    const LIMIT: std::time::Duration = std::time::Duration::from_mins(5);
    /// It is never given up.
    const TRIES: i64 = i64::MAX;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        let now = state.clock.now();
        let mut tx = state.db.write().await?;
        let every = state.config.data.background_refresh_minutes;
        if every > 0 {
            let next = now + Duration::minutes(every);
            for consent in tx.take_refreshes(now, next, CONSENTS).await? {
                state
                    .queue
                    .add(&mut tx, &RefreshConsent { consent })
                    .await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }
}

#[async_trait::async_trait]
impl JobHandler for RefreshConsent {
    const LIMIT: std::time::Duration = std::time::Duration::from_mins(5);
    const TRIES: i64 = 2;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        match fetch(state, self.consent, FetchReason::Unread).await {
            // A refusal was written down with the consent, and with it when to ask again.
            Ok(_) | Err(ApiError::Refused(_)) => Ok(()),
            Err(failure) => Err(JobError(failure.to_string())),
        }
    }
}
