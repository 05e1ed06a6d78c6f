//! What every answer says to a browser, which are made smaller, and what is said to a program that slips in the path.

use std::net::Ipv4Addr;

use app::pages::SCREENS;
use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::world::hostile::{ask, many_answers, socket};
use crate::world::{Database, SKILL, World, client, on_both};

on_both!(
    every_answer_has_its_headers,
    only_answers_without_secrets_are_compressed,
    a_slip_in_the_path_is_answered_with_what_was_meant,
    heads_and_ends_of_every_legal_kind_are_served,
);

const ID: &str = "018f3c1e-8a44-7d2b-9d59-2b7a3f1c0a11";

/// Fills the parameters of a route.
fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        "{skill}" => "xyz_ro_aisp_sbx_%231.0",
        "{kind}" => "aisp",
        part if part.starts_with('{') => ID,
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

fn check(what: &str, headers: &HeaderMap) {
    let text = |name: &str| {
        headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    };
    let policy = text("content-security-policy");
    for part in ["default-src 'none'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{what}: {policy}");
    }
    for part in ["'unsafe-inline'", " 'unsafe-eval'", "*"] {
        assert!(!policy.contains(part), "{what}: {policy}");
    }
    assert_eq!(text("x-content-type-options"), "nosniff", "{what}");
    assert_eq!(text("x-frame-options"), "DENY", "{what}");
    assert!(
        !text("referrer-policy").is_empty() && !text("cache-control").is_empty(),
        "{what}"
    );
    assert!(!text("cross-origin-resource-policy").is_empty(), "{what}");
    assert!(
        text("strict-transport-security").contains("max-age=63072000"),
        "{what}"
    );
    for name in ["server", "x-powered-by"] {
        assert!(!headers.contains_key(name), "{what}: {name}");
    }
    assert!(
        !headers.contains_key("access-control-allow-credentials"),
        "{what}"
    );
}

async fn every_answer_has_its_headers(database: Database) {
    let settings = [
        ("TESSERA_HTTP__PUBLIC_URL", "https://portal.example.com"),
        (
            "TESSERA_SANDBOX__BANK_PUBLIC_URL",
            "https://bank.example.com",
        ),
        ("TESSERA_HTTP__BODY_TIMEOUT_SECONDS", "1"),
    ];
    let world = World::with(database, &settings).await;
    let base = world.server.url.clone();
    let document: Value = reqwest::get(world.api("/v1/openapi.json"))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let mut paths: Vec<String> = document["paths"]
        .as_object()
        .unwrap()
        .keys()
        .map(|path| filled(path))
        .collect();
    paths.extend(SCREENS.iter().map(|screen| filled(screen.path)));
    let others = [
        "/v1/openapi.json",
        "/v1/postman.json",
        "/v1",
        "/v1/",
        "/v1s",
        "/v1s/token",
        "/v1/nothing",
        "//v1/sessions",
        "/V1",
        "/livez",
        "/readyz",
        "/no/such/page",
        "/robots.txt",
        "/pkg/assets.json",
        "/pkg/nothing.js",
        "/sdk/browser.js",
        "/v1/redirects/nothing",
    ];
    paths.extend(others.map(str::to_owned));
    for path in &paths {
        // A page takes its time to draw; what it does not do is refused alike everywhere.
        let methods: &[&str] = if path.starts_with("/v1") {
            &["GET", "HEAD", "POST", "PUT", "OPTIONS", "TRACE"]
        } else {
            &["GET", "POST"]
        };
        for method in methods {
            let method: Method = method.parse().unwrap();
            let answer = client()
                .request(method.clone(), format!("{base}{path}"))
                .send()
                .await
                .unwrap();
            check(
                &format!("{method} {path}: {}", answer.status()),
                answer.headers(),
            );
        }
    }
    let send = async |what: &str, status: u16, request: RequestBuilder| {
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), status, "{what}");
        check(what, answer.headers());
    };
    let sessions = || client().post(world.api("/v1/sessions"));
    let json = |request: RequestBuilder| request.header("content-type", "application/json");
    send("too large", 413, json(sessions()).body("x".repeat(300_000))).await;
    send("no JSON", 415, sessions().body("a=b")).await;
    send(
        "nothing else",
        406,
        json(sessions()).header("accept", "text/html").body("{}"),
    )
    .await;
    send(
        "large head",
        431,
        sessions().header("x-a", "b".repeat(20_000)),
    )
    .await;
    let preflight = client().request(Method::OPTIONS, world.api("/v1/sessions"));
    let preflight = preflight
        .header("origin", "https://a.example")
        .header("access-control-request-method", "POST");
    send("preflight", 204, preflight).await;
    send(
        "foreign form",
        403,
        client()
            .post(world.api("/signin"))
            .header("sec-fetch-site", "cross-site"),
    )
    .await;
}

