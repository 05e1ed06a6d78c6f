//! A tenant's server may call from its networks alone: felt at once, by the address a trusted proxy forwards.

use serde_json::{Value, json};

use crate::world::browser::Browser;
use crate::world::people::{fill_in, see, tenant_in};
use crate::world::{Database, SKILL, World, client, on_both};

on_both!(a_servers_calls_come_from_its_networks_alone);

/// Calls with keys from an address; answers status and JSON.
async fn call(world: &World, path: &str, body: &Value, from: &str) -> (u16, Value) {
    let request = client().post(world.api(path)).json(body);
    let answer = request
        .header("X-Forwarded-For", from)
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Between two marks in a page.
fn between<'a>(html: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = html.split_once(before).unwrap();
    rest.split_once(after).unwrap().0
}

async fn save(
    world: &World,
    owner: &mut Browser,
    tenant: &str,
    networks: &str,
    sure: bool,
) -> String {
    let url = world.api(&format!("/tenants/{tenant}/settings"));
    // A form says which settings it was made from.
    let shown = see(owner, &url).await;
    let version = between(&shown.html, "name=\"version\"", ">");
    let version = between(version, "value=\"", "\"");
    let mut form = vec![
        ("act", "networks"),
        ("version", version),
        ("networks", networks),
    ];
    if sure {
        form.push(("leaves_me_out", "on"));
    }
    fill_in(owner, &url, &form).await.html
}

async fn a_servers_calls_come_from_its_networks_alone(database: Database) {
    let proxies = [("TESSERA_HTTP__TRUSTED_PROXIES", "[\"127.0.0.1\"]")];
    let world = World::with(database, &proxies).await;
    let mut owner = Browser::default();
    let start = [
        ("name", "Example Ltd"),
        ("email", "owner@example.com"),
        ("password", crate::world::people::PASSWORD),
        ("legal_form", "company"),
        ("country", "RO"),
    ];
    let page = fill_in(&mut owner, &world.api("/start"), &start).await;
    let secret = format!(
        "tsr_sbx_cs_{}",
        &between(&page.html, "tsr_sbx_cs_", "<")[..49]
    );
    let list = see(&mut owner, &world.api("/tenants")).await;
    let tenant = &tenant_in(&list.html);

    let server = json!({"client_id": tenant, "client_secret": secret, "skill": SKILL});
    assert_eq!(
        call(&world, "/v1/sessions", &server, "192.0.2.1").await.0,
        200
    );
    // A list that leaves out the address it is saved from has to be meant.
    let told = save(
        &world,
        &mut owner,
        tenant,
        "203.0.113.0/24\n2001:db8::1/32",
        false,
    )
    .await;
    assert!(
        told.contains("leaves out the address you come from"),
        "{told}"
    );
    assert_eq!(
        call(&world, "/v1/sessions", &server, "192.0.2.1").await.0,
        200
    );
    let wrong = save(&world, &mut owner, tenant, "203.0.113.0/99", true).await;
    assert!(wrong.contains("203.0.113.0/99"), "{wrong}");
    let saved = save(
        &world,
        &mut owner,
        tenant,
        "203.0.113.0/24\n2001:db8::1/32",
        true,
    )
    .await;
    assert!(
        saved.contains("203.0.113.0/24\n2001:db8::/32"),
        "kept in one form: {saved}"
    );

    for inside in ["203.0.113.9", "::ffff:203.0.113.9", "2001:db8:1::2"] {
        let (status, answer) = call(&world, "/v1/sessions", &server, inside).await;
        assert_eq!(status, 200, "{inside}: {answer}");
    }
    for (outside, named) in [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db9::7", "2001:db9::7"),
    ] {
        let (status, answer) = call(&world, "/v1/sessions", &server, outside).await;
        assert_eq!((status, &answer["code"]), (403, &json!("ip_not_allowed")));
        assert!(
            answer["message"].as_str().unwrap().contains(named),
            "{answer}"
        );
    }
    // The same in the other style; browsers and apps are not touched; and wrong keys are told nothing of it.
    let rest = client()
        .get(world.api("/v1/accounts"))
        .basic_auth(tenant, Some(&secret))
        .header("X-Credentials-Id", uuid::Uuid::nil().to_string())
        .header("X-Access-Token", "x".repeat(43))
        .header("X-Forwarded-For", "192.0.2.1");
    assert_eq!(rest.send().await.unwrap().status(), 403);
    let wrong = json!({"client_id": tenant, "client_secret": "x", "skill": SKILL});
    assert_eq!(
        call(&world, "/v1/sessions", &wrong, "192.0.2.1").await.0,
        401
    );
    save(&world, &mut owner, tenant, "", false).await;
    assert_eq!(
        call(&world, "/v1/sessions", &server, "192.0.2.1").await.0,
        200
    );
}
