//! Sessions and their steps: what a tenant's app may call from a browser or a phone.

use app::domain::ids::SessionId;
use app::domain::problem::Code;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse as _, Response};
use json::JsonValue as Given;
use kernel::json::Json;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::refusals::{
    CancelSessionErrors, CreateSessionErrors, GetSessionErrors, SubmitStepErrors,
};
use crate::http::call::{AppKeyAuth, Call, NonceAuth};
use crate::http::fields::{Field, FieldPath, Text, fields};
use crate::http::idempotency;
use crate::problem::Problem;
use crate::services::sessions::steps::{self, NewStep};
use crate::services::sessions::{self, NewSession, SessionProof};
use crate::skills::Psu;
use crate::state::AppState;
use crate::wire::sessions::{SessionCancelled, SessionOpened, SessionStanding, StepTaken};

/// The operations of this file.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(create))
        .routes(routes!(submit))
        .routes(routes!(get))
        .routes(routes!(cancel))
}

fields! {
    /// Opens a session of a skill for one end-user.
    pub struct CreateSession for AppKeyAuth {
        /// The skill, as the catalog names it: `xyz_ro_aisp_sbx_#1.0`.
        skill: String,
        /// PKCE (RFC 7636), S256: then the exchange needs the `code_verifier`.
        code_challenge: Option<Challenge>,
        /// Your own, handed back unchanged as `state` on your redirect link and wherever the session is described. Before
        /// your app takes a token, it compares this with what it kept for the user in front of it.
        state: Option<Text<1024>>,
    }
}

/// A `code_challenge`: base64url of a SHA-256, without padding.
pub struct Challenge(pub(super) String);

impl Field for Challenge {
    fn read(value: Given<'_>, at: &mut FieldPath<'_>) -> Option<Self> {
        let text = String::read(value, at)?;
        let url_safe = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
        if text.len() == 43 && text.bytes().all(url_safe) {
            return Some(Self(text));
        }
        at.invalid(
            "must be the base64url SHA-256 of the code_verifier, 43 characters (RFC 7636, S256)",
        )
    }

    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        Schema::Object(text.pattern(Some("^[A-Za-z0-9_-]{43}$")).build()).into()
    }
}

fields! {
    /// Submits one step of a session.
    pub struct SubmitStep for NonceAuth {
        /// The skill the session was opened for.
        skill: String,
        /// Name of the step.
        step: String,
        /// The step's own fields, as the skill's JSON Schema describes them.
        data: Map<String, Value>,
    }
}

fields! {
    /// Asks where a session stands.
    pub struct GetSession for AppKeyAuth {
        /// The nonce used last, or the one to be used next.
        nonce: Option<SecretString>,
    }
}

fields! {
    /// Calls a session off.
    pub struct CancelSession for AppKeyAuth {
        /// The nonce used last; `client_secret` does as well.
        nonce: Option<SecretString>,
    }
}

/// The session a path names. What is no id is the id of no session.
struct InPath(Option<SessionId>);

impl InPath {
    fn id(&self) -> Result<SessionId, Problem> {
        self.0.ok_or_else(|| Code::InvalidSessionId.into())
    }
}

impl FromRequestParts<AppState> for InPath {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &AppState,
    ) -> Result<Self, Self::Rejection> {
        let id = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(id.ok().and_then(|Path(id)| id.parse().ok())))
    }
}

/// Open a session
///
/// The first call of every flow; safe in a browser or app.
#[utoipa::path(post, path = "/v1/sessions", tag = "Sessions", request_body = CreateSession,
    responses((status = 200, body = SessionOpened), CreateSessionErrors))]
async fn create(
    State(state): State<AppState>,
    call: Call<CreateSession>,
) -> Result<Json<SessionOpened>, Problem> {
    let new = NewSession {
        skill: call.input.skill,
        tenant_user_id: call.extra.tenant_user_id,
        code_challenge: call.input.code_challenge.map(|challenge| challenge.0),
        state: call.input.state.map(|text| text.0),
    };
    let opened = sessions::create(&state, &call.by, new).await?;
    call.context.note_session(opened.session_id);
    Ok(Json(opened.into()))
}

