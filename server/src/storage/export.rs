//! Which rows of every table are a servicer's, and reading them: the copy of its data that it may ask for (GDPR, articles 15
//! and 20). A test walks the inventory: a table that is not in [`of`] fails it.

use app::domain::ids::ServicerId;
use futures_util::TryStreamExt as _;
use serde_json::{Map, Value, json};
use sqlx::AssertSqlSafe;

use super::copy::{CopiedColumn, CopyError, cells, columns, select};
use super::inventory::Table;
use super::{Tx, run};

/// What of a table is a servicer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnedRows {
    /// The rows of this condition; `$1` is the servicer.
    Rows(&'static str),
    /// Nothing, because of this.
    None(&'static str),
}

const OWN: &str = "servicer_id = $1";
const OF_MEMBERS: &str = "person_id IN (SELECT person_id FROM memberships WHERE servicer_id = $1)";
const OF_TENANTS: &str = "tenant_id IN (SELECT id FROM tenants WHERE servicer_id = $1)";
const OF_SESSIONS: &str = "session_id IN (SELECT s.id FROM sessions s JOIN tenants t ON t.id = s.tenant_id WHERE t.servicer_id = $1)";
const OF_CONSENTS: &str = "consent_id IN (SELECT c.id FROM consents c JOIN tenants t ON t.id = c.tenant_id WHERE t.servicer_id = $1)";

const INSTALLATION: OwnedRows =
    OwnedRows::None("It is about the installation, not about a servicer.");
const COUNTS: OwnedRows =
    OwnedRows::None("Its rows are counts under digests, which nobody can tell the owner of.");

/// Returns what of a table is a servicer's; `None` for a table that nobody thought of yet.
pub fn of(table: &str) -> Option<OwnedRows> {
    Some(match table {
        "servicers" => OwnedRows::Rows("id = $1"),
        "people" => {
            OwnedRows::Rows("id IN (SELECT person_id FROM memberships WHERE servicer_id = $1)")
        }
        "email_links" => OwnedRows::Rows(OF_MEMBERS),
        "claim_tokens" | "memberships" | "portal_sessions" | "audit_log" | "tenants"
        | "signing_keys" | "refused_signatures" | "requests" | "request_log_sizes"
        | "console_runs" => OwnedRows::Rows(OWN),
        "tenant_redirect_links"
        | "tenant_origins"
        | "tenant_skills"
        | "tenant_keys"
        | "sessions"
        | "temp_tokens"
        | "consents"
        | "payments"
        | "kept_answers" => OwnedRows::Rows(OF_TENANTS),
        "session_steps" | "nonces" | "bank_returns" | "renewals" | "uploads" => {
            OwnedRows::Rows(OF_SESSIONS)
        }
        "accounts" | "balances" | "transactions" | "unreadable_entries" | "past_changes"
        | "products" => OwnedRows::Rows(OF_CONSENTS),
        "upload_chunks" => OwnedRows::Rows(
            "upload_id IN (SELECT u.id FROM uploads u JOIN sessions s ON s.id = u.session_id
               JOIN tenants t ON t.id = s.tenant_id WHERE t.servicer_id = $1)",
        ),
        "console_calls" => {
            OwnedRows::Rows("run_id IN (SELECT id FROM console_runs WHERE servicer_id = $1)")
        }
        "meta" | "key_holders" | "forgotten_signatures" | "schedule" => INSTALLATION,
        "data_keys" => OwnedRows::None(
            "Its rows are keys: what they open is exported, or named as left out, where it is.",
        ),
        "jobs" => OwnedRows::None(
            "It is work under way, sealed; what comes of it is in the other tables.",
        ),
        "used_signatures" | "sign_in_failures" | "letters_sent" | "budgets" => COUNTS,
        _ => return None,
    })
}

/// Why a column is left out of an export.
fn left_out(table: &Table, column: &str) -> Option<&'static str> {
    let is_in = |list: &str| list.split_whitespace().any(|name| name == column);
    if is_in(table.digests) {
        return Some("a digest of a secret or of an identifier");
    }
    is_in(table.sealed).then_some(
        "sealed: a secret, or data of end-users, which the API gives to who holds the consent",
    )
}

/// A table of an export: what is in it, and what is not.
pub struct Exported {
    pub columns: Vec<CopiedColumn>,
    pub left_out: Vec<(&'static str, &'static str)>,
}

impl Exported {
    /// Splits a table's columns into those that are exported and those that are not.
    pub async fn of(tx: &mut Tx, table: &Table) -> Result<Self, CopyError> {
        let mut columns = columns(tx, table.name).await?;
        columns.retain(|column| left_out(table, &column.name).is_none());
        let all = table.columns();
        let left_out = all.filter_map(|name| Some((name, left_out(table, name)?)));
        Ok(Self {
            columns,
            left_out: left_out.collect(),
        })
    }

    /// Returns the columns that are left out, each with its reason.
    pub fn to_json(&self) -> Value {
        let told = self.left_out.iter();
        told.map(|(name, why)| ((*name).to_owned(), json!(why)))
            .collect::<Map<_, _>>()
            .into()
    }
}

