//! Asking a provider for the result of an offline verification. Each enquiry that brings no decision adds the next one to
//! the table; its number makes a repeated one find that it took place.

use app::domain::ids::SessionId;
use serde::{Deserialize, Serialize};

use super::{Class, Job};

/// One enquiry at the provider.
#[derive(Clone, Serialize, Deserialize)]
pub struct ResumeSession {
    pub session: SessionId,
    /// The session's position while it is pending.
    pub position: i64,
    /// Number of enquiries made before this one.
    pub asked: i64,
}

impl ResumeSession {
    /// Returns the first enquiry of a verification.
    pub fn first(session: SessionId, position: i64) -> Self {
        Self {
            session,
            position,
            asked: 0,
        }
    }
}

impl Job for ResumeSession {
    const KIND: &'static str = "resume_session";
    const CLASS: Class = Class::Sessions;
}
