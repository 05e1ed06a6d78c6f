//! Accounts and entries, and how they get into the tables.

use std::fmt::Write as _;

use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Db, DbResult, Tx, run};
use crate::ledger::accounts::ACCOUNTS;
use crate::ledger::{self, Day, HISTORY_DAYS, LedgerEntry, VERSION};

/// Days beyond today for which entries are stored in advance; an entry becomes visible when its day comes.
const AHEAD: i64 = 35;
/// Days of stored entries ahead of today below which more are loaded.
const ENOUGH: i64 = 7;
/// Rows in one statement.
const BATCH: usize = 2_000;

/// An account as the bank knows it; amounts in minor units.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct BankAccountRow {
    pub id: i64,
    pub iban: String,
    pub currency: String,
    pub name: String,
    pub product: String,
    pub cash_account_type: String,
    pub usage: String,
    pub credit_limit: i64,
}

/// An account under a consent.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ConsentedRow {
    pub resource_id: Uuid,
    #[sqlx(flatten)]
    pub account: BankAccountRow,
}

/// Balances of an account, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holdings {
    pub booked: i64,
    /// Sum of the entries that are made and not yet booked.
    pub pending: i64,
    /// The last day on which something was booked.
    pub booked_on: Day,
}

/// Selection of an account's entries: made by `today` and within the bank's history, booked from `from` to `to`, and
/// after a position in the list.
#[derive(Clone, Copy, Debug)]
pub struct EntryFilter {
    pub today: Day,
    pub from: Day,
    pub to: Day,
    /// Booking day and position of the last entry seen; `None` begins with the newest.
    pub after: Option<(i64, i64)>,
    pub limit: i64,
}

#[derive(sqlx::FromRow)]
struct EntryRow {
    booking_day: i64,
    position: i64,
    made_day: i64,
    payee: i64,
    salt: i64,
    amount: i64,
    balance_after: i64,
}

/// Makes sure that a user's books reach beyond today, and forgets what is older than the bank's history. One read
/// when there is nothing to do; several processes may call it at once.
pub async fn keep_loaded(db: &Db, username: &str, today: Day) -> DbResult<()> {
    let mut tx = db.read().await?;
    let loaded = loaded_to(&mut tx, username).await?;
    drop(tx);
    if loaded.is_some_and(|loaded| loaded >= today.plus(ENOUGH)) {
        return Ok(());
    }
    let (oldest, to) = (today.plus(-HISTORY_DAYS), today.plus(AHEAD));
    let from = loaded.map_or(oldest, |loaded| loaded.plus(1).max(oldest));
    // Told before the transaction begins: it takes a while, and others wait for the writer.
    let entries = ledger::entries(username, from, to);
    let mut tx = db.write().await?;
    if !claim(&mut tx, username, loaded, to).await? {
        return Ok(());
    }
    if loaded.is_none() {
        open_accounts(&mut tx, username).await?;
    }
    forget(&mut tx, username, loaded.map(|_| oldest)).await?;
    write(&mut tx, &entries).await?;
    tx.commit().await
}

/// The last day loaded, if the books are of this version.
async fn loaded_to(tx: &mut Tx, username: &str) -> DbResult<Option<Day>> {
    let found: Option<i64> = run!(tx, |conn| {
        sqlx::query_scalar(
            "SELECT loaded_to FROM bank_ledgers WHERE username = $1 AND version = $2",
        )
        .bind(username)
        .bind(VERSION)
        .fetch_optional(conn)
        .await
    })?;
    Ok(found.map(Day))
}

/// Takes the loading upon this transaction, unless another did so since `loaded` was read.
async fn claim(tx: &mut Tx, username: &str, loaded: Option<Day>, to: Day) -> DbResult<bool> {
    run!(tx, |conn| {
        sqlx::query(
            "INSERT INTO bank_ledgers (username, version, loaded_to) VALUES ($1, 0, 0) ON CONFLICT (username) DO NOTHING",
        )
        .bind(username)
        .execute(conn)
        .await
        .map(|_| ())
    })?;
    let claimed: Option<String> = run!(tx, |conn| {
        sqlx::query_scalar(
            "UPDATE bank_ledgers SET version = $2, loaded_to = $3
             WHERE username = $1 AND ((version = $2 AND loaded_to = $4) OR (version <> $2 AND $4 = -1))
             RETURNING username",
        )
        .bind(username)
        .bind(VERSION)
        .bind(to.0)
        .bind(loaded.map_or(-1, |day| day.0))
        .fetch_optional(conn)
        .await
    })?;
    Ok(claimed.is_some())
}

async fn open_accounts(tx: &mut Tx, username: &str) -> DbResult<()> {
    for account in ACCOUNTS
        .iter()
        .filter(|account| account.username == username)
    {
        run!(tx, |conn| {
            sqlx::query(
                "INSERT INTO bank_accounts (id, username, iban, currency, name, product, cash_account_type, usage, credit_limit)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                 ON CONFLICT (id) DO UPDATE SET username = excluded.username, iban = excluded.iban,
                     currency = excluded.currency, name = excluded.name, product = excluded.product,
                     cash_account_type = excluded.cash_account_type, usage = excluded.usage,
                     credit_limit = excluded.credit_limit",
            )
            .bind(account.id)
            .bind(account.username)
            .bind(account.iban())
            .bind(account.currency)
            .bind(account.name)
            .bind(account.product)
            .bind(account.cash_account_type)
            .bind(account.usage)
            .bind(account.credit_limit)
            .execute(conn)
            .await
            .map(|_| ())
        })?;
    }
    Ok(())
}

