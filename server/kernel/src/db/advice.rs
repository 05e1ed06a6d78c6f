//! Words for whoever cannot open a database: the reason, and what to do.

use sqlx::migrate::MigrateError;

use super::DbError;

/// Returns the reason a database does not open, and advice.
pub(super) fn unopened(error: &DbError) -> String {
    const ELSEWHERE: &str = "or name another with --database or --data-dir";
    let why = match error {
        DbError::PoolTimedOut => {
            return "it did not answer within 5 seconds. Check that it is running and that its address is right (--database)"
                .to_owned();
        }
        DbError::Io(error) => {
            return format!(
                "{error}. Check that it is running and that its address is right (--database)"
            );
        }
        DbError::Database(why) => why,
        other => return other.to_string(),
    };
    // Codes of Postgres have five characters; SQLite's are numbers whose last eight bits are the kind.
    let code = why.code().unwrap_or_default().into_owned();
    let kind = (code.len() < 5).then(|| code.parse::<u32>().ok()).flatten();
    let advice = match (code.as_str(), kind.map(|code| code & 0xff)) {
        ("3D000", _) => format!("Make it first, {ELSEWHERE}"),
        (code, _) if code.starts_with("28") => {
            "Check the user and the password in --database, and what the server lets in (pg_hba.conf)".to_owned()
        }
        (_, Some(5 | 6)) => "Another process holds it: wait for its end, or stop it".to_owned(),
        (_, Some(8)) => "Let this user write the file and its folder".to_owned(),
        (_, Some(14)) => format!(
            "Make its folder, let this user write there, {ELSEWHERE}"
        ),
        (_, Some(11 | 26)) => format!("Put a backup in its place, {ELSEWHERE}"),
        _ => return why.message().to_owned(),
    };
    format!("{}. {advice}", why.message())
}

/// Returns the reason a database cannot be brought up to date, and advice.
pub(super) fn unmigrated(error: &MigrateError) -> String {
    match error {
        MigrateError::VersionMissing(version) => format!(
            "a newer release has been at it (migration {version} is not known here). Run that release or a later one, or name \
             another database with --database or --data-dir"
        ),
        MigrateError::VersionMismatch(version) | MigrateError::Dirty(version) => format!(
            "migration {version} in it is not the one of this release, or broke off. Run the release that made it, or restore \
             a backup"
        ),
        other => other.to_string(),
    }
}
