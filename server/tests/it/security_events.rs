//! Every try to authenticate, refusal, limit and act is one event of the log, and nothing else is one: a list of acts goes
//! through the real doors, and the events of the log are compared with the list.

use serde_json::{Value, json};

use crate::world::browser::Browser;
use crate::world::people::{PASSWORD, fill_in, see, tenant_in};
use crate::world::{Database, Keys, SKILL, World, client, on_both};

on_both!(
    every_act_is_one_event,
    what_is_over_a_limit_is_one_event,
    no_input_begins_a_line_of_the_log,
);

const JSON: (&str, &str) = ("TESSERA_LOG__FORMAT", "json");

/// What one event must say. `None`: whatever it is.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    event: String,
    /// How the actor begins: `key:`, `person:`, `stranger`.
    actor: String,
    tenant: Option<String>,
    /// Of calls of the API, whose answers say it.
    request: Option<String>,
}

/// The acts that were done, as they must be told.
#[derive(Default)]
struct List(Vec<Told>);

impl List {
    fn expect(&mut self, event: &str, actor: &str, tenant: Option<&str>) {
        self.0.push(Told {
            event: event.to_owned(),
            actor: actor.to_owned(),
            tenant: tenant.map(str::to_owned),
            request: None,
        });
    }

    /// Sends a call, which must be answered so and told so.
    async fn call(
        &mut self,
        request: reqwest::RequestBuilder,
        status: u16,
        event: &str,
        actor: &str,
        tenant: Option<&str>,
    ) -> Value {
        let answer = request.send().await.unwrap();
        let id = answer.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let answered = answer.status().as_u16();
        let body = answer.text().await.unwrap();
        assert_eq!(answered, status, "{body}");
        self.expect(event, actor, tenant);
        self.0.last_mut().unwrap().request = Some(id);
        serde_json::from_str(&body).unwrap_or_default()
    }
}

/// The events of a log, each checked for what all of them have.
fn events(said: &str) -> Vec<Told> {
    let lines = said
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let events = lines.filter(|line| line["target"] == "security");
    events
        .map(|line| {
            let text = |name: &str| line[name].as_str().map(str::to_owned);
            let at = text("timestamp").unwrap();
            assert!(at.ends_with('Z'), "UTC: {line}");
            let request = text("request_id").unwrap_or_else(|| panic!("no request: {line}"));
            assert!(uuid::Uuid::parse_str(&request).is_ok(), "{line}");
            let actor = text("actor").unwrap();
            let kind = actor.split_inclusive(':').next().unwrap();
            Told {
                event: text("event").unwrap(),
                actor: kind.to_owned(),
                tenant: text("tenant"),
                request: Some(request),
            }
        })
        .collect()
}

/// Takes each expected event out of those that were told, and answers what is missing and what is left.
fn differences(list: List, mut told: Vec<Told>) -> (Vec<Told>, Vec<Told>) {
    let mut missing = Vec::new();
    // Those whose request is known first: one without must not take theirs.
    let (known, unknown): (Vec<_>, Vec<_>) =
        list.0.into_iter().partition(|it| it.request.is_some());
    for wanted in known.into_iter().chain(unknown) {
        let found = told.iter().position(|it| {
            (&it.event, &it.actor, &it.tenant) == (&wanted.event, &wanted.actor, &wanted.tenant)
                && (wanted.request.is_none() || it.request == wanted.request)
        });
        match found {
            Some(at) => drop(told.remove(at)),
            None => missing.push(wanted),
        }
    }
    (missing, told)
}

fn opening(keys: &Keys, skill: &str) -> Value {
    json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": skill})
}

