//! Telling owners of tenants, once a day, whose consents end soon.

use serde::{Deserialize, Serialize};

use super::{Class, Job};

/// One day's reminders.
#[derive(Default, Serialize, Deserialize)]
pub struct RemindOwners {}

impl Job for RemindOwners {
    const KIND: &'static str = "remind_owners";
    const CLASS: Class = Class::Mail;
}
