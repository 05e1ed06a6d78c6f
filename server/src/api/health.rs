//! For load balancers: whether the process lives, and whether it should get calls.

use std::sync::atomic::Ordering;

use app::domain::problem::Code;
use axum::extract::State;
use kernel::json::Json;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::refusals::ReadinessErrors;
use crate::problem::Problem;
use crate::services::refusal::Refusal;
use crate::state::AppState;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(livez))
        .routes(routes!(readyz))
}

/// State of the server.
#[derive(Serialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: &'static str,
}

const OK: Json<Health> = Json(Health { status: "ok" });

/// Answers `ok` as long as the process runs.
#[utoipa::path(get, path = "/livez", tag = "health", responses((status = 200, body = Health)))]
async fn livez() -> Json<Health> {
    OK
}

/// Answers `ok` if calls should be sent here: the database answers, the server is not stopping, and its background
/// tasks run.
#[utoipa::path(get, path = "/readyz", tag = "health", responses((status = 200, body = Health), ReadinessErrors))]
async fn readyz(State(state): State<AppState>) -> Result<Json<Health>, Problem> {
    if state.stopping.load(Ordering::Relaxed) {
        return Err(Problem::new(Code::ServiceUnavailable));
    }
    match crate::services::background::not_ready(&state).await {
        Some(why) => Err(Refusal::new(Code::ServiceUnavailable).says(why).into()),
        None => Ok(OK),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use kernel::background::SILENCE;
    use kernel::retention::RuledDatabase;
    use tower::ServiceExt as _;

    use crate::storage::Db;
    use crate::storage::testing::{bank_beside, on_both};
    use crate::testing::state;

    on_both!(
        background_work_that_stands_still_is_named,
        a_database_of_the_bank_that_does_not_answer_is_named
    );

    async fn a_database_of_the_bank_that_does_not_answer_is_named(db: Db) {
        let bank = bank_beside(&db).await;
        let ruled = RuledDatabase {
            db: bank.kernel(),
            rules: &[],
        };
        let router = crate::api::router(&state(db).with_bank_database(ruled));
        let ask = async || {
            let request = Request::get("/readyz").body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            let status = answer.status();
            let body = axum::body::to_bytes(answer.into_body(), 1 << 16).await;
            (status, String::from_utf8(body.unwrap().to_vec()).unwrap())
        };
        assert_eq!(ask().await.0, StatusCode::OK);
        bank.close().await;
        let (status, body) = ask().await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(body.contains("sandbox bank's database"), "{body}");
    }

    async fn background_work_that_stands_still_is_named(db: Db) {
        let state = state(db);
        let router = crate::api::router(&state);
        let ask = async || {
            let request = Request::get("/readyz").body(Body::empty()).unwrap();
            let answer = router.clone().oneshot(request).await.unwrap();
            let status = answer.status();
            let body = axum::body::to_bytes(answer.into_body(), 1 << 16).await;
            (status, String::from_utf8(body.unwrap().to_vec()).unwrap())
        };
        state.heartbeats.beat("jobs: data");
        let long_ago = Instant::now().checked_sub(SILENCE + Duration::from_secs(1));
        state.heartbeats.beat_at("jobs: mail", long_ago.unwrap());
        let (status, body) = ask().await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(
            body.contains("jobs: mail") && !body.contains("jobs: data"),
            "{body}"
        );
        state.heartbeats.beat("jobs: mail");
        assert_eq!(ask().await.0, StatusCode::OK);
    }
}
