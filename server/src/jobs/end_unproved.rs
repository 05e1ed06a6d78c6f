//! The end of accounts whose address nobody proved.

use serde::{Deserialize, Serialize};

use super::{Class, Job};

/// One look at which accounts are past their time.
#[derive(Default, Serialize, Deserialize)]
pub struct EndUnproved {}

impl Job for EndUnproved {
    const KIND: &'static str = "end_unproved";
    const CLASS: Class = Class::Erasure;
}
