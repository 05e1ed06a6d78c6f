//! Requests that were meant for the API and written so that they are routed elsewhere, or sent to an address beside it. A program that slips is answered
//! by the API, in JSON and with what it meant; not with a page of the portal's.

use app::domain::problem::Code;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tower::ServiceExt as _;

use super::{accept, paths, signed};
use crate::problem::Problem;
use crate::services::refusal::Refusal;

/// A path of the API that is surely none of its operations.
const NOTHING: &str = "/v1/";

/// The path as it was asked for.
#[derive(Clone)]
pub struct RequestedPath(String);

/// The layer around the portal that hands such requests to the API.
pub async fn to_the_api(State(api): State<Router>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let asked = RequestedPath(path.to_owned());
    if !paths::is_slip(path) && !sends_json(&request) {
        if !accept::wants_json_alone(request.headers()) {
            return next.run(request).await;
        }
        // A page is no answer to a program; where there is none, it looked for the API.
        let (parts, body) = request.into_parts();
        let mut again = Request::new(Body::empty());
        again.headers_mut().clone_from(&parts.headers);
        again.extensions_mut().clone_from(&parts.extensions);
        let answer = next.run(Request::from_parts(parts, body)).await;
        if answer.status() != StatusCode::NOT_FOUND || is_json(answer.headers()) {
            return answer;
        }
        request = again;
    }
    request.extensions_mut().insert(asked);
    *request.uri_mut() = Uri::from_static(NOTHING);
    match api.oneshot(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    }
}

/// Tells whether a request brings JSON, which no page takes.
fn sends_json(request: &Request) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD) && is_json(request.headers())
}

fn is_json(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE);
    let media = media.and_then(|value| value.to_str().ok()?.split(';').next());
    media.is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

/// The answer to a path of the API that is none, with what was meant.
pub fn not_found(request: &Request, templates: &[String]) -> Response {
    let asked = request.extensions().get::<RequestedPath>();
    let path = asked
        .map(|asked| asked.0.as_str())
        .or_else(|| signed::requested_target(request.extensions()))
        .unwrap_or_else(|| request.uri().path());
    let refusal = Refusal::new(Code::NotFound);
    let refusal = match paths::advice(path, templates) {
        Some(advice) => refusal.hints(advice),
        None => refusal,
    };
    Problem::from(refusal).into_response()
}
