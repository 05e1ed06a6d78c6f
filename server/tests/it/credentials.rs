//! Credentials that a call carries beside those it needs: whoever sends one has it checked.

use serde_json::{Value, json};

use crate::world::browser::{self, Decision};
use crate::world::{Database, Keys, SKILL, World, client, on_both};

on_both!(
    a_pair_that_comes_along_is_checked,
    half_a_pair_is_a_mistake,
    a_renewals_exchange_is_repeated_with_the_old_pair,
    a_call_by_id_says_what_it_lacks,
    an_end_user_named_along_is_the_sessions,
    consents_of_one_end_user_are_listed,
    deleting_a_consent_is_done_once_for_each_key,
    bare_arrays_are_cut_at_limit_and_after,
    servicers_come_page_by_page,
    who_must_sign_opens_no_session_with_a_bare_secret,
);

/// The body of a call with the secret and these fields.
fn with(keys: &Keys, fields: Value) -> Value {
    let mut body = json!({"client_id": keys.client_id, "client_secret": keys.client_secret});
    let all = body.as_object_mut().unwrap();
    all.extend(fields.as_object().unwrap().clone());
    body
}

/// A call without a body, with the secret in HTTP Basic and these headers.
async fn rest(world: &World, keys: &Keys, call: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    let (method, path) = call.split_once(' ').unwrap();
    let mut request = client()
        .request(method.parse().unwrap(), world.api(path))
        .basic_auth(&keys.client_id, Some(&keys.client_secret));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn code(answer: &(u16, Value)) -> String {
    let code = answer.1["code"].as_str().filter(|_| answer.0 != 200);
    format!("{} {}", answer.0, code.unwrap_or("ok"))
}

async fn a_pair_that_comes_along_is_checked(database: Database) {
    let world = World::shared(database).await;
    let (keys, others) = (world.tenant().await, world.tenant().await);
    let mine = world.pair(&keys, "family").await;
    let foreign = world.pair(&others, "family").await;
    let token = world.temp_token(&keys, "family").await;
    let pairs = [
        (mine.0.as_str(), mine.1.as_str(), "200 ok"),
        (&foreign.0, &foreign.1, "401 invalid_credentials_id"),
        (&mine.0, &foreign.1, "401 invalid_access_token"),
        ("nothing", &mine.1, "401 invalid_credentials_id"),
    ];
    for (id, access, expected) in pairs {
        let sent = json!({"credentials_id": id, "access_token": access});
        let listed = world
            .post("/v1/consents/list", &with(&keys, sent.clone()))
            .await;
        assert_eq!(code(&listed), expected, "{}", listed.1);
        let headers = [("X-Credentials-Id", id), ("X-Access-Token", access)];
        let listed = rest(&world, &keys, "GET /v1/consents", &headers).await;
        assert_eq!(code(&listed), expected, "{}", listed.1);
        if expected != "200 ok" {
            let mut exchange = with(&keys, sent);
            exchange["temp_token"] = json!(token);
            let exchanged = world.post("/v1/token", &exchange).await;
            assert_eq!(code(&exchanged), expected, "{}", exchanged.1);
        }
    }
    // The token was not touched by any of them.
    let exchange = with(
        &keys,
        json!({"temp_token": token, "credentials_id": mine.0, "access_token": mine.1}),
    );
    assert_eq!(code(&world.post("/v1/token", &exchange).await), "200 ok");
}

async fn a_renewals_exchange_is_repeated_with_the_old_pair(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let old = world.pair(&keys, "family").await;
    let (status, opened) = world.post("/v1/consents/extend", &keys.data(&old)).await;
    assert_eq!(status, 200, "{opened}");
    let path = format!(
        "/v1/sessions/{}/steps",
        opened["session_id"].as_str().unwrap()
    );
    let step = World::sca(&keys, opened["nonce"].as_str().unwrap());
    let (status, step) = world.post(&path, &step).await;
    assert_eq!(status, 200, "{step}");
    let bank = step["data"]["url"].as_str().unwrap();
    let end = browser::consent(bank, "family", Decision::Approve).await;
    let mut exchange = keys.data(&old);
    exchange["temp_token"] = json!(browser::query(&end, "temp_token").unwrap());
    let mut answers = Vec::new();
    for _ in 0..2 {
        let request = client().post(world.api("/v1/token")).json(&exchange);
        let answer = request
            .header("Idempotency-Key", "renewal")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
        answers.push(answer.json::<Value>().await.unwrap());
    }
    // The first ended the old token, which its own repeat still carries.
    assert_eq!(answers[0], answers[1]);
    assert_ne!(answers[0]["access_token"], json!(old.1));
}

async fn half_a_pair_is_a_mistake(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let pair = world.pair(&keys, "family").await;
    let token = world.temp_token(&keys, "family").await;
    for (sent, header, value, lacking) in [
        (
            "credentials_id",
            "X-Credentials-Id",
            &pair.0,
            "access_token",
        ),
        ("access_token", "X-Access-Token", &pair.1, "credentials_id"),
    ] {
        for path in ["/v1/consents/list", "/v1/token"] {
            let mut body = with(&keys, json!({sent: value}));
            if path == "/v1/token" {
                body["temp_token"] = json!(token);
            }
            let answer = world.post(path, &body).await;
            assert_eq!(code(&answer), "400 missing_fields", "{}", answer.1);
            assert_eq!(answer.1["fields"][0]["path"], lacking);
        }
        let answer = rest(&world, &keys, "GET /v1/consents", &[(header, value)]).await;
        assert_eq!(code(&answer), "401 invalid_access_token", "{}", answer.1);
        assert_eq!(answer.1["fields"][0]["path"], lacking);
    }
}

async fn a_call_by_id_says_what_it_lacks(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let pair = world.pair(&keys, "family").await;
    let other = world.pair(&keys, "family").await;
    for method in ["GET", "DELETE"] {
        let call = format!("{method} /v1/consents/{}", pair.0);
        let bare = rest(&world, &keys, &call, &[]).await;
        assert_eq!(code(&bare), "401 invalid_access_token", "{}", bare.1);
        assert!(bare.1["message"].as_str().unwrap().contains("access_token"));
        // The header and the path name two consents: which one is meant?
        let headers = [
            ("X-Credentials-Id", other.0.as_str()),
            ("X-Access-Token", &pair.1),
        ];
        let torn = rest(&world, &keys, &call, &headers).await;
        assert_eq!(code(&torn), "400 invalid_field", "{}", torn.1);
        assert_eq!(torn.1["fields"][0]["path"], "credentials_id");
    }
    let alive = world.post("/v1/consents/get", &keys.data(&pair)).await;
    assert_eq!(alive.1["result"]["status"], "ACTIVE", "{}", alive.1);
}

async fn an_end_user_named_along_is_the_sessions(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let open = with(&keys, json!({"skill": SKILL, "tenant_user_id": "user-1"}));
    let (status, opened) = world.post("/v1/sessions", &open).await;
    assert_eq!(status, 200, "{opened}");
    let path = |act: &str| {
        format!(
            "/v1/sessions/{}/{act}",
            opened["session_id"].as_str().unwrap()
        )
    };
    for act in ["get", "cancel"] {
        let wrong = with(&keys, json!({"tenant_user_id": "user-2"}));
        let answer = world.post(&path(act), &wrong).await;
        assert_eq!(code(&answer), "401 invalid_tenant_user_id", "{}", answer.1);
    }
    for (act, status) in [("get", "SESSION_CREATED"), ("cancel", "SESSION_CANCELLED")] {
        let right = with(&keys, json!({"tenant_user_id": "user-1"}));
        let answer = world.post(&path(act), &right).await;
        assert_eq!(answer.1["status"], status, "{}", answer.1);
    }
}

async fn consents_of_one_end_user_are_listed(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let anonymous = world.pair(&keys, "family").await.0;
    let mut named = Vec::new();
    for user in ["user-1", "user-2", "user-1"] {
        named.push((user, world.pair_for(&keys, "family", user).await.0));
    }
    let ids = |answer: &Value| -> Vec<String> {
        let items = answer["items"].as_array().unwrap().iter();
        items
            .map(|item| item["credentials_id"].as_str().unwrap().to_owned())
            .collect()
    };
    for user in ["user-1", "user-2", "nobody"] {
        let mut expected: Vec<String> = named
            .iter()
            .filter(|(of, _)| *of == user)
            .map(|(_, id)| id.clone())
            .collect();
        expected.reverse();
        let body = with(&keys, json!({"tenant_user_id": user}));
        assert_eq!(
            ids(&world.post("/v1/consents/list", &body).await.1),
            expected
        );
        let headers = [("X-Tenant-User-Id", user)];
        let listed = rest(&world, &keys, "GET /v1/consents", &headers).await;
        assert_eq!(ids(&listed.1), expected, "{user}");
    }
    let all = ids(&world
        .post("/v1/consents/list", &with(&keys, json!({})))
        .await
        .1);
    assert_eq!(all.len(), 4);
    assert!(all.contains(&anonymous));
}

async fn deleting_a_consent_is_done_once_for_each_key(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let pair = world.pair(&keys, "family").await;
    let delete = async |key: &str, minutes: Option<i64>| {
        let mut body = keys.data(&pair);
        if let Some(minutes) = minutes {
            body["pcd_data_retention"] = json!(minutes);
        }
        let request = client().post(world.api("/v1/consents/delete")).json(&body);
        let answer = request.header("Idempotency-Key", key).send().await.unwrap();
        let again = answer.headers().contains_key("idempotent-replayed");
        let status = answer.status().as_u16();
        (code(&(status, answer.json().await.unwrap())), again)
    };
    assert_eq!(delete("one", Some(0)).await, ("200 ok".into(), false));
    assert_eq!(delete("one", Some(0)).await, ("200 ok".into(), true));
    assert_eq!(
        delete("one", None).await,
        ("422 idempotency_mismatch".into(), false)
    );
    let call = format!("DELETE /v1/consents/{}", pair.0);
    let headers = [
        ("X-Access-Token", pair.1.as_str()),
        ("Idempotency-Key", "two"),
    ];
    for _ in 0..2 {
        assert_eq!(code(&rest(&world, &keys, &call, &headers).await), "200 ok");
    }
}

async fn bare_arrays_are_cut_at_limit_and_after(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let pair = world.pair(&keys, "family").await;
    let read = async |path: &str, fields: Value| {
        let mut body = keys.data(&pair);
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        world.post_when_ready(path, body.to_string()).await
    };
    for path in ["/v1/accounts/get", "/v1/accounts"] {
        let all = read(path, json!({})).await;
        let all = all.as_array().unwrap();
        assert_eq!(all.len(), 4);
        assert_eq!(read(path, json!({"limit": 2})).await, json!(all[..2]));
        let id = all[1]["id"]
            .as_str()
            .unwrap_or_else(|| panic!("{}", all[1]));
        assert_eq!(read(path, json!({"after": id})).await, json!(all[2..]));
        assert_eq!(
            read(path, json!({"after": id, "limit": 1})).await,
            json!(all[2..3])
        );
    }
    let mut unknown = keys.data(&pair);
    unknown["after"] = json!("018f3c1e-8a44-7d2b-9d59-2b7a3f1c0a11");
    let answer = world.post("/v1/accounts/get", &unknown).await;
    assert_eq!(code(&answer), "400 invalid_field", "{}", answer.1);
    // They are fields of the products' list, too, of which this consent has none.
    let answer = world.post("/v1/products/get", &unknown).await;
    assert_eq!(code(&answer), "400 wrong_kind_of_consent", "{}", answer.1);
}

async fn servicers_come_page_by_page(database: Database) {
    let world = World::shared(database).await;
    let get = async |query: &str| {
        let path = world.api(&format!("/v1/catalog/servicers{query}"));
        let answer = client().get(path).send().await.unwrap();
        (
            answer.status().as_u16(),
            answer.json::<Value>().await.unwrap(),
        )
    };
    let one = json!({"code": "xyz", "name": "XYZ Bank"});
    let whole = json!({"items": [one], "next_cursor": null, "has_more": false});
    for query in ["", "?limit=1", "?limit=500"] {
        assert_eq!(get(query).await, (200, whole.clone()));
    }
    let after = get("?after=xyz").await;
    assert_eq!(
        after,
        (
            200,
            json!({"items": [], "next_cursor": null, "has_more": false})
        )
    );
    for query in ["?after=nobody", "?limit=0", "?limit=501", "?after="] {
        let wrong = get(query).await;
        assert_eq!(code(&wrong), "400 invalid_field", "{query}: {}", wrong.1);
    }
}

async fn who_must_sign_opens_no_session_with_a_bare_secret(database: Database) {
    let world = World::own(database).await;
    let keys = world.tenant().await;
    let (session, _) = world.session(&keys).await;
    let sql = world.sql().await;
    let tenant = sql.id(&keys.client_id);
    sql.run(&format!(
        "UPDATE tenants SET signed_only = TRUE WHERE id = {tenant}"
    ))
    .await;
    let secret = with(&keys, json!({}));
    for (path, fields) in [
        ("/v1/sessions".to_owned(), json!({"skill": SKILL})),
        (format!("/v1/sessions/{session}/get"), json!({})),
        (format!("/v1/sessions/{session}/cancel"), json!({})),
        ("/v1/catalogs/get".to_owned(), json!({})),
    ] {
        let mut body = secret.clone();
        body.as_object_mut()
            .unwrap()
            .extend(fields.as_object().unwrap().clone());
        let answer = world.post(&path, &body).await;
        assert_eq!(
            code(&answer),
            "401 signature_required",
            "{path}: {}",
            answer.1
        );
    }
    // Apps go on as before: they hold no key that could sign.
    world.session(&keys).await;
}
