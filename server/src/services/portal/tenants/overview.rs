//! How a servicer's tenants are doing: from real events, never from a box somebody ticked.

use app::domain::person::Permission;
use app::portal::Actor;
use app::portal::tenants::{Overview, TenantSummary};
use chrono::Duration;

use crate::services::refusal::ServiceError;
use crate::state::AppState;

/// The tenant list.
pub async fn list(
    state: &AppState,
    actor: &Actor,
    query: &str,
) -> Result<Vec<TenantSummary>, ServiceError> {
    let servicer = actor.may(Permission::ReadTenants)?.servicer;
    let since = state.clock.now() - Duration::hours(24);
    let rows = state
        .db
        .read()
        .await?
        .tenants(servicer, query, since)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| TenantSummary {
            id: row.tenant.id,
            name: row.tenant.name,
            environment: row.tenant.environment,
            status: row.tenant.status,
            skills: row.skills,
            requests_24h: row.requests_24h,
            errors_24h: row.errors_24h,
            last_request_at: row.last_request_at,
            created_at: row.tenant.created_at,
        })
        .collect())
}

/// The way to the first data, and the last day in numbers.
pub async fn overview(state: &AppState, actor: &Actor) -> Result<Overview, ServiceError> {
    let servicer = actor.may(Permission::ReadTenants)?.servicer;
    let mut tx = state.db.read().await?;
    let start = tx.servicer_start(servicer).await?;
    let day = tx
        .servicer_day(servicer, state.clock.now() - Duration::hours(24))
        .await?;
    let p95_ms = tx
        .servicer_p95(
            servicer,
            state.clock.now() - Duration::hours(24),
            day.requests,
        )
        .await?;
    Ok(Overview {
        first_tenant: start.first_tenant,
        tenants: start.tenants,
        secret_saved: start.secret_seen,
        first_success_at: start.first_success_at,
        first_exchange_at: start.first_exchange_at,
        first_data_at: start.first_data_at,
        requests_24h: day.requests,
        errors_24h: day.errors,
        p95_ms: p95_ms.map(|micros| micros.div_euclid(1000)),
        sessions_started_24h: day.sessions_started,
        sessions_completed_24h: day.sessions_completed,
    })
}
