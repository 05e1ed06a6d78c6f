//! What a thief finds: canaries go through every door, then everything that is on disk, in the database and in the
//! process's output is searched for them, as they are, in hexadecimal, in base64 and URL-coded.

use base64::Engine as _;
use serde_json::{Value, json};

use super::search::{Canary, Wanted, search};
use crate::telemetry::{Collector, METRICS, metrics_url, scrape};
use crate::world::people::PASSWORD;
use crate::world::{Database, Keys, SKILL, World, browser, client, on_both};

on_both!(
    a_stolen_database_opens_nothing,
    nothing_secret_reaches_a_log_or_an_answer,
    secrets_do_not_belong_in_a_url,
);

const CARD: &str = "xyz_card_sbx_#1.0";

fn text(value: &Value, key: &str) -> String {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
        .to_owned()
}

/// A whole verification of an end-user's accounts, and all that must not be found of it.
async fn accounts(world: &World, keys: &Keys, canaries: &mut Vec<Canary>) {
    let user = "canary-user-6f3d91c2a7";
    let own_state = "canary-state-0b7a4e55d1";
    let open = json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": SKILL,
                      "tenant_user_id": user, "state": own_state});
    let (status, opened) = world.post("/v1/sessions", &open).await;
    assert_eq!(status, 200, "{opened}");
    let nonce = text(&opened, "nonce");
    let mut step = World::sca(keys, &nonce);
    step["tenant_user_id"] = json!(user);
    let path = format!("/v1/sessions/{}/steps", text(&opened, "session_id"));
    let (status, taken) = world.post(&path, &step).await;
    assert_eq!(status, 200, "{taken}");
    let bank = taken["data"]["url"].as_str().unwrap();
    let end = browser::consent(bank, "student", browser::Decision::Approve).await;
    let temporary = browser::query(&end, "temp_token").unwrap();
    let exchange = json!({"client_id": keys.client_id, "client_secret": keys.client_secret,
                          "temp_token": temporary, "tenant_user_id": user});
    let answer = client()
        .post(world.api("/v1/token"))
        .header("idempotency-key", "canary-idempotency-52f0")
        .json(&exchange)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), 200);
    let pair: Value = answer.json().await.unwrap();
    let mut data = keys.data(&(text(&pair, "credentials_id"), text(&pair, "access_token")));
    data["tenant_user_id"] = json!(user);
    let accounts = world
        .post_when_ready("/v1/accounts/get", data.to_string())
        .await;
    let transactions = world
        .post_when_ready("/v1/transactions/get", data.to_string())
        .await;
    canaries.extend([
        Canary("tenant_user_id", user.into()),
        Canary("state", own_state.into()),
        Canary("nonce", nonce),
        Canary("temp_token", temporary),
        Canary("access_token", text(&pair, "access_token")),
        Canary("Idempotency-Key", "canary-idempotency-52f0".into()),
    ]);
    let schemes = accounts
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|account| account["data"]["account_schemes"].as_array().unwrap())
        .filter(|scheme| scheme["scheme_name"] == "IBAN");
    let ibans: Vec<String> = schemes.map(|it| text(it, "identification")).collect();
    assert!(!ibans.is_empty(), "{accounts}");
    canaries.extend(ibans.into_iter().map(|iban| Canary("IBAN", iban)));
    let mut infos: Vec<&str> = transactions
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|it| it["data"]["info"].as_str())
        .collect();
    infos.sort_unstable();
    infos.dedup();
    infos.retain(|info| info.len() >= 12);
    assert!(!infos.is_empty(), "{transactions}");
    let infos = infos.into_iter().take(20);
    canaries.extend(infos.map(|info| Canary("a transaction's text", info.to_owned())));
}

