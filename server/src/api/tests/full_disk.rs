//! A full disk is an outage of writes alone, and ends with the fullness.

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::storage::testing::sqlite;
use crate::testing::World;

async fn ask(router: &axum::Router, path: &str, body: &Value) -> (u16, Option<String>, Value) {
    let request = Request::post(path)
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from(body.to_string()))
        .unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    let status = answer.status().as_u16();
    let wait = answer.headers().get(header::RETRY_AFTER);
    let wait = wait.map(|value| value.to_str().unwrap().to_owned());
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await;
    (
        status,
        wait,
        serde_json::from_slice(&bytes.unwrap()).unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_writes_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(sqlite(&folder).await).await;
    let router = crate::api::router(&world.state);
    let open = json!({"client_id": world.client.tenant(), "client_app_key": world.client.app_key, "skill": "xyz_ro_aisp_sbx_#1.0"});
    let (status, _, session) = ask(&router, "/v1/sessions", &open).await;
    assert_eq!(status, 200, "{session}");

    world.state.db.fill_disk(true).await;
    let mut acknowledged = vec![session["session_id"].as_str().unwrap().to_owned()];
    let refused = loop {
        let (status, wait, answer) = ask(&router, "/v1/sessions", &open).await;
        if status != 200 {
            break (status, wait, answer);
        }
        // There is room left in pages that are there already.
        acknowledged.push(answer["session_id"].as_str().unwrap().to_owned());
        assert!(acknowledged.len() < 5_000, "the disk is never full");
    };
    assert_eq!(refused.0, 503, "{}", refused.2);
    assert!(refused.1.is_some(), "says when to come back");
    assert_eq!(refused.2["code"], "service_unavailable");

    // Writes are refused as long as it lasts, but for those that find room in a page that is there; and reads go on.
    let proof = json!({"client_id": world.client.tenant(), "client_secret": world.client.secret});
    let mut refused = 0;
    while refused < 5 {
        // The connection that met the full disk was replaced; the disk is as full for the new one.
        world.state.db.fill_disk(true).await;
        let (status, wait, answer) = ask(&router, "/v1/sessions", &open).await;
        match (status, wait) {
            (200, _) => acknowledged.push(answer["session_id"].as_str().unwrap().to_owned()),
            (503, Some(_)) => refused += 1,
            other => panic!("{other:?}: {answer}"),
        }
        let (status, _, answer) = ask(&router, "/v1/consents/list", &proof).await;
        assert_eq!(status, 200, "{answer}");
        let ready = Request::get("/readyz").body(Body::empty()).unwrap();
        assert_eq!(router.clone().oneshot(ready).await.unwrap().status(), 200);
    }

    world.state.db.fill_disk(false).await;
    let (status, _, answer) = ask(&router, "/v1/sessions", &open).await;
    assert_eq!(status, 200, "it goes on without a restart: {answer}");
    for session in &acknowledged {
        let (status, _, answer) =
            ask(&router, &format!("/v1/sessions/{session}/get"), &proof).await;
        assert_eq!(status, 200, "it was acknowledged: {answer}");
    }
}
