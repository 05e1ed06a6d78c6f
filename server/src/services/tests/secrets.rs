//! The keys change under what was sealed and digested before: all of it goes on being read, moves by command, and is then
//! of no use to the keys before.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;

use app::domain::ids::TenantId;
use kernel::crypto::SYSTEM;
use kernel::crypto::file::{self, FileKey, KeyFile, KeyPurpose};

use super::*;
use crate::services::consents::accounts;
use crate::services::consents::sealed::StoredTransactionDetails;
use crate::services::portal::secrets::rewrap::{self, seal_aads};
use crate::services::portal::secrets::rotation;
use crate::storage::reseal::COLUMNS;
use crate::storage::testing::crash::break_off;
use crate::storage::testing::on_both;

on_both!(
    what_was_sealed_before_data_keys_is_read_and_moved,
    every_value_of_a_tenant_is_sealed_under_its_own_data_key,
    an_erased_data_key_takes_everything_with_it,
    a_revocation_that_is_broken_off_keeps_what_it_did,
);

/// A key file of the first format.
fn single(clock: &kernel::clock::Clock) -> KeyFile {
    use base64::Engine as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.key");
    let key = || base64::engine::general_purpose::STANDARD.encode(clock.random::<32>());
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .unwrap();
    let (id, pepper, vault) = (clock.id(), key(), key());
    write!(
        file,
        "tessera-secrets-1\nid {id}\npepper {pepper}\nvault {vault}\n"
    )
    .unwrap();
    KeyFile::read(&path).unwrap().unwrap()
}

/// Everything that a tenant has read so far.
async fn all_read(world: &World, pair: &Credentials) -> String {
    let state = &world.state;
    let listing = accounts::list(state, &world.client, pair).await.unwrap();
    let ibans = listing.items.iter().map(|it| it.details.iban.clone());
    let ibans: Vec<_> = ibans.collect();
    let wanted = crate::services::consents::transactions::TransactionFilter::default();
    let reader =
        crate::services::consents::transactions::reader(state, &world.client, pair, wanted);
    let page = reader.await.unwrap().page(None, 100).await.unwrap();
    let lines = page.items.iter().map(|it| {
        let utx = kernel::crypto::hex(&it.row.utx.0);
        format!("{utx} {} {:?}", it.details.amount, it.details.merchant)
    });
    format!("{ibans:?} {:?}", lines.collect::<Vec<_>>())
}

/// Seals every row as releases before did.
async fn as_before(world: &World) -> u64 {
    let state = &world.state;
    let mut rows = 0;
    for column in &COLUMNS {
        let mut tx = state.db.write().await.unwrap();
        for row in tx.fresh_rows(column).await.unwrap() {
            let scoped = if row.owner == SYSTEM {
                state.clone()
            } else {
                state
                    .for_tenant(&mut tx, TenantId(row.owner))
                    .await
                    .unwrap()
            };
            let opened = seal_aads(column.name, &row).into_iter();
            let mut opened = opened.filter_map(|place| {
                let plain = scoped.vault.open(&place, &row.sealed).ok()?;
                Some((place, plain))
            });
            let (place, plain) = opened
                .next()
                .unwrap_or_else(|| panic!("{} is not where it is looked for", column.name));
            let sealed = state
                .vault
                .seal_as_before(&state.clock, &place, &plain)
                .unwrap();
            let merchant = column.merchants.then(|| {
                let details: StoredTransactionDetails = serde_json::from_slice(&plain).unwrap();
                let name = details.merchant?;
                state.pepper.first(
                    "merchant",
                    &format!("{}/{name}", app::domain::ids::CredentialsId(row.parent)),
                )
            });
            let merchant = merchant.flatten();
            assert!(
                tx.reseal(column, &row, &sealed, merchant.as_deref())
                    .await
                    .unwrap()
            );
            rows += 1;
        }
        tx.commit().await.unwrap();
    }
    rows
}

async fn count(world: &World, key: &FileKey) -> i64 {
    let under = rewrap::under(&world.state, key).await.unwrap();
    under.iter().map(|it| it.count).sum()
}

