//! The key file: who may read it, how its keys are rotated while everybody works, what a stolen database is worth, and
//! what is left of a tenant that was erased.

mod canaries;
mod search;

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::world::{Database, Keys, SKILL, World, on_both, post};

on_both!(
    both_keys_are_rotated_under_load_without_a_failed_call,
    a_key_file_of_the_first_format_works_and_is_rotated,
    an_erased_tenant_is_unreadable_within_a_second_in_every_process,
    a_revoked_pepper_ends_what_hangs_on_it,
);

/// The ids of a kind's keys: the active one, and the other.
async fn keys_of(world: &World, kind: &str) -> (String, Option<String>) {
    let list = world.operator(&["secrets", "list"]).await;
    let keys = list[kind].as_array().unwrap();
    let id = |key: &Value| key["id"].as_str().unwrap().to_owned();
    assert_eq!(keys[0]["state"], "active", "{list}");
    (id(&keys[0]), keys.get(1).map(id))
}

/// Waits until something about the running processes holds. Each looks at its key file every 0.4 s; what is waited for is
/// asked of a command of its own, which on a busy machine takes a second to start.
async fn until(what: &str, holds: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    println!("{what}: after {:.1?}", begun.elapsed());
}

async fn all_hold(world: &World, key: &str) -> bool {
    let list = world.operator(&["secrets", "list"]).await;
    let processes = list["processes"].as_array().unwrap();
    !processes.is_empty()
        && processes.iter().all(|process| {
            let keys = process["keys"].as_array().unwrap();
            keys.iter().any(|known| known == key)
        })
}

async fn all_use(world: &World, kind: &str, key: &str) -> bool {
    let list = world.operator(&["secrets", "list"]).await;
    let processes = list["processes"].as_array().unwrap();
    processes.iter().all(|process| process[kind] == key)
}

/// Adds, distributes and activates a key; answers the old one and the new one.
async fn activated(world: &World, kind: &str) -> (String, String) {
    let (old, _) = keys_of(world, kind).await;
    let added = world.operator(&["secrets", "add", "--kind", kind]).await;
    let new = added["id"].as_str().unwrap().to_owned();
    until("every process reads the new key", async || {
        all_hold(world, &new).await
    })
    .await;
    world
        .operator(&["secrets", "activate", "--kind", kind, &new])
        .await;
    until("every process uses the new key", async || {
        all_use(world, kind, &new).await
    })
    .await;
    (old, new)
}

/// Starts a task that makes a tenant's usual calls until told to stop, and returns the calls that failed.
fn load(
    urls: Vec<String>,
    keys: Keys,
    pair: (String, String),
    (stop, calls): (Arc<AtomicBool>, Arc<AtomicU64>),
) -> tokio::task::JoinHandle<Vec<String>> {
    tokio::spawn(async move {
        let mut failed = Vec::new();
        let mut round = 0;
        while !stop.load(Ordering::Relaxed) {
            round += 1;
            let url = &urls[round % urls.len()];
            let open = json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": SKILL});
            for (path, body) in [
                ("/v1/accounts/get", keys.data(&pair)),
                ("/v1/transactions/get", keys.data(&pair)),
                ("/v1/sessions", open),
            ] {
                let (status, answer) = post(&format!("{url}{path}"), &body).await;
                calls.fetch_add(1, Ordering::Relaxed);
                if status != 200 {
                    failed.push(format!("{path}: {status} {answer}"));
                    continue;
                }
                // A session opened at one process is gone on with at another.
                if let (Some(session), Some(nonce)) =
                    (answer["session_id"].as_str(), answer["nonce"].as_str())
                {
                    let other = &urls[(round + 1) % urls.len()];
                    let path = format!("{other}/v1/sessions/{session}/steps");
                    let (status, answer) = post(&path, &World::sca(&keys, nonce)).await;
                    calls.fetch_add(1, Ordering::Relaxed);
                    if status != 200 {
                        failed.push(format!("steps: {status} {answer}"));
                    }
                }
            }
        }
        failed
    })
}

