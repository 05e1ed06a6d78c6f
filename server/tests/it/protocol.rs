//! The edges of HTTP, on every path: methods, media types, heads and bodies that never end, and what a browser asks.

use std::time::Duration;

use reqwest::Method;
use reqwest::header::{ALLOW, HeaderMap};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::world::{Database, SKILL, World, client, on_both};

on_both!(
    every_path_names_the_methods_it_has,
    a_head_is_answered_like_a_get_without_its_body,
    preflights_are_answered_where_browsers_may_call,
    bodies_are_read_no_longer_than_they_may_take,
    every_error_leads_to_a_page_that_explains_it
);

/// Every path of the API with its methods, parameters filled in with ids of nothing.
async fn paths(world: &World) -> Vec<(String, Vec<String>)> {
    let document: Value = reqwest::get(world.api("/v1/openapi.json"))
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let paths = document["paths"].as_object().unwrap();
    let filled = paths.iter().map(|(path, item)| {
        let parts = path.split('/').map(|part| match part {
            "{skill}" => "xyz_ro_aisp_sbx_%231.0",
            "{kind}" => "aisp",
            part if part.starts_with('{') => "018f3c1e-8a44-7d2b-9d59-2b7a3f1c0a11",
            part => part,
        });
        let methods = item.as_object().unwrap().keys();
        (
            parts.collect::<Vec<_>>().join("/"),
            methods.map(|method| method.to_uppercase()).collect(),
        )
    });
    let mut all: Vec<_> = filled.collect();
    all.push(("/v1/openapi.json".to_owned(), vec!["GET".to_owned()]));
    all.push(("/v1/postman.json".to_owned(), vec!["GET".to_owned()]));
    all
}

async fn ask(world: &World, method: &str, path: &str) -> (u16, HeaderMap, String) {
    let method: Method = method.parse().unwrap();
    let request = client().request(method, world.api(path));
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    (status, headers, answer.text().await.unwrap())
}

async fn every_path_names_the_methods_it_has(database: Database) {
    let world = World::shared(database).await;
    for (path, methods) in paths(&world).await {
        let mut has = methods.clone();
        if has.iter().any(|method| method == "GET") {
            has.push("HEAD".to_owned());
        }
        has.sort();
        for method in [
            "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW",
        ] {
            if has.iter().any(|known| known == method) {
                continue;
            }
            let (status, headers, body) = ask(&world, method, &path).await;
            assert_eq!(status, 405, "{method} {path}: {body}");
            // Whoever comes to a return is a person.
            let said = if path.starts_with("/v1/redirects/") {
                "<h1>This address leads nowhere</h1>"
            } else {
                "\"method_not_allowed\""
            };
            assert!(body.contains(said), "{method} {path}: {body}");
            let allow = headers[ALLOW].to_str().unwrap();
            let mut allowed: Vec<&str> = allow.split(',').map(str::trim).collect();
            allowed.sort_unstable();
            assert_eq!(allowed, has, "{method} {path}");
        }
    }
    let (status, _, body) = ask(&world, "DELETE", "/v1/nothing/here").await;
    assert_eq!(status, 404, "a path that is none has no methods: {body}");
    assert!(body.contains("\"not_found\""), "{body}");
}

async fn a_head_is_answered_like_a_get_without_its_body(database: Database) {
    let world = World::shared(database).await;
    for (path, methods) in paths(&world).await {
        // A look at a return consumes nothing, so it cannot tell what the return itself will.
        let is_return = path.starts_with("/v1/redirects/");
        if is_return || !methods.iter().any(|method| method == "GET") {
            continue;
        }
        let (get, head) = (
            ask(&world, "GET", &path).await,
            ask(&world, "HEAD", &path).await,
        );
        assert_eq!(get.0, head.0, "{path}");
        for name in [
            "content-type",
            "cache-control",
            "etag",
            "x-content-type-options",
        ] {
            assert_eq!(get.1.get(name), head.1.get(name), "{path}: {name}");
        }
        assert!(head.2.is_empty() && !get.2.is_empty(), "{path}");
    }
}

