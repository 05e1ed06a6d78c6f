//! JSON from outside, through the real doors: what a library would take for more than it says kills nobody, means
//! nothing, and is told where it is wrong.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Response;
use serde_json::{Value, json};

use crate::world::people::see;
use crate::world::{Database, SKILL, World, client, on_both};

on_both!(
    texts_in_texts_kill_nobody,
    private_names_of_a_library_are_names_like_others,
    a_name_that_stands_twice_is_refused_at_every_level,
    packed_bodies_are_refused_with_what_is_taken,
);

/// Brackets in a text in a text, as deep as a library that reads such texts again would follow them on one stack.
pub fn raw_values(levels: usize, brackets: usize) -> String {
    let (open, close) = ("[".repeat(brackets), "]".repeat(brackets));
    let mut text = format!("{open}{close}");
    for _ in 0..levels {
        let escaped = text.replace('\\', "\\u005c").replace('"', "\\u0022");
        text = format!("{open}{{\"$serde_json::private::RawValue\":\"{escaped}\"}}{close}");
    }
    text
}

async fn post(world: &World, path: &str, body: impl Into<reqwest::Body>) -> Response {
    let request = client().post(world.api(path));
    let request = request.header("Content-Type", "application/json");
    request.body(body).send().await.unwrap()
}

async fn problem(answer: Response) -> (u16, Value) {
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}

async fn lives(world: &World) {
    let answer = client().get(world.api("/livez")).send().await;
    assert_eq!(answer.unwrap().status(), 200, "the server lives");
}

async fn texts_in_texts_kill_nobody(database: Database) {
    let world = World::own(database).await;
    for (levels, brackets) in [(20, 126), (40, 126), (60, 60)] {
        let raw = raw_values(levels, brackets);
        for body in [
            raw.clone(),
            format!("{{\"client_id\":{raw}}}"),
            format!("{{\"data\":{{\"a\":{raw}}}}}"),
        ] {
            let answer = post(&world, "/v1/sessions", body).await;
            assert!((400..500).contains(&answer.status().as_u16()));
        }
        lives(&world).await;
        // Parts of a signature.
        let part = URL_SAFE_NO_PAD.encode(raw_values(levels.min(12), brackets.min(60)));
        let jws = format!("{part}.{part}.AAAA");
        let keys = json!({"client_id": "x", "client_app_key": "y", "skill": SKILL});
        let request = client().post(world.api("/v1s/sessions"));
        let answer = request
            .header("Authorization", format!("Bearer {jws}"))
            .json(&keys);
        assert_eq!(answer.send().await.unwrap().status(), 401);
        lives(&world).await;
    }
    // A pasted key, and a console's step: forms of a signed-in person.
    let mut owner = world.start("owner@example.com").await;
    let raw = raw_values(25, 126);
    let forms = [
        (
            "/signing/new",
            [("issuer", "me@app.example.com"), ("material", raw.as_str())],
        ),
        (
            "/signing/new",
            [("issuer", "me@app.example.com"), ("material", "JWK")],
        ),
    ];
    for (path, mut form) in forms {
        let jwk = format!("{{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\",\"x5c\":{raw}}}");
        if form[1].1 == "JWK" {
            form[1].1 = &jwk;
        }
        let request = client().post(world.api(path)).form(&form);
        let request = request.header("Cookie", owner.cookies());
        let answer = request.header("Sec-Fetch-Site", "same-origin").send().await;
        assert!(answer.unwrap().status().as_u16() < 500);
        lives(&world).await;
    }
    let page = see(&mut owner, &world.api("/console")).await;
    let mut value = page
        .html
        .split("<option value=\"")
        .filter_map(|rest| rest.split('"').next());
    let value = value
        .find(|value| value.contains("aisp"))
        .unwrap()
        .to_owned();
    let send = async |path: &str, form: &[(&str, &str)]| {
        let request = client().post(world.api(path)).form(form);
        let request = request.header("Cookie", owner.cookies());
        request
            .header("Sec-Fetch-Site", "same-origin")
            .send()
            .await
            .unwrap()
    };
    let begun = send("/console", &[("on", &value)]).await;
    let run = begun.headers()["location"].to_str().unwrap().to_owned();
    for shape in ["json", "form"] {
        let form = [
            ("at", "1"),
            ("act", "advance"),
            ("shape", shape),
            ("data", raw.as_str()),
        ];
        assert!(send(&run, &form).await.status().as_u16() < 500);
        lives(&world).await;
    }
}