async fn both_keys_are_rotated_under_load_without_a_failed_call(database: Database) {
    let world = World::own(database).await;
    let second = world.another_server().await;
    let keys = world.tenant().await;
    let pair = world.pair(&keys, "student").await;
    let ids = utx_ids(&world, &keys, &pair).await;
    let stop = Arc::new(AtomicBool::new(false));
    let urls = vec![world.api(""), second.url.clone()];
    let calls = Arc::new(AtomicU64::new(0));
    let told = (stop.clone(), calls.clone());
    let load = load(urls, keys.clone(), pair.clone(), told);

    let (old_vault, _) = activated(&world, "vault").await;
    let done = world.operator(&["secrets", "rewrap"]).await;
    assert!(done["data_keys"].as_u64().unwrap() >= 2, "{done}");
    assert_eq!(done["broken"], 0);
    world
        .operator(&["secrets", "drop", "--kind", "vault", &old_vault])
        .await;

    // Opened before, and never gone on with.
    world.session(&keys).await;
    let (old_pepper, _) = activated(&world, "pepper").await;
    // The load shows the secret, the app key and the access token: they are renewed, and only what nobody shows is left.
    until("shown digests are renewed", async || {
        let hanging = hanging(&world, "pepper", &old_pepper).await;
        !hanging
            .iter()
            .any(|what| what.starts_with("access tokens") || what.starts_with("client secrets"))
    })
    .await;
    until("the load goes on", async || {
        calls.load(Ordering::Relaxed) > 50
    })
    .await;
    stop.store(true, Ordering::Relaxed);
    let failed = load.await.unwrap();
    let calls = calls.load(Ordering::Relaxed);
    assert!(
        failed.is_empty(),
        "of {calls} calls {} failed: {:?}",
        failed.len(),
        failed.first()
    );

    // Nonces of open sessions are left: that is said, with their number.
    let (done, said) = world
        .attempt(&["secrets", "drop", "--kind", "pepper", &old_pepper])
        .await;
    assert!(
        !done && said.contains("nonces") && said.contains("--revoke"),
        "{said}"
    );
    world
        .operator(&[
            "secrets",
            "drop",
            "--kind",
            "pepper",
            &old_pepper,
            "--revoke",
        ])
        .await;
    until("the dropped key is gone everywhere", async || {
        let (_, other) = keys_of(&world, "pepper").await;
        other.is_none()
    })
    .await;
    for url in [world.api(""), second.url.clone()] {
        let (status, answer) = post(&format!("{url}/v1/accounts/get"), &keys.data(&pair)).await;
        assert_eq!(status, 200, "{answer}");
    }
    assert_eq!(
        utx_ids(&world, &keys, &pair).await,
        ids,
        "utx_id never changes"
    );
}