async fn preflights_are_answered_where_browsers_may_call(database: Database) {
    let world = World::shared(database).await;
    for (path, methods) in paths(&world).await {
        let open = ["/v1/sessions", "/v1/steps", "/v1/catalog"]
            .iter()
            .any(|prefix| path.starts_with(prefix));
        let answer = client()
            .request(Method::OPTIONS, world.api(&path))
            .header("Origin", "https://any.example")
            .header("Access-Control-Request-Method", &methods[0])
            .send()
            .await
            .unwrap();
        let headers = answer.headers();
        assert_eq!(answer.status() == 204, open, "{path}: {}", answer.status());
        assert_eq!(
            headers.contains_key("access-control-allow-origin"),
            open,
            "{path}"
        );
        assert!(
            !headers.contains_key("access-control-allow-credentials"),
            "{path}"
        );
    }
    // The real request's origin must be registered; an error carries the headers, too, or no browser could show it.
    let keys = world.tenant().await;
    let open =
        json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": SKILL});
    for (origin, status) in [
        ("https://app.example.com", 200),
        ("https://any.example", 403),
    ] {
        let request = client().post(world.api("/v1/sessions"));
        let answer = request
            .header("Origin", origin)
            .header("X-Request-Id", "mine-7")
            .json(&open);
        let answer = answer.send().await.unwrap();
        assert_eq!(answer.status(), status, "{origin}");
        let headers = answer.headers();
        assert!(headers.contains_key("access-control-allow-origin"));
        assert!(!headers.contains_key("access-control-allow-credentials"));
        assert_eq!(headers["x-client-request-id"], "mine-7");
        assert!(uuid::Uuid::parse_str(headers["x-request-id"].to_str().unwrap()).is_ok());
        assert_eq!(headers["cache-control"], "no-store");
    }
}

/// Sends the beginning of a request and reads the first answer, however long it takes.
async fn begin(world: &World, text: &str) -> String {
    let address = world.server.url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    // An answer of ours is whole once its JSON is; "100 Continue" comes alone.
    while let Ok(Ok(n @ 1..)) =
        tokio::time::timeout(Duration::from_secs(25), stream.read(&mut buffer)).await
    {
        read.extend_from_slice(&buffer[..n]);
        let text = String::from_utf8_lossy(&read);
        if text.ends_with('}') || text == "HTTP/1.1 100 Continue\r\n\r\n" {
            break;
        }
    }
    String::from_utf8(read).unwrap()
}

async fn bodies_are_read_no_longer_than_they_may_take(database: Database) {
    let world = World::shared(database).await;
    let head = "POST /v1/sessions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let endless = format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n{{\"a\":\r\n");
    let short = format!("{head}Content-Length: 100\r\n\r\n{{\"a\":");
    let chunk = format!("10000\r\n{}\r\n", " ".repeat(0x10000));
    let many = format!(
        "{head}Transfer-Encoding: chunked\r\n\r\n{}",
        chunk.repeat(5)
    );
    let polite = format!("{head}Expect: 100-continue\r\nContent-Length: 20\r\n\r\n");
    let polite_large = format!("{head}Expect: 100-continue\r\nContent-Length: 999999\r\n\r\n");
    let smuggled =
        format!("{head}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    let (endless, short, many, polite, polite_large, smuggled) = tokio::join!(
        begin(&world, &endless),
        begin(&world, &short),
        begin(&world, &many),
        begin(&world, &polite),
        begin(&world, &polite_large),
        begin(&world, &smuggled),
    );
    for answer in [&endless, &short] {
        assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
        assert!(answer.contains("\"request_timeout\""), "{answer}");
    }
    assert!(many.starts_with("HTTP/1.1 413"), "{many}");
    assert_eq!(
        polite, "HTTP/1.1 100 Continue\r\n\r\n",
        "the body is wanted"
    );
    assert!(
        polite_large.starts_with("HTTP/1.1 413"),
        "this one is not: {polite_large}"
    );
    assert!(
        smuggled.starts_with("HTTP/1.1 400"),
        "two lengths are none: {smuggled}"
    );
}

async fn every_error_leads_to_a_page_that_explains_it(database: Database) {
    let world = World::shared(database).await;
    let (status, answer) = world.post("/v1/sessions", &json!({})).await;
    assert_eq!(status, 400);
    let docs = answer["docs"].as_str().unwrap();
    let base = docs.strip_suffix("missing_fields").unwrap();
    for code in app::domain::problem::Code::ALL {
        let answer = reqwest::get(format!("{base}{code}")).await.unwrap();
        assert_eq!(answer.status(), 200, "{code}");
        let html = answer.text().await.unwrap();
        for part in ["Cause", "Fix", "Caused by", "Retry?"] {
            assert!(html.contains(part), "{code}: {part}");
        }
        // What stands between backticks is shown as code.
        let fix = code.entry().fix.replace('`', "");
        assert!(words(&html).contains(&fix), "{code}: {fix}");
    }
}

/// The text of a page, without its tags.
fn words(html: &str) -> String {
    let pieces = html.split('<').map(|piece| match piece.split_once('>') {
        Some((_, text)) => text,
        None => piece,
    });
    let text: String = pieces.collect();
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#x27;", "'")
        .replace("&amp;", "&")
}
