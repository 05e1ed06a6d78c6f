//! The sandbox bank's tables as they lay in the product's database up to migration 44. Whoever opens such a database lets the
//! bank take their rows over first; the migration after that takes the tables away.

use kernel::db::snapshot::has_table;
use sqlx::AssertSqlSafe;

use super::{Connection, Db, DbResult, MIGRATIONS, OpenError, Tx, run};

/// The migration that takes the tables away.
const MOVES_OUT: i64 = 45;

/// The tables, each before those it refers to.
const TABLES: [&str; 11] = [
    "bank_products",
    "bank_documents",
    "bank_applications",
    "bank_visits",
    "bank_payments",
    "bank_tokens",
    "bank_consent_accounts",
    "bank_consents",
    "bank_entries",
    "bank_accounts",
    "bank_ledgers",
];

/// Key of the advisory lock of Postgres under which the tables are moved.
const LOCK: i64 = 0x7e55_e7a0_ba4c;

impl Db {
    /// Brings the schema to where the bank's tables are as they were last. A later one is left as it is.
    pub async fn migrate_before_bank_moves_out(&self) -> Result<(), OpenError> {
        let kernel: &kernel::db::Db = self;
        kernel.migrate_to(&MIGRATIONS, MOVES_OUT - 1).await
    }

    /// Refuses to go on while a table of the bank's has rows that it did not take over.
    pub(super) async fn check_bank_moved_out(&self) -> Result<(), OpenError> {
        if self.read().await?.has_bank_rows().await? {
            return Err(OpenError::Refused(
                "the sandbox bank's tables in it have rows that were not moved to the bank's own database: start the server, \
                 or run `server migrate`, which does that"
                    .to_owned(),
            ));
        }
        Ok(())
    }
}

impl Tx {
    /// Returns `true` if a table of the bank's is here.
    pub async fn has_bank_tables(&mut self) -> DbResult<bool> {
        for table in TABLES {
            if has_table(self, table).await? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns `true` if a table of the bank's is here and has rows.
    pub async fn has_bank_rows(&mut self) -> DbResult<bool> {
        for table in TABLES {
            if !has_table(self, table).await? {
                continue;
            }
            let sql = format!("SELECT 1 FROM {table} LIMIT 1");
            let found = run!(self, |conn| sqlx::query(AssertSqlSafe(sql))
                .fetch_optional(conn)
                .await
                .map(|row| row.is_some()))?;
            if found {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Holds the bank's tables for this transaction: other processes that move them wait, and on Postgres servers of an
    /// earlier version that still write to them, too. On SQLite nobody else writes.
    pub async fn hold_bank_tables(&mut self) -> DbResult<()> {
        if let Connection::Postgres(conn) = self.link() {
            sqlx::query("SELECT pg_advisory_xact_lock($1)")
                .bind(LOCK)
                .execute(conn)
                .await?;
        }
        for table in TABLES {
            if !has_table(self, table).await? {
                continue;
            }
            if let Connection::Postgres(conn) = self.link() {
                let sql = format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
                sqlx::query(AssertSqlSafe(sql)).execute(conn).await?;
            }
        }
        Ok(())
    }

    /// Takes the bank's tables away.
    pub async fn drop_bank_tables(&mut self) -> DbResult<()> {
        for table in TABLES {
            let sql = format!("DROP TABLE IF EXISTS {table}");
            run!(self, |conn| sqlx::query(AssertSqlSafe(sql))
                .execute(conn)
                .await
                .map(|_| ()))?;
        }
        Ok(())
    }
}
