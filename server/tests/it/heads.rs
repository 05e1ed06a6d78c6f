//! Heads of requests in the spellings that programs send: headers twice, hosts, codings, what is accepted, fields in the
//! wrong place, and paths beside the API's.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::world::hostile::{ask, socket};
use crate::world::{Database, SKILL, World, client, on_both};

on_both!(
    two_values_of_one_credential_are_refused,
    json_is_accepted_in_every_spelling_and_by_the_most_specific_range,
    a_host_and_a_coding_are_what_http_says,
    fields_in_the_wrong_place_are_refused,
    a_program_beside_the_api_is_answered_in_json,
);

async fn said(request: RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or_default())
}

async fn two_values_of_one_credential_are_refused(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let pair = world.pair(&keys, "family").await;
    let get = || {
        client()
            .get(world.api("/v1/accounts"))
            .basic_auth(&keys.client_id, Some(&keys.client_secret))
            .header("X-Credentials-Id", &pair.0)
            .header("X-Access-Token", &pair.1)
    };
    for (name, value) in [
        ("X-Access-Token", "another"),
        ("X-Credentials-Id", "another"),
        ("Authorization", "Basic bm9ib2R5Om5vdGhpbmc="),
    ] {
        let (status, body) = said(get().header(name, value)).await;
        assert_eq!(
            (status, &body["fields"][0]["path"]),
            (400, &json!(name)),
            "{body}"
        );
    }
    for (name, value) in [("X-Client-Id", "another"), ("X-Client-Secret", "another")] {
        let (status, body) = said(get().header(name, value)).await;
        assert_eq!(
            (status, &body["fields"][0]["path"]),
            (400, &json!(name)),
            "{body}"
        );
    }
    let same = get()
        .header("X-Access-Token", &pair.1)
        .header("X-Client-Id", &keys.client_id);
    assert_eq!(said(same).await.0, 200, "the same twice says one thing");
    let users = get()
        .header("X-Tenant-User-Id", "ana")
        .header("X-Tenant-User-Id", "ion");
    assert_eq!(said(users).await.0, 400);
    let both = client()
        .get(world.api("/v1/accounts?tenant_user_id=ana"))
        .header("X-Tenant-User-Id", "ion");
    let (status, body) = said(both).await;
    assert_eq!(
        (status, &body["fields"][0]["path"]),
        (400, &json!("tenant_user_id"))
    );
    let retried = client()
        .post(world.api("/v1/token"))
        .header("Idempotency-Key", "a")
        .header("Idempotency-Key", "b")
        .json(&json!({}));
    assert_eq!(said(retried).await.1["code"], "invalid_field");
}

async fn json_is_accepted_in_every_spelling_and_by_the_most_specific_range(database: Database) {
    let world = World::shared(database).await;
    let get = async |accept: &str| {
        let request = client().get(world.api("/v1/catalog/skills"));
        said(request.header("accept", accept)).await.0
    };
    for taken in [
        "APPLICATION/JSON",
        "*",
        "application/json; charset=utf-8",
        "*/*;q=0, application/json",
    ] {
        assert_eq!(get(taken).await, 200, "{taken}");
    }
    for refused in [
        "application/json;q=0, */*",
        "application/*;q=0, */*;q=1",
        "application/json; Q=0.0, */*",
    ] {
        assert_eq!(get(refused).await, 406, "{refused}");
    }
}