/// Forgets what was made before a day, or everything of a user.
async fn forget(tx: &mut Tx, username: &str, before: Option<Day>) -> DbResult<()> {
    run!(tx, |conn| {
        sqlx::query(
            "DELETE FROM bank_entries
             WHERE account_id IN (SELECT id FROM bank_accounts WHERE username = $1) AND made_day < $2",
        )
        .bind(username)
        .bind(before.map_or(i64::MAX, |day| day.0))
        .execute(conn)
        .await
        .map(|_| ())
    })
}

async fn write(tx: &mut Tx, entries: &[LedgerEntry]) -> DbResult<()> {
    for batch in entries.chunks(BATCH) {
        let mut text = String::from(
            "INSERT INTO bank_entries (account_id, booking_day, position, made_day, payee, salt, amount, balance_after) VALUES",
        );
        for (at, entry) in batch.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let LedgerEntry {
                account,
                position,
                payee,
                salt,
                amount,
                balance_after,
                ..
            } = entry;
            let (booking, made) = (entry.booking_day.0, entry.made_day.0);
            // Writing to a String cannot fail.
            let _ = write!(
                text,
                "{comma}({account},{booking},{position},{made},{payee},{salt},{amount},{balance_after})"
            );
        }
        // Integers of our own arithmetic, and half a million of them: bound one by one they take ten times as long.
        run!(tx, |conn| sqlx::raw_sql(AssertSqlSafe(text))
            .execute(conn)
            .await
            .map(|_| ()))?;
    }
    Ok(())
}

/// A user's accounts.
pub async fn accounts_of(tx: &mut Tx, username: &str) -> DbResult<Vec<BankAccountRow>> {
    run!(tx, |conn| {
        sqlx::query_as(
            "SELECT id, iban, currency, name, product, cash_account_type, usage, credit_limit
             FROM bank_accounts WHERE username = $1 ORDER BY id",
        )
        .bind(username)
        .fetch_all(conn)
        .await
    })
}

/// The accounts ticked in a consent.
pub async fn accounts_in(tx: &mut Tx, consent: Uuid) -> DbResult<Vec<ConsentedRow>> {
    run!(tx, |conn| {
        sqlx::query_as(
            "SELECT c.resource_id, a.id, a.iban, a.currency, a.name, a.product, a.cash_account_type, a.usage, a.credit_limit
             FROM bank_consent_accounts c JOIN bank_accounts a ON a.id = c.account_id
             WHERE c.consent_id = $1 ORDER BY a.id",
        )
        .bind(consent)
        .fetch_all(conn)
        .await
    })
}

/// Returns the balances of an account today; zero if nothing was booked yet.
pub async fn holdings(tx: &mut Tx, account: i64, today: Day) -> DbResult<Holdings> {
    let last: Option<(i64, i64)> = run!(tx, |conn| {
        sqlx::query_as(
            "SELECT balance_after, booking_day FROM bank_entries WHERE account_id = $1 AND booking_day <= $2
             ORDER BY booking_day DESC, position DESC LIMIT 1",
        )
        .bind(account)
        .bind(today.0)
        .fetch_optional(conn)
        .await
    })?;
    let pending: i64 = run!(tx, |conn| {
        sqlx::query_scalar(
            "SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM bank_entries
             WHERE account_id = $1 AND booking_day > $2 AND made_day <= $2",
        )
        .bind(account)
        .bind(today.0)
        .fetch_one(conn)
        .await
    })?;
    let (booked, day) = last.unwrap_or((0, today.0));
    Ok(Holdings {
        booked,
        pending,
        booked_on: Day(day),
    })
}

/// Entries of an account, newest first.
pub async fn entries(tx: &mut Tx, account: i64, filter: EntryFilter) -> DbResult<Vec<LedgerEntry>> {
    let (day, position) = filter.after.unwrap_or((i64::MAX, i64::MAX));
    let rows: Vec<EntryRow> = run!(tx, |conn| {
        sqlx::query_as(
            "SELECT booking_day, position, made_day, payee, salt, amount, balance_after FROM bank_entries
             WHERE account_id = $1 AND made_day <= $2 AND made_day > $3 AND booking_day >= $4 AND booking_day <= $5
               AND (booking_day, position) < ($6, $7)
             ORDER BY booking_day DESC, position DESC LIMIT $8",
        )
        .bind(account)
        .bind(filter.today.0)
        .bind(filter.today.plus(-HISTORY_DAYS).0)
        .bind(filter.from.0)
        .bind(filter.to.0)
        .bind(day)
        .bind(position)
        .bind(filter.limit)
        .fetch_all(conn)
        .await
    })?;
    Ok(rows.into_iter().map(|row| row.entry(account)).collect())
}

impl EntryRow {
    fn entry(self, account: i64) -> LedgerEntry {
        LedgerEntry {
            account,
            booking_day: Day(self.booking_day),
            position: self.position,
            made_day: Day(self.made_day),
            payee: self.payee,
            salt: self.salt,
            amount: self.amount,
            balance_after: self.balance_after,
        }
    }
}
