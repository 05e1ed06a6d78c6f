//! URLs of databases, as settings name them.

use std::path::Path;

use super::{ConfigError, setting};

/// Returns the URL of the sandbox bank's database where no setting names one: a file beside the product's, or the same
/// Postgres database, in which the bank has a schema.
pub fn bank_database_beside(product: &str) -> String {
    let Some(file) = file_of(product).map(Path::new) else {
        return product.to_owned();
    };
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    let mut name = match &*stem {
        "tessera" => "bank".to_owned(),
        other => format!("{other}-bank"),
    };
    if let Some(end) = file.extension() {
        name = format!("{name}.{}", end.to_string_lossy());
    }
    format!("sqlite:{}", file.with_file_name(name).display())
}

/// Returns the file of an SQLite database's URL.
pub(super) fn file_of(url: &str) -> Option<&str> {
    let file = url.strip_prefix("sqlite:")?;
    Some(file.strip_prefix("//").unwrap_or(file))
}

/// Refuses URLs that no database opens, or that would keep nothing.
pub(super) fn check_database(key: &str, url: &str) -> Result<(), ConfigError> {
    let why = match file_of(url) {
        Some("") => "write the file after sqlite:, like sqlite:data/tessera.db",
        Some(path) if path.starts_with(':') => {
            "what is kept in memory is lost: write a file after sqlite:, like sqlite:data/tessera.db"
        }
        Some(path) if path.contains('?') => {
            "sqlite: takes a file and no options after a question mark"
        }
        None if !url.starts_with("postgres:") && !url.starts_with("postgresql:") => {
            "write sqlite:PATH or postgres://user@host/database"
        }
        _ => return Ok(()),
    };
    Err(setting(key, why))
}