async fn a_host_and_a_coding_are_what_http_says(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let server = socket(&world.api("/"));
    let open =
        json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": SKILL})
            .to_string();
    let length = format!("Content-Length: {}\r\n", open.len());
    let chunks = format!("{:x}\r\n{open}\r\n0\r\n\r\n", open.len());
    let status = async |version: &str, lines: &str, body: &str| {
        let head = format!(
            "POST /v1/sessions HTTP/{version}\r\nContent-Type: application/json\r\nConnection: close\r\n"
        );
        let answer = ask(
            server,
            std::net::Ipv4Addr::LOCALHOST,
            &format!("{head}{lines}\r\n{body}"),
        )
        .await;
        assert!(answer.contains("x-request-id: "), "{lines}: {answer}");
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    for (hosts, expected) in [
        ("Host: 127.0.0.1\r\n", "200"),
        ("host: [::1]:3000\r\n", "200"),
        ("Host: another.example\r\n", "200"),
        ("", "400"),
        ("Host: a\r\nHost: b\r\n", "400"),
        ("Host: a\r\nHost: a\r\n", "400"),
        ("Host:\r\n", "400"),
        ("Host: a b\r\n", "400"),
        ("Host: u@a\r\n", "400"),
        ("Host: a/b\r\n", "400"),
    ] {
        let lines = format!("{hosts}{length}");
        assert_eq!(status("1.1", &lines, &open).await, expected, "{hosts:?}");
    }
    assert_eq!(status("1.0", &length, &open).await, "200", "it had no Host");
    for (coding, expected) in [
        ("chunked", "200"),
        ("Chunked", "200"),
        ("gzip, chunked", "415"),
        ("deflate, chunked", "415"),
        ("chunked, chunked", "415"),
        ("chunked\r\nTransfer-Encoding: chunked", "415"),
    ] {
        let lines = format!("Host: x\r\nTransfer-Encoding: {coding}\r\n");
        assert_eq!(status("1.1", &lines, &chunks).await, expected, "{coding}");
    }
}

async fn fields_in_the_wrong_place_are_refused(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let pair = world.pair(&keys, "family").await;
    let data = keys.data(&pair);
    for path in [
        "/v1/transactions/get?limit=5",
        "/v1/transactions/get?currency=RON",
        "/v1/transactions/get?x=1&booking_date_gte=2026-01-01",
        "/v1/consents/delete?pcd_data_retention=0",
        "/v1/sessions?skill=a",
    ] {
        let (status, body) = said(client().post(world.api(path)).json(&data)).await;
        assert_eq!(
            (status, body["code"].as_str()),
            (400, Some("unknown_fields")),
            "{path}: {body}"
        );
    }
    let consent = format!("/v1/consents/{}", pair.0);
    for (method, path) in [
        (Method::GET, "/v1/transactions"),
        (Method::GET, "/v1/catalog/skills"),
        (Method::DELETE, consent.as_str()),
    ] {
        let request = client().request(method.clone(), world.api(path));
        let request = request
            .basic_auth(&keys.client_id, Some(&keys.client_secret))
            .header("X-Credentials-Id", &pair.0)
            .header("X-Access-Token", &pair.1)
            .json(&json!({"pcd_data_retention": 60, "limit": 5}));
        let (status, body) = said(request).await;
        assert_eq!(
            (status, body["code"].as_str()),
            (400, Some("invalid_body")),
            "{method} {path}"
        );
    }
    for path in ["/v1/accounts/get", "/v1/accounts/get?_=1730000000"] {
        let (status, _) = world.post(path, &data).await;
        assert_eq!(
            status, 200,
            "nothing was ended, and {path} asks for no more"
        );
    }
    let empty = client()
        .get(world.api("/v1/catalog/skills"))
        .json(&json!({}));
    assert_eq!(said(empty).await.0, 200, "an object without a field");
    let mark = |bytes: Vec<u8>| {
        client()
            .post(world.api("/v1/sessions"))
            .header("content-type", "application/json")
            .body(bytes)
    };
    let wide: Vec<u8> = "{\"skill\":1}"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for (bytes, word) in [
        (wide, "UTF-16"),
        (b"\xef\xbb\xbf{}".to_vec(), "byte order mark"),
    ] {
        let (status, body) = said(mark(bytes)).await;
        assert_eq!(status, 400);
        assert!(body["message"].as_str().unwrap().contains(word), "{body}");
        assert!(body["hint"].as_str().unwrap().contains("UTF-8"), "{body}");
    }
}

async fn a_program_beside_the_api_is_answered_in_json(database: Database) {
    let world = World::shared(database).await;
    for path in [
        "/sessions",
        "/api/v1/sessions",
        "/v2/sessions",
        "/v1.0/sessions",
        "/V1/sessions;v=1",
        "/v1/sessions.json",
        "/v1/x/%2e%2e/sessions",
        "//v1\\sessions",
    ] {
        let answer = ask(
            socket(&world.api("/")),
            std::net::Ipv4Addr::LOCALHOST,
            &format!(
                "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{{}}"
            ),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{path}: {answer}");
        assert!(answer.contains("you mean /v1/sessions"), "{path}: {answer}");
    }
    let get = |path: &str, accept: &str| {
        let request = client().get(world.api(path));
        request.header("accept", accept.to_owned())
    };
    let (status, body) = said(get("/accounts", "application/json")).await;
    assert_eq!((status, body["code"].as_str()), (404, Some("not_found")));
    assert!(body["hint"].as_str().unwrap().contains("/v1/accounts"));
    let page = get("/accounts", "text/html,*/*;q=0.8")
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 404);
    assert!(page.text().await.unwrap().starts_with("<!DOCTYPE html>"));
}
