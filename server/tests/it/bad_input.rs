//! Input of every wrong kind: the catalogue's error each time, never a 500, and nothing changed.

use reqwest::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use serde_json::{Value, json};

use crate::world::{Database, Keys, SKILL, World, on_both};

on_both!(
    a_wrong_body_names_what_is_wrong,
    a_wrong_key_is_told_from_nothing,
    a_foreign_id_is_an_unknown_id,
    broken_bodies_are_refused,
    headers_and_methods_are_answered_properly
);

/// The first four operations of the flow, each with a body that would be right.
async fn operations(world: &World, keys: &Keys) -> Vec<(String, Value)> {
    let (session, nonce) = world.session(keys).await;
    let pair = world.pair(keys, "student").await;
    let mut exchange = json!({"client_id": keys.client_id, "client_secret": keys.client_secret});
    exchange["temp_token"] = json!("x".repeat(43));
    vec![
        (
            "/v1/sessions".into(),
            json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": SKILL}),
        ),
        (
            format!("/v1/sessions/{session}/steps"),
            World::sca(keys, &nonce),
        ),
        ("/v1/token".into(), exchange),
        ("/v1/accounts/get".into(), keys.data(&pair)),
        ("/v1/transactions/get".into(), keys.data(&pair)),
        ("/v1/consents/get".into(), keys.data(&pair)),
    ]
}

fn assert_problem(context: &str, (status, answer): &(u16, Value), http: u16, code: &str) {
    assert_eq!(
        (*status, answer["code"].as_str()),
        (http, Some(code)),
        "{context}: {answer}"
    );
    for key in ["id", "type", "http", "code", "message", "docs"] {
        assert!(!answer[key].is_null(), "{context}: no {key} in {answer}");
    }
    assert_eq!(answer["http"], json!(http), "{context}");
}

async fn a_wrong_body_names_what_is_wrong(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    for (path, right) in operations(&world, &keys).await {
        for field in right.as_object().unwrap().keys() {
            let mut body = right.clone();
            body.as_object_mut().unwrap().remove(field);
            let answer = world.post(&path, &body).await;
            assert_problem(
                &format!("{path} without {field}"),
                &answer,
                400,
                "missing_fields",
            );
            assert!(
                answer.1.to_string().contains(field.as_str()),
                "{path}: {field} is named: {}",
                answer.1
            );

            for wrong in [
                json!(5),
                json!(null),
                json!(["x"]),
                json!({"a": 1}),
                json!(true),
            ] {
                // An object is the right type for a step's data.
                if field == "data" && wrong.is_object() {
                    continue;
                }
                body[field] = wrong.clone();
                let answer = world.post(&path, &body).await;
                assert_eq!(answer.0, 400, "{path} with {field} = {wrong}: {}", answer.1);
                assert!(
                    answer.1.to_string().contains(field.as_str()),
                    "{path}: {field} is named: {}",
                    answer.1
                );
            }
        }
        let mut body = right.clone();
        body["surprise"] = json!(1);
        let answer = world.post(&path, &body).await;
        assert_problem(
            &format!("{path} with an unknown field"),
            &answer,
            400,
            "unknown_fields",
        );
        assert!(answer.1.to_string().contains("surprise"));
    }
    // The step was refused each time without effect: its nonce still works.
    let (session, nonce) = world.session(&keys).await;
    let path = format!("/v1/sessions/{session}/steps");
    let mut body = World::sca(&keys, &nonce);
    for data in [
        json!({}),
        json!({"psu_redirect_link": 5}),
        json!({"psu_redirect_link": "https://elsewhere.example/"}),
        json!({"x": 1}),
    ] {
        body["data"] = data;
        let (status, answer) = world.post(&path, &body).await;
        assert_eq!(status, 400, "{answer}");
    }
    let (status, answer) = world.post(&path, &World::sca(&keys, &nonce)).await;
    assert_eq!(
        status, 200,
        "a refused submission leaves the nonce as it was: {answer}"
    );
}

async fn a_wrong_key_is_told_from_nothing(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let other = world.tenant().await;
    let open =
        |id: &str, key: &str| json!({"client_id": id, "client_app_key": key, "skill": SKILL});
    let wrong = [
        open(&keys.client_id, "nonsense"),
        open(&keys.client_id, &other.client_app_key),
        open(&keys.client_id, &keys.client_secret),
        open("nonsense", &keys.client_app_key),
        open(&uuid::Uuid::nil().to_string(), &keys.client_app_key),
        open(&other.client_id, &keys.client_app_key),
    ];
    for body in wrong {
        let answer = world.post("/v1/sessions", &body).await;
        assert_problem(&body.to_string(), &answer, 401, "invalid_api_keys");
    }
    let (_, hinted) = world
        .post("/v1/sessions", &open(&keys.client_id, &keys.client_secret))
        .await;
    assert!(
        hinted["hint"]
            .as_str()
            .unwrap_or_default()
            .contains("client_secret"),
        "a key of the wrong kind is named: {hinted}"
    );
    let narrow = world.tenant_with(&["xyz_aisp_sbx_#1.0"]).await;
    let unlisted = open(&narrow.client_id, &narrow.client_app_key);
    let answer = world.post("/v1/sessions", &unlisted).await;
    assert_problem(
        "a skill off the whitelist",
        &answer,
        401,
        "unauthorized_tenant",
    );
    let mut unknown = open(&keys.client_id, &keys.client_app_key);
    unknown["skill"] = json!("abc_ro_aisp_#1.0");
    let answer = world.post("/v1/sessions", &unknown).await;
    assert_problem(
        "a skill nobody published",
        &answer,
        400,
        "invalid_skill_name",
    );
    let nonsense = json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": "nonsense"});
    let answer = world.post("/v1/sessions", &nonsense).await;
    assert_problem("no skill name at all", &answer, 400, "invalid_skill_name");
}

