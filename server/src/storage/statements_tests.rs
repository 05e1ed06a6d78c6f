//! Every SQL text for the product's database is prepared on both databases (see [`kernel_testing::statements`]).

use std::path::Path;

use kernel_testing::statements::Statements;

use super::Db;
use crate::storage::testing::on_both;

on_both!(every_statement_is_prepared);

/// Folders and files whose statements are for the product's database.
const SOURCES: &[&str] = &["src/storage", "src/worker", "src/state", "src/backup"];

/// Statements that are only begun where they stand, and completed by the function.
const BEGUN: &[&str] = &[
    "storage/jobs.rs revive_jobs",
    "storage/request_log.rs in_paths",
];
/// Statements whose parameters Postgres takes for texts, or cannot tell the types of, until they are bound: each is run on
/// Postgres by a test of its function.
const UNTYPED: &[&str] = &[
    "storage/census.rs ",
    "storage/consents.rs finish_fetch",
    "storage/jobs.rs retry_job",
    "storage/portal_sessions.rs actor",
    "storage/portal_sessions.rs end_portal_sessions_of",
    "storage/portal_sessions.rs portal_sessions_of",
    "storage/rate_limits.rs take_budget",
    "storage/signing_keys.rs add_signing_key",
    "storage/verifications.rs pending_sessions",
];

async fn every_statement_is_prepared(db: Db) {
    let statements = Statements {
        root: Path::new(env!("CARGO_MANIFEST_DIR")),
        sources: SOURCES,
        begun: BEGUN,
        untyped: UNTYPED,
        at_least: 301,
    };
    statements.are_prepared(&db).await;
}
