//! A data key: one per tenant, and one of the system for what belongs to no tenant. It lies in the database, wrapped under
//! the vault key; whoever erases it makes everything sealed under it unreadable, wherever copies of that may be.

use std::sync::atomic::{AtomicBool, Ordering};

use uuid::Uuid;
use zeroize::Zeroizing;

use super::aead::{Aead, Unsealable};
use super::{KeyTag, mac};
use crate::clock::Clock;

/// Owns the system's data key.
pub const SYSTEM: Uuid = Uuid::nil();
/// First byte of everything sealed under a data key, before the key's tag.
const VERSION: u8 = 1;

/// A data key, opened: seals, and makes digests that only its owner's rows have. Its keys are overwritten when the last
/// user lets go of it.
pub struct DataKey {
    owner: Uuid,
    tag: KeyTag,
    cipher: Aead,
    marks: Zeroizing<[u8; 32]>,
    erased: AtomicBool,
}

impl DataKey {
    /// A new key, and its bytes, to be wrapped.
    pub(super) fn make(owner: Uuid, clock: &Clock) -> (Self, Zeroizing<[u8; 32]>) {
        let bytes = Zeroizing::new(clock.random::<32>());
        (Self::from_bytes(owner, &bytes), bytes)
    }

    pub(super) fn from_bytes(owner: Uuid, bytes: &[u8; 32]) -> Self {
        Self {
            owner,
            tag: KeyTag::of(bytes),
            cipher: Aead::new(&mac(bytes, &[b"derive\0", b"seal"])),
            marks: mac(bytes, &[b"derive\0", b"marks"]),
            erased: AtomicBool::new(false),
        }
    }

    pub fn owner(&self) -> Uuid {
        self.owner
    }

    pub fn tag(&self) -> KeyTag {
        self.tag
    }

    /// Returns the nine bytes that precede everything sealed under this key: the version and the key's tag.
    pub fn head(&self) -> Vec<u8> {
        let mut head = vec![VERSION];
        head.extend(self.tag.0);
        head
    }

    /// Marks the key as erased: from now on it neither seals nor opens, whoever still holds it.
    pub fn erase(&self) {
        self.erased.store(true, Ordering::Release);
    }

    fn alive(&self) -> Result<(), Unsealable> {
        if self.erased.load(Ordering::Acquire) {
            return Err(Unsealable);
        }
        Ok(())
    }

    /// Seals bytes under the associated data of one of the owner's rows.
    pub(super) fn seal(
        &self,
        clock: &Clock,
        aad: &str,
        plain: &[u8],
    ) -> Result<Vec<u8>, Unsealable> {
        self.alive()?;
        let mut all = self.head();
        all.extend(self.cipher.seal(clock, &self.bound(aad), plain)?);
        Ok(all)
    }

    /// Opens what was sealed under this key with the same associated data; `None` if it was sealed under another.
    pub(super) fn open(
        &self,
        aad: &str,
        sealed: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Unsealable> {
        self.alive()?;
        match sealed.split_first_chunk::<9>() {
            Some((&[VERSION, ref tag @ ..], rest)) if *tag == self.tag.0 => {
                self.cipher.open(&self.bound(aad), rest).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The keyed digest of a text: the same as long as the owner lives, whatever becomes of pepper and vault key. One byte
    /// longer than those of a pepper that has no id, so that none is taken for the other.
    pub(super) fn digest(&self, kind: &str, text: &str) -> Vec<u8> {
        let mac = mac(&self.marks, &[kind.as_bytes(), &[0], text.as_bytes()]);
        [[VERSION].as_slice(), &*mac].concat()
    }

    pub(super) fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        mac(&self.marks, &[b"derive\0", purpose.as_bytes()])
    }

    /// Table, column and row, the tenant, and the key: sealed bytes open where all of them are the same.
    fn bound(&self, aad: &str) -> Vec<u8> {
        let mut bound = Vec::with_capacity(aad.len() + 25);
        bound.extend(aad.as_bytes());
        bound.push(0);
        bound.extend(self.owner.as_bytes());
        bound.extend(self.tag.0);
        bound
    }
}
