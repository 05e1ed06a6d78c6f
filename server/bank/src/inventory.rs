//! Every table and column that the bank stores, whose people are made up: what kind of thing it is, and until when it is kept.
//! A test walks the schema of both databases and fails on whatever is not in here.

/// Time until which a row is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptUntil {
    /// Kept until the installation ends.
    Installation,
    /// Kept until a rule of `retention.rs` deletes it.
    Schedule,
    /// Written anew by the bank, which deletes what is older than its history.
    Books,
}

/// A table, and its columns by kind: names separated by spaces.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    pub name: &'static str,
    pub until: KeptUntil,
    /// Digests and hashes of secrets and of identifiers.
    pub digests: &'static str,
    /// Everything else: ids, times, states, and what its made-up people and their apps wrote.
    pub plain: &'static str,
}

const fn table(name: &'static str, until: KeptUntil, [digests, plain]: [&'static str; 2]) -> Table {
    Table {
        name,
        until,
        digests,
        plain,
    }
}

impl Table {
    /// The names of its columns.
    pub fn columns(&self) -> impl Iterator<Item = &'static str> {
        [self.digests, self.plain]
            .into_iter()
            .flat_map(str::split_whitespace)
    }
}

/// Everything that is stored.
pub const TABLES: &[Table] = &[
    table("bank_meta", KeptUntil::Installation, ["", "key value"]),
    table(
        "bank_ledgers",
        KeptUntil::Books,
        ["", "username version loaded_to"],
    ),
    table(
        "bank_accounts",
        KeptUntil::Books,
        [
            "",
            "id username iban currency name product cash_account_type usage credit_limit",
        ],
    ),
    table(
        "bank_entries",
        KeptUntil::Books,
        [
            "",
            "account_id booking_day position made_day payee salt amount balance_after",
        ],
    ),
    table(
        "bank_consents",
        KeptUntil::Schedule,
        [
            "browser",
            "id client_id status redirect_uri recurring frequency_per_day username created_at authorise_by expires_at \
             changed_at brand revoked_at",
        ],
    ),
    table(
        "bank_consent_accounts",
        KeptUntil::Schedule,
        ["", "consent_id resource_id account_id"],
    ),
    table(
        "bank_tokens",
        KeptUntil::Schedule,
        ["digest", "consent_id expires_at"],
    ),
    table(
        "bank_visits",
        KeptUntil::Schedule,
        [
            "cookie code",
            "id kind subject_id redirect_uri state client_state code_challenge username created_at expires_at \
             code_expires_at code_used_at brand",
        ],
    ),
    table(
        "bank_payments",
        KeptUntil::Schedule,
        [
            "fingerprint",
            "id client_id request_id service product redirect_uri body created_at authorise_by authorised_at refused_at \
             cancelled_at username account_id binding_at brand",
        ],
    ),
    table(
        "bank_applications",
        KeptUntil::Schedule,
        [
            "",
            "id client_id kind status terms verification decide_at reason created_at changed_at",
        ],
    ),
    table(
        "bank_documents",
        KeptUntil::Schedule,
        ["sha256", "application_id part kind size wish received_at"],
    ),
    table(
        "bank_products",
        KeptUntil::Schedule,
        [
            "",
            "id application_id client_id reference part opened_on shared",
        ],
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use kernel::db::copy;

    use super::*;
    use crate::storage::Db;
    use crate::tests::on_both;

    on_both!(every_table_and_column_says_until_when_it_is_kept);

    async fn every_table_and_column_says_until_when_it_is_kept(db: Db) {
        let mut stored = BTreeMap::new();
        let mut tx = db.read().await.unwrap();
        for table in copy::tables(&mut tx).await.unwrap() {
            let columns = copy::columns(&mut tx, &table).await.unwrap();
            let names: BTreeSet<String> = columns.into_iter().map(|column| column.name).collect();
            stored.insert(table, names);
        }
        let told: BTreeMap<String, BTreeSet<String>> = TABLES
            .iter()
            .map(|table| {
                let names = table.columns().map(ToString::to_string).collect();
                (table.name.to_owned(), names)
            })
            .collect();
        assert_eq!(
            stored, told,
            "a table or column is stored and not in inventory.rs, or the other way round"
        );
    }

    #[test]
    fn what_the_schedule_deletes_has_a_rule_and_nothing_else_has() {
        let ruled: BTreeSet<_> = crate::retention::RULES
            .iter()
            .map(|rule| rule.table)
            .collect();
        let scheduled = TABLES
            .iter()
            .filter(|table| table.until == KeptUntil::Schedule);
        assert_eq!(ruled, scheduled.map(|table| table.name).collect());
    }
}
