//! The door `/v1s`: the operations of `/v1`, each request signed (`api.md`, section 8).
//!
//! It hands the request on under its `/v1` path, marked with [`SignedDoor`]; whoever proves the keys of a marked request
//! proves its signature with them, because only then it is known whose key to look for.

use app::domain::key::KeyKind;
use app::domain::problem::Code;
use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Uri, header};
use axum::response::{IntoResponse as _, Response};
use tower::ServiceExt as _;

use super::notes::{Notes, Peer};
use crate::problem::Problem;
use crate::services::keys::{Named, Proof};
use crate::services::refusal::Refusal;
use crate::services::signatures::{self, Signed};
use crate::state::AppState;

/// Marks a request that came through the door for signed ones.
#[derive(Clone)]
pub struct SignedDoor {
    /// Path and query as they were asked for.
    target: String,
}

/// Whether a request came through this door.
pub fn is_signed(parts: &Parts) -> bool {
    parts.extensions.get::<SignedDoor>().is_some()
}

/// The path as it was asked for at this door.
pub fn asked(extensions: &Extensions) -> Option<&str> {
    let door = extensions.get::<SignedDoor>()?;
    door.target.split('?').next()
}

/// Notes under which path the operation is known at this door: the outer route knows it only as one of many.
pub fn note_operation(parts: &Parts, notes: &Notes) {
    if let (true, Some(route)) = (is_signed(parts), parts.extensions.get::<MatchedPath>()) {
        let path = route.as_str().replacen("/v1", "/v1s", 1);
        notes.operation.set(path).ok();
    }
}

/// Hands a request on to the operations.
pub async fn door(operations: Router, request: Request) -> Response {
    let target = request
        .uri()
        .path_and_query()
        .map_or("", |it| it.as_str())
        .to_owned();
    let Some(uri) = target
        .strip_prefix("/v1s")
        .and_then(|rest| format!("/v1{rest}").parse::<Uri>().ok())
    else {
        return Problem::new(Code::NotFound).into_response();
    };
    let (mut parts, body) = request.into_parts();
    parts.uri = uri;
    // What routing left behind belongs to the path that was asked for.
    let before = std::mem::replace(&mut parts.extensions, Extensions::new());
    keep::<Notes>(&before, &mut parts);
    keep::<Peer>(&before, &mut parts);
    parts.extensions.insert(SignedDoor { target });
    match operations.oneshot(Request::from_parts(parts, body)).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    }
}

fn keep<T: Clone + Send + Sync + 'static>(before: &Extensions, parts: &mut Parts) {
    if let Some(value) = before.get::<T>() {
        parts.extensions.insert(value.clone());
    }
}

/// Proves the signature of a request that came through this door. `body` is `None` while it is still on its way: its
/// digest is then compared where it ends, with what is noted here. `proof`: what the keys of the call proved.
pub async fn prove(
    state: &AppState,
    parts: &Parts,
    notes: &Notes,
    tenant: Option<&Named>,
    body: Option<&[u8]>,
    proof: Option<Proof>,
) -> Result<(), Problem> {
    let Some(door) = parts.extensions.get::<SignedDoor>() else {
        return Ok(());
    };
    let tenant = tenant.ok_or_else(|| {
        Refusal::new(Code::MissingFields)
            .says("Missing: client_id. A signed request says whose it is.")
            .hints("Send X-Client-Id and X-Client-Secret along; without keys, ask /v1.")
    })?;
    let signed = Signed {
        jws: bearer(&parts.headers)?,
        method: parts.method.as_str(),
        target: &door.target,
        body,
    };
    let by_secret = matches!(proof, Some(Proof::Key(_, KeyKind::Secret)));
    let accepted = signatures::accept(state, tenant.into(), signed, notes.id, by_secret).await?;
    notes.signed_digest.set(accepted.digest).ok();
    Ok(())
}

/// The JWS of `Authorization: Bearer` (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let value = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let token = value
        .and_then(|value| value.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    token.map(|(_, token)| token.trim()).ok_or_else(|| {
        Refusal::new(Code::InvalidSignature)
            .says("The signature fails the check `form`: requests to /v1s are signed, and Authorization holds no Bearer token.")
            .hints("-H 'Authorization: Bearer <JWS>'; the tenant's keys go into the body, or into X-Client-Id and X-Client-Secret.")
            .into()
    })
}