impl Tx {
    /// Hands each row of a table that is a servicer's to `take`, as one JSON object; says how many there were.
    pub async fn export<E: From<CopyError>>(
        &mut self,
        table: &str,
        condition: &'static str,
        exported: &Exported,
        servicer: ServicerId,
        mut take: impl FnMut(Value) -> Result<(), E> + Send,
    ) -> Result<u64, E> {
        let columns = &exported.columns;
        let sql = format!("{} WHERE {condition}", select(table, columns));
        let broken = |error| E::from(CopyError::Database(error));
        let mut count = 0;
        run!(self, |conn| {
            let mut rows = sqlx::query(AssertSqlSafe(sql)).bind(servicer).fetch(conn);
            while let Some(row) = rows.try_next().await.map_err(broken)? {
                let values = cells(&row, columns).map_err(broken)?;
                let names = columns.iter().map(|column| column.name.clone());
                let object: Map<_, _> = names
                    .zip(values.into_iter().map(super::copy::Cell::json))
                    .collect();
                take(object.into())?;
                count += 1;
            }
            Ok(count)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::storage::inventory::tables;
    use crate::storage::testing::{on_both, rows, sqlite};
    use crate::storage::{Db, DbResult};

    on_both!(every_row_of_a_servicer_is_exported_and_no_other);

    const FILLED: i64 = 3;

    #[test]
    fn every_table_says_whose_its_rows_are() {
        let without: Vec<_> = tables().filter(|table| of(table.name).is_none()).collect();
        assert!(
            without.is_empty(),
            "say in storage/export.rs whose these are: {without:?}"
        );
    }

    /// What no foreign key ties to its servicer, tenant or session, as the server writes it.
    async fn tie(db: &Db) -> DbResult<()> {
        let mut tx = db.write().await?;
        for (column, owner) in [
            ("servicer_id", "servicers"),
            ("tenant_id", "tenants"),
            ("session_id", "sessions"),
            ("consent_id", "consents"),
            ("run_id", "console_runs"),
        ] {
            for table in tables() {
                let Some(OwnedRows::Rows(condition)) = of(table.name) else {
                    continue;
                };
                if !condition.starts_with(&format!("{column} ")) {
                    continue;
                }
                let sql = format!(
                    "UPDATE \"{0}\" SET {column} = (SELECT id FROM {owner} ORDER BY id LIMIT 1)
                     WHERE {column} IS NOT NULL AND {column} NOT IN (SELECT id FROM {owner})",
                    table.name
                );
                run!(tx, |conn| sqlx::query(AssertSqlSafe(sql))
                    .execute(conn)
                    .await
                    .map(drop))?;
            }
        }
        tx.commit().await
    }

    async fn every_row_of_a_servicer_is_exported_and_no_other(db: Db) {
        let folder = tempfile::tempdir().unwrap();
        let twin = sqlite(&folder).await;
        let schema = if db.is_postgres() { &twin } else { &db };
        let filling = rows::Filling {
            rows: FILLED,
            at: "2026-01-01T00:00:00Z".parse().unwrap(),
            empty: &[],
            gaps: false,
        };
        rows::fill(&db, schema, &filling).await;
        tie(&db).await.unwrap();
        let mut tx = db.read().await.unwrap();
        let servicers: Vec<ServicerId> = run!(tx, |conn| sqlx::query_scalar(
            "SELECT id FROM servicers ORDER BY id"
        )
        .fetch_all(conn)
        .await)
        .unwrap();
        assert_eq!(servicers.len(), 3);
        let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
        for table in tables() {
            let exported = Exported::of(&mut tx, table).await.unwrap();
            let kept: BTreeSet<_> = exported
                .columns
                .iter()
                .map(|column| column.name.as_str())
                .collect();
            let all: BTreeSet<_> = kept
                .iter()
                .copied()
                .chain(exported.left_out.iter().map(|it| it.0))
                .collect();
            assert_eq!(all, table.columns().collect(), "{}", table.name);
            assert_eq!(
                kept.len() + exported.left_out.len(),
                all.len(),
                "{}: said twice",
                table.name
            );
            let Some(OwnedRows::Rows(condition)) = of(table.name) else {
                continue;
            };
            for servicer in &servicers {
                let mut seen = 0;
                let take = |row: Value| {
                    seen += 1;
                    assert_eq!(row.as_object().unwrap().len(), kept.len());
                    Ok::<_, CopyError>(())
                };
                let count = tx
                    .export(table.name, condition, &exported, *servicer, take)
                    .await
                    .unwrap();
                assert_eq!(count, seen);
                *sums.entry(table.name).or_default() += count;
            }
        }
        // Each row is one servicer's, and none is nobody's.
        let counts = rows::counts(&db).await;
        for (table, exported) in sums {
            assert_eq!(i64::try_from(exported).unwrap(), counts[table], "{table}");
            assert!(exported > 0, "{table}");
        }
    }
}
