//! Every SQL text of a crate's source, found and prepared: one that a database does not take, or that names a column that
//! is not there, is refused here even if no test runs it.
//!
//! Texts are found as tokens: string literals and `concat!`s that begin like a statement. What is put together at run
//! time cannot be found so: the tests of the function that does so run it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use kernel::db::{Db, DbError, run};
use proc_macro2::{TokenStream, TokenTree};
use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _};

/// Words that a statement begins with.
const VERBS: &[&str] = &["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];
/// Statements of one database alone: SQLite's own tables and functions, and Postgres's.
const SQLITE_ONLY: &[&str] = &["sqlite_", "pragma_", "unhex("];
const POSTGRES_ONLY: &[&str] = &["pg_", "information_schema", "current_schema", "to_regclass"];

/// Codes of Postgres for a parameter without a type: `indeterminate_datatype`, `ambiguous_parameter`, `ambiguous_function`, `undefined_function`
/// and `datatype_mismatch`.
const ABOUT_TYPES: &[&str] = &["42P18", "42P08", "42725", "42883", "42804"];

/// A crate whose statements are prepared, and those that cannot be as they stand. A statement is named by its file below
/// `src` and its function: `storage/jobs.rs revive_jobs`.
pub struct Statements<'a> {
    /// `CARGO_MANIFEST_DIR` of the crate.
    pub root: &'a Path,
    /// Folders and files whose statements are for the database.
    pub sources: &'a [&'a str],
    /// Statements that are only begun where they stand, and completed by the function.
    pub begun: &'a [&'a str],
    /// Statements whose parameters Postgres takes for texts, or cannot tell the types of, until they are bound: each is
    /// run on Postgres by a test of its function.
    pub untyped: &'a [&'a str],
    /// The fewest that each database must be given: fewer were not found, whatever the source says.
    pub at_least: usize,
}

impl Statements<'_> {
    /// Prepares every statement that is for this database, and fails on each one that it refuses. A statement for
    /// neither database fails on both, and so does an excuse that is not needed any more.
    pub async fn are_prepared(&self, db: &Db) {
        let is_sqlite = db.postgres_writer().is_none();
        let (mut refused, mut excused) = (BTreeSet::new(), BTreeSet::new());
        let mut prepared = 0;
        for Found { at, sql } in self.find() {
            if !is_for(&sql, is_sqlite) {
                if !is_for(&sql, !is_sqlite) {
                    refused.insert(format!("{at}: it is for neither database\n    {sql}"));
                }
                continue;
            }
            let mut tx = db.read().await.unwrap();
            let text = AssertSqlSafe(sql.clone()).into_sql_str();
            let outcome = run!(tx, |conn| conn.prepare(text).await.map(|_| ()));
            prepared += 1;
            let Err(error) = outcome else {
                continue;
            };
            let is_untyped =
                !is_sqlite && self.untyped.contains(&at.as_str()) && is_about_types(&error);
            if is_untyped || self.begun.contains(&at.as_str()) {
                excused.insert(at);
            } else {
                refused.insert(format!("{at}: {error}\n    {sql}"));
            }
        }
        let refused: Vec<String> = refused.into_iter().collect();
        let text = refused.join("\n");
        assert!(
            refused.is_empty(),
            "{} of {prepared}:\n{text}",
            refused.len()
        );
        let least = self.at_least;
        assert!(
            prepared >= least,
            "only {prepared} statements were found, of {least}"
        );
        let untyped = if is_sqlite { &[] } else { self.untyped };
        let listed = self.begun.iter().chain(untyped).map(|at| (*at).to_owned());
        assert_eq!(
            excused,
            listed.collect(),
            "an excuse is not needed any more"
        );
    }

    /// Returns every statement that stands in the source as a whole.
    fn find(&self) -> Vec<Found> {
        let below = self.root.join("src");
        let files: Vec<(String, Vec<TokenTree>)> = self
            .files()
            .iter()
            .map(|file| {
                let name = file.strip_prefix(&below).unwrap().display().to_string();
                (name, trees(file))
            })
            .collect();
        let mut search = Search::default();
        // A macro may be made of another one that comes later.
        for _ in 0..2 {
            for (_, trees) in &files {
                search.note_macros(trees);
            }
        }
        for (name, trees) in &files {
            search.look(trees, name, "");
        }
        search.found
    }

    /// Returns the files that are read, without those of tests.
    fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        for source in self.sources {
            walk(&self.root.join(source), &mut files);
        }
        files.retain(|file| {
            let within = file.strip_prefix(self.root).unwrap();
            !within.to_string_lossy().contains("test")
        });
        files.sort();
        files
    }
}

/// A statement and where it stands.
struct Found {
    at: String,
    sql: String,
}

/// Statements and named texts found so far.
#[derive(Default)]
struct Search {
    /// Macros without parameters that stand for a text.
    texts: BTreeMap<String, String>,
    found: Vec<Found>,
}

