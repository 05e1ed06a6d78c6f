//! The portal's door: mounts every screen of `app::pages`, turns the session cookie into an `Actor`, a submitted form
//! into fields, and a screen's answer into a response.
//!
//! From the outside in: security headers, one log line a request, panics, the session cookie, cross-site requests,
//! then the screen.

mod actor;
mod csrf;
mod dispatch;
pub(crate) mod fields;
mod files;
mod log;
mod rate_limit;
mod request_head;
mod store;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use app::pages::{SCREENS, Site};
use app::portal::Portal;
use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::get;
use futures_util::FutureExt as _;
use tower_sessions::cookie::SameSite;
use tower_sessions::{Expiry, Session, SessionManagerLayer};

use crate::http::compress;
use crate::http::security_headers::{self, Policy};
use crate::state::AppState;
use dispatch::PortalContext;
use store::Store;

/// Every screen and file of the portal. `openapi` is the served document, for the reference.
pub fn router(
    state: &AppState,
    portal: Arc<dyn Portal>,
    openapi: Arc<serde_json::Value>,
) -> Router {
    let folder = files::folder(&state.config);
    let site = Site {
        brand: state.config.portal.brand.clone(),
        support: Some(state.config.portal.support.clone()).filter(|support| !support.is_empty()),
        public_url: state.public_url.to_string(),
        security_contact: state.config.portal.security_contact.clone(),
        assets: files::assets(&folder),
        openapi,
    };
    let door = PortalContext {
        state: state.clone(),
        portal,
        site: Arc::new(site),
    };
    let mut screens = Router::new();
    for screen in SCREENS {
        let open = move |State(door): State<PortalContext>, session: Session, request: Request| async move {
            door.open(screen, session, request).await
        };
        let mut methods = get(open);
        if screen.takes_forms {
            methods = methods.post(open);
        }
        screens = screens.route(screen.path, methods);
    }
    let nothing_here = |State(door): State<PortalContext>, session: Session, request: Request| async move {
        door.nothing_here(session, request).await
    };
    let not_so = |State(door): State<PortalContext>, session: Session, request: Request| async move {
        door.not_so(session, request).await
    };
    let pages = screens
        .fallback(nothing_here)
        .method_not_allowed_fallback(not_so)
        .layer(middleware::from_fn_with_state(door.clone(), csrf::guard))
        .layer(cookie(state))
        .layer(middleware::from_fn_with_state(door.clone(), survive))
        .layer(middleware::from_fn_with_state(
            state.clone(),
            rate_limit::count_source,
        ))
        .with_state(door);
    let policy = Policy::portal(state);
    files::router(&folder, pages)
        .layer(middleware::from_fn_with_state(state.clone(), log::line))
        .layer(middleware::from_fn_with_state(
            policy,
            security_headers::set,
        ))
        .layer(middleware::from_fn(compress::answers))
}

/// A screen that panics takes nobody else with it, and its visitor gets a page all the same.
async fn survive(State(door): State<PortalContext>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let asked = parts.clone();
    // What a panic may have left half-changed is dropped with the visit: a transaction is undone, and nothing else is
    // shared but what locks itself.
    let answer = AssertUnwindSafe(next.run(Request::from_parts(parts, body)));
    answer
        .catch_unwind()
        .await
        .unwrap_or_else(|_| door.panicked(&asked))
}

/// The session cookie: gone with the browser, and for this host alone. The server ends sessions itself, so the cookie
/// carries no date.
fn cookie(state: &AppState) -> SessionManagerLayer<Store> {
    let https = state.public_url.starts_with("https:");
    SessionManagerLayer::new(Store::new(state.clone()))
        .with_name(if https { "__Host-tessera" } else { "tessera" })
        .with_secure(https)
        .with_http_only(true)
        .with_same_site(SameSite::Lax)
        .with_expiry(Expiry::OnSessionEnd)
}

#[cfg(test)]
mod tests;