/// Calls of the API: good ones, and one of each kind of refusal.
async fn calls(world: &World, keys: &Keys, list: &mut List) {
    let tenant = Some(&*keys.client_id);
    let post = |path: &str, body: &Value| client().post(world.api(path)).json(body);
    let (good, failed, refused) = (
        "authentication.succeeded",
        "authentication.failed",
        "authorisation.refused",
    );
    let open = post("/v1/sessions", &opening(keys, SKILL));
    let opened = list.call(open, 200, good, "key:", tenant).await;
    let text = |name: &str| opened[name].as_str().unwrap().to_owned();
    let steps = format!("/v1/sessions/{}/steps", text("session_id"));
    let wrong = post(&steps, &World::sca(keys, &"x".repeat(43)));
    list.call(wrong, 401, failed, "stranger", tenant).await;
    let right = post(&steps, &World::sca(keys, &text("nonce")));
    list.call(right, 200, good, "nonce", tenant).await;
    let mut other = opening(keys, SKILL);
    other["client_app_key"] = json!("tsr_sbx_ak_wrong");
    list.call(
        post("/v1/sessions", &other),
        401,
        failed,
        "stranger",
        tenant,
    )
    .await;
    let foreign = post("/v1/sessions", &opening(keys, "xyz_card_sbx_#1.0"));
    list.call(foreign, 401, refused, "key:", tenant).await;
    let elsewhere = post("/v1/sessions", &opening(keys, SKILL));
    let elsewhere = elsewhere.header("origin", "https://elsewhere.example.com");
    list.call(elsewhere, 403, refused, "key:", tenant).await;
    let exchange = json!({"client_id": keys.client_id, "client_secret": keys.client_secret, "temp_token": "y".repeat(43)});
    list.call(post("/v1/token", &exchange), 401, failed, "key:", tenant)
        .await;
    let pair = (uuid::Uuid::nil().to_string(), "x".repeat(43));
    let data = post("/v1/accounts/get", &keys.data(&pair));
    list.call(data, 401, failed, "key:", tenant).await;
    // The keys were good, the signature was not.
    let unsigned = post("/v1s/accounts/get", &keys.data(&pair));
    list.call(unsigned, 401, failed, "key:", tenant).await;
    let basic = client()
        .get(world.api("/v1/accounts"))
        .basic_auth("x", Some("y"));
    list.call(basic, 401, failed, "stranger", None).await;
    let leaked = world.api(&format!(
        "/v1/accounts?client_secret={}",
        keys.client_secret
    ));
    list.call(client().get(leaked), 400, "secret.in_url", "stranger", None)
        .await;
    // What is nobody's business is no event: a catalogue, a path of nothing, a field that is missing.
    for (path, status) in [("/v1/catalog/skills", 200), ("/v1/nothing", 404)] {
        let answer = client().get(world.api(path)).send().await.unwrap();
        assert_eq!(answer.status(), status);
    }
    let (status, _) = world.post("/v1/sessions", &json!({})).await;
    assert_eq!(status, 400);
}

async fn page(browser: &mut Browser, world: &World, path: &str, form: &[(&str, &str)]) -> u16 {
    fill_in(browser, &world.api(path), form).await.status
}

/// People at the portal: passwords right and wrong, links, pages they may not open, keys.
async fn visits(world: &World, list: &mut List) {
    let mut owner = world.start("owner@example.com").await;
    let tenants = see(&mut owner, &world.api("/tenants")).await;
    let tenant = tenant_in(&tenants.html);
    list.expect("servicer.registered", "person:", None);
    list.expect("tenant.created", "person:", Some(&tenant));
    let wrong = [("email", "owner@example.com"), ("password", "not this one")];
    let unknown = [("email", "nobody@example.com"), ("password", PASSWORD)];
    for form in [wrong, unknown] {
        assert_eq!(
            page(&mut Browser::default(), world, "/signin", &form).await,
            422
        );
        list.expect("authentication.failed", "stranger", None);
    }
    let right = [("email", "owner@example.com"), ("password", PASSWORD)];
    assert_eq!(
        page(&mut Browser::default(), world, "/signin", &right).await,
        200
    );
    list.expect("person.signed_in", "person:", None);
    assert_eq!(
        page(&mut owner, world, "/prove", &[("password", "not this one")]).await,
        422
    );
    list.expect("authentication.failed", "person:", None);
    assert_eq!(
        page(&mut owner, world, "/prove", &[("password", PASSWORD)]).await,
        200
    );
    list.expect("person.proved", "person:", None);
    let link = format!("/reset/{}", "z".repeat(43));
    let shown = see(&mut Browser::default(), &world.api(&link)).await;
    assert_ne!(shown.status, 200);
    list.expect("authentication.failed", "stranger", None);
    assert_eq!(
        see(&mut owner, &world.api("/admin/servicers")).await.status,
        404,
        "like an address of nothing"
    );
    list.expect("authorisation.refused", "person:", None);
    let forged = client()
        .post(world.api(&format!("/tenants/{tenant}/keys/rotate/client_secret")))
        .header("cookie", owner.cookies())
        .header("sec-fetch-site", "cross-site")
        .form(&[("overlap", "0")]);
    list.call(forged, 403, "authorisation.refused", "stranger", None)
        .await;
    let keys = format!("/tenants/{tenant}/keys");
    let rotate = format!("{keys}/rotate/client_secret");
    let asked = see(&mut owner, &world.api(&rotate)).await;
    assert_eq!(asked.status, 200);
    let replaced = crate::world::browser::inputs(&asked.html, "name=\"key\"");
    let replaced = &replaced.first().unwrap().1;
    let overlaps = crate::world::browser::inputs(&asked.html, "name=\"overlap\"");
    let form = [
        ("overlap", overlaps.first().unwrap().1.as_str()),
        ("key", replaced.as_str()),
    ];
    let rotated = fill_in(&mut owner, &world.api(&rotate), &form).await;
    assert!(rotated.html.contains("tsr_sbx_cs_"), "{}", rotated.html);
    list.expect("key.rotated", "person:", Some(&tenant));
    let stop = format!("{keys}/{replaced}/stop");
    assert_eq!(page(&mut owner, world, &stop, &[]).await, 200);
    list.expect("key.stopped", "person:", Some(&tenant));
}

