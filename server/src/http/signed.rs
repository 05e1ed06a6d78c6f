//! The door `/v1s`: the operations of `/v1`, each request signed (docs/API.md, "Signed requests").
//!
//! It hands the request on under its `/v1` path, marked with [`SignedRoute`]; whoever proves the keys of a marked request
//! proves its signature with them, because only then it is known whose key to look for.

use app::domain::key::KeyKind;
use app::domain::problem::Code;
use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Uri, header};
use axum::response::{IntoResponse as _, Response};
use tower::ServiceExt as _;

use super::request_context::{Peer, RequestContext};
use crate::problem::Problem;
use crate::services::access::keys::{ClientProof, NamedTenant};
use crate::services::access::signatures::{self, Signed};
use crate::services::refusal::Refusal;
use crate::state::AppState;

/// Marks a request that came in on the route for signed ones.
#[derive(Clone)]
pub struct SignedRoute {
    /// Path and query as they were asked for.
    target: String,
}

/// Returns `true` if a request came in under `/v1s`.
pub fn is_signed(parts: &Parts) -> bool {
    parts.extensions.get::<SignedRoute>().is_some()
}

/// The path as it was asked for at this door.
pub fn requested_target(extensions: &Extensions) -> Option<&str> {
    let door = extensions.get::<SignedRoute>()?;
    door.target.split('?').next()
}

/// Notes under which path the operation is known at this door: the outer route knows it only as one of many.
pub fn note_operation(parts: &Parts, context: &RequestContext) {
    if let (true, Some(route)) = (is_signed(parts), parts.extensions.get::<MatchedPath>()) {
        let path = route.as_str().replacen("/v1", "/v1s", 1);
        context.operation.set(path).ok();
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
    keep::<RequestContext>(&before, &mut parts);
    keep::<Peer>(&before, &mut parts);
    parts.extensions.insert(SignedRoute { target });
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
    context: &RequestContext,
    tenant: Option<&NamedTenant>,
    body: Option<&[u8]>,
    proof: Option<ClientProof>,
) -> Result<(), Problem> {
    let Some(door) = parts.extensions.get::<SignedRoute>() else {
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
    let by_secret = matches!(proof, Some(ClientProof::Key(_, KeyKind::Secret)));
    let accepted = signatures::accept(state, tenant.into(), signed, context.id, by_secret).await?;
    context.signed_digest.set(accepted.digest).ok();
    Ok(())
}

/// The JWS of `Authorization: Bearer` (RFC 6750, section 2.1).
fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(unsigned("there is no Authorization"));
    };
    let Ok(value) = value.to_str() else {
        return Err(unsigned(
            "Authorization has characters that are not visible ASCII",
        ));
    };
    let (scheme, token) = value
        .split_once([' ', '\t'])
        .map_or((value, ""), |(scheme, token)| (scheme, token.trim()));
    if scheme.eq_ignore_ascii_case("bearer") {
        if token.is_empty() {
            return Err(unsigned("nothing follows Bearer in Authorization"));
        }
        return Ok(token);
    }
    // A first word with dots is a token without its scheme: it must not be shown.
    Err(if scheme.is_empty() || scheme.contains('.') {
        unsigned("Authorization does not begin with the word Bearer and a space")
    } else if scheme
        .trim_end_matches([':', '='])
        .eq_ignore_ascii_case("bearer")
    {
        unsigned("in Authorization a space alone follows the word Bearer")
    } else {
        unsigned("Authorization has another scheme than Bearer")
    })
}

fn unsigned(why: &str) -> Problem {
    Refusal::new(Code::InvalidSignature)
        .says(format!(
            "The signature fails the check `form`: requests to /v1s are signed, and {why}."
        ))
        .hints("-H 'Authorization: Bearer <JWS>'; the tenant's keys go into the body, or into X-Client-Id and X-Client-Secret.")
        .into()
}