fn walk(path: &Path, into: &mut Vec<PathBuf>) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            walk(&entry.unwrap().path(), into);
        }
    } else if path.extension().is_some_and(|it| it == "rs") {
        into.push(path.to_owned());
    }
}

/// Returns the trees of a file without its `#[cfg(test)]` module, which stands last.
fn trees(file: &Path) -> Vec<TokenTree> {
    let text = fs::read_to_string(file).unwrap();
    let text = text
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let stream =
        TokenStream::from_str(text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    stream.into_iter().collect()
}

fn is_punct(tree: Option<&TokenTree>, wanted: char) -> bool {
    matches!(tree, Some(TokenTree::Punct(it)) if it.as_char() == wanted)
}

fn ident(tree: Option<&TokenTree>) -> Option<String> {
    match tree {
        Some(TokenTree::Ident(it)) => Some(it.to_string()),
        _ => None,
    }
}

fn any_group(tree: Option<&TokenTree>) -> Option<Vec<TokenTree>> {
    match tree {
        Some(TokenTree::Group(it)) => Some(it.stream().into_iter().collect()),
        _ => None,
    }
}

fn literal(tree: &TokenTree) -> Option<String> {
    let TokenTree::Literal(literal) = tree else {
        return None;
    };
    syn::parse_str::<syn::LitStr>(&literal.to_string())
        .ok()
        .map(|it| it.value())
}

impl Search {
    /// Notes `macro_rules! name { () => { "text" } }` and those made of others that are known.
    fn note_macros(&mut self, trees: &[TokenTree]) {
        for (at, tree) in trees.iter().enumerate() {
            if ident(Some(tree)).as_deref() != Some("macro_rules") {
                continue;
            }
            let (Some(name), Some(body)) = (ident(trees.get(at + 2)), any_group(trees.get(at + 3)))
            else {
                continue;
            };
            let takes_nothing = any_group(body.first()).is_some_and(|it| it.is_empty());
            if let (true, Some(text)) = (
                takes_nothing,
                any_group(body.get(3)).and_then(|it| self.text(&it)),
            ) {
                self.texts.insert(name, text);
            }
        }
    }

    /// Returns the text that an expression stands for: a literal, a `concat!` of texts or a macro that is one.
    fn text(&self, trees: &[TokenTree]) -> Option<String> {
        if let [one] = trees {
            return literal(one);
        }
        let name = ident(trees.first())?;
        if !is_punct(trees.get(1), '!') {
            return None;
        }
        let within = any_group(trees.get(2))?;
        if name != "concat" {
            return self.texts.get(&name).filter(|_| within.is_empty()).cloned();
        }
        let parts = within.split(|tree| is_punct(Some(tree), ','));
        let parts = parts.filter(|part| !part.is_empty());
        parts.map(|part| self.text(part)).collect()
    }

    /// Looks for statements in a file's trees, within the function that they are in.
    fn look(&mut self, trees: &[TokenTree], file: &str, function: &str) {
        let mut function = function.to_owned();
        for (at, tree) in trees.iter().enumerate() {
            if ident(Some(tree)).as_deref() == Some("fn") {
                function = ident(trees.get(at + 1)).unwrap_or_default();
            }
            let is_concat = ident(Some(tree)).as_deref() == Some("concat");
            let text = if is_concat {
                self.text(trees.get(at..at + 3).unwrap_or_default())
            } else {
                literal(tree)
            };
            let begins =
                |text: &String| VERBS.iter().any(|verb| text.trim_start().starts_with(verb));
            if let Some(sql) = text.filter(begins) {
                let at = format!("{file} {function}");
                self.found.push(Found { at, sql });
            }
            let Some(within) = any_group(Some(tree)) else {
                continue;
            };
            // The parts of a text, or of one that is only begun here.
            let named = |back: usize, name: &str| {
                at.checked_sub(back)
                    .is_some_and(|at| ident(trees.get(at)).as_deref() == Some(name))
            };
            let is_part = named(2, "concat") || named(2, "format") || named(3, "macro_rules");
            let is_begun = named(1, "new") && named(4, "QueryBuilder");
            if !is_part && !is_begun {
                self.look(&within, file, &function);
            }
        }
    }
}

/// Returns `true` unless a statement names what only the other database has.
fn is_for(sql: &str, is_sqlite: bool) -> bool {
    let others = if is_sqlite {
        POSTGRES_ONLY
    } else {
        SQLITE_ONLY
    };
    !others.iter().any(|word| sql.contains(word))
}

/// Returns `true` if an error says no more than that a parameter has no type yet.
fn is_about_types(error: &DbError) -> bool {
    let code = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| ABOUT_TYPES.contains(&&*code))
}

#[cfg(test)]
mod tests;
