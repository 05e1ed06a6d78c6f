//! The table of the portal's screens: who sees each, who is sent to sign in, and for whom it is not there.

use std::collections::BTreeSet;

use app::domain::person::Permission;
use app::pages::{SCREENS, ScreenAccess};
use serde_json::json;

use crate::world::browser::Browser;
use crate::world::people::{fill_in, see};
use crate::world::{Database, Keys, SKILL, World, client, on_both};

on_both!(every_screen_is_decided_for_everybody);

/// Result of opening a screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finds {
    /// The screen, or where it leads on.
    Shown,
    /// The way to the sign-in page.
    SignIn,
    /// Not this role, and says so.
    Forbidden,
    /// Nothing: it belongs to somebody else, or to operators.
    NotFound,
}
use Finds::{Forbidden as F, NotFound as N, Shown as Y, SignIn as S};

/// Visitors of the screens, in the order of the table's columns.
const VISITORS: [&str; 5] = [
    "nobody",
    "developer",
    "owner",
    "another servicer's owner",
    "admin",
];

const PUBLIC: [Finds; 5] = [Y, Y, Y, Y, Y];
const PERSONAL: [Finds; 5] = [S, Y, Y, Y, Y];
/// Everybody's own: another servicer's owner sees another servicer's.
const OWN: [Finds; 5] = [S, Y, Y, Y, F];
/// About something of the servicer's.
const THEIRS: [Finds; 5] = [S, Y, Y, N, F];
const OPERATORS: [Finds; 5] = [S, N, N, N, Y];
/// A link that nobody was sent.
const DEAD_LINK: [Finds; 5] = [N, N, N, N, N];

/// Every screen. The ids in the paths are the first servicer's.
const TABLE: &[(&str, [Finds; 5])] = &[
    ("/", PUBLIC),
    ("/start", PUBLIC),
    ("/signup", PUBLIC),
    ("/signin", PUBLIC),
    // Whoever is signed in is asked; the others are where they want to be.
    ("/signout", PERSONAL),
    ("/forgot", PUBLIC),
    ("/reset/{token}", DEAD_LINK),
    ("/verify/{token}", DEAD_LINK),
    ("/theme", PUBLIC),
    ("/llms.txt", PUBLIC),
    // Nobody has set a contact.
    ("/.well-known/security.txt", DEAD_LINK),
    ("/.well-known/api-catalog", PUBLIC),
    ("/sitemap.xml", PUBLIC),
    ("/changelog", PUBLIC),
    ("/prove", PERSONAL),
    ("/settings", PERSONAL),
    // Where everybody lands: who works in no servicer is led on.
    ("/overview", PERSONAL),
    ("/first-call", OWN),
    ("/tenants", OWN),
    ("/tenants/new", OWN),
    ("/tenants/{tenant}", THEIRS),
    ("/tenants/{tenant}/keys", THEIRS),
    ("/tenants/{tenant}/keys/rotate/{kind}", THEIRS),
    ("/tenants/{tenant}/keys/{key}/stop", THEIRS),
    ("/tenants/{tenant}/keys/env", THEIRS),
    ("/tenants/{tenant}/keys/saved", THEIRS),
    ("/tenants/{tenant}/skills", THEIRS),
    ("/tenants/{tenant}/skills/{skill}", THEIRS),
    ("/tenants/{tenant}/settings", THEIRS),
    ("/skills", PERSONAL),
    ("/skills/{skill}", PERSONAL),
    ("/requests", OWN),
    ("/requests/tail", OWN),
    ("/requests/{request}", THEIRS),
    ("/signing", OWN),
    // A developer's keys are the sandbox's; these sign for production, too.
    ("/signing/new", [S, F, Y, Y, F]),
    ("/signing/{signing_key}/stop", [S, F, Y, N, F]),
    ("/signing/debugger", OWN),
    ("/admin", OPERATORS),
    ("/admin/servicers", OPERATORS),
    ("/admin/servicers/new", OPERATORS),
    ("/admin/servicers/{servicer}/suspend", OPERATORS),
    ("/console", OWN),
    ("/console/runs/{run}", THEIRS),
    ("/console/runs/{run}/decided", THEIRS),
    // Without a session of theirs in the query there is nothing to come back to.
    ("/verifications", OWN),
    ("/console/return", [S, N, N, N, F]),
    ("/docs", PUBLIC),
    ("/docs/{page}", PUBLIC),
    ("/docs/errors", PUBLIC),
    ("/docs/errors/{code}", PUBLIC),
    ("/docs/api", PUBLIC),
    ("/docs/api/{operation}", PUBLIC),
];

