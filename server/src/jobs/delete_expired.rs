//! The deletion of what is past its time by a rule.

use serde::{Deserialize, Serialize};

use super::{Class, Job};

/// One round over all rules.
#[derive(Default, Serialize, Deserialize)]
pub struct DeleteExpired {}

impl Job for DeleteExpired {
    const KIND: &'static str = "delete_expired";
    const CLASS: Class = Class::Erasure;
}
