//! Keys by the million, the pattern that finds them, and what is refused without the database.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use app::domain::key::PATTERN;
use app::domain::tenant::Environment;
use chrono::Duration;
use kernel::clock::Clock;
use serde_json::json;

use super::*;
use crate::storage::Db;
use crate::storage::testing::on_both;
use crate::testing::World;

on_both!(a_text_that_is_no_key_is_refused_without_the_database);

const MILLION: usize = 1_000_000;

fn shapes() -> [KeyShape; 4] {
    [
        (Environment::Sandbox, KeyKind::Secret),
        (Environment::Sandbox, KeyKind::AppKey),
        (Environment::Production, KeyKind::Secret),
        (Environment::Production, KeyKind::AppKey),
    ]
    .map(|(environment, kind)| KeyShape { environment, kind })
}

#[test]
fn of_a_million_keys_none_is_made_twice_and_all_are_found() {
    let clock = Clock::system();
    let pattern =
        jsonschema::validator_for(&json!({ "pattern": format!("^.*{PATTERN}.*$") })).unwrap();
    let mut seen = HashSet::with_capacity(MILLION);
    for n in 0..MILLION {
        let shape = shapes()[n % 4];
        let key = shape.write(clock.random());
        // 128 bits of each are remembered: two that share them would be a wonder, or a fault.
        let digest = |salt: u8| {
            let mut hash = DefaultHasher::new();
            (salt, &key).hash(&mut hash);
            hash.finish()
        };
        assert!(seen.insert((digest(0), digest(1))), "made twice");
        let random = key.strip_prefix(&shape.prefix()).unwrap();
        assert!(
            random.len() == 49 && random.bytes().all(|byte| byte.is_ascii_alphanumeric()),
            "{key}"
        );
        if n % 50 == 0 {
            assert_eq!(KeyShape::read(&key), Some(shape));
            assert!(
                pattern.is_valid(&json!(format!("let key = \"{key}\";"))),
                "{key}"
            );
        }
    }
}

#[test]
fn the_pattern_finds_nothing_in_our_own_sources_and_is_the_published_one() {
    let guide = include_str!("../../../../../app/src/text/security.md");
    assert!(
        guide.contains(&format!("\n{PATTERN}\n")),
        "the guide publishes another pattern"
    );
    let pattern = jsonschema::validator_for(&json!({ "pattern": PATTERN })).unwrap();
    let mut folders = vec![std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")];
    let mut bytes = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name());
            let name = name.to_string_lossy();
            if path.is_dir() {
                if !name.starts_with('.') && !matches!(&*name, "target" | "node_modules") {
                    folders.push(path);
                }
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                bytes += text.len();
                assert!(
                    !text.contains("tsr_") || !pattern.is_valid(&json!(text)),
                    "a key lies in {}",
                    path.display()
                );
            }
        }
    }
    assert!(bytes > 1_000_000, "{bytes} bytes of source are few");
}

async fn a_text_that_is_no_key_is_refused_without_the_database(db: Db) {
    let world = World::new(db).await;
    let state = &world.state;
    let mut tx = state.db.read().await.unwrap();
    let tenant = world.client.tenant().to_string();
    let mut verified = async |kind, text: &str| {
        let text = SecretString::from(text.to_owned());
        let given = PresentedKey { kind, text: &text };
        verify(state, &mut tx, &tenant, given).await
    };
    assert!(
        verified(KeyKind::Secret, &world.client.secret)
            .await
            .is_ok()
    );
    assert!(
        verified(KeyKind::AppKey, &world.client.app_key)
            .await
            .is_ok()
    );
    // A key under a digest that is right, and a checksum that is not: the row would be found, if it was looked for.
    let mut mistyped = world.client.secret.clone();
    let last = mistyped.pop().unwrap();
    mistyped.push(if last == '0' { '1' } else { '0' });
    let text = SecretString::from(mistyped.clone());
    let mut write = state.db.write().await.unwrap();
    write
        .add_key(&crate::storage::keys::NewKeyRow {
            id: KeyId(state.clock.id()),
            tenant: world.client.tenant(),
            kind: KeyKind::Secret,
            slot: 1,
            digest: &digest(&state.pepper, KeyKind::Secret, &text),
            sealed: None,
            tail: "0000",
            created_at: state.clock.now() - Duration::hours(1),
            created_by: "test",
        })
        .await
        .unwrap();
    write.commit().await.unwrap();
    let refused = verified(KeyKind::Secret, &mistyped).await;
    assert!(
        matches!(refused, Err(ApiError::Refused(refusal)) if refusal.code == Code::InvalidApiKeys)
    );
    for text in [
        "",
        "x",
        &world.client.app_key,
        &format!("{} ", world.client.secret),
    ] {
        assert!(verified(KeyKind::Secret, text).await.is_err(), "{text}");
    }
}
