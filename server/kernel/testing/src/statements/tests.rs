//! What the reader of statements must not let pass.

use tempfile::TempDir;

use super::*;
use crate::databases;

/// Reads one file of this text as a crate's whole source, for an SQLite database without tables.
async fn read(text: &str) {
    let folder = TempDir::new().unwrap();
    fs::create_dir(folder.path().join("src")).unwrap();
    fs::write(folder.path().join("src/rows.rs"), text).unwrap();
    let statements = Statements {
        root: folder.path(),
        sources: &["src"],
        begun: &[],
        untyped: &[],
        at_least: 1,
    };
    let db = databases::sqlite(&folder).await;
    statements.are_prepared(&db).await;
    db.close().await;
}

#[tokio::test]
async fn a_statement_that_is_taken_passes() {
    read(r#"fn find() { query("SELECT 1 WHERE $1 = 2"); }"#).await;
}

#[tokio::test]
#[should_panic(expected = "rows.rs find: ")]
async fn a_statement_that_is_refused_fails() {
    read(r#"fn find() { query("SELECT missing"); }"#).await;
}

#[tokio::test]
#[should_panic(expected = "it is for neither database")]
async fn a_statement_for_neither_database_fails() {
    read(r#"fn find() { query("SELECT 1 FROM sqlite_master, pg_class"); }"#).await;
}

#[tokio::test]
#[should_panic(expected = "only 0 statements were found")]
async fn a_source_without_statements_fails() {
    read("fn find() {}").await;
}
