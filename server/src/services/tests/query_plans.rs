//! How the databases go about reading a page: by an index that has the rows in the page's order already, so that a page
//! costs what it shows and not what the table holds.

use app::domain::ids::AccountId;
use app::domain::transaction::BookingStatus;

use super::*;
use crate::services::consents::accounts;
use crate::storage::testing::on_both;
use crate::storage::transactions::{TransactionConditions, TransactionPosition};
use crate::storage::{Connection, DbResult, Tx};

on_both!(a_page_is_read_in_order_from_an_index);

/// Copies of a consent's newest row, a minute apart, until there are 5,000 more.
const FILL_SQLITE: &str = "
    WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 5000)
    INSERT INTO transactions
        (id, consent_id, account_id, utx, status, credit_debit, currency, amount, booked_at, category, merchant, sealed,
         inserted_at, change_no, change_kind, replaces)
    SELECT randomblob(16), consent_id, account_id, randomblob(32), status, credit_debit, currency, amount,
           strftime('%Y-%m-%dT%H:%M:%S+00:00', booked_at, '-' || n || ' minutes'), category, merchant, sealed,
           inserted_at, 1000 + n, change_kind, replaces
    FROM numbers, (SELECT * FROM transactions WHERE consent_id = $1 ORDER BY booked_at DESC LIMIT 1)";
const FILL_POSTGRES: &str = "
    INSERT INTO transactions
        (id, consent_id, account_id, utx, status, credit_debit, currency, amount, booked_at, category, merchant, sealed,
         inserted_at, change_no, change_kind, replaces)
    SELECT gen_random_uuid(), consent_id, account_id, decode(md5(n::text) || md5(id::text || n::text), 'hex'), status,
           credit_debit, currency, amount, booked_at - n * interval '1 minute', category, merchant, sealed,
           inserted_at, 1000 + n, change_kind, replaces
    FROM generate_series(1, 5000) AS numbers (n),
         (SELECT * FROM transactions WHERE consent_id = $1 ORDER BY booked_at DESC LIMIT 1) AS model";

async fn fill(tx: &mut Tx, pair: &Credentials) -> DbResult<()> {
    match tx.link() {
        Connection::Sqlite(conn) => {
            let done = sqlx::query(FILL_SQLITE).bind(pair.id).execute(conn).await;
            done.map(|_| ())
        }
        Connection::Postgres(conn) => {
            let done = sqlx::query(FILL_POSTGRES).bind(pair.id).execute(conn).await;
            done.map(|_| ())
        }
    }
}

/// A consent with as many transactions as the bank has.
async fn small(world: &World) -> (Credentials, AccountId) {
    let pair = world.pair().await;
    let list = accounts::list(&world.state, &world.client, &pair).await;
    let account = list.unwrap().items[0].id;
    (pair, account)
}

/// Lets a consent have many more.
async fn grow(world: &World, pair: &Credentials) {
    let mut tx = world.state.db.write().await.unwrap();
    fill(&mut tx, pair).await.unwrap();
    tx.commit().await.unwrap();
}

async fn large(world: &World) -> (Credentials, AccountId) {
    let (pair, account) = small(world).await;
    grow(world, &pair).await;
    (pair, account)
}

/// Fails unless rows come from the index, in its order.
fn ordered(plan: &str, index: &str) {
    println!("{plan}\n");
    assert!(plan.contains(index), "{index}: {plan}");
    for detour in [
        "TEMP B-TREE",
        "Sort",
        "SCAN transactions",
        "Seq Scan on transactions",
    ] {
        assert!(!plan.contains(detour), "{detour}: {plan}");
    }
}

async fn a_page_is_read_in_order_from_an_index(db: Db) {
    let world = World::scripted(db.clone()).await;
    for _ in 0..3 {
        large(&world).await;
    }
    let known = large(&world).await;
    let grown = small(&world).await;
    let mut tx = db.write().await.unwrap();
    if let Connection::Postgres(conn) = tx.link() {
        sqlx::query("ANALYZE transactions")
            .execute(conn)
            .await
            .unwrap();
    }
    tx.commit().await.unwrap();
    // Of one consent the statistics are out of date, and of the other they have never heard: Postgres believes that it has
    // one row.
    grow(&world, &grown.0).await;
    let newcomer = large(&world).await;
    for (Credentials { id: consent, .. }, account) in [known, grown, newcomer] {
        let mut tx = db.read().await.unwrap();
        let all = TransactionConditions::default();
        let first = tx.transactions(consent, &all, None, 2_000).await.unwrap();
        let deep = first.last().map(|row| TransactionPosition {
            booked_at: row.booked_at,
            id: row.id,
        });
        let of_account = TransactionConditions {
            account_id: Some(account),
            ..TransactionConditions::default()
        };
        let pending = TransactionConditions {
            status: Some(BookingStatus::Pending),
            ..TransactionConditions::default()
        };
        for (filter, after, index) in [
            (&all, None, "transactions_newest"),
            (&all, deep, "transactions_newest"),
            (&of_account, None, "transactions_account"),
            (&of_account, deep, "transactions_account"),
            (&pending, None, "transactions_pending"),
        ] {
            let plan = tx.explain_transactions(consent, filter, after).await;
            ordered(&plan.unwrap(), index);
        }
        let plan = tx.explain_changes(consent, 1_000).await.unwrap();
        assert!(plan.contains("transactions_changes"), "{plan}");
    }
}
