//! Fetches a consent's data for the first time, as soon as the end-user is back from the bank.

use app::domain::ids::CredentialsId;
use serde::{Deserialize, Serialize};

use super::{Job, JobError};
use crate::services::data;
use crate::state::AppState;

/// The consent to fetch for.
#[derive(Serialize, Deserialize)]
pub struct FetchData {
    pub consent: CredentialsId,
}

#[async_trait::async_trait]
impl Job for FetchData {
    const KIND: &'static str = "fetch_data";
    /// The first read fetches again anyway.
    const TRIES: i64 = 4;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        let fetched = data::fetch(state, self.consent).await;
        fetched
            .map(|_| ())
            .map_err(|failure| JobError(failure.to_string()))
    }
}
