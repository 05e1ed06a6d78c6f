//! Fetches all of a consent's data as soon as the end-user is back from the bank, the first time or again.

use app::domain::ids::CredentialsId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Class, Job, JobError};
use crate::services::consents::fetch::{FetchReason, fetch};
use crate::state::AppState;

/// The consent to fetch for.
#[derive(Serialize, Deserialize)]
pub struct FetchData {
    pub consent: CredentialsId,
    /// Time of the consent's renewal, after which its data is fetched again; `None` for the first fetch.
    #[serde(default)]
    pub again: Option<DateTime<Utc>>,
}

#[async_trait::async_trait]
impl Job for FetchData {
    const KIND: &'static str = "fetch_data";
    const CLASS: Class = Class::Data;
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
