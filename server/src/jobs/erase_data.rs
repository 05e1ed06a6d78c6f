//! The erasure of what is past its time.

use serde::{Deserialize, Serialize};

use super::{Class, Job};

/// One run of the erasure.
#[derive(Default, Serialize, Deserialize)]
pub struct EraseData {}

impl Job for EraseData {
    const KIND: &'static str = "erase_data";
    const CLASS: Class = Class::Erasure;
}
