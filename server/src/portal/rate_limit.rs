//! How many pages somebody may ask for. Counted before anything is done: before the session is looked up, the form is read or
//! the one writing connection is taken. Generous, and answered with a page that says what to do.

use std::net::{IpAddr, Ipv4Addr};

use app::domain::ids::PersonId;
use app::domain::problem::Code;
use axum::extract::{Request, State};
use axum::http::Extensions;
use axum::middleware::Next;
use axum::response::Response;

use crate::http::notice;
use crate::http::request_context::Peer;
use crate::problem::Problem;
use crate::services::access::rate_limits::{Budget, RateLimitState, SourceAddress};
use crate::services::refusal::Refusal;
use crate::state::AppState;

/// The layer that counts by where a request comes from.
pub async fn count_source(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let source = source(request.extensions());
    match spend(&state, Budget::Pages(source)) {
        Ok(()) => next.run(request).await,
        Err(page) => *page,
    }
}

/// Counts a visit of somebody who is signed in.
pub fn count_person(state: &AppState, person: PersonId) -> Result<(), Box<Response>> {
    spend(state, Budget::Person(person))
}

/// Counts a form that nobody in particular sends.
pub fn count_form(state: &AppState, extensions: &Extensions) -> Result<(), Box<Response>> {
    spend(state, Budget::Forms(source(extensions)))
}

/// Returns where a request comes from.
pub fn source(extensions: &Extensions) -> SourceAddress {
    let peer = extensions.get::<Peer>();
    SourceAddress::from(peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0))
}

fn spend(state: &AppState, budget: Budget) -> Result<(), Box<Response>> {
    let RateLimitState { wait, .. } = state.rate_limits.spend_here(budget, state.clock.now());
    let Some(seconds) = wait else {
        return Ok(());
    };
    let refusal = Refusal::new(Code::TooManyRequests).after(seconds.into());
    Err(Box::new(notice::page(state, &Problem::from(refusal))))
}
