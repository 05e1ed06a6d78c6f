//! Every table and column that is stored, what kind of thing it is, and until when it is kept. A test walks the schema
//! of both databases and fails on whatever is not in here: nothing is stored without an answer to "until when".

/// Time until which a row is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptUntil {
    /// Kept until the installation ends.
    Installation,
    /// Kept until a rule of `storage/retention.rs` deletes it.
    Schedule,
    /// Kept until the job `erase_data` deletes it, when the consent's data, or the session, is past its time.
    Erasure,
    /// Kept until the servicer, person or tenant it belongs to is deleted.
    Owner,
    /// Kept until the row of this table that it belongs to is deleted.
    With(&'static str),
}

/// A table, and its columns by kind: names separated by spaces.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    pub name: &'static str,
    pub until: KeptUntil,
    /// Says who a developer is, or where they were: addresses, names, sources.
    pub personal: &'static str,
    /// Digests and hashes of secrets and of identifiers.
    pub digests: &'static str,
    /// Opens only with the key file: may be about an end-user.
    pub sealed: &'static str,
    /// Everything else: ids, times, states, settings.
    pub plain: &'static str,
}

const fn table(
    name: &'static str,
    until: KeptUntil,
    [personal, digests, sealed, plain]: [&'static str; 4],
) -> Table {
    Table {
        name,
        until,
        personal,
        digests,
        sealed,
        plain,
    }
}

/// Returns everything that is stored.
pub fn tables() -> impl Iterator<Item = &'static Table> {
    PRODUCT.iter()
}

