//! The API's own router, knocked at in the process.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::services::testing::World;
use crate::storage::Db;
use crate::storage::testing::on_both;

on_both!(
    the_catalog_tells_what_there_is,
    readiness_follows_the_server
);

async fn send(router: &Router, request: Request<Body>) -> (u16, HeaderMap, Value) {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 22).await.unwrap();
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    (parts.status.as_u16(), parts.headers, body)
}

async fn get(router: &Router, path: &str) -> (u16, HeaderMap, Value) {
    send(router, Request::get(path).body(Body::empty()).unwrap()).await
}

async fn the_catalog_tells_what_there_is(db: Db) {
    let world = World::new(db).await;
    let router = super::router(world.state());
    let (status, headers, page) = get(&router, "/v1/catalog/skills").await;
    assert_eq!((status, page["has_more"].as_bool()), (200, Some(false)));
    assert_eq!(page["items"][0]["skill"], "xyz_aisp_sbx_#1.0");
    assert_eq!(page["items"][0].get("whitelisted"), None);
    assert_eq!(headers["cache-control"], "private, no-cache");
    assert_eq!(headers["access-control-allow-origin"], "*");
    let again = Request::get("/v1/catalog/skills").header("if-none-match", &headers["etag"]);
    let (status, _, body) = send(&router, again.body(Body::empty()).unwrap()).await;
    assert_eq!((status, body), (304, Value::Null));

    let (_, _, first) = get(&router, "/v1/catalog/skills?limit=1").await;
    let next = format!(
        "/v1/catalog/skills?limit=1&after={}",
        first["next_cursor"].as_str().unwrap()
    );
    let (_, _, second) = get(&router, &next).await;
    assert_eq!(second["items"][0]["skill"], "xyz_card_sbx_#1.0");
    let all_skills = world.state().skills.all().count();
    for (query, found) in [
        ("type=account_information", 2),
        ("country=de", 0),
        ("flavour=production", 0),
        ("servicer=xyz", all_skills),
        ("type=payment_initiation", 1),
        ("type=marketplace", 2),
        ("q=RO_aisp", 1),
    ] {
        let (_, _, page) = get(&router, &format!("/v1/catalog/skills?{query}")).await;
        assert_eq!(page["items"].as_array().unwrap().len(), found, "{query}");
    }
    for wrong in ["limit=0", "limit=501", "after=!", "kind=x"] {
        assert_eq!(
            get(&router, &format!("/v1/catalog/skills?{wrong}")).await.0,
            400,
            "{wrong}"
        );
    }

    let (status, _, skill) = get(&router, "/v1/catalog/skills/xyz_ro_aisp_sbx_%231.0").await;
    assert_eq!(
        (status, &skill["step_details"][0]["step"]),
        (200, &json!("sca"))
    );
    assert!(skill["step_details"][0]["schema"]["properties"].is_object());
    let (status, _, error) = get(&router, "/v1/catalog/skills/abc_%231.0").await;
    assert_eq!((status, &error["code"]), (404, &json!("not_found")));

    let body = json!({ "client_id": world.tenant, "client_secret": world.client_secret });
    let post = Request::post("/v1/catalogs/get").header(header::CONTENT_TYPE, "application/json");
    let (_, _, all) = send(&router, post.body(Body::from(body.to_string())).unwrap()).await;
    assert_eq!(
        (all.as_array().unwrap().len(), &all[0]["whitelisted"]),
        (all_skills, &json!(true))
    );
    let half = json!({ "client_id": world.tenant });
    let post = Request::post("/v1/catalogs/get").header(header::CONTENT_TYPE, "application/json");
    assert_eq!(
        send(&router, post.body(Body::from(half.to_string())).unwrap())
            .await
            .0,
        400
    );
    assert_eq!(
        get(&router, "/v1/catalog/servicers").await.2["items"],
        json!([{ "code": "xyz", "name": "XYZ Bank" }])
    );
}

async fn readiness_follows_the_server(db: Db) {
    let world = World::new(db.clone()).await;
    let router = super::router(world.state());
    assert_eq!(get(&router, "/livez").await.0, 200);
    assert_eq!(get(&router, "/readyz").await.0, 200);
    world
        .state()
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
        .state()
        .stopping
        .store(false, std::sync::atomic::Ordering::Relaxed);
    db.close().await;
    assert_eq!(get(&router, "/readyz").await.0, 503);
    assert_eq!(get(&router, "/livez").await.0, 200);
}

#[tokio::test]
async fn what_is_not_there_is_said_in_json() {
    let folder = crate::storage::testing::TempFolder::new();
    let world = World::new(crate::storage::testing::sqlite(&folder).await).await;
    let router = super::router(world.state());
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
    let document = super::openapi();
    assert_eq!(document["openapi"], "3.1.0");
    let schema = &document["components"]["schemas"]["CatalogQuery"];
    assert_eq!(schema["additionalProperties"], false);
    assert!(
        schema["properties"]["client_id"].is_object() && schema["properties"]["type"].is_object()
    );
}