/// A card that is applied for, with somebody's name and a file.
async fn card(world: &World, keys: &Keys, canaries: &mut Vec<Canary>) {
    let open =
        json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": CARD});
    let (status, opened) = world.post("/v1/sessions", &open).await;
    assert_eq!(status, 200, "{opened}");
    let (session, nonce) = (text(&opened, "session_id"), text(&opened, "nonce"));
    let form = json!({"client_id": keys.client_id, "nonce": nonce, "skill": CARD, "step": "card_form",
                      "data": {"limit": "5000", "currency": "RON"}});
    let (status, taken) = world
        .post(&format!("/v1/sessions/{session}/steps"), &form)
        .await;
    assert_eq!(status, 200, "{taken}");
    let bytes = "%PDF-1.7 canary-bytes-of-an-identity-card-83c1";
    let mut form = String::new();
    for (name, value) in [
        ("client_id", &*keys.client_id),
        ("nonce", &nonce),
        ("kind", "payslip"),
    ] {
        form.push_str(&format!(
            "--canaries\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        ));
    }
    form.push_str(
        "--canaries\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\n",
    );
    form.push_str(bytes);
    form.push_str("\r\n--canaries--\r\n");
    let path = world.api(&format!("/v1/steps/{}/upload", text(&taken, "step_id")));
    let upload = client().post(path).body(form);
    let upload = upload.header("content-type", "multipart/form-data; boundary=canaries");
    let answer = upload.send().await.unwrap();
    assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    let sign = json!({"client_id": keys.client_id, "nonce": text(&taken, "nonce"), "skill": CARD, "step": "kyc",
                      "data": {"first_name": "Canarina-Zsofia", "last_name": "Canaryson-Quill",
                               "date_of_birth": "1990-05-17", "accept": true}});
    let (status, signed) = world
        .post(&format!("/v1/sessions/{session}/steps"), &sign)
        .await;
    assert_eq!(status, 200, "{signed}");
    canaries.extend([
        Canary(
            "a file's bytes",
            "canary-bytes-of-an-identity-card-83c1".into(),
        ),
        Canary("a first name", "Canarina-Zsofia".into()),
        Canary("a last name", "Canaryson-Quill".into()),
        Canary("nonce", nonce),
        Canary("nonce", text(&taken, "nonce")),
    ]);
}

async fn a_stolen_database_opens_nothing(database: Database) {
    let world = World::with(database, &[("TESSERA_LOG__FILTER", "debug")]).await;
    let (_, _owner) = world.servicer_with_owner().await;
    let keys = world.tenant_with(&[SKILL, CARD]).await;
    let rotated = world
        .operator(&["tenant", "rotate-secret", &keys.client_id])
        .await;
    let mut canaries = vec![
        Canary("client_secret", keys.client_secret.clone()),
        Canary("client_secret", text(&rotated, "client_secret")),
        Canary("client_app_key", keys.client_app_key.clone()),
        Canary("password", PASSWORD.into()),
    ];
    accounts(&world, &keys, &mut canaries).await;
    card(&world, &keys, &mut canaries).await;
    // The search finds what is there: the tenant's name is no secret.
    let there = search(&world, &[Canary("the tenant's name", "Budget app".into())]).await;
    assert!(!there.is_empty());
    let mut hits = search(&world, &canaries).await;
    // The bank knows its own books, which are in a file of its own.
    let known_to_the_bank = |hit: &String| {
        ["IBAN", "a transaction's text"]
            .iter()
            .any(|what| hit.starts_with(&format!("{what} in bank.db")))
    };
    hits.retain(|hit| !known_to_the_bank(hit));
    assert!(
        hits.is_empty(),
        "{} canaries, {} hits: {hits:#?}",
        canaries.len(),
        hits.len()
    );
    // The tenant is erased: its data key with it, so that pieces of files that wait for their session's end open no more. Neither what is left nor a backup made afterwards has any of it.
    world
        .operator(&["tenant", "erase", &keys.client_id, "--yes"])
        .await;
    let backup = world.folder().join("after.backup");
    world.operator(&["backup", backup.to_str().unwrap()]).await;
    assert!(std::fs::metadata(&backup).unwrap().len() > 10_000);
    let mut hits = search(&world, &canaries).await;
    hits.retain(|hit| !known_to_the_bank(hit));
    assert!(hits.is_empty(), "after erasure: {hits:#?}");
    let sql = world.sql().await;
    for (table, rows) in sql.everything().await {
        let about = [
            "accounts",
            "balances",
            "transactions",
            "past_changes",
            "products",
        ];
        assert!(
            !about.contains(&table.as_str()) || rows.is_empty(),
            "{table}: {}",
            rows.len()
        );
    }
}

/// Canaries in every field, header, path and query of every documented operation, and in what is no request at all.
async fn nothing_secret_reaches_a_log_or_an_answer(database: Database) {
    let collector = Collector::open().await;
    let mut world = World::with(
        database,
        &[
            ("TESSERA_LOG__FILTER", "debug"),
            METRICS,
            ("TESSERA_TELEMETRY__OTLP_ENDPOINT", &collector.url),
        ],
    )
    .await;
    let keys = world.tenant().await;
    let document: Value = client()
        .get(world.api("/v1/openapi.json"))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    let mut canaries = Vec::new();
    let mut number = 0;
    let mut canary = |what: &'static str| {
        number += 1;
        let text = format!("cnry{number:06}zqx{}", "k".repeat(8));
        canaries.push(Canary(what, text.clone()));
        text
    };
    let mut answers = String::new();
    let paths = document["paths"].as_object().unwrap();
    for (path, item) in paths {
        for (method, _) in item.as_object().unwrap() {
            let Ok(method) = method.to_uppercase().parse::<reqwest::Method>() else {
                continue;
            };
            let mut path = path.clone();
            while let Some(begin) = path.find('{') {
                let end = path[begin..].find('}').unwrap() + begin;
                path.replace_range(begin..=end, &canary("path"));
            }
            let mut body = serde_json::Map::new();
            for field in [
                "client_secret",
                "client_app_key",
                "access_token",
                "temp_token",
                "nonce",
                "tenant_user_id",
                "state",
                "code_verifier",
            ] {
                body.insert(field.into(), canary("field").into());
            }
            // Names and ids are no secrets: a log that did not tell them would be of no use.
            for field in [
                "credentials_id",
                "session_id",
                "skill",
                "step",
                "after",
                "cursor",
            ] {
                body.insert(field.into(), canary("name").into());
            }
            body.insert("client_id".into(), keys.client_id.clone().into());
            body.insert(
                "data".into(),
                json!({"iban": canary("data"), "psu_id": {"value": canary("data")}}),
            );
            body.insert("filters".into(), json!({"merchant": canary("filter")}));
            let basic = format!("{}:{}", keys.client_id, canary("Authorization"));
            let basic = base64::engine::general_purpose::STANDARD.encode(basic);
            let mut request = client()
                .request(
                    method.clone(),
                    world.api(&format!(
                        "{path}?q={}&after={}",
                        canary("query"),
                        canary("query")
                    )),
                )
                .header("authorization", format!("Basic {basic}"))
                .header("x-access-token", canary("header"))
                .header("x-credentials-id", canary("header"))
                .header("x-tenant-user-id", canary("header"))
                .header("x-anything", canary("header"))
                .header("idempotency-key", canary("header"))
                .header("cookie", format!("__Host-session={}", canary("cookie")))
                .header(
                    "referer",
                    format!("https://example.com/{}", canary("referer")),
                );
            if method != reqwest::Method::GET {
                request = request.json(&body);
            }
            let answer = request.send().await.unwrap();
            assert!(answer.status().as_u16() < 500, "{method} {path}");
            answers.push_str(&answer.text().await.unwrap());
        }
    }
    // What is no JSON, and what tries to begin a line of its own.
    for body in [
        format!("{{\"client_secret\":\"{}", canary("cut")),
        canary("no JSON"),
    ] {
        let request = client()
            .post(world.api("/v1/sessions"))
            .header("content-type", "application/json");
        answers.push_str(
            &request
                .body(body)
                .send()
                .await
                .unwrap()
                .text()
                .await
                .unwrap(),
        );
    }
    let forged = "x%0d%0a2026-01-01T00:00:00Z ERROR forged %1b[2K";
    client()
        .get(world.api(&format!("/v1/{forged}")))
        .send()
        .await
        .unwrap();
    let wanted = Wanted::new(&canaries);
    let in_answers: Vec<_> = wanted
        .found("an answer", answers.as_bytes())
        .into_iter()
        // What a caller sent as a name is told back to that caller alone, in the answer to the call.
        .filter(|hit| {
            !["path", "query", "filter", "name"]
                .iter()
                .any(|it| hit.starts_with(it))
        })
        .collect();
    assert!(in_answers.is_empty(), "{in_answers:#?}");
    let said = world.server.said();
    assert!(!said.contains('\u{1b}'), "no colours, no forged lines");
    assert!(
        said.lines()
            .all(|line| !line.starts_with("2026-01-01T00:00:00Z ERROR"))
    );
    let logged: Vec<_> = wanted
        .found("the log", said.as_bytes())
        .into_iter()
        .filter(|hit| !hit.starts_with("name in"))
        .collect();
    assert!(
        logged.is_empty(),
        "{} canaries: {logged:#?}",
        canaries.len()
    );
    // Nor do metrics and traces have any of it, not even what is a name.
    let scraped = scrape(&metrics_url(&world)).await;
    assert!(scraped.contains("tessera_http_requests_total"), "{scraped}");
    let in_metrics = wanted.found("the metrics", scraped.as_bytes());
    assert!(in_metrics.is_empty(), "{in_metrics:#?}");
    // The request log keeps the path of a call, and its names and ids, for the tenant's own eyes.
    let kept = search(&world, &canaries).await.into_iter();
    let kept: Vec<_> = kept
        .filter(|hit| !hit.starts_with("path in") && !hit.starts_with("name in"))
        .collect();
    assert!(kept.is_empty(), "{} canaries: {kept:#?}", canaries.len());
    world.stop().await;
    let spans = collector.kept();
    assert!(spans.len() > 10_000, "{}", spans.len());
    let in_spans = wanted.found("the traces", &spans);
    assert!(in_spans.is_empty(), "{in_spans:#?}");
}

async fn secrets_do_not_belong_in_a_url(database: Database) {
    let world = World::own(database).await;
    let keys = world.tenant().await;
    let secret = &keys.client_secret;
    for url in [
        format!("/v1/accounts?client_secret={secret}"),
        format!("/v1/accounts?access_token={secret}"),
        format!("/v1/accounts?anything={secret}"),
        format!("/v1/catalog/skills?q={secret}"),
        format!("/v1/sessions?temp_token={secret}"),
    ] {
        let answer = client()
            .post(world.api(&url))
            .json(&json!({}))
            .send()
            .await
            .unwrap();
        let (status, body) = (answer.status().as_u16(), answer.text().await.unwrap());
        assert_eq!(status, 400, "{url}: {body}");
        assert!(
            body.contains("URL") && !body.contains(secret.as_str()),
            "{body}"
        );
        let answer = client().get(world.api(&url)).send().await.unwrap();
        assert_eq!(answer.status(), 400, "{url}");
    }
    let said = world.server.said();
    assert!(said.contains("secret.in_url"), "{said}");
    let hits = search(&world, &[Canary("client_secret", secret.clone())]).await;
    assert!(hits.is_empty(), "{hits:#?}");
}
