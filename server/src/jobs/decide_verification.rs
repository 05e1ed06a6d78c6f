//! Carrying a person's decision to the sandbox's provider, which is asked at once what follows.

use app::domain::ids::SessionId;
use app::domain::session::Decision;
use serde::{Deserialize, Serialize};

use super::{Class, Job};

/// One decision on one verification.
#[derive(Serialize, Deserialize)]
pub struct DecideVerification {
    pub session: SessionId,
    /// The session's position while it is pending: a later verification is another one's to decide.
    pub position: i64,
    pub decision: Decision,
}

impl Job for DecideVerification {
    const KIND: &'static str = "decide_verification";
    const CLASS: Class = Class::Sessions;
}
