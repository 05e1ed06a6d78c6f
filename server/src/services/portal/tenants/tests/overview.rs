//! The numbers of a day: this servicer's, of the last 24 hours, and no others.

use app::domain::ids::{RequestId, TenantId};

use super::*;
use crate::services::sessions::{self, NewSession};
use crate::storage::request_log::RequestLogRow;
use crate::storage::testing::on_both;

on_both!(a_day_is_counted_and_then_over);

/// Keeps a call for each pair of a status and a latency in milliseconds.
async fn call(world: &World, tenant: TenantId, calls: &[(i64, i64)]) {
    let clock = &world.state.clock;
    let row = |(status, millis): &(i64, i64)| RequestLogRow {
        id: RequestId(clock.id()),
        at: clock.now(),
        tenant_id: Some(tenant),
        session_id: None,
        key_id: None,
        source: "api".into(),
        method: "POST".into(),
        path: "/v1/sessions".into(),
        operation: "/v1/sessions".into(),
        status: *status,
        error_code: None,
        latency_us: millis * 1000,
        user_agent: String::new(),
        ip: "192.0.2.1".into(),
        client_request_id: None,
        request_body: String::new(),
        response_body: String::new(),
    };
    let rows: Vec<RequestLogRow> = calls.iter().map(row).collect();
    let mut tx = world.state.db.write().await.unwrap();
    tx.add_requests(&rows).await.unwrap();
    tx.commit().await.unwrap();
}

async fn open_session(world: &World) {
    let new = NewSession {
        skill: kept_skill().to_string(),
        tenant_user_id: None,
        code_challenge: None,
        state: None,
    };
    let opened = sessions::create(&world.state, &world.client, new).await;
    opened.unwrap();
}

async fn a_day_is_counted_and_then_over(db: Db) {
    let world = World::new(db).await;
    let neighbour = world.beside().await;
    let clock = &world.state.clock;
    call(&world, world.client.tenant(), &[(200, 7_000), (500, 7_000)]).await;
    open_session(&world).await;
    clock.advance(Duration::hours(25));

    let quick: Vec<(i64, i64)> = (1..=96).map(|millis| (200, millis)).collect();
    call(&world, world.client.tenant(), &quick).await;
    call(
        &world,
        world.client.tenant(),
        &[(400, 100), (500, 200), (429, 300), (401, 400)],
    )
    .await;
    call(&neighbour, neighbour.client.tenant(), &[(500, 9_000)]).await;
    open_session(&world).await;
    open_session(&world).await;
    open_session(&neighbour).await;

    let day = world.services.overview(&world.owner).await.unwrap();
    assert_eq!((day.requests_24h, day.errors_24h), (100, 4));
    assert_eq!(day.p95_ms, Some(96), "95 of 100 were quicker");
    assert_eq!(
        (day.sessions_started_24h, day.sessions_completed_24h),
        (2, 0)
    );
    let list = world.services.tenants(&world.owner, "").await.unwrap();
    assert_eq!((list[0].requests_24h, list[0].errors_24h), (100, 4));

    clock.advance(Duration::hours(25));
    let day = world.services.overview(&world.owner).await.unwrap();
    assert_eq!((day.requests_24h, day.p95_ms), (0, None));
    assert_eq!(day.sessions_started_24h, 0);
}
