//! Fetching data again that nobody has read for a while, so that a sync or a webhook has something to tell.

use app::domain::ids::CredentialsId;
use serde::{Deserialize, Serialize};

use super::{Class, Job};

/// One run of the refresh: a look at which consents are due.
#[derive(Default, Serialize, Deserialize)]
pub struct RefreshData {}

/// One consent that is due.
#[derive(Serialize, Deserialize)]
pub struct RefreshConsent {
    pub consent: CredentialsId,
}

impl Job for RefreshData {
    const KIND: &'static str = "refresh_data";
    const CLASS: Class = Class::Data;
}

impl Job for RefreshConsent {
    const KIND: &'static str = "refresh_consent";
    const CLASS: Class = Class::Data;
}