async fn a_foreign_id_is_an_unknown_id(database: Database) {
    let world = World::shared(database).await;
    let (ours, theirs) = (world.tenant().await, world.tenant().await);
    let pair = world.pair(&theirs, "student").await;
    let foreign = world.post("/v1/accounts/get", &ours.data(&pair)).await;
    let unknown = world
        .post(
            "/v1/accounts/get",
            &ours.data(&(uuid::Uuid::nil().to_string(), pair.1.clone())),
        )
        .await;
    let wrong = world
        .post(
            "/v1/accounts/get",
            &theirs.data(&(pair.0.clone(), "x".repeat(43))),
        )
        .await;
    assert_eq!((foreign.0, unknown.0, wrong.0), (401, 401, 401));
    let without_id = |mut answer: Value| {
        answer.as_object_mut().unwrap().remove("id");
        answer
    };
    assert_eq!(
        without_id(foreign.1),
        without_id(unknown.1),
        "a foreign consent looks like a missing one"
    );

    let (session, nonce) = world.session(&theirs).await;
    let mut step = World::sca(&ours, &nonce);
    let foreign = world
        .post(&format!("/v1/sessions/{session}/steps"), &step)
        .await;
    let unknown = world
        .post(&format!("/v1/sessions/{}/steps", uuid::Uuid::nil()), &step)
        .await;
    assert_eq!(foreign.0, unknown.0);
    assert_eq!(without_id(foreign.1), without_id(unknown.1));
    step["client_id"] = json!(theirs.client_id);
    let (status, answer) = world
        .post(&format!("/v1/sessions/{session}/steps"), &step)
        .await;
    assert_eq!(status, 200, "and its owner's nonce still works: {answer}");
}

async fn broken_bodies_are_refused(database: Database) {
    let world = World::shared(database).await;
    let send = async |body: Vec<u8>| {
        let client = reqwest::Client::new();
        let answer = client
            .post(world.api("/v1/sessions"))
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .send()
            .await
            .unwrap();
        (
            answer.status().as_u16(),
            answer.json::<Value>().await.unwrap(),
        )
    };
    for body in [
        "",
        "{",
        "[]",
        "null",
        "\"text\"",
        "{\"a\":}",
        "{} trailing",
        "{\"client_id\": 1e999999}",
        "{\"a\":1,\"a\":2}",
    ] {
        let answer = send(body.as_bytes().to_vec()).await;
        assert_eq!(answer.0, 400, "{body}: {}", answer.1);
        assert!(!answer.1["code"].is_null(), "{body}");
    }
    assert_problem(
        "not UTF-8",
        &send(vec![b'{', b'"', 0xff, 0xfe, b'"', b':', b'1', b'}']).await,
        400,
        "invalid_body",
    );
    let nested = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let answer = send(nested.into_bytes()).await;
    assert_eq!(answer.0, 413, "{}", answer.1);
    let answer =
        send(format!("{{\"client_id\":\"{}\"}}", "x".repeat(300 * 1024)).into_bytes()).await;
    assert_eq!(answer.0, 413, "{}", answer.1);
}

async fn headers_and_methods_are_answered_properly(database: Database) {
    let world = World::shared(database).await;
    let client = reqwest::Client::new();
    let url = world.api("/v1/sessions");
    let answer = client
        .post(&url)
        .body("{}")
        .header(CONTENT_TYPE, "text/plain")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 415);
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["code"], "invalid_headers");
    assert!(
        answer["hint"]
            .as_str()
            .unwrap()
            .contains("Content-Type: application/json"),
        "{answer}"
    );

    let answer = client
        .post(&url)
        .json(&json!({}))
        .header(ACCEPT, "text/html")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 406);
    let answer = client.put(&url).json(&json!({})).send().await.unwrap();
    assert_eq!(answer.status(), 405);
    assert!(answer.headers()[ALLOW].to_str().unwrap().contains("POST"));
    let answer = client
        .get(world.api("/v1/nothing/here"))
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 404);
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "not_found");

    let answer = client
        .post(&url)
        .json(&json!({}))
        .header("X-Request-Id", "mine-7")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.headers()["x-client-request-id"], "mine-7");
    assert!(uuid::Uuid::parse_str(answer.headers()["x-request-id"].to_str().unwrap()).is_ok());
    assert_eq!(answer.headers()["cache-control"], "no-store");

    // A browser's preflight is answered to any origin; the real request's origin must be registered.
    let preflight = client
        .request(reqwest::Method::OPTIONS, &url)
        .header("Origin", "https://any.example");
    let preflight = preflight
        .header("Access-Control-Request-Method", "POST")
        .send()
        .await
        .unwrap();
    assert!(preflight.status().is_success());
    let keys = world.tenant().await;
    let open =
        json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": SKILL});
    for (origin, status) in [
        ("https://app.example.com", 200),
        ("https://any.example", 403),
    ] {
        let answer = client
            .post(&url)
            .header("Origin", origin)
            .json(&open)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), status, "{origin}");
        assert!(
            answer.headers().contains_key("access-control-allow-origin"),
            "errors carry the headers too"
        );
        assert!(
            !answer
                .headers()
                .contains_key("access-control-allow-credentials")
        );
    }
}
