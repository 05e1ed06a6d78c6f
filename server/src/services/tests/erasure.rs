//! Erasure is real: what was read through the API under a consent is nowhere in the database once its time is over,
//! neither in clear nor sealed.

use std::collections::{BTreeSet, HashSet};

use aho_corasick::AhoCorasick;
use axum::body::Body;
use axum::http::{Request, header};
use tower::ServiceExt as _;

use super::*;
use crate::services::sessions::erasure;
use crate::storage::run;
use crate::storage::testing::on_both;
use crate::worker;

on_both!(
    a_deleted_consents_data_is_gone_at_once,
    an_expired_consents_data_is_gone_when_its_time_is_over
);

const NAME: &str = "Canary Account Name";
const IBAN: &str = "RO00CANARY00000000000001";
const SHOP: &str = "Canary Shop";
const TEXT: &str = "canary remittance text";
/// Enough for pages of the file to fill, split and merge.
const ROWS: usize = 2_500;

/// The tenant's own calls of the API.
struct Api {
    world: World,
    keys: Value,
}

impl Api {
    async fn new(db: Db) -> Self {
        let world = World::scripted(db).await;
        let mut account = account("acc-1", IBAN);
        account.name = Some(NAME.into());
        *world.provider.accounts.lock().unwrap() = vec![account];
        let keys =
            json!({ "client_id": world.client.tenant(), "client_secret": world.client.secret });
        Self { world, keys }
    }

    async fn post(&self, path: &str, pair: &Credentials) -> String {
        let mut body = self.keys.clone();
        body["credentials_id"] = json!(pair.id);
        body["access_token"] = json!(pair.access_token.expose_secret());
        if path.ends_with("delete") {
            body["pcd_data_retention"] = json!(0);
        }
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let router = self.world.api();
        let answer = router.oneshot(request).await.unwrap();
        assert_eq!(answer.status(), 200, "{path}");
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 24).await;
        String::from_utf8(bytes.unwrap().to_vec()).unwrap()
    }

    /// Reads everything, lets the bank change and take back some of it, and reads what has changed.
    async fn read(&self, pair: &Credentials) {
        let rows = |skip: usize, word: &str| -> Vec<_> {
            let rows = (skip..ROWS).map(|n| {
                let mut row = transaction(&format!("id-{n}"), "-5.00", "2025-12-31");
                row.creditor.as_mut().unwrap().name = Some(SHOP.into());
                row.remittance = Some(format!("{TEXT} {} {word}", "x".repeat(n % 300)));
                row
            });
            rows.collect()
        };
        *self.world.provider.pages.lock().unwrap() =
            rows(0, "").chunks(1_000).map(<[_]>::to_vec).collect();
        let accounts = self.post("/v1/accounts/get", pair).await;
        assert!(accounts.contains(NAME) && accounts.contains(IBAN));
        self.post("/v1/balances/get", pair).await;
        let all = self.post("/v1/transactions/get", pair).await;
        assert!(all.contains(SHOP) && all.matches(TEXT).count() == ROWS);
        let later = rows(ROWS / 3, "later");
        *self.world.provider.pages.lock().unwrap() =
            later.chunks(1_000).map(<[_]>::to_vec).collect();
        self.world.advance(6 * 3600 + 1);
        let changes = self.post("/v1/transactions/sync", pair).await;
        assert!(changes.contains(TEXT));
        self.world.state.request_log.flush(&self.world.state).await;
        self.world.state.db.analyse().await;
    }

    /// Every sealed thing that there is now.
    async fn sealed(&self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        let mut tx = self.world.state.db.read().await.unwrap();
        for sql in [
            "SELECT sealed FROM accounts",
            "SELECT sealed FROM balances",
            "SELECT sealed FROM transactions",
            "SELECT sealed FROM past_changes",
            "SELECT bank_grant FROM consents WHERE bank_grant IS NOT NULL",
            "SELECT bank_ref FROM sessions WHERE bank_ref IS NOT NULL",
            "SELECT answer FROM session_steps",
        ] {
            let found: Vec<Vec<u8>> =
                run!(tx, |conn| sqlx::query_scalar(sql).fetch_all(conn).await).unwrap();
            all.extend(found.into_iter().filter(|bytes| !bytes.is_empty()));
        }
        all
    }

    /// Counts the needles that are found anywhere in the database: in its files on disk, for Postgres once its tables
    /// are vacuumed; for Postgres also in any column of any table.
    async fn found(&self, needles: &[Vec<u8>]) -> usize {
        let db = &self.world.state.db;
        if let Some(file) = db.file().await {
            let mut bytes = std::fs::read(&file).unwrap();
            let beside = file.with_file_name("test.db-wal");
            bytes.extend(std::fs::read(beside).unwrap_or_default());
            return count(&bytes, needles);
        }
        let text = db.dump().await;
        let hex = |bytes: &Vec<u8>| {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            let plain = String::from_utf8(bytes.clone()).unwrap_or_default();
            if plain.is_ascii() && !plain.is_empty() {
                plain.into_bytes()
            } else {
                hex.into_bytes()
            }
        };
        let written: Vec<_> = needles.iter().map(hex).collect();
        let in_columns = count(text.as_bytes(), &written);
        let mut in_files = count(&db.postgres_files().await, needles);
        // Packing leaves what a reader who began before might still see, such as the database's own housekeeping; such a
        // reader ends by itself.
        let begun = std::time::Instant::now();
        while in_columns == 0 && in_files > 0 && begun.elapsed().as_secs() < 30 {
            in_files = count(&db.postgres_files().await, needles);
        }
        // Each place has what the other has.
        assert_eq!(in_columns == 0, in_files == 0, "{in_columns} {in_files}");
        in_columns.min(in_files)
    }
}

