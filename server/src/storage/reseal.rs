//! Everything that is sealed, column by column: what in it is not under its owner's data key yet, to be sealed anew in
//! small steps while everybody works. Where one stopped, or was killed, the next begins again by looking.

use kernel::crypto::SYSTEM;
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::{DbResult, Tx, run};

/// A column that holds sealed bytes. Its texts are SQL, of which `t` is the table.
pub struct SealedColumn {
    /// `table.column`, as places begin.
    pub name: &'static str,
    table: &'static str,
    holds: &'static str,
    /// SQL join from a row to its tenant; empty if none is needed.
    join: &'static str,
    /// SQL expression of the tenant's id; `None` if the column belongs to the system.
    owner: Option<&'static str>,
    /// SQL expressions that order the rows and identify each: an id, and a number within it.
    id: &'static str,
    number: Option<&'static str>,
    /// SQL expressions of the further parts of the associated data that a value is sealed under.
    parent: &'static str,
    bytes: Option<&'static str>,
    kind: Option<&'static str>,
    currency: Option<&'static str>,
    /// `true` if the row has a merchant's digest, which is made anew as well.
    pub merchants: bool,
}

/// A row with the parts of its associated data. What a column does not need is nil, zero or empty.
#[derive(sqlx::FromRow)]
pub struct SealedRow {
    pub owner: Uuid,
    pub id: Uuid,
    pub number: i64,
    pub parent: Uuid,
    /// The sealed bytes again where the associated data needs none.
    pub bytes: Vec<u8>,
    pub kind: String,
    pub currency: String,
    pub sealed: Vec<u8>,
}

const PLAIN: SealedColumn = SealedColumn {
    name: "",
    table: "",
    holds: "sealed",
    join: "",
    owner: Some("t.tenant_id"),
    id: "t.id",
    number: None,
    parent: "t.id",
    bytes: None,
    kind: None,
    currency: None,
    merchants: false,
};
const BY_SESSION: SealedColumn = SealedColumn {
    join: "JOIN sessions s ON s.id = t.session_id",
    owner: Some("s.tenant_id"),
    id: "t.session_id",
    number: Some("t.position"),
    parent: "t.session_id",
    ..PLAIN
};
const BY_CONSENT: SealedColumn = SealedColumn {
    join: "JOIN consents c ON c.id = t.consent_id",
    owner: Some("c.tenant_id"),
    parent: "t.consent_id",
    ..PLAIN
};

/// Every sealed column but `temp_tokens.sealed`, whose rows end within a day, and `kept_answers.sealed`, which only its
/// caller's secret opens and which ends within a day as well.
pub static COLUMNS: [SealedColumn; 20] = [
    SealedColumn {
        name: "tenants.utx_key",
        table: "tenants",
        holds: "utx_key",
        owner: Some("t.id"),
        ..PLAIN
    },
    SealedColumn {
        name: "tenant_keys.sealed",
        table: "tenant_keys",
        parent: "t.tenant_id",
        ..PLAIN
    },
    SealedColumn {
        name: "sessions.client_state",
        table: "sessions",
        holds: "client_state",
        ..PLAIN
    },
    SealedColumn {
        name: "sessions.bank_ref",
        table: "sessions",
        holds: "bank_ref",
        parent: "t.tenant_id",
        ..PLAIN
    },
    SealedColumn {
        name: "session_steps.answer",
        table: "session_steps",
        holds: "answer",
        ..BY_SESSION
    },
    SealedColumn {
        name: "nonces.sealed",
        table: "nonces",
        ..BY_SESSION
    },
    SealedColumn {
        name: "bank_returns.link",
        table: "bank_returns",
        holds: "link",
        ..BY_SESSION
    },
    SealedColumn {
        name: "consents.bank_grant",
        table: "consents",
        holds: "bank_grant",
        parent: "t.session_id",
        ..PLAIN
    },
    SealedColumn {
        name: "accounts.sealed",
        table: "accounts",
        bytes: Some("t.bank_key"),
        ..BY_CONSENT
    },
    SealedColumn {
        name: "balances.sealed",
        table: "balances",
        parent: "t.account_id",
        kind: Some("t.balance_type"),
        currency: Some("t.currency"),
        ..BY_CONSENT
    },
    SealedColumn {
        name: "products.sealed",
        table: "products",
        bytes: Some("t.bank_key"),
        ..BY_CONSENT
    },
    SealedColumn {
        name: "transactions.sealed",
        table: "transactions",
        bytes: Some("t.utx"),
        merchants: true,
        ..BY_CONSENT
    },
    SealedColumn {
        name: "past_changes.sealed",
        table: "past_changes",
        id: "t.consent_id",
        number: Some("t.change_no"),
        bytes: Some("t.utx"),
        merchants: true,
        ..BY_CONSENT
    },
    SealedColumn {
        name: "payments.ordered",
        table: "payments",
        holds: "ordered",
        ..PLAIN
    },
    SealedColumn {
        name: "payments.bank_ref",
        table: "payments",
        holds: "bank_ref",
        ..PLAIN
    },
    SealedColumn {
        name: "payments.said",
        table: "payments",
        holds: "said",
        ..PLAIN
    },
    SealedColumn {
        name: "upload_chunks.sealed",
        table: "upload_chunks",
        join: "JOIN uploads u ON u.id = t.upload_id JOIN sessions s ON s.id = u.session_id",
        owner: Some("s.tenant_id"),
        id: "t.upload_id",
        number: Some("t.position"),
        parent: "u.session_id",
        ..PLAIN
    },
    SealedColumn {
        name: "jobs.payload",
        table: "jobs",
        holds: "payload",
        owner: None,
        ..PLAIN
    },
    SealedColumn {
        name: "console_runs.held",
        table: "console_runs",
        holds: "held",
        owner: None,
        ..PLAIN
    },
    SealedColumn {
        name: "console_calls.bodies",
        table: "console_calls",
        holds: "bodies",
        owner: None,
        id: "t.run_id",
        number: Some("t.position"),
        parent: "t.run_id",
        ..PLAIN
    },
];

