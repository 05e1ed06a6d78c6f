use super::file::{KeyFile, KeyPurpose};
use super::*;
use crate::clock::Clock;

fn clock() -> Clock {
    Clock::mock("2026-01-01T00:00:00Z".parse().unwrap(), 1)
}

fn secrets(file: &KeyFile) -> Secrets {
    file.clone().into()
}

/// A vault of a tenant whose data key is new.
fn tenant(vault: &Vault, clock: &Clock) -> (Vault, Wrapped) {
    let (key, wrapped) = vault.make(clock, clock.id()).unwrap();
    (vault.of_opened(key), wrapped)
}

#[test]
fn sealed_bytes_open_only_where_they_were_sealed() {
    let clock = clock();
    let (vault, _) = tenant(&Secrets::make(&clock).vault, &clock);
    let place = "tenant_keys.sealed/1";
    let sealed = vault.seal(&clock, place, b"secret").unwrap();
    assert_eq!(&**vault.open(place, &sealed).unwrap(), b"secret");
    assert!(vault.open("tenant_keys.sealed/2", &sealed).is_err());
    for at in 0..sealed.len() {
        let mut broken = sealed.clone();
        broken[at] ^= 1;
        assert!(vault.open(place, &broken).is_err(), "byte {at}");
    }
    assert!(vault.open(place, b"short").is_err());
    let (other, _) = tenant(&vault, &clock);
    assert!(other.open(place, &sealed).is_err(), "another tenant's row");
}

#[test]
fn the_system_seals_nothing_of_a_tenants() {
    let clock = clock();
    let vault = Secrets::make(&clock).vault;
    assert!(vault.seal(&clock, "consents.bank_grant/1", b"x").is_err());
    assert!(vault.seal(&clock, "jobs.payload/1", b"x").is_ok());
}

/// Ten thousand random mutations: of the sealed bytes, of the place, of the tenant, of the wrapped key.
#[test]
fn of_ten_thousand_mutations_none_opens() {
    let clock = clock();
    let file = KeyFile::make(clock.id(), &clock);
    let vault = secrets(&file).vault;
    let (one, wrapped) = tenant(&vault, &clock);
    let (two, _) = tenant(&vault, &clock);
    let place = "accounts.sealed/7/a";
    let sealed = one
        .seal(&clock, place, b"RO49AAAA1B31007593840000")
        .unwrap();
    let mut tried = 0;
    while tried < 10_000 {
        let [kind, at, with, more] = clock.random::<4>();
        let mut bytes = sealed.clone();
        let position = (usize::from(at) << 8 | usize::from(more)) % bytes.len();
        let opened = match kind % 6 {
            0 => {
                bytes[position] ^= with.max(1);
                one.open(place, &bytes).is_ok()
            }
            1 => {
                bytes.truncate(position);
                one.open(place, &bytes).is_ok()
            }
            2 => {
                bytes.insert(position, with);
                bytes != sealed && one.open(place, &bytes).is_ok()
            }
            3 => two.open(place, &bytes).is_ok(),
            4 => one.open(&format!("{place}{with}"), &bytes).is_ok(),
            _ => {
                let mut moved = wrapped.clone();
                match with % 4 {
                    0 => moved.owner = clock.id(),
                    1 => moved.head[1 + usize::from(more) % 8] ^= 1,
                    2 => moved.under[usize::from(more) % 8] ^= 1,
                    _ => {
                        let at = usize::from(more) % moved.bytes.len();
                        moved.bytes[at] ^= 1;
                    }
                }
                vault.unwrap(&moved).is_ok()
            }
        };
        assert!(!opened, "mutation {tried} of kind {}", kind % 6);
        tried += 1;
    }
}

/// The construction does not change unnoticed: what a release sealed, the next one opens.
#[test]
fn known_answers() {
    let file = "tessera-secrets-1\nid 00000000-0000-0000-0000-000000000001\n\
                pepper AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n\
                vault ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n";
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.key");
    write(&path, file);
    let secrets = Secrets::read(&path).unwrap().unwrap();
    // HMAC-SHA-256 by another implementation (Python's `hmac`).
    let hex = |bytes: &[u8]| -> String { bytes.iter().map(|it| format!("{it:02x}")).collect() };
    assert_eq!(
        hex(&secrets.pepper.digest("nonce", "x").0),
        "0b43e2cdc166a62401446285cdf110753bcbc99348f75c22e338da5b7dd836a6"
    );
    let counting = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let key = DataKey::from_bytes(Uuid::from_u128(7), &counting);
    assert_eq!(hex(&key.head()), "01125d553529dd53fd");
    assert_eq!(
        hex(&key.digest("merchant", "x")),
        "01fb53da4a671e3749df396f8e6902e7606b7256badb3a0e680b5e90aaa7001802"
    );
}

#[test]
fn digests_differ_by_kind_and_by_pepper() {
    let clock = clock();
    let (one, two) = (Secrets::make(&clock).pepper, Secrets::make(&clock).pepper);
    assert!(one.digest("nonce", "x") == one.digest("nonce", "x"));
    assert!(one.digest("nonce", "x") != one.digest("temp_token", "x"));
    assert!(one.digest("nonce", "x") != two.digest("nonce", "x"));
}