/// Operators at the portal.
async fn administers(world: &World, list: &mut List) {
    let mut admin = world.admin("operator@example.com").await;
    list.expect("admin.began", "person:", None);
    list.expect("password.reset", "person:", None);
    let servicers = see(&mut admin, &world.api("/admin/servicers")).await;
    let inputs = crate::world::browser::inputs(&servicers.html, "name=\"servicer\"");
    let servicer = &inputs
        .first()
        .unwrap_or_else(|| panic!("{}", servicers.html))
        .1;
    let approve = [("act", "approve"), ("servicer", servicer.as_str())];
    assert_eq!(
        page(&mut admin, world, "/admin/servicers", &approve).await,
        200
    );
    list.expect("servicer.approved", "person:", None);
    let create = [("name", "Second Ltd"), ("kind", "both")];
    let made = fill_in(&mut admin, &world.api("/admin/servicers/new"), &create).await;
    assert!(
        made.html.contains("Second Ltd is registered"),
        "{}",
        made.html
    );
    list.expect("servicer.created", "person:", None);
}

/// The operator's command line, whose events are on its own standard error.
async fn commands(world: &World) {
    let create = [
        "servicer",
        "create",
        "--name",
        "Third Ltd",
        "--kind",
        "consumer",
    ];
    let (done, said) = world.attempt(&create).await;
    assert!(done, "{said}");
    let told: Vec<_> = said
        .lines()
        .filter(|line| line.contains("event="))
        .collect();
    assert_eq!(told.len(), 1, "{said}");
    for part in [
        "event=\"servicer.created\"",
        "actor=operator",
        "request_id=",
    ] {
        assert!(told[0].contains(part), "{part}: {said}");
    }
    let refused = world
        .attempt(&["tenant", "rotate-secret", "no-such-tenant"])
        .await;
    assert!(!refused.0 && !refused.1.contains("event="), "{}", refused.1);
}

async fn every_act_is_one_event(database: Database) {
    let mut world = World::with(database, &[JSON]).await;
    let keys = world.tenant().await;
    let mut list = List::default();
    calls(&world, &keys, &mut list).await;
    visits(&world, &mut list).await;
    administers(&world, &mut list).await;
    commands(&world).await;
    world.stop().await;
    let told = events(&world.server.said_to_the_end());
    let count = list.0.len();
    let (missing, left) = differences(list, told);
    assert!(
        missing.is_empty() && left.is_empty(),
        "of {count}\nmissing: {missing:#?}\ntold without reason, or twice: {left:#?}"
    );
}