/// Somebody's public key.
pub(super) const PUBLIC_KEY: &str =
    r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

/// The first servicer's ids, as paths name them.
pub(super) struct Ids {
    pub(super) servicer: String,
    pub(super) tenant: String,
    pub(super) key: String,
    pub(super) run: String,
    pub(super) request: String,
    pub(super) signing_key: String,
}

impl Ids {
    pub(super) fn fill(&self, path: &str) -> String {
        path.replace("{servicer}", &self.servicer)
            .replace("{tenant}", &self.tenant)
            .replace("{key}", &self.key)
            .replace("{signing_key}", &self.signing_key)
            .replace("{run}", &self.run)
            .replace("{request}", &self.request)
            .replace("{kind}", "client_secret")
            .replace("{skill}", &SKILL.replace('#', "%23"))
            .replace("{token}", "of-nobodys-mail")
            .replace("{page}", "quick-start")
            .replace("{code}", "invalid_nonce")
            .replace("{operation}", "post-v1-sessions")
    }
}

/// Somebody who has an account of their own and is then made a developer of a servicer, as an invitation would.
async fn developer(world: &World, servicer: &str) -> Browser {
    let mut browser = world.start("developer@example.com").await;
    world.confirm(&mut browser, "developer@example.com").await;
    let sql = world.sql().await;
    let moved = sql
        .run(&format!(
            "UPDATE memberships SET servicer_id = {}, role = 'developer'
             WHERE person_id = (SELECT id FROM people WHERE email = 'developer@example.com')",
            sql.id(servicer)
        ))
        .await;
    assert_eq!(moved, 1);
    browser
}

/// The first servicer with an owner, a tenant, a call in its log and a run in its console.
pub(super) async fn first_servicer(world: &World) -> (Browser, Ids) {
    let (servicer, mut owner) = world.servicer_with_owner().await;
    let console = world.api("/console/return");
    let options = ["--skill", SKILL, "--redirect-link", &console];
    let keys = world.tenant_of(&servicer, &options).await;
    let run = fill_in(
        &mut owner,
        &world.api("/first-call"),
        &[("tenant", &keys.client_id)],
    )
    .await;
    let sql = world.sql().await;
    let live = format!(
        "SELECT {} FROM tenant_keys WHERE tenant_id = {}",
        sql.shown("id"),
        sql.id(&keys.client_id)
    );
    let ids = Ids {
        servicer,
        tenant: keys.client_id.clone(),
        key: sql.texts(&live).await.remove(0),
        run: run.url.rsplit('/').next().unwrap().to_owned(),
        request: logged_call(world, &keys, &mut owner).await,
        signing_key: signing_key(world, &mut owner).await,
    };
    (owner, ids)
}

/// Registers a key to sign with.
async fn signing_key(world: &World, owner: &mut Browser) -> String {
    let fields = [
        ("issuer", "signer@app.example.com"),
        ("material", PUBLIC_KEY),
    ];
    let added = fill_in(owner, &world.api("/signing/new"), &fields).await;
    assert!(added.url.ends_with("/signing?done=added"), "{}", added.url);
    let sql = world.sql().await;
    let live = format!("SELECT {} FROM signing_keys", sql.shown("id"));
    sql.texts(&live).await.remove(0)
}