async fn hanging(world: &World, kind: &str, key: &str) -> Vec<String> {
    let list = world.operator(&["secrets", "list"]).await;
    let keys = list[kind].as_array().unwrap();
    let key = keys.iter().find(|found| found["id"] == key).unwrap();
    key["hangs_on_it"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

async fn utx_ids(world: &World, keys: &Keys, pair: &(String, String)) -> Vec<String> {
    let answer = world
        .post_when_ready("/v1/transactions/get", keys.data(pair).to_string())
        .await;
    let ids = answer.as_array().unwrap().iter();
    ids.map(|it| it["utx_id"].as_str().unwrap().to_owned())
        .collect()
}

/// A file as releases before wrote it, under a database that knows no data keys yet: everything sealed and digested by it
/// goes on working, is moved by command, and then the first keys open nothing.
async fn a_key_file_of_the_first_format_works_and_is_rotated(database: Database) {
    let mut world = World::own(database).await;
    let path = world.folder().join("secrets.key");
    let file = std::fs::read_to_string(&path).unwrap();
    let line = |kind: &str| {
        let line = file.lines().find(|line| line.starts_with(kind)).unwrap();
        line.split(' ').nth(4).unwrap().to_owned()
    };
    let id = file.lines().nth(1).unwrap();
    let single = format!(
        "tessera-secrets-1\n{id}\npepper {}\nvault {}\n",
        line("pepper"),
        line("vault")
    );
    std::fs::write(&path, single).unwrap();
    // From here on it is the key of the first format: its digests carry no id. A process that was killed counts for a
    // minute as one that may still use keys, which nobody waits for here.
    world.kill_and_restart().await;
    world.sql().await.run("DELETE FROM key_holders").await;
    let keys = world.tenant().await;
    let pair = world.pair(&keys, "student").await;
    let before = utx_ids(&world, &keys, &pair).await;

    for kind in ["vault", "pepper"] {
        let (old, _) = activated(&world, kind).await;
        if kind == "vault" {
            world.operator(&["secrets", "rewrap"]).await;
        }
        let (status, _) = post(&world.api("/v1/accounts/get"), &keys.data(&pair)).await;
        assert_eq!(status, 200);
        let drop = ["secrets", "drop", "--kind", kind, &old, "--revoke"];
        if kind == "pepper" {
            until("what was shown is renewed", async || {
                let left = hanging(&world, kind, &old).await;
                !left.iter().any(|what| what.starts_with("access tokens"))
            })
            .await;
        }
        world.operator(&drop).await;
    }
    world.kill_and_restart().await;
    assert_eq!(utx_ids(&world, &keys, &pair).await, before);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("first"), "{text}");
}

async fn an_erased_tenant_is_unreadable_within_a_second_in_every_process(database: Database) {
    let world = World::own(database).await;
    let second = world.another_server().await;
    let (gone, stays) = (world.tenant().await, world.tenant().await);
    let pair = world.pair(&gone, "student").await;
    let other = world.pair(&stays, "student").await;
    for url in [world.api(""), second.url.clone()] {
        let (status, _) = post(&format!("{url}/v1/accounts/get"), &gone.data(&pair)).await;
        assert_eq!(status, 200);
    }
    let (_, sealed_before) = sealed(&world, &gone).await;
    assert!(sealed_before > 0);
    let (done, said) = world.attempt(&["tenant", "erase", &gone.client_id]).await;
    assert!(!done && said.contains("--yes"), "{said}");
    let erased = world
        .operator(&["tenant", "erase", &gone.client_id, "--yes"])
        .await;
    assert_eq!(erased["consents_ended"], 1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    for url in [world.api(""), second.url.clone()] {
        let (status, answer) = post(&format!("{url}/v1/accounts/get"), &gone.data(&pair)).await;
        assert_eq!(status, 401, "{answer}");
        let (status, answer) = post(&format!("{url}/v1/accounts/get"), &stays.data(&other)).await;
        assert_eq!(status, 200, "{answer}");
    }
    let (key, rows) = sealed(&world, &gone).await;
    assert_eq!((key, rows), (0, 0), "neither the key nor bank data is left");
    let (key, rows) = sealed(&world, &stays).await;
    assert!(key == 1 && rows > 0);
}

/// Returns the number of data keys and of accounts stored for a tenant.
async fn sealed(world: &World, keys: &Keys) -> (usize, usize) {
    let sql = world.sql().await;
    let tenant = sql.id(&keys.client_id);
    let key = format!("SELECT 'x' FROM data_keys WHERE owner = {tenant} AND wrapped IS NOT NULL");
    let rows = format!(
        "SELECT 'x' FROM accounts a JOIN consents c ON c.id = a.consent_id WHERE c.tenant_id = {tenant}"
    );
    (sql.texts(&key).await.len(), sql.texts(&rows).await.len())
}

async fn a_revoked_pepper_ends_what_hangs_on_it(database: Database) {
    let world = World::own(database).await;
    let keys = world.tenant().await;
    let pair = world.pair(&keys, "student").await;
    let (old, _) = activated(&world, "pepper").await;
    world
        .operator(&["secrets", "drop", "--kind", "pepper", &old, "--revoke"])
        .await;
    until("the dropped key is gone", async || {
        let (status, _) = post(&world.api("/v1/accounts/get"), &keys.data(&pair)).await;
        status == 401
    })
    .await;
    let fresh = world
        .operator(&["tenant", "rotate-secret", &keys.client_id])
        .await;
    let mut body = keys.data(&pair);
    body["client_secret"] = fresh["client_secret"].clone();
    let (status, answer) = post(&world.api("/v1/accounts/get"), &body).await;
    assert_eq!(status, 401, "the consent ended as well: {answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn steps_that_would_break_something_are_refused_and_say_why() {
    let world = World::own(Database::Sqlite).await;
    let (active, _) = keys_of(&world, "vault").await;
    let refused = async |arguments: &[&str], words: &str| {
        let (done, said) = world.attempt(arguments).await;
        assert!(!done && said.contains(words), "{arguments:?}: {said}");
    };
    let drop = ["secrets", "drop", "--kind", "vault", &active];
    refused(&drop, "the active one").await;
    let nowhere = ["secrets", "activate", "--kind", "vault", "0123456789abcdef"];
    refused(&nowhere, "have not read this key").await;
    refused(
        &["secrets", "activate", "--kind", "vault", "x"],
        "sixteen hexadecimal digits",
    )
    .await;
    world.operator(&["secrets", "add", "--kind", "vault"]).await;
    refused(
        &["secrets", "add", "--kind", "vault"],
        "two vault keys already",
    )
    .await;
    let (_, help) = world.attempt(&["secrets", "--help"]).await;
    assert!(
        help.contains("secrets rewrap") && help.contains("Exit codes"),
        "{help}"
    );
    let audited = world.sql().await;
    let audited = audited
        .texts("SELECT action FROM audit_log WHERE action LIKE 'secrets.%'")
        .await;
    assert_eq!(audited, ["secrets.added"]);
}

/// `rewrap` is killed again and again while it moves a thousand data keys: nothing is lost, and at the end all are moved.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rewrap_that_is_killed_goes_on_where_it_was() {
    let world = World::own(Database::Sqlite).await;
    let keys = world.tenant().await;
    let pair = world.pair(&keys, "student").await;
    let (old, new) = activated(&world, "vault").await;
    for wait in [20, 40, 60, 80] {
        let mut running = world.spawn(&["secrets", "rewrap"]);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        running.kill().unwrap();
        running.wait().unwrap();
        let (status, _) = post(&world.api("/v1/accounts/get"), &keys.data(&pair)).await;
        assert_eq!(status, 200);
    }
    world.operator(&["secrets", "rewrap"]).await;
    assert!(hanging(&world, "vault", &old).await.is_empty());
    assert!(!hanging(&world, "vault", &new).await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_file_that_others_can_read_stops_start_and_check_config() {
    let world = World::own(Database::Sqlite).await;
    let path = world.folder().join("secrets.key");
    let set =
        |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    for mode in [0o644, 0o640] {
        set(mode);
        for command in [
            &["check-config"][..],
            &["serve", "--listen", "127.0.0.1:0"],
            &["secrets", "list"],
        ] {
            let (done, said) = world.attempt(command).await;
            assert!(!done && said.contains("chmod 600"), "{command:?}: {said}");
        }
    }
    set(0o600);
    let (done, said) = world.attempt(&["check-config"]).await;
    assert!(done, "{said}");
}
