//! Every SQL text of the bank is prepared on both databases (see [`kernel_testing::statements`]).

use std::path::Path;

use kernel_testing::statements::Statements;

use crate::storage::Db;
use crate::tests::on_both;

on_both!(every_statement_is_prepared);

async fn every_statement_is_prepared(db: Db) {
    let statements = Statements {
        root: Path::new(env!("CARGO_MANIFEST_DIR")),
        sources: &["src"],
        // The rows of a user's whole books, as many as fit into one statement.
        begun: &["storage/books.rs write"],
        untyped: &[],
        at_least: 50,
    };
    statements.are_prepared(&db).await;
}
