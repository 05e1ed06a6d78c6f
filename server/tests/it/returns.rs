//! The bank's return at its door: what only looks at it, what loads it twice, and whom it tells what.

use reqwest::Method;
use serde_json::{Value, json};

use crate::world::browser::{Decision, consent_at_bank, query};
use crate::world::{Database, Keys, World, client, on_both};

on_both!(
    what_only_looks_at_a_return_consumes_nothing,
    a_return_loaded_twice_harms_no_earlier_token,
    a_return_answers_a_page_whatever_accept_says,
    a_consent_swap_comes_to_nothing,
    an_answer_lost_in_a_power_cut_is_given_again
);

/// Takes a user through consent; answers the session, its used nonce, and the bank's return, unopened.
async fn agreed(world: &World, keys: &Keys) -> (String, String, String) {
    let (session, nonce) = world.session(keys).await;
    let mut sca = World::sca(keys, &nonce);
    sca["data"]["psu_redirect_link"] = json!("https://app.example.com/return");
    let path = format!("/v1/sessions/{session}/steps");
    let (status, step) = world.post(&path, &sca).await;
    assert_eq!(status, 200, "{step}");
    let url = step["data"]["url"].as_str().unwrap();
    let back = consent_at_bank(url, "student", Decision::Approve).await;
    assert!(back.contains("/v1/redirects/aisp?"), "{back}");
    (session, nonce, back)
}

/// Opens a return; answers its status and where it leads.
async fn open(
    world: &World,
    method: Method,
    back: &str,
    header: Option<(&str, &str)>,
) -> (u16, Option<String>) {
    // Links carry the configured address, which in tests is not where the server is.
    let path = back.splitn(4, '/').nth(3).unwrap();
    let mut request = client().request(method, world.api(&format!("/{path}")));
    if let Some((name, value)) = header {
        request = request.header(name, value);
    }
    let answer = request.send().await.unwrap();
    let to = answer.headers().get("location");
    let to = to.map(|to| to.to_str().unwrap().to_owned());
    (answer.status().as_u16(), to)
}

async fn exchange(world: &World, keys: &Keys, token: &str) -> (u16, Value) {
    let body = json!({"client_id": keys.client_id, "client_secret": keys.client_secret, "temp_token": token});
    world.post("/v1/token", &body).await
}

async fn what_only_looks_at_a_return_consumes_nothing(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let (_, _, back) = agreed(&world, &keys).await;
    for _ in 0..10 {
        assert_eq!(open(&world, Method::HEAD, &back, None).await, (200, None));
    }
    for header in [
        ("Sec-Purpose", "prefetch"),
        ("Sec-Purpose", "prefetch;prerender"),
        ("Purpose", "prefetch"),
        ("Purpose", "preview"),
        ("X-Moz", "prefetch"),
    ] {
        let looked = open(&world, Method::GET, &back, Some(header)).await;
        assert_eq!(looked, (425, None), "{header:?}");
    }
    let (status, link) = open(&world, Method::GET, &back, None).await;
    let link = link.unwrap();
    assert_eq!(status, 303, "{link}");
    open(&world, Method::HEAD, &back, None).await;
    let token = query(&link, "temp_token").unwrap();
    let (status, pair) = exchange(&world, &keys, &token).await;
    assert_eq!(status, 200, "{pair}");
}

async fn a_return_loaded_twice_harms_no_earlier_token(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let (session, _, back) = agreed(&world, &keys).await;
    let mut links = Vec::new();
    for _ in 0..2 {
        links.push(open(&world, Method::GET, &back, None).await.1.unwrap());
    }
    let token = |at: usize| query(&links[at], "temp_token").unwrap();
    let (status, pair) = exchange(&world, &keys, &token(0)).await;
    assert_eq!(status, 200, "{pair}");
    let (status, refused) = exchange(&world, &keys, &token(1)).await;
    assert_eq!((status, &refused["code"]), (410, &json!("temp_token_used")));
    let read = json!({
        "client_id": keys.client_id, "client_secret": keys.client_secret,
        "credentials_id": pair["credentials_id"], "access_token": pair["access_token"],
    });
    assert_eq!(world.post("/v1/accounts/get", &read).await.0, 200);
    // Once more, agreed or refused: it is over, and well.
    let refusal = format!(
        "{}?state={}&error=access_denied",
        back.split('?').next().unwrap(),
        query(&back, "state").unwrap()
    );
    for again in [&back, &refusal] {
        let link = open(&world, Method::GET, again, None).await.1.unwrap();
        assert_eq!(
            query(&link, "error_code").as_deref(),
            Some("already_completed")
        );
        assert_eq!(query(&link, "error"), None, "{link}");
        assert_eq!(query(&link, "temp_token"), None, "{link}");
        assert_eq!(query(&link, "session_id").as_deref(), Some(&*session));
    }
}

