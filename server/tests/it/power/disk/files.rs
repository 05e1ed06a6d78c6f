//! The files of a disk: as they are now, as they were synced last, and what a power cut leaves of them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Contents, Left, SECTOR};

#[derive(Default)]
pub struct Files {
    pub by_number: BTreeMap<u64, File>,
    pub last_number: u64,
    pub names: BTreeMap<String, u64>,
    pub synced_names: BTreeMap<String, u64>,
    /// Nothing is written or synced any more.
    pub off: bool,
}

#[derive(Default)]
pub struct File {
    pub now: Vec<u8>,
    pub synced: Vec<u8>,
    /// What makes one of the other, in its order.
    pub since: Vec<Change>,
}

pub enum Change {
    Bytes(usize, Vec<u8>),
    Size(usize),
}

impl Files {
    pub fn make(&mut self, name: &str) -> u64 {
        // The first is the folder's.
        self.last_number = self.last_number.max(1) + 1;
        self.by_number.insert(self.last_number, File::default());
        self.names.insert(name.to_owned(), self.last_number);
        self.last_number
    }

    pub fn left(&self, left: Left) -> Contents {
        let names: BTreeSet<_> = self.names.keys().chain(self.synced_names.keys()).collect();
        let mut contents = Contents::new();
        for name in names {
            let (now, synced) = (self.names.get(name), self.synced_names.get(name));
            let number = if now != synced && left.has() {
                now
            } else {
                synced
            };
            if let Some(number) = number {
                contents.insert(name.clone(), self.by_number[number].left(left));
            }
        }
        contents
    }
}

impl File {
    pub fn change(&mut self, change: Change) {
        apply(&mut self.now, &change);
        self.since.push(change);
    }

    pub fn sync(&mut self) {
        for change in std::mem::take(&mut self.since) {
            apply(&mut self.synced, &change);
        }
    }

    pub fn left(&self, left: Left) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for change in &self.since {
            match change {
                Change::Size(_) if left.has() => apply(&mut bytes, change),
                Change::Size(_) => {}
                Change::Bytes(from, written) => {
                    let mut at = *from;
                    for sector in sectors(*from, written) {
                        if left.has() {
                            apply(&mut bytes, &Change::Bytes(at, sector.to_vec()));
                        }
                        at += sector.len();
                    }
                }
            }
        }
        bytes
    }
}

impl Left {
    pub fn has(self) -> bool {
        matches!(self, Self::Anything) && rand::random()
    }
}

/// The parts of what was written that lie in one sector each.
pub fn sectors(from: usize, mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut first = (SECTOR - from % SECTOR).min(bytes.len());
    while !bytes.is_empty() {
        let (part, rest) = bytes.split_at(first);
        parts.push(part);
        bytes = rest;
        first = SECTOR.min(bytes.len());
    }
    parts
}

pub fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Size(size) => bytes.resize(*size, 0),
        Change::Bytes(from, written) => {
            let end = from + written.len();
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[*from..end].copy_from_slice(written);
        }
    }
}