/// Add, activate, drop: at each step what was made before is found, until its key is dropped.
#[test]
fn a_pepper_is_rotated_while_processes_have_old_and_new_files() {
    let clock = clock();
    let mut file = KeyFile::make(clock.id(), &clock);
    let before = secrets(&file);
    let old = file.pepper.active().tag;
    let made = before.pepper.digest("nonce", "x");
    let new = file.pepper.add(&clock).unwrap();
    assert!(file.pepper.add(&clock).is_none(), "two at most");
    let added = secrets(&file);
    assert!(file.pepper.activate(new));
    let activated = secrets(&file);
    for one in [&before, &added] {
        assert!(one.pepper.digest("nonce", "x") == made);
    }
    let fresh = activated.pepper.digest("nonce", "x");
    assert!(fresh == made, "found under the old one");
    assert!(fresh.renews(&made), "and made under the new one");
    let stored = Digest::of(fresh.0.clone());
    assert!(
        added.pepper.digest("nonce", "x") == stored,
        "a process with the file before finds it"
    );
    assert!(
        before.pepper.digest("nonce", "x") != stored,
        "one that was never given the new key does not"
    );
    assert!(!file.pepper.drop(new), "the active one stays");
    assert!(file.pepper.drop(old));
    let dropped = secrets(&file);
    assert!(dropped.pepper.digest("nonce", "x") == stored);
    assert!(dropped.pepper.digest("nonce", "x") != made);
}

#[test]
fn a_vault_key_is_rotated_and_the_old_one_opens_nothing() {
    let clock = clock();
    let mut file = KeyFile::make(clock.id(), &clock);
    let before = secrets(&file);
    let (of, wrapped) = tenant(&before.vault, &clock);
    let sealed = of.seal(&clock, "accounts.sealed/1", b"x").unwrap();
    let old = file.vault.active().tag;
    let new = file.vault.add(&clock).unwrap();
    file.vault.activate(new);
    let both = secrets(&file);
    let rewrapped = both.vault.rewrap(&clock, &wrapped).unwrap();
    assert_ne!(rewrapped.under, wrapped.under);
    file.vault.drop(old);
    let after = secrets(&file);
    assert!(after.vault.unwrap(&wrapped).is_err());
    let of = after
        .vault
        .of_opened(after.vault.unwrap(&rewrapped).unwrap());
    assert_eq!(&**of.open("accounts.sealed/1", &sealed).unwrap(), b"x");
    assert!(
        before.vault.unwrap(&rewrapped).is_err(),
        "the old key opens nothing"
    );
}

#[test]
fn an_erased_data_key_opens_nothing_for_whoever_still_holds_it() {
    let clock = clock();
    let vault = Secrets::make(&clock).vault;
    let (of, wrapped) = tenant(&vault, &clock);
    let sealed = of.seal(&clock, "accounts.sealed/1", b"x").unwrap();
    vault.forget(wrapped.owner);
    assert!(of.open("accounts.sealed/1", &sealed).is_err());
    assert!(of.seal(&clock, "accounts.sealed/1", b"x").is_err());
    assert!(vault.opened(wrapped.owner).is_none());
}

#[test]
fn opened_data_keys_are_kept_in_bounds() {
    let clock = clock();
    let vault = Secrets::make(&clock).vault;
    for _ in 0..10_100 {
        tenant(&vault, &clock);
    }
    assert!(vault.count_opened() <= 10_000);
}

fn write(path: &std::path::Path, text: &str) {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::remove_file(path).ok();
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[test]
fn the_key_file_is_private_and_read_back() {
    use std::os::unix::fs::PermissionsExt as _;
    let clock = clock();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.key");
    assert!(Secrets::read(&path).unwrap().is_none());
    let made = Secrets::create(&path, clock.id(), &clock).unwrap();
    let read = Secrets::read(&path).unwrap().unwrap();
    assert_eq!(made.id, read.id);
    assert!(made.pepper.digest("a", "b") == read.pepper.digest("a", "b"));
    let bits = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    assert_eq!(bits(), 0o600);
    assert!(
        Secrets::create(&path, clock.id(), &clock).is_err(),
        "an existing key file is never overwritten"
    );
    let mut file = KeyFile::read(&path).unwrap().unwrap();
    for kind in [KeyPurpose::Pepper, KeyPurpose::Vault] {
        let tag = file.ring_mut(kind).add(&clock).unwrap();
        file.replace(&path).unwrap();
        assert_eq!(bits(), 0o600);
        let read = KeyFile::read(&path).unwrap().unwrap();
        assert_eq!(read.ring(kind).other().unwrap().tag, tag);
    }
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "nothing is left beside it");
}

#[test]
fn a_key_file_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let clock = clock();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.key");
    Secrets::create(&path, clock.id(), &clock).unwrap();
    let set = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for mode in [0o644, 0o640, 0o604, 0o660, 0o620, 0o610] {
        set(&path, mode);
        let error = Secrets::read(&path).err().unwrap().to_string();
        let mends = format!("`chmod 600 {}`", path.display());
        assert!(error.contains(&mends), "{mode:o}: {error}");
    }
    set(&path, 0o400);
    Secrets::read(&path).unwrap();
    set(folder.path(), 0o777);
    let error = Secrets::read(&path).err().unwrap().to_string();
    assert!(error.contains("`chmod go-w "), "{error}");
    // As /tmp is: there nobody replaces somebody else's files.
    set(folder.path(), 0o1777);
    Secrets::read(&path).unwrap();
    set(folder.path(), 0o755);
    Secrets::read(&path).unwrap();
}

#[test]
fn a_damaged_key_file_is_refused() {
    let clock = clock();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.key");
    Secrets::create(&path, clock.id(), &clock).unwrap();
    let whole = std::fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let damaged = [
        "tessera-secrets-1\nid x".to_owned(),
        String::new(),
        lines[..3].join("\n"),
        whole.replacen("active", "retired", 1),
        whole.replacen("active", "old", 1),
        format!("{whole}{}\n", lines[3]),
        // A letter of a key: its id says so.
        whole.replace(" active ", " active A"),
    ];
    for text in damaged {
        write(&path, &text);
        let read = Secrets::read(&path);
        assert!(matches!(read, Err(SecretsError::Damaged { .. })), "{text}");
    }
}
