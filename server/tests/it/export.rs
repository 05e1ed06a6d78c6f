//! What an operator hands a servicer that asks for its data.

use std::os::unix::fs::PermissionsExt as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use server::storage::inventory::tables;

use crate::world::people::PASSWORD;
use crate::world::{Database, RETURN, SKILL, World, on_both};

on_both!(a_servicer_gets_what_is_stored_of_it_and_no_secret);

async fn a_servicer_gets_what_is_stored_of_it_and_no_secret(database: Database) {
    let world = World::own(database).await;
    let (servicer, _owner) = world.servicer_with_owner().await;
    let keys = world
        .tenant_of(&servicer, &["--skill", SKILL, "--redirect-link", RETURN])
        .await;
    let pair = world.pair(&keys, "student").await;
    world
        .post_when_ready("/v1/accounts/get", keys.data(&pair).to_string())
        .await;
    world.start("somebody.else@example.org").await;

    let file = world.folder().join("servicer.jsonl");
    let path = file.to_str().unwrap();
    let begun = Instant::now();
    let told = world
        .operator(&["servicer", "export", &servicer, "--out", path])
        .await;
    assert!(begun.elapsed() < Duration::from_mins(1));
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let (head, rows, end) = (&lines[0], &lines[1..lines.len() - 1], lines.last().unwrap());
    assert_eq!(head["servicer_id"], json!(servicer));
    // Every table of the inventory is either exported or named with a reason.
    for table in tables() {
        let exported = head["columns_left_out"].get(table.name).is_some();
        let without = head["tables_left_out"].get(table.name).is_some();
        assert!(exported ^ without, "{}", table.name);
    }
    assert_eq!(end["rows"], json!(rows.len()));
    assert_eq!(end["rows"], told["rows"]);
    let of = |name: &str| rows.iter().filter(|line| line["table"] == name).count();
    for (table, at_least) in [
        ("servicers", 1),
        ("people", 1),
        ("memberships", 1),
        ("tenants", 1),
        ("tenant_keys", 2),
        ("sessions", 1),
        ("consents", 1),
        ("accounts", 1),
        ("audit_log", 3),
        ("requests", 1),
    ] {
        assert!(of(table) >= at_least, "{table}: {}", of(table));
        assert_eq!(end["tables"][table], json!(of(table)), "{table}");
    }
    assert!(text.contains("owner@example.com") && text.contains(&keys.client_id));
    for secret in [
        &*keys.client_secret,
        &keys.client_app_key,
        &pair.1,
        PASSWORD,
        "$argon2",
        "somebody.else@example.org",
    ] {
        assert!(!text.contains(secret), "{secret}");
    }

    // What is there is left alone, and who is not there has no file.
    let (done, said) = world
        .attempt(&["servicer", "export", &servicer, "--out", path])
        .await;
    assert!(!done && said.contains("cannot be made"), "{said}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
    let nowhere = world.folder().join("nobody.jsonl");
    let nobody = uuid::Uuid::nil().to_string();
    let arguments = [
        "servicer",
        "export",
        &nobody,
        "--out",
        nowhere.to_str().unwrap(),
    ];
    assert!(!world.attempt(&arguments).await.0);
    assert!(!nowhere.exists());
}
