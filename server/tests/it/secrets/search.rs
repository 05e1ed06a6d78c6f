//! Looks for canaries in whatever a thief may hold: bytes, files, tables and what the processes said.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::world::World;

/// A secret or something about an end-user, and what it is.
pub struct Canary(pub &'static str, pub String);

/// Every spelling a canary may be found in.
fn spellings(canary: &str) -> Vec<Vec<u8>> {
    let bytes = canary.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut all = vec![canary.to_owned(), hex.to_uppercase(), hex];
    let coded: String = url::form_urlencoded::byte_serialize(bytes).collect();
    all.push(coded);
    // Wherever it begins within three bytes: what surrounds it changes the first letter or two, and the last.
    for shift in 0..3 {
        let padded = [&[0; 2][..shift], bytes].concat();
        for text in [
            STANDARD_NO_PAD.encode(&padded),
            URL_SAFE_NO_PAD.encode(&padded),
        ] {
            let inner = text.get(shift + 1..text.len() - 2).unwrap_or_default();
            if inner.len() >= 12 {
                all.push(inner.to_owned());
            }
        }
    }
    all.sort();
    all.dedup();
    all.into_iter().map(String::into_bytes).collect()
}

/// All spellings of all canaries, by how they begin: one walk over some bytes finds those that occur.
pub struct Wanted<'a> {
    spellings: Vec<(&'a str, Vec<u8>)>,
    /// For every two bytes, whether a spelling begins with them.
    begins: Vec<bool>,
    by_start: HashMap<[u8; START], Vec<usize>>,
}

/// No canary is shorter, in any spelling.
const START: usize = 8;

const fn two(first: u8, second: u8) -> usize {
    (first as usize) << 8 | second as usize
}

impl<'a> Wanted<'a> {
    pub fn new(canaries: &'a [Canary]) -> Self {
        let mut wanted = Self {
            spellings: Vec::new(),
            begins: vec![false; 1 << 16],
            by_start: HashMap::new(),
        };
        for Canary(what, canary) in canaries {
            assert!(
                canary.len() >= START,
                "{what} is too short to be looked for"
            );
            for spelling in spellings(canary) {
                let start: [u8; START] = spelling[..START].try_into().unwrap();
                wanted.begins[two(start[0], start[1])] = true;
                let at = wanted.spellings.len();
                wanted.by_start.entry(start).or_default().push(at);
                wanted.spellings.push((what, spelling));
            }
        }
        wanted
    }

    /// Returns the canaries that occur in some bytes, each spelling once.
    pub fn found(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        let mut found = BTreeSet::new();
        let mut before = 0;
        for (at, byte) in bytes.iter().enumerate() {
            if at > 0 && self.begins[two(before, *byte)] {
                let rest = &bytes[at - 1..];
                let start = rest.first_chunk::<START>();
                let known = start.and_then(|start| self.by_start.get(start));
                let hits = known.into_iter().flatten();
                found.extend(hits.filter(|at| rest.starts_with(&self.spellings[**at].1)));
            }
            before = *byte;
        }
        let tell = |at: &usize| {
            let (what, spelling) = &self.spellings[*at];
            let spelling = String::from_utf8_lossy(spelling);
            format!("{what} in {place} as {spelling}")
        };
        found.into_iter().map(tell).collect()
    }
}

fn files(folder: &Path, all: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, all);
        } else {
            all.push(path);
        }
    }
}

/// Searches the data folder, the tables, and what the processes said.
///
/// Left out: `secrets.key`, which is what a thief of the database has not; `mail/`, which stands in for letters that
/// leave the house. The file of the sandbox bank's database is searched like any; its schema on Postgres is not: it is another
/// company and knows its own customers.
pub async fn search(world: &World, canaries: &[Canary]) -> Vec<String> {
    let wanted = Wanted::new(canaries);
    let mut hits = wanted.found("the process's output", world.server.said().as_bytes());
    let sql = world.sql().await;
    for (table, rows) in sql.everything().await {
        hits.extend(wanted.found(&table, rows.join("\n").as_bytes()));
    }
    let mut all = Vec::new();
    files(world.folder(), &mut all);
    assert!(!all.is_empty(), "the key file is there at least");
    for path in all {
        let name = path
            .strip_prefix(world.folder())
            .unwrap()
            .display()
            .to_string();
        if name != "secrets.key" && !name.starts_with("mail") {
            hits.extend(wanted.found(&name, &std::fs::read(&path).unwrap()));
        }
    }
    hits
}