/// Submit a step
///
/// The nonce authorises exactly this step, once. A refusal, or a failure at the bank, leaves it good.
#[utoipa::path(post, path = "/v1/sessions/{session_id}/steps", tag = "Sessions", request_body = SubmitStep,
    params(("session_id" = uuid::Uuid, Path, description = "The session.")),
    responses((status = 200, body = StepTaken), SubmitStepErrors))]
async fn submit(
    State(state): State<AppState>,
    session: InPath,
    call: Call<SubmitStep>,
) -> Result<Response, Problem> {
    let session_id = session.id()?;
    call.context.note_session(session_id);
    let new = NewStep {
        session_id,
        nonce: call.by.nonce,
        skill: call.input.skill,
        step: call.input.step,
        data: call.input.data,
        tenant_user_id: call.extra.tenant_user_id,
        psu: Psu::default(),
    };
    let (engine, named) = (state.clone(), call.by.named);
    let work = async move {
        let taken = steps::submit(&engine, &named, new).await?;
        Ok(Json(StepTaken::from(taken)).into_response())
    };
    call.idempotency
        .run(&state, "steps.submit", idempotency::DAY, work)
        .await
}

/// Get a session
///
/// With the `client_secret` the answer holds the next nonce or the `temp_token`: the same one until it is used. The nonce
/// used last does as well, until the end-user is sent to a provider for the first time: from then on it shows `status`
/// and `state` alone, and what follows goes to your registered link or to your server. Whoever opened a session may not
/// be who consents in it.
#[utoipa::path(post, path = "/v1/sessions/{session_id}/get", tag = "Sessions", request_body = GetSession,
    params(("session_id" = uuid::Uuid, Path, description = "The session.")),
    responses((status = 200, body = SessionStanding), GetSessionErrors))]
async fn get(
    State(state): State<AppState>,
    session: InPath,
    call: Call<GetSession>,
) -> Result<Json<SessionStanding>, Problem> {
    let id = session.id()?;
    call.context.note_session(id);
    let proof = proof(call.input.nonce.as_ref(), call.by.is_server());
    let user = call.extra.tenant_user_id.as_deref();
    sessions::check_user_of(&state, &call.by, id, user).await?;
    let standing = sessions::get(&state, &call.by, id, proof).await?;
    Ok(Json(standing.into()))
}

/// Cancel a session
///
/// For good: its nonces and its `temp_token` are dead. Possible until the token was exchanged.
#[utoipa::path(post, path = "/v1/sessions/{session_id}/cancel", tag = "Sessions", request_body = CancelSession,
    params(("session_id" = uuid::Uuid, Path, description = "The session.")),
    responses((status = 200, body = SessionCancelled), CancelSessionErrors))]
async fn cancel(
    State(state): State<AppState>,
    session: InPath,
    call: Call<CancelSession>,
) -> Result<Json<SessionCancelled>, Problem> {
    let id = session.id()?;
    call.context.note_session(id);
    let proof = proof(call.input.nonce.as_ref(), call.by.is_server());
    let user = call.extra.tenant_user_id.as_deref();
    sessions::check_user_of(&state, &call.by, id, user).await?;
    let off = sessions::cancel(&state, &call.by, id, proof).await?;
    Ok(Json(SessionCancelled {
        session_id: id.0,
        status: off.status.as_str(),
        state: off.state,
    }))
}

/// A nonce that was sent is looked at, whatever else the caller showed.
fn proof(nonce: Option<&SecretString>, server: bool) -> SessionProof<'_> {
    match nonce.map(ExposeSecret::expose_secret) {
        Some(nonce) if server => SessionProof::Both(nonce),
        Some(nonce) => SessionProof::Nonce(nonce),
        None if server => SessionProof::Secret,
        None => SessionProof::None,
    }
}