async fn a_return_answers_a_page_whatever_accept_says(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let (_, _, back) = agreed(&world, &keys).await;
    for accept in ["text/html", "image/avif", "application/json;q=0", "x"] {
        for path in [
            "/v1/redirects/aisp?state=nonsense&code=x",
            "/v1/redirects/no",
        ] {
            let request = client().get(world.api(path)).header("Accept", accept);
            let answer = request.send().await.unwrap();
            let status = answer.status().as_u16();
            assert!(matches!(status, 400 | 404), "{accept} {path}: {status}");
            let kind = answer.headers()["content-type"].to_str().unwrap();
            assert!(kind.starts_with("text/html"), "{accept} {path}: {kind}");
        }
    }
    let (status, link) = open(&world, Method::GET, &back, Some(("Accept", "text/html"))).await;
    assert_eq!(status, 303);
    assert!(query(&link.unwrap(), "temp_token").is_some());
}

async fn a_consent_swap_comes_to_nothing(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    // Somebody opens a session with the app's own keys, and another person agrees at the bank.
    let (session, nonce, back) = agreed(&world, &keys).await;
    let path = format!("/v1/sessions/{session}/get");
    let ask =
        json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "nonce": nonce});
    let bare = async || {
        let (status, answer) = world.post(&path, &ask).await;
        assert_eq!(status, 200, "{answer}");
        for hidden in ["temp_token", "nonce", "next_step", "step_id", "data"] {
            assert!(answer.get(hidden).is_none(), "{hidden} in {answer}");
        }
        answer["status"].clone()
    };
    assert_eq!(bare().await, "SESSION_IN_PROGRESS");
    let link = open(&world, Method::GET, &back, None).await.1.unwrap();
    assert_eq!(bare().await, "SESSION_COMPLETED");
    // They know the address that the bank leads back to, and no more.
    let lie = format!(
        "{}?state={}&error=x",
        back.split('?').next().unwrap(),
        query(&back, "state").unwrap()
    );
    let told = open(&world, Method::GET, &lie, None).await.1.unwrap();
    assert_eq!(query(&told, "temp_token"), None, "{told}");
    // The tenant's server is told, and the browser that was at the bank.
    let server = json!({"client_id": keys.client_id, "client_secret": keys.client_secret});
    let (_, answer) = world.post(&path, &server).await;
    assert_eq!(
        answer["temp_token"].as_str(),
        query(&link, "temp_token").as_deref()
    );
}

async fn an_answer_lost_in_a_power_cut_is_given_again(database: Database) {
    let mut world = World::own(database).await;
    let keys = world.tenant().await;
    let token = world.temp_token(&keys, "student").await;
    let body = json!({"client_id": keys.client_id, "client_secret": keys.client_secret, "temp_token": token});
    // Whoever is told to come back, because the server is only just up, does.
    let send = async |url: String| {
        loop {
            let request = client().post(&url).json(&body);
            let answer = request
                .header("Idempotency-Key", "one")
                .send()
                .await
                .unwrap();
            if answer.status() != 503 {
                return answer;
            }
            let wait = answer.headers()["retry-after"].to_str().unwrap();
            tokio::time::sleep(std::time::Duration::from_secs(wait.parse().unwrap())).await;
        }
    };
    let first = send(world.api("/v1/token")).await;
    assert_eq!(first.status(), 200);
    // The head came, and the body was lost with the server.
    world.kill_and_restart().await;
    drop(first);
    let again = send(world.api("/v1/token")).await;
    assert_eq!(again.status(), 200);
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(again.headers()["cache-control"], "no-store");
    let pair: Value = again.json().await.unwrap();
    // The other name of the operation is the same operation.
    let alias = send(world.api("/v1/tokens")).await;
    assert_eq!(alias.json::<Value>().await.unwrap(), pair);
    let read = json!({
        "client_id": keys.client_id, "client_secret": keys.client_secret,
        "credentials_id": pair["credentials_id"], "access_token": pair["access_token"],
    });
    // The fetch that the server was killed in is taken up again when its lease of a minute has ended: now.
    let sql = world.sql().await;
    let past = sql.seconds_from_now(-1);
    sql.run(&format!(
        "UPDATE consents SET fetch_until = {past} WHERE fetch_until > {past}"
    ))
    .await;
    let accounts = world
        .post_when_ready("/v1/accounts/get", read.to_string())
        .await;
    assert!(accounts.as_array().is_some_and(|list| !list.is_empty()));
}
