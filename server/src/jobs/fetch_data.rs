//! Fetching all of a consent's data as soon as the end-user is back from the bank, the first time or again.

use app::domain::ids::CredentialsId;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Class, Job};

/// The consent to fetch for.
#[derive(Serialize, Deserialize)]
pub struct FetchData {
    pub consent: CredentialsId,
    /// Time of the consent's renewal, after which its data is fetched again; `None` for the first fetch.
    #[serde(default)]
    pub again: Option<DateTime<Utc>>,
}

impl Job for FetchData {
    const KIND: &'static str = "fetch_data";
    const CLASS: Class = Class::Data;
}
