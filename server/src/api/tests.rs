//! The API's own router, called in the process.

mod catalog;
mod full_disk;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::storage::Db;
use crate::storage::testing::on_both;
use crate::testing::World;

on_both!(readiness_follows_the_server);

async fn send(router: &Router, request: Request<Body>) -> (u16, HeaderMap, Value) {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 22).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    (parts.status.as_u16(), parts.headers, body)
}

async fn get(router: &Router, path: &str) -> (u16, HeaderMap, Value) {
    send(router, Request::get(path).body(Body::empty()).unwrap()).await
}

async fn readiness_follows_the_server(db: Db) {
    let world = World::new(db.clone()).await;
    let router = super::router(&world.state);
    assert_eq!(get(&router, "/livez").await.0, 200);
    assert_eq!(get(&router, "/readyz").await.0, 200);
    world
        .state
        .stopping
        .store(true, std::sync::atomic::Ordering::Relaxed);
    let (status, headers, body) = get(&router, "/readyz").await;
    assert_eq!(
        (status, &body["code"]),
        (503, &json!("service_unavailable"))
    );
    assert!(headers.contains_key("retry-after"));
    assert_eq!(get(&router, "/livez").await.0, 200);
    world
        .state
        .stopping
        .store(false, std::sync::atomic::Ordering::Relaxed);
    db.close().await;
    assert_eq!(get(&router, "/readyz").await.0, 503);
    assert_eq!(get(&router, "/livez").await.0, 200);
}

#[tokio::test]
async fn what_is_not_there_is_said_in_json() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(crate::storage::testing::sqlite(&folder).await).await;
    let router = super::router(&world.state);
    for path in ["/v1", "/v1/", "/v1/nothing", "/v1/sessions/x/nothing"] {
        let (status, headers, body) = get(&router, path).await;
        assert_eq!(
            (status, &body["code"]),
            (404, &json!("not_found")),
            "{path}"
        );
        assert!(
            headers.contains_key("x-request-id") && headers.contains_key("ratelimit"),
            "{path}"
        );
    }
    let delete = Request::delete("/v1/catalog/skills")
        .body(Body::empty())
        .unwrap();
    let (status, headers, body) = send(&router, delete).await;
    assert_eq!((status, &body["code"]), (405, &json!("method_not_allowed")));
    assert_eq!(headers[header::ALLOW], "GET,HEAD");
}

#[tokio::test]
async fn the_openapi_describes_closed_requests() {
    let document = super::openapi("http://127.0.0.1:3000");
    assert_eq!(document["openapi"], "3.1.0");
    let schema = &document["components"]["schemas"]["CatalogQuery"];
    assert_eq!(schema["additionalProperties"], false);
    assert!(
        schema["properties"]["client_id"].is_object() && schema["properties"]["type"].is_object()
    );
}
