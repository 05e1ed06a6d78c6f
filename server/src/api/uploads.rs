//! Files sent along with steps.

#[cfg(test)]
mod tests;

use std::convert::Infallible;

use app::domain::ids::{SessionId, StepId};
use app::domain::problem::Code;
use axum::extract::{FromRequestParts, RawPathParams, State};
use axum::http::request::Parts;
use kernel::json::Json;
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{KnownFormat, RefOr, Type};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::refusals::UploadErrors;
use crate::http::call::NonceAuth;
use crate::http::fields::{fields, schema_of};
use crate::http::form::FileCall;
use crate::problem::Problem;
use crate::services::refusal::Refusal;
use crate::services::sessions::uploads::{self, UploadRequest};
use crate::state::AppState;
use crate::wire::uploads::Uploaded;

/// The operations of this file.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(upload))
        .routes(routes!(upload_in_session))
}

fields! {
    /// Sends a file along with a step. The parts are read in this order: the file is the last.
    pub struct SendFile for NonceAuth {
        /// Kind of the file, as the step's manifest names it.
        kind: String,
    }
}

/// The form as a whole, for the OpenAPI: the fields, then the file.
struct UploadForm;

impl PartialSchema for UploadForm {
    fn schema() -> RefOr<Schema> {
        let file = schema_of(Type::String, Some(KnownFormat::Binary));
        match SendFile::schema() {
            RefOr::T(Schema::Object(mut form)) => {
                form.properties.insert("file".to_owned(), file);
                form.required.push("file".to_owned());
                Schema::Object(form).into()
            }
            other => other,
        }
    }
}

impl ToSchema for UploadForm {}

/// The step a path names, and the session if it names that too; as they stand there.
#[derive(Default)]
struct InPath {
    session: Option<String>,
    step: String,
}

impl FromRequestParts<AppState> for InPath {
    type Rejection = Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        state: &AppState,
    ) -> Result<Self, Self::Rejection> {
        let mut path = Self::default();
        let Ok(params) = RawPathParams::from_request_parts(parts, state).await else {
            return Ok(path);
        };
        for (name, value) in &params {
            match name {
                "session_id" => path.session = Some(value.to_owned()),
                "step_id" => value.clone_into(&mut path.step),
                _ => {}
            }
        }
        Ok(path)
    }
}

impl InPath {
    /// Returns the ids of the session, if the path names one, and of the step. A text that is no id is answered as an
    /// id that does not exist.
    fn ids(&self) -> Result<(Option<SessionId>, StepId), Refusal> {
        let session = self.session.as_ref().map(|id| id.parse()).transpose();
        let session = session.map_err(|_| Refusal::new(Code::InvalidSessionId))?;
        let step = self.step.parse().map_err(|_| uploads::no_such_step())?;
        Ok((session, step))
    }
}

/// Upload a file
///
/// Authorised by the nonce the step was submitted with, until the next step is submitted or the session ends. PDF, PNG,
/// JPEG and WebP are taken, told by their content; of 10 MiB each and five for a step, unless its manifest says otherwise.
#[utoipa::path(post, path = "/v1/steps/{step_id}/upload", tag = "Sessions",
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    params(("step_id" = uuid::Uuid, Path, description = "The step, as its answer named it.")),
    responses((status = 200, body = Uploaded), UploadErrors))]
async fn upload(
    State(state): State<AppState>,
    path: InPath,
    call: FileCall<SendFile>,
) -> Result<Json<Uploaded>, Problem> {
    receive(&state, &path, call).await
}

/// Upload a file (session path)
#[utoipa::path(post, path = "/v1/sessions/{session_id}/steps/{step_id}/upload", tag = "Sessions",
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    params(
        ("session_id" = uuid::Uuid, Path, description = "The session."),
        ("step_id" = uuid::Uuid, Path, description = "The step, as its answer named it.")),
    responses((status = 200, body = Uploaded), UploadErrors))]
async fn upload_in_session(
    State(state): State<AppState>,
    path: InPath,
    call: FileCall<SendFile>,
) -> Result<Json<Uploaded>, Problem> {
    receive(&state, &path, call).await
}

async fn receive(
    state: &AppState,
    path: &InPath,
    call: FileCall<SendFile>,
) -> Result<Json<Uploaded>, Problem> {
    let (session_id, step_id) = path.ids()?;
    let new = UploadRequest {
        session_id,
        step_id,
        nonce: call.by.nonce,
        kind: call.input.kind,
        tenant_user_id: call.extra.tenant_user_id,
    };
    let mut incoming = uploads::begin(state, &call.by.named, new).await?;
    call.context.note_session(incoming.session());
    let mut file = call.file;
    if !file.at_most(incoming.most()) {
        return Err(incoming.too_large().into());
    }
    while let Some(bytes) = file.next().await? {
        incoming.take(&bytes).await?;
    }
    Ok(Json(incoming.finish().await?.into()))
}
