//! Postgres' own tools: `pg_dump` and `pg_restore` from the search path. The password goes in the environment, where other
//! users of the machine do not see it.

use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use super::BackupError;

/// A dump that is being written.
pub(super) struct Dump(Child);

/// The schemas of a database that are dumped.
#[derive(Clone, Copy, Debug)]
pub(super) enum Schemas {
    Only(&'static str),
    AllBut(&'static str),
}

/// Begins to dump a database.
pub(super) fn dump(url: &str, schemas: Schemas) -> Result<Dump, BackupError> {
    let mut command = program("pg_dump", url)?;
    command.arg(match schemas {
        Schemas::Only(schema) => format!("--schema={schema}"),
        Schemas::AllBut(schema) => format!("--exclude-schema={schema}"),
    });
    let child = command
        .args([
            "--format=custom",
            "--no-owner",
            "--no-privileges",
            "--lock-wait-timeout=30s",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| missing("pg_dump", &error))?;
    Ok(Dump(child))
}

impl Dump {
    /// Takes the standard output of `pg_dump`, which carries the dump. Fails if it was taken before.
    pub(super) fn output(&mut self) -> Result<ChildStdout, BackupError> {
        self.0.stdout.take().ok_or_else(|| failed("pg_dump"))
    }

    /// Waits for `pg_dump` to exit. The output is a complete dump only if this returns `Ok`.
    pub(super) fn end(mut self) -> Result<(), BackupError> {
        let ended = self.0.wait();
        let ended = ended.map_err(|error| missing("pg_dump", &error))?;
        ended
            .success()
            .then_some(())
            .ok_or_else(|| failed("pg_dump"))
    }
}

impl Drop for Dump {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Puts a dump into an empty database, all or nothing.
pub(super) fn restore(url: &str, file: &Path) -> Result<(), BackupError> {
    let mut command = program("pg_restore", url)?;
    let ended = command
        .args([
            "--single-transaction",
            "--exit-on-error",
            "--no-owner",
            "--no-privileges",
        ])
        .arg(file)
        .status()
        .map_err(|error| missing("pg_restore", &error))?;
    ended
        .success()
        .then_some(())
        .ok_or_else(|| failed("pg_restore"))
}

fn program(name: &'static str, url: &str) -> Result<Command, BackupError> {
    let mut parsed = url::Url::parse(url).map_err(|_| BackupError::Program {
        program: name,
        why: "the database's URL cannot be read".to_owned(),
    })?;
    let mut command = Command::new(name);
    if let Some(password) = parsed.password() {
        let decoded = percent_encoding::percent_decode_str(password).decode_utf8_lossy();
        command.env("PGPASSWORD", decoded.into_owned());
        // A URL that has a password has a host, and takes it away again.
        parsed.set_password(None).ok();
    }
    command
        .arg(format!("--dbname={parsed}"))
        .arg("--no-password")
        .stdin(Stdio::null());
    Ok(command)
}

fn missing(program: &'static str, error: &std::io::Error) -> BackupError {
    BackupError::Program {
        program,
        why: format!(
            "{error}. Install PostgreSQL's client programs, of the server's version or newer."
        ),
    }
}

fn failed(program: &'static str) -> BackupError {
    BackupError::Program {
        program,
        why: "it said why on standard error".to_owned(),
    }
}