/// Makes a call and waits until the log shows it.
async fn logged_call(world: &World, keys: &Keys, owner: &mut Browser) -> String {
    let body =
        json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": SKILL});
    let answer = client()
        .post(world.api("/v1/sessions"))
        .json(&body)
        .send()
        .await
        .unwrap();
    let id = answer.headers()["x-request-id"]
        .to_str()
        .unwrap()
        .to_owned();
    let url = world.api(&format!("/requests/{id}"));
    for _ in 0..100 {
        if see(owner, &url).await.status == 200 {
            return id;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the call {id} is not in the log");
}

/// Opens a screen with a visitor's cookies, or posts a form without fields to it, and returns the result. A visitor who
/// may not enter gets the same from both.
async fn find(world: &World, path: &str, cookies: &str, post: bool) -> Finds {
    let request = if post {
        client()
            .post(world.api(path))
            .header("Sec-Fetch-Site", "same-origin")
            .form(&[("nothing", "")])
    } else {
        client().get(world.api(path))
    };
    found(path, request, cookies).await
}

/// Posts an empty `multipart/form-data` form to a screen and returns the result.
async fn find_with_file(world: &World, path: &str, cookies: &str) -> Finds {
    let request = client()
        .post(world.api(path))
        .header("Sec-Fetch-Site", "same-origin")
        .header("Content-Type", "multipart/form-data; boundary=edge")
        .body("--edge--\r\n");
    found(path, request, cookies).await
}

async fn found(path: &str, request: reqwest::RequestBuilder, cookies: &str) -> Finds {
    let answer = request.header("Cookie", cookies).send().await.unwrap();
    let location = answer
        .headers()
        .get("location")
        .map_or("", |to| to.to_str().unwrap());
    match answer.status().as_u16() {
        303 if location.starts_with("/signin") => Finds::SignIn,
        200 | 303 => Finds::Shown,
        403 => Finds::Forbidden,
        404 | 410 => Finds::NotFound,
        other => panic!("{path} answered {other}"),
    }
}

async fn every_screen_is_decided_for_everybody(database: Database) {
    let mounted: BTreeSet<&str> = SCREENS.iter().map(|screen| screen.path).collect();
    let decided: BTreeSet<&str> = TABLE.iter().map(|(path, _)| *path).collect();
    assert_eq!(
        mounted, decided,
        "every screen has its line in authorization_matrix/screens.rs"
    );

    let world = World::own(database).await;
    let (owner, ids) = first_servicer(&world).await;
    let developer = developer(&world, &ids.servicer).await;
    let mut other = world.start("other@example.com").await;
    world.confirm(&mut other, "other@example.com").await;
    let admin = world.admin("operator@example.com").await;
    let visitors = [Browser::default(), developer, owner, other, admin];
    let mut wrong = Vec::new();
    for screen in SCREENS {
        let (_, expected) = TABLE.iter().find(|(path, _)| *path == screen.path).unwrap();
        let path = ids.fill(screen.path);
        for (at, visitor) in visitors.iter().enumerate() {
            let mut check = |how: &str, found: Finds| {
                if found != expected[at] {
                    let (who, expected) = (VISITORS[at], expected[at]);
                    wrong.push(format!("{how} {path}, {who}: {found:?}, not {expected:?}"));
                }
            };
            check("GET", find(&world, &path, &visitor.cookies(), false).await);
            // A file of somebody who may not enter is not even read.
            if screen.takes_files && expected[at] != Y {
                check(
                    "POST a file",
                    find_with_file(&world, &path, &visitor.cookies()).await,
                );
            }
            // Whoever may enter would change something.
            if screen.takes_forms && screen.who != ScreenAccess::Anyone && expected[at] != Y {
                check("POST", find(&world, &path, &visitor.cookies(), true).await);
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
    let keyed = SCREENS
        .iter()
        .filter(|screen| screen.path.contains("/keys"));
    for screen in keyed {
        assert_eq!(
            screen.who,
            ScreenAccess::May(Permission::ManageSandboxKeys),
            "{}: keys are seen by those who manage them alone",
            screen.path
        );
    }
}