/// Counts the needles that occur. A piece from the middle of each is looked for: the ends may be cut by a page.
fn count(hay: &[u8], needles: &[Vec<u8>]) -> usize {
    const PIECE: usize = 16;
    let pieces: BTreeSet<&[u8]> = needles
        .iter()
        .map(|needle| {
            let from = (needle.len().saturating_sub(PIECE)) / 2;
            &needle[from..(from + PIECE).min(needle.len())]
        })
        .collect();
    let search = AhoCorasick::new(&pieces).unwrap();
    let found = search.find_overlapping_iter(hay).map(|it| it.pattern());
    found.collect::<HashSet<_>>().len()
}

fn canaries() -> Vec<Vec<u8>> {
    [NAME, IBAN, SHOP, TEXT]
        .into_iter()
        .map(|text| text.as_bytes().to_vec())
        .collect()
}

/// Nothing is in clear at any time; all that is sealed is there before `end`, and nothing of it afterwards.
async fn erased(api: &Api, end: impl AsyncFnOnce()) {
    let sealed = api.sealed().await;
    assert!(sealed.len() > ROWS);
    api.world.state.db.scrub().await.unwrap();
    assert_eq!(api.found(&canaries()).await, 0, "nothing is kept in clear");
    let before = api.found(&sealed).await;
    assert!(
        before > sealed.len() * 9 / 10,
        "the search finds what is there: {before}"
    );
    end().await;
    while worker::run_one(&api.world.state).await.unwrap() {}
    // A session's own things go a day after it has ended.
    api.world.advance(2 * 86_400);
    erasure::erase(&api.world.state).await.unwrap();
    assert_eq!(api.found(&canaries()).await, 0);
    assert_eq!(api.found(&sealed).await, 0, "sealed bytes are left behind");
}

async fn a_deleted_consents_data_is_gone_at_once(db: Db) {
    let api = Api::new(db).await;
    let pair = api.world.pair().await;
    api.read(&pair).await;
    erased(&api, async || {
        api.post("/v1/consents/delete", &pair).await;
    })
    .await;
}

async fn an_expired_consents_data_is_gone_when_its_time_is_over(db: Db) {
    let api = Api::new(db).await;
    let pair = api.world.pair().await;
    api.read(&pair).await;
    api.world.advance(120 * 86_400 - 6 * 3600 - 2);
    erasure::erase(&api.world.state).await.unwrap();
    assert!(api.sealed().await.len() > ROWS, "not before its time");
    erased(&api, async || api.world.advance(1)).await;
}