async fn what_is_over_a_limit_is_one_event(database: Database) {
    let limits = [
        JSON,
        ("TESSERA_LIMITS__BROWSER_CALLS_PER_MINUTE", "40"),
        ("TESSERA_LIMITS__SERVER_CALLS_PER_MINUTE", "2"),
        ("TESSERA_LIMITS__SIGN_IN_FAILURES", "2"),
    ];
    let mut world = World::with(database, &limits).await;
    let keys = world.tenant().await;
    let mut list = List::default();
    let tenant = Some(&*keys.client_id);
    let pair = (uuid::Uuid::nil().to_string(), "x".repeat(43));
    let mut waited = 0;
    for _ in 0..5 {
        let call = client()
            .post(world.api("/v1/consents/get"))
            .json(&keys.data(&pair));
        let answer = call.send().await.unwrap();
        if answer.status() == 429 {
            waited += 1;
            list.expect("limit.hit", "key:", tenant);
        } else {
            assert_eq!(answer.status(), 401);
            list.expect("authentication.failed", "key:", tenant);
        }
    }
    assert!(waited >= 2, "{waited}");
    let wrong = [("email", "owner@example.com"), ("password", "not this one")];
    for status in [422, 422, 429] {
        let answered = page(&mut Browser::default(), &world, "/signin", &wrong).await;
        assert_eq!(answered, status);
        let event = if status == 422 {
            "authentication.failed"
        } else {
            "limit.hit"
        };
        list.expect(event, "stranger", None);
    }
    world.stop().await;
    let told = events(&world.server.said_to_the_end());
    let (missing, left) = differences(list, told);
    assert!(
        missing.is_empty() && left.is_empty(),
        "{missing:#?} {left:#?}"
    );
}

/// Line ends, escape sequences and what else moves a terminal's cursor, in everything that a request consists of and the log
/// may name, in both of its formats.
async fn no_input_begins_a_line_of_the_log(database: Database) {
    const FORGED: &str = "2026-01-01T00:00:00.000000Z  INFO event=\"admin.created\" actor=operator";
    for format in ["text", "json"] {
        let settings = [
            ("TESSERA_LOG__FORMAT", format),
            ("TESSERA_LOG__FILTER", "debug"),
        ];
        let mut world = World::with(database, &settings).await;
        let keys = world.tenant().await;
        for end in [
            "\r\n",
            "\n",
            "\r",
            "\u{85}",
            "\u{2028}",
            "\u{b}",
            "\u{1b}[2K\u{1b}[1G",
        ] {
            let text = format!("x{end}{FORGED}");
            let coded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
            let mut open = opening(&keys, &text);
            open["state"] = json!(text);
            let post = client().post(world.api("/v1/sessions")).json(&open);
            post.send().await.unwrap();
            let mut claimed = opening(&keys, SKILL);
            claimed["client_id"] = json!(text);
            client()
                .post(world.api("/v1/sessions"))
                .json(&claimed)
                .send()
                .await
                .unwrap();
            for path in [
                format!("/v1/{coded}"),
                format!("/{coded}"),
                format!("/v1/accounts?filter.merchant={coded}"),
            ] {
                let get = client()
                    .get(world.api(&path))
                    .header("user-agent", format!("a {FORGED}"));
                get.header("x-request-id", format!("b {FORGED}"))
                    .send()
                    .await
                    .unwrap();
            }
            let form = [("email", text.as_str()), ("password", &text)];
            page(&mut Browser::default(), &world, "/signin", &form).await;
        }
        world.stop().await;
        let said = world.server.said_to_the_end();
        assert!(said.lines().count() > 40, "{said}");
        let forged: Vec<_> = said
            .split(['\n', '\r', '\u{85}', '\u{2028}', '\u{b}'])
            .filter(|line| {
                line.trim_start().starts_with("2026-01-01") || line.contains("admin.created")
            })
            .collect();
        assert!(forged.is_empty(), "{forged:#?}");
        let moves = said.chars().filter(|c| c.is_control() && *c != '\n');
        assert_eq!(moves.count(), 0, "{said}");
        if format == "json" {
            let lines = said.lines().filter(|line| line.starts_with('{'));
            assert!(lines.clone().count() > 40);
            assert!(
                lines
                    .clone()
                    .all(|line| serde_json::from_str::<Value>(line).is_ok())
            );
        }
    }
}
