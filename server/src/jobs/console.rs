//! Forgetting what a run of the sandbox console held, a day after it began.

use app::domain::ids::RunId;
use serde::{Deserialize, Serialize};

use super::{Class, Job};

/// Forgets one run's tokens, nonces and bodies.
#[derive(Serialize, Deserialize)]
pub struct ForgetRun {
    pub run: RunId,
}

impl Job for ForgetRun {
    const KIND: &'static str = "console_run.forget";
    const CLASS: Class = Class::Erasure;
}
