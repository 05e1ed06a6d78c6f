//! What the session operations answer.

use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use super::Time;
use crate::services::sessions::steps::StepResult;
use crate::services::sessions::{OpenedSession, SessionState};

/// A session just opened.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SessionOpened {
    /// Authorises the first step, once, for 30 minutes.
    pub nonce: String,
    pub session_id: Uuid,
    /// `SESSION_CREATED`.
    #[schema(value_type = String)]
    pub status: &'static str,
    /// Name of the first step.
    pub next_step: String,
    /// Time at which the session expires.
    pub expires_at: Time,
    /// Your own `state`, as you sent it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// The answer to a step: what comes next decides which fields are there.
#[derive(Serialize, utoipa::ToSchema)]
pub struct StepTaken {
    /// This submission; uploads to the step name it.
    pub step_id: Uuid,
    /// Authorises the next step, once, for 30 minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    #[schema(value_type = String)]
    pub status: &'static str,
    /// Issued by the last step: exchange it from your server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temp_token: Option<String>,
    /// The step's own answer. Where the end-user has to go to the provider: `method`, `url` and `headers` of the request
    /// their browser makes. While the provider verifies: `poll_after`, in seconds.
    pub data: Value,
    /// Name of the next step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
}

/// Status of a session. With the `client_secret`, or with the nonce used last until the end-user is redirected to a
/// provider, it also says what comes next; otherwise it is the status only.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SessionStanding {
    pub session_id: Uuid,
    #[schema(value_type = String)]
    pub status: &'static str,
    /// The nonce of the next step; the same one until it is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<String>,
    /// The token to exchange; the same one until it is exchanged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temp_token: Option<String>,
    /// The step submitted last: its uploads name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_id: Option<Uuid>,
    /// The answer to the last step, while the end-user is at the provider or the provider verifies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    pub expires_at: Time,
    /// Your own `state`, as you sent it when the session was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

/// A session that was called off.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SessionCancelled {
    pub session_id: Uuid,
    /// `SESSION_CANCELLED`.
    #[schema(value_type = String)]
    pub status: &'static str,
    /// Your own `state`, as you sent it when the session was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
}

impl From<OpenedSession> for SessionOpened {
    fn from(opened: OpenedSession) -> Self {
        Self {
            nonce: opened.nonce,
            session_id: opened.session_id.0,
            status: opened.status.as_str(),
            next_step: opened.next_step,
            expires_at: Time(opened.expires_at),
            state: opened.state,
        }
    }
}

impl From<StepResult> for StepTaken {
    fn from(taken: StepResult) -> Self {
        Self {
            step_id: taken.step_id.0,
            nonce: taken.nonce,
            status: taken.status.as_str(),
            temp_token: taken.temp_token,
            data: taken.data,
            next_step: taken.next_step,
        }
    }
}

impl From<SessionState> for SessionStanding {
    fn from(standing: SessionState) -> Self {
        Self {
            session_id: standing.session_id.0,
            status: standing.status.as_str(),
            nonce: standing.nonce,
            next_step: standing.next_step,
            temp_token: standing.temp_token,
            step_id: standing.step_id.map(|id| id.0),
            data: standing.data,
            expires_at: Time(standing.expires_at),
            state: standing.state,
        }
    }
}
