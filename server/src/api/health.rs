//! For load balancers: whether the process lives, and whether it should get calls.

use std::sync::atomic::Ordering;

use app::domain::problem::Code;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::refusals::Readiness;
use crate::problem::Problem;
use crate::state::AppState;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(livez))
        .routes(routes!(readyz))
}

/// How the server is.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: &'static str,
}

const OK: Json<Health> = Json(Health { status: "ok" });

/// Whether the process lives.
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 200, body = Health)))]
async fn livez() -> Json<Health> {
    OK
}

/// Whether calls should be sent here: the database answers and the server is not stopping.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, body = Health), Readiness))]
async fn readyz(State(state): State<AppState>) -> Result<Json<Health>, Problem> {
    if state.stopping.load(Ordering::Relaxed) || !crate::services::is_ready(&state).await {
        return Err(Problem::new(Code::ServiceUnavailable));
    }
    Ok(OK)
}