async fn only_answers_without_secrets_are_compressed(database: Database) {
    let world = World::own(database).await;
    let keys = world.tenant().await;
    let coding = async |request: RequestBuilder, accept: &str| {
        let answer = request
            .header("accept-encoding", accept)
            .send()
            .await
            .unwrap();
        let text = |name: &str| {
            let values = answer.headers().get_all(name).iter();
            let values = values.map(|value| value.to_str().unwrap().to_lowercase());
            values.collect::<Vec<_>>().join(", ")
        };
        let (coding, vary) = (text("content-encoding"), text("vary"));
        let tag = text("etag").to_uppercase();
        (coding, vary, tag, answer.bytes().await.unwrap().len())
    };
    let get = |path: &str| client().get(world.api(path));
    for path in ["/v1/openapi.json", "/docs/session-flow", "/docs/api", "/"] {
        let (plain, vary, _, size) = coding(get(path), "identity").await;
        assert!(
            plain.is_empty() && vary.contains("accept-encoding"),
            "{path}: {plain} {vary}"
        );
        for (accept, expected) in [
            ("gzip", "gzip"),
            ("gzip, deflate, br", "br"),
            ("br;q=0, *", "gzip"),
        ] {
            let (named, vary, tag, small) = coding(get(path), accept).await;
            assert_eq!(named, expected, "{path}");
            assert!(vary.contains("accept-encoding"), "{path}: {vary}");
            assert!(tag.is_empty() || tag.starts_with("W/"), "{path}: {tag}");
            assert!(small * 2 < size, "{path}: {small} of {size}");
        }
        let (refused, ..) = coding(get(path), "identity;q=0, gzip;q=0").await;
        assert!(refused.is_empty(), "{path}: served as it is");
    }
    // Data, streamed.
    let pair = world.pair(&keys, "student").await;
    world
        .post_when_ready("/v1/transactions/get", keys.data(&pair).to_string())
        .await;
    let data = || {
        client()
            .post(world.api("/v1/transactions/get"))
            .json(&keys.data(&pair))
    };
    let (_, _, _, size) = coding(data(), "identity").await;
    let (named, vary, _, small) = coding(data(), "gzip, br").await;
    assert_eq!(named, "gzip");
    assert!(
        vary.contains("accept-encoding") && small * 3 < size,
        "{vary}: {small} of {size}"
    );
    // What holds a secret, or is shown to somebody, is not.
    let open =
        json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": SKILL});
    let long = json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": SKILL, "x": "y".repeat(3000)});
    let token = json!({"client_id": keys.client_id, "client_secret": keys.client_secret, "temp_token": world.temp_token(&keys, "student").await});
    for (path, body) in [
        ("/v1/sessions", &open),
        ("/v1/sessions", &long),
        ("/v1/token", &token),
    ] {
        let (named, ..) = coding(client().post(world.api(path)).json(body), "gzip, br").await;
        assert!(named.is_empty(), "{path}: {named}");
    }
    for path in ["/verify/nothing", "/reset/nothing"] {
        let (named, ..) = coding(get(path), "gzip, br").await;
        assert!(named.is_empty(), "{path}: {named}");
    }
    let visitor = world.start("compressed@example.com").await;
    for path in ["/overview", "/tenants", "/docs/session-flow", "/"] {
        let asked = get(path).header("accept-encoding", "gzip, br");
        let answer = asked
            .header("cookie", visitor.cookies())
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        assert!(!answer.headers().contains_key("content-encoding"), "{path}");
    }
}

async fn a_slip_in_the_path_is_answered_with_what_was_meant(database: Database) {
    let world = World::shared(database).await;
    let server = socket(&world.server.url);
    let cases = [
        ("POST //v1/sessions", "/v1/sessions"),
        ("POST /V1/Sessions", "/v1/sessions"),
        ("POST /v1/sessions/", "/v1/sessions"),
        ("POST /v1//sessions", "/v1/sessions"),
        ("GET /v1/%73essions", "/v1/sessions"),
        ("POST /%76%31/sessions", "/v1/sessions"),
        ("POST /V1s/Token", "/v1s/token"),
        ("POST /v1s/token/", "/v1s/token"),
        ("GET /v1/acounts", "/v1/accounts"),
        ("GET /v1/catalog/skills/xyz_ro_aisp_sbx_", "%23"),
        ("GET /v1/catalog/skills/xyz_ro_aisp_sbx_/", "%23"),
        ("OPTIONS *", "/v1/sessions"),
    ];
    for (line, meant) in cases {
        let text = format!(
            "{line} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{{}}"
        );
        let answer = ask(server, Ipv4Addr::LOCALHOST, &text).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{line}: {answer}");
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{line}: {body}"));
        assert_eq!(body["code"], "not_found", "{line}");
        assert!(
            body["hint"].as_str().unwrap().contains(meant),
            "{line}: {body}"
        );
    }
    // What is none of the API's stays the portal's.
    for line in ["GET /v10/sessions", "GET /docs/v1", "GET //docs"] {
        let text = format!("{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = ask(server, Ipv4Addr::LOCALHOST, &text).await;
        assert!(
            answer.starts_with("HTTP/1.1 404") && answer.contains("<html"),
            "{line}: {answer}"
        );
    }
}

async fn heads_and_ends_of_every_legal_kind_are_served(database: Database) {
    use tokio::io::AsyncWriteExt as _;
    let world = World::shared(database).await;
    let server = socket(&world.server.url);
    // A client that closes its half after the request still gets the answer.
    let mut half = crate::world::hostile::holding(
        server,
        Ipv4Addr::LOCALHOST,
        b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n",
    )
    .await;
    half.shutdown().await.unwrap();
    let (answer, _) =
        crate::world::hostile::rest(&mut half, std::time::Duration::from_secs(20)).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // Requests one behind the other are answered one behind the other.
    let mut many = many_answers("/livez", 9);
    many.extend(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    let answers = ask(
        server,
        Ipv4Addr::LOCALHOST,
        std::str::from_utf8(&many).unwrap(),
    )
    .await;
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 10, "{answers}");
    // A head of 90 lines, in whatever case and with whatever blanks; and a whole URL instead of a path.
    let lines: String = (0..90).map(|n| format!("x-H-{n}:\t v \r\n")).collect();
    for line in [
        "GET /livez HTTP/1.1",
        "GET http://elsewhere.example/livez HTTP/1.1",
    ] {
        let answer = ask(
            server,
            Ipv4Addr::LOCALHOST,
            &format!("{line}\r\nhost: x\r\n{lines}CONNECTION: Close\r\n\r\n"),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{line}: {answer}");
    }
}
