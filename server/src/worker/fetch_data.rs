//! Fetches all of a consent's data as soon as the end-user is back from the bank, the first time or again.

use super::{JobError, JobHandler};
use crate::jobs::fetch_data::FetchData;
use crate::services::consents::fetch::{FetchReason, fetch};
use crate::state::AppState;

#[async_trait::async_trait]
impl JobHandler for FetchData {
    const LIMIT: std::time::Duration = std::time::Duration::from_mins(5);
    /// The first read fetches again anyway.
    const TRIES: i64 = 4;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        let fetched = fetch(state, self.consent, FetchReason::Consented(self.again)).await;
        fetched
            .map(|_| ())
            .map_err(|failure| JobError(failure.to_string()))
    }
}