impl SealedColumn {
    fn columns<DB: sqlx::Database>(&self, sql: &mut QueryBuilder<DB>) {
        let sealed = self.holds;
        sql.push(format!(
            "{} AS id, {} AS number, {} AS parent, {} AS bytes, {} AS kind, {} AS currency, t.{sealed} AS sealed",
            self.id,
            self.number.unwrap_or("CAST(0 AS BIGINT)"),
            self.parent,
            self.bytes.unwrap_or(&format!("t.{sealed}")),
            self.kind.unwrap_or("''"),
            self.currency.unwrap_or("''"),
        ));
    }

    fn from<DB: sqlx::Database>(&self, sql: &mut QueryBuilder<DB>)
    where
        Uuid: for<'q> sqlx::Encode<'q, DB> + sqlx::Type<DB>,
    {
        let (table, join) = (self.table, self.join);
        sql.push(format!(
            " FROM {table} t {join} JOIN data_keys k ON k.owner = "
        ));
        match self.owner {
            Some(owner) => sql.push(owner),
            None => sql.push_bind(SYSTEM),
        };
    }

    fn stale<DB: sqlx::Database>(&self, sql: &mut QueryBuilder<DB>) {
        let column = self.holds;
        sql.push(format!(
            "k.wrapped IS NOT NULL AND length(t.{column}) > 0 AND (substr(t.{column}, 1, 9) <> k.head"
        ));
        sql.push(if self.merchants {
            " OR length(t.merchant) = 32)"
        } else {
            ")"
        });
    }

    fn found_by<DB: sqlx::Database>(&self, sql: &mut QueryBuilder<DB>, row: &SealedRow)
    where
        Uuid: for<'q> sqlx::Encode<'q, DB> + sqlx::Type<DB>,
        i64: for<'q> sqlx::Encode<'q, DB> + sqlx::Type<DB>,
    {
        sql.push(self.id.trim_start_matches("t.")).push(" = ");
        sql.push_bind(row.id);
        if let Some(number) = self.number {
            sql.push(" AND ").push(number.trim_start_matches("t."));
            sql.push(" = ").push_bind(row.number);
        }
    }
}