const PRODUCT: &[Table] = &[
    table("meta", KeptUntil::Installation, ["", "", "", "key value"]),
    table(
        "data_keys",
        KeptUntil::Owner,
        ["", "", "wrapped", "owner head under created_at erased_at"],
    ),
    table(
        "key_holders",
        KeptUntil::Schedule,
        ["", "", "", "process vault pepper keys seen_at"],
    ),
    table(
        "jobs",
        KeptUntil::Schedule,
        [
            "",
            "",
            "payload",
            "id kind class run_at attempts lost lease_until last_error failed_at",
        ],
    ),
    table(
        "schedule",
        KeptUntil::Installation,
        ["", "", "", "name next_at last_at"],
    ),
    table(
        "audit_log",
        KeptUntil::Schedule,
        [
            "actor ip",
            "",
            "",
            "id at person_id servicer_id action target detail",
        ],
    ),
    table(
        "servicers",
        KeptUntil::Owner,
        [
            "",
            "",
            "",
            "id name kind legal_form country status resumes_as suspended_reason created_at",
        ],
    ),
    table(
        "claim_tokens",
        KeptUntil::Schedule,
        [
            "",
            "digest",
            "",
            "servicer_id created_at expires_at used_at",
        ],
    ),
    table(
        "people",
        KeptUntil::Owner,
        [
            "email email_key registered_key",
            "password",
            "",
            "id verified_at admin created_at last_used_at last_servicer",
        ],
    ),
    table(
        "memberships",
        KeptUntil::Owner,
        ["", "", "", "person_id servicer_id role created_at"],
    ),
    table(
        "email_links",
        KeptUntil::Schedule,
        [
            "",
            "digest",
            "",
            "person_id purpose created_at expires_at used_at operator",
        ],
    ),
    table(
        "portal_sessions",
        KeptUntil::Schedule,
        [
            "user_agent ip",
            "digest",
            "",
            "handle person_id servicer_id data created_at seen_at proved_at expires_at",
        ],
    ),
    table(
        "sign_in_failures",
        KeptUntil::Schedule,
        ["subject", "", "", "failures last_at blocked_until"],
    ),
    table(
        "letters_sent",
        KeptUntil::Schedule,
        ["subject", "", "", "place at"],
    ),
    table(
        "tenants",
        KeptUntil::Owner,
        [
            "",
            "",
            "utx_key",
            "id servicer_id name environment status created_at signed_only signature_seconds version utx_version networks",
        ],
    ),
    table(
        "tenant_redirect_links",
        KeptUntil::Owner,
        ["", "", "", "tenant_id link"],
    ),
    table(
        "tenant_origins",
        KeptUntil::Owner,
        ["", "", "", "tenant_id origin"],
    ),
    table(
        "tenant_skills",
        KeptUntil::Owner,
        [
            "",
            "",
            "",
            "tenant_id skill consent_duration cache_max_data_retention created_at",
        ],
    ),
    table(
        "tenant_keys",
        KeptUntil::Schedule,
        [
            "created_by last_used_by",
            "digest",
            "sealed",
            "id tenant_id kind slot tail created_at ends_at stopped_at seen_at last_used_at",
        ],
    ),
    table(
        "signing_keys",
        KeptUntil::Schedule,
        [
            "created_by",
            "",
            "",
            "id servicer_id slot issuer source material kid created_at stopped_at last_used_at fetched fetched_at \
             asked_at problem",
        ],
    ),
    table(
        "used_signatures",
        KeptUntil::Schedule,
        ["", "digest", "", "ends_at"],
    ),
    table(
        "forgotten_signatures",
        KeptUntil::Installation,
        ["", "", "", "id forgotten_to"],
    ),
    table(
        "refused_signatures",
        KeptUntil::Schedule,
        [
            "",
            "",
            "",
            "request_id servicer_id tenant_id at method path findings proved",
        ],
    ),
    table(
        "sessions",
        KeptUntil::Schedule,
        [
            "",
            "tenant_user code_challenge",
            "client_state bank_ref",
            "id tenant_id skill status awaiting position next_step claim claim_until created_at updated_at expires_at \
             pending_since erased_at asked",
        ],
    ),
    table(
        "session_steps",
        KeptUntil::Erasure,
        [
            "",
            "",
            "answer",
            "id session_id position step created_at refused",
        ],
    ),
    table(
        "nonces",
        KeptUntil::Erasure,
        [
            "",
            "digest",
            "sealed",
            "session_id position created_at expires_at used_at",
        ],
    ),
    table(
        "bank_returns",
        KeptUntil::Erasure,
        [
            "",
            "state code",
            "link",
            "session_id position step outcome created_at",
        ],
    ),
    table(
        "temp_tokens",
        KeptUntil::Schedule,
        [
            "",
            "digest exchange_mark",
            "sealed",
            "session_id tenant_id created_at expires_at exchanged_at died_at",
        ],
    ),
    table(
        "renewals",
        KeptUntil::Schedule,
        ["", "", "", "session_id consent_id done_at"],
    ),
    table(
        "consents",
        KeptUntil::Schedule,
        [
            "",
            "access_token tenant_user",
            "bank_grant",
            "id tenant_id session_id skill status valid_until created_at updated_at exchanged_at expires_at data_until \
             fetched_at fetch_claim fetch_until erased_at changes bank_calls quiet_until refresh_at reminded suspect_since \
             unreadable ended_by",
        ],
    ),
    table(
        "accounts",
        KeptUntil::Erasure,
        [
            "",
            "bank_key resource_key",
            "sealed",
            "id consent_id place fetched_at missing_since ids_reused_at",
        ],
    ),
    table(
        "balances",
        KeptUntil::Erasure,
        [
            "",
            "",
            "sealed",
            "id consent_id account_id balance_type currency fetched_at",
        ],
    ),
    table(
        "transactions",
        KeptUntil::Erasure,
        [
            "",
            "utx merchant replaces",
            "sealed",
            "id consent_id account_id status credit_debit currency amount booked_at category inserted_at change_no \
             change_kind missing_since",
        ],
    ),
    table(
        "unreadable_entries",
        KeptUntil::Erasure,
        [
            "",
            "digest",
            "sealed",
            "consent_id account_id field seen_at",
        ],
    ),
    table(
        "past_changes",
        KeptUntil::Erasure,
        [
            "",
            "utx merchant replaces",
            "sealed",
            "consent_id change_no change_kind id account_id status credit_debit currency amount booked_at category \
             inserted_at",
        ],
    ),
    table(
        "products",
        KeptUntil::Erasure,
        ["", "bank_key", "sealed", "id consent_id place fetched_at"],
    ),
    table(
        "payments",
        KeptUntil::Erasure,
        [
            "",
            "",
            "ordered bank_ref said",
            "id tenant_id session_id position consent_id skill kind status final as_of look_at created_at updated_at",
        ],
    ),
    table(
        "uploads",
        KeptUntil::Erasure,
        [
            "",
            "content",
            "",
            "id session_id step_id kind state media_type size created_at touched_at",
        ],
    ),
    table(
        "upload_chunks",
        KeptUntil::With("uploads"),
        ["", "", "sealed", "upload_id position"],
    ),
    table(
        "requests",
        KeptUntil::Schedule,
        [
            "user_agent ip",
            "",
            "",
            "id at tenant_id servicer_id session_id key_id source method path operation status error_code latency_us \
             client_request_id request_body response_body",
        ],
    ),
    table(
        "request_log_sizes",
        KeptUntil::Schedule,
        ["", "", "", "servicer_id hour bytes"],
    ),
    table(
        "kept_answers",
        KeptUntil::Schedule,
        [
            "",
            "key_digest fingerprint",
            "sealed",
            "tenant_id operation holder lease_until status expires_at",
        ],
    ),
    table(
        "budgets",
        KeptUntil::Schedule,
        ["subject", "", "", "whole_at"],
    ),
    table(
        "console_runs",
        KeptUntil::Schedule,
        [
            "",
            "",
            "held",
            "id servicer_id tenant_id person_id skill next_call session_id session_status calls claimed_until started_at \
             forget_at",
        ],
    ),
    table(
        "console_calls",
        KeptUntil::Schedule,
        [
            "",
            "",
            "bodies",
            "run_id position request_id at title method path status latency browser_safe",
        ],
    ),
];

impl Table {
    /// The names of its columns.
    pub fn columns(&self) -> impl Iterator<Item = &'static str> {
        [self.personal, self.digests, self.sealed, self.plain]
            .into_iter()
            .flat_map(str::split_whitespace)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::storage::testing::on_both;
    use crate::storage::{Db, copy};

    on_both!(every_table_and_column_says_until_when_it_is_kept);

    async fn every_table_and_column_says_until_when_it_is_kept(db: Db) {
        let mut stored = BTreeMap::new();
        let mut tx = db.read().await.unwrap();
        for table in copy::tables(&mut tx).await.unwrap() {
            let columns = copy::columns(&mut tx, &table).await.unwrap();
            let names: BTreeSet<String> = columns.into_iter().map(|column| column.name).collect();
            stored.insert(table, names);
        }
        let told: BTreeMap<String, BTreeSet<String>> = tables()
            .map(|table| {
                let columns: Vec<_> = table.columns().collect();
                let names: BTreeSet<_> = columns.iter().map(ToString::to_string).collect();
                assert_eq!(names.len(), columns.len(), "{}: named twice", table.name);
                (table.name.to_owned(), names)
            })
            .collect();
        assert_eq!(
            stored, told,
            "a table or column is stored and not in storage/inventory.rs, or the other way round"
        );
    }
}
