//! Requests that were meant for the API and written so that they are routed elsewhere. A program that slips is answered
//! by the API, in JSON and with what it meant; not with a page of the portal's.

use app::domain::problem::Code;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::Uri;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use tower::ServiceExt as _;

use super::{paths, signed};
use crate::problem::Problem;
use crate::services::refusal::Refusal;

/// A path of the API that is surely none of its operations.
const NOTHING: &str = "/v1/";

/// The path as it was asked for.
#[derive(Clone)]
pub struct Asked(String);

/// The layer around the portal that hands such requests to the API.
pub async fn to_the_api(State(api): State<Router>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if !paths::is_slip(path) {
        return next.run(request).await;
    }
    let asked = Asked(path.to_owned());
    request.extensions_mut().insert(asked);
    *request.uri_mut() = Uri::from_static(NOTHING);
    match api.oneshot(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    }
}

/// The answer to a path of the API that is none, with what was meant.
pub fn not_found(request: &Request, templates: &[String]) -> Response {
    let asked = request.extensions().get::<Asked>();
    let path = asked
        .map(|asked| asked.0.as_str())
        .or_else(|| signed::asked(request.extensions()))
        .unwrap_or_else(|| request.uri().path());
    let refusal = Refusal::new(Code::NotFound);
    let refusal = match paths::advice(path, templates) {
        Some(advice) => refusal.hints(advice),
        None => refusal,
    };
    Problem::from(refusal).into_response()
}