impl Tx {
    /// Rows of a column that are not sealed under their owner's data key, after a row's id and number.
    pub async fn stale_rows(
        &mut self,
        column: &SealedColumn,
        after: (Uuid, i64),
        limit: i64,
    ) -> DbResult<Vec<SealedRow>> {
        run!(self, |conn| {
            let mut sql = QueryBuilder::new("SELECT k.owner, ");
            column.columns(&mut sql);
            column.from(&mut sql);
            if let Some(number) = column.number {
                sql.push(format!(" WHERE ({}, {number}) > (", column.id));
                sql.push_bind(after.0).push(", ").push_bind(after.1);
                sql.push(") AND ");
            } else {
                sql.push(format!(" WHERE {} > ", column.id));
                sql.push_bind(after.0).push(" AND ");
            }
            column.stale(&mut sql);
            sql.push(format!(" ORDER BY {}", column.id));
            if let Some(number) = column.number {
                sql.push(", ").push(number);
            }
            sql.push(" LIMIT ").push_bind(limit);
            sql.build_query_as().fetch_all(conn).await
        })
    }

    /// Rows of a column that are sealed under their owner's data key: all of them, for tests.
    #[cfg(test)]
    pub async fn fresh_rows(&mut self, column: &SealedColumn) -> DbResult<Vec<SealedRow>> {
        run!(self, |conn| {
            let mut sql = QueryBuilder::new("SELECT k.owner, ");
            column.columns(&mut sql);
            column.from(&mut sql);
            let sealed = column.holds;
            sql.push(format!(" WHERE substr(t.{sealed}, 1, 9) = k.head"));
            sql.build_query_as().fetch_all(conn).await
        })
    }

    /// Counts the rows of a column that are not sealed under their owner's data key.
    pub async fn count_stale(&mut self, column: &SealedColumn) -> DbResult<i64> {
        run!(self, |conn| {
            let mut sql = QueryBuilder::new("SELECT COUNT(*)");
            column.from(&mut sql);
            sql.push(" WHERE ");
            column.stale(&mut sql);
            sql.build_query_scalar().fetch_one(conn).await
        })
    }

    /// Puts newly sealed bytes in the place of those that were read, unless somebody changed the row meanwhile.
    pub async fn reseal(
        &mut self,
        column: &SealedColumn,
        row: &SealedRow,
        sealed: &[u8],
        merchant: Option<&[u8]>,
    ) -> DbResult<bool> {
        run!(self, |conn| {
            let mut sql = QueryBuilder::new("UPDATE ");
            sql.push(format!("{} SET {} = ", column.table, column.holds));
            sql.push_bind(sealed);
            if column.merchants {
                sql.push(", merchant = ").push_bind(merchant);
            }
            sql.push(" WHERE ");
            column.found_by(&mut sql, row);
            sql.push(format!(" AND {} = ", column.holds));
            sql.push_bind(&row.sealed);
            sql.build()
                .execute(conn)
                .await
                .map(|done| done.rows_affected() == 1)
        })
    }

    /// Forgets the copies of tokens that nobody may have again, and the merchants of removed transactions, which nothing
    /// asks for: both from before there were data keys.
    pub async fn forget_stale_copies(
        &mut self,
        now: chrono::DateTime<chrono::Utc>,
    ) -> DbResult<u64> {
        run!(self, |conn| {
            let tokens = sqlx::query(
                "UPDATE temp_tokens SET sealed = $2 WHERE length(sealed) > 0
                 AND (exchanged_at IS NOT NULL OR died_at IS NOT NULL OR expires_at <= $1)
                 AND substr(sealed, 1, 9) <> (SELECT head FROM data_keys WHERE owner = temp_tokens.tenant_id)",
            )
            .bind(now)
            .bind(Vec::<u8>::new())
            .execute(&mut *conn)
            .await?
            .rows_affected();
            let merchants = sqlx::query(
                "UPDATE past_changes SET merchant = NULL WHERE length(sealed) = 0 AND length(merchant) = 32",
            )
            .execute(conn)
            .await?
            .rows_affected();
            Ok(tokens + merchants)
        })
    }

    /// Counts the copies of temporary tokens that were sealed before there were data keys.
    pub async fn count_stale_tokens(&mut self) -> DbResult<i64> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "SELECT COUNT(*) FROM temp_tokens t JOIN data_keys k ON k.owner = t.tenant_id
                 WHERE k.wrapped IS NOT NULL AND length(t.sealed) > 0 AND substr(t.sealed, 1, 9) <> k.head",
            )
            .fetch_one(conn)
            .await
        })
    }
}