async fn private_names_of_a_library_are_names_like_others(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    for private in [
        r#"{"$serde_json::private::RawValue":"\"x\""}"#,
        r#"{"$serde_json::private::Number":"1"}"#,
        r#"{"\u0024serde_json::private::RawValue":"\"x\""}"#,
    ] {
        let body = format!(
            r#"{{"client_id":"{}","client_app_key":"{}","skill":{private}}}"#,
            keys.client_id, keys.client_app_key
        );
        let (status, answer) = problem(post(&world, "/v1/sessions", body).await).await;
        assert_eq!(
            (status, &answer["code"]),
            (400, &json!("invalid_field")),
            "{answer}"
        );
        assert_eq!(
            answer["fields"][0]["message"],
            "must be a string, not an object"
        );
    }
}

async fn a_name_that_stands_twice_is_refused_at_every_level(database: Database) {
    let world = World::shared(database).await;
    for (body, path) in [
        (r#"{"client_id":"a","client_id":"a"}"#, "client_id"),
        (r#"{"client_id":"a","\u0063lient_id":"a"}"#, "client_id"),
        (
            r#"{"data":{"psu_redirect_link":"https://evil.example","psu_redirect_link":"myapp://return"}}"#,
            "data.psu_redirect_link",
        ),
        (r#"{"data":{"a":[{"b":1},{"b":1,"b":2}]}}"#, "data.a[1].b"),
    ] {
        let (status, answer) = problem(post(&world, "/v1/sessions", body).await).await;
        assert_eq!(
            (status, &answer["code"]),
            (400, &json!("invalid_body")),
            "{answer}"
        );
        let message = answer["message"].as_str().unwrap();
        assert!(
            message.contains(&format!("`{path}` is given twice at line 1")),
            "{message}"
        );
    }
}

async fn packed_bodies_are_refused_with_what_is_taken(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let open =
        json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": SKILL});
    let send = async |path: &str, media: &str, coding: &str, body: String| {
        let request = client().post(world.api(path)).header("Content-Type", media);
        let request = request.header("Content-Encoding", coding);
        let request = request.header("Sec-Fetch-Site", "same-origin");
        request.body(body).send().await.unwrap()
    };
    let form = "multipart/form-data; boundary=xx";
    for coding in ["gzip", "GZIP", "br", "identity, gzip"] {
        for (path, media) in [
            ("/v1/sessions", "application/json"),
            (
                "/v1/steps/018f3c1e-8a44-7d2b-9d59-2b7a3f1c0a11/upload",
                form,
            ),
            ("/signin", "application/x-www-form-urlencoded"),
        ] {
            let answer = send(path, media, coding, open.to_string()).await;
            assert_eq!(answer.status(), 415, "{path} {coding}");
            assert_eq!(answer.headers()["accept-encoding"], "identity", "{path}");
        }
    }
    for coding in ["identity", "Identity", ""] {
        let answer = send("/v1/sessions", "application/json", coding, open.to_string()).await;
        assert_eq!(answer.status(), 200, "{coding}");
    }
    for media in [
        "application/json;charset=utf-8",
        "Application/JSON ; Charset=\"UTF-8\"",
        "application/json; charset=ISO-8859-1",
    ] {
        let answer = send("/v1/sessions", media, "identity", open.to_string()).await;
        assert_eq!(answer.status(), 200, "{media}");
    }
}