async fn what_was_sealed_before_data_keys_is_read_and_moved(db: Db) {
    let state = state(db);
    let mut file = single(&state.clock);
    let first = file.vault.active().clone();
    file::take(&file, &state.pepper, &state.vault);
    let world = World::builder(state).scripted().build().await;
    let pair = world.pair().await;
    world.work().await;
    let read = all_read(&world, &pair).await;
    // A session under way, and its nonce.
    let opened = world.client.open(FORM).await;

    let rows = as_before(&world).await;
    assert!(rows > 6, "{rows}");
    assert_eq!(all_read(&world, &pair).await, read, "read as it is");

    let state = &world.state;
    let new = file.ring_mut(KeyPurpose::Vault).add(&state.clock).unwrap();
    file.vault.activate(new);
    file::take(&file, &state.pepper, &state.vault);
    assert!(count(&world, &first).await > 0);
    let done = rewrap::rewrap(state, &file, |_, _| {}).await.unwrap();
    assert_eq!(done.broken, 0);
    assert!(done.rows >= rows - 1, "{done:?}");
    assert_eq!(
        count(&world, &first).await,
        0,
        "all that hung on it was moved"
    );
    let again = rewrap::rewrap(state, &file, |_, _| {}).await.unwrap();
    assert_eq!(
        (again.rows, again.keys),
        (0, 0),
        "there is nothing left to do"
    );

    assert!(file.vault.drop(first.tag));
    file::take(&file, &state.pepper, &state.vault);
    assert_eq!(all_read(&world, &pair).await, read);
    let standing = world.client.standing(opened.session_id).await;
    assert_eq!(
        standing.nonce,
        Some(opened.nonce),
        "what was under way goes on"
    );
}

async fn every_value_of_a_tenant_is_sealed_under_its_own_data_key(db: Db) {
    let world = World::scripted(db).await;
    let pair = world.pair().await;
    world.work().await;
    all_read(&world, &pair).await;
    world.at_bank().await;
    let mut tx = world.state.db.read().await.unwrap();
    let mut fresh = 0;
    for column in &COLUMNS {
        assert_eq!(tx.count_stale(column).await.unwrap(), 0, "{}", column.name);
        fresh += tx.fresh_rows(column).await.unwrap().len();
    }
    assert!(fresh > 8, "{fresh}");
}

async fn an_erased_data_key_takes_everything_with_it(db: Db) {
    let world = World::scripted(db).await;
    world.pair().await;
    world.work().await;
    let state = &world.state;
    let tenant = world.client.tenant();
    let mut tx = state.db.write().await.unwrap();
    let held = state.for_tenant(&mut tx, tenant).await.unwrap();
    let accounts = COLUMNS
        .iter()
        .find(|it| it.name == "accounts.sealed")
        .unwrap();
    let rows = tx.fresh_rows(accounts).await.unwrap();
    let place = seal_aads(accounts.name, &rows[0]).remove(0);
    assert!(held.vault.open(&place, &rows[0].sealed).is_ok());
    assert!(
        tx.erase_data_key(tenant.0, state.clock.now())
            .await
            .unwrap()
    );
    tx.commit().await.unwrap();
    // Another process, or this one: each looks at what was erased.
    let mut watch = crate::services::portal::secrets::watch::Watch::new(state.clone());
    watch.look(false).await.unwrap();
    assert!(held.vault.open(&place, &rows[0].sealed).is_err());
    assert!(state.for_tenant_alone(tenant).await.is_err());
}

async fn a_revocation_that_is_broken_off_keeps_what_it_did(db: Db) {
    let state = state(db);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secrets.key");
    let keys = || KeyFile::read(&path).unwrap().unwrap();
    single(&state.clock).create(&path).unwrap();
    let old = keys().pepper.active().tag;
    file::take(&keys(), &state.pepper, &state.vault);
    let world = World::builder(state).scripted().build().await;
    let state = &world.state;
    let pairs = [world.pair().await, world.pair().await];
    let new = rotation::add(state, &path, KeyPurpose::Pepper)
        .await
        .unwrap();
    rotation::activate(state, &path, KeyPurpose::Pepper, new, true)
        .await
        .unwrap();
    file::take(&keys(), &state.pepper, &state.vault);
    let ended = async || {
        let mut tx = state.db.read().await.unwrap();
        let mut ended = 0;
        for pair in &pairs {
            let row = tx.consent(pair.id).await.unwrap().unwrap();
            ended += usize::from(row.status == app::domain::session::ConsentStatus::Deleted);
        }
        ended
    };
    // A little further each time, as often as it takes: at some point the consents have ended and the key is still there.
    let mut kept = false;
    for times in 1.. {
        let drop = rotation::drop_key(state, &path, KeyPurpose::Pepper, old, true);
        if break_off(drop, times).await.is_some() {
            break;
        }
        kept |= ended().await == pairs.len() && keys().pepper.by_tag(old).is_some();
    }
    assert!(kept, "each batch is done once it is done");
    assert_eq!(ended().await, pairs.len());
    assert!(keys().pepper.by_tag(old).is_none());
    world.work().await;
    let revoked = world.provider.revoked.load(Ordering::SeqCst);
    assert_eq!(revoked, pairs.len(), "each bank is told once");
}
