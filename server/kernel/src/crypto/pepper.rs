//! Keyed digests: a secret that is only compared is stored as its digest, which cannot even be checked without the key
//! file.

use std::sync::{Arc, PoisonError, RwLock};

use zeroize::Zeroizing;

use super::file::{FileKey, Ring};
use super::{Digest, KeyTag, mac};

/// Makes digests under the pepper of today, and finds those of the other one while it is rotated. Cheap to clone; all
/// clones see a new key file at once.
#[derive(Clone)]
pub struct Pepper(Arc<RwLock<Arc<Ring>>>);

/// Key that passwords are hashed with besides their salt.
pub struct PasswordKey {
    pub key: Zeroizing<[u8; 32]>,
    /// Text that precedes the stored hash: the key's tag and a colon, or nothing for a key of the first format, which
    /// has no id.
    pub prefix: String,
}

impl Pepper {
    pub(super) fn new(ring: Ring) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(ring))))
    }

    pub(super) fn replace(&self, ring: Ring) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
    }

    fn ring(&self) -> Arc<Ring> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The digest of a secret. `kind` separates uses: a nonce never equals a token, whatever their texts.
    pub fn digest(&self, kind: &str, secret: &str) -> Digest {
        let ring = self.ring();
        let other = ring.other().map(|key| tagged(key, kind, secret));
        Digest::with_former(tagged(ring.active(), kind, secret), other)
    }

    /// The digest that a secret had before keys had ids, as long as that key is there.
    pub fn first(&self, kind: &str, secret: &str) -> Option<Vec<u8>> {
        let ring = self.ring();
        let first = ring.first();
        first.map(|key| tagged(key, kind, secret))
    }

    /// A key for one purpose, derived from the pepper of today.
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        derived(self.ring().active(), purpose)
    }

    /// Returns the key that new passwords are hashed with.
    pub fn password_key(&self) -> PasswordKey {
        password_key(self.ring().active())
    }

    /// Splits a stored password into the key it was hashed with and the hash; `None` if that key is not in the key
    /// file.
    pub fn password_key_of<'h>(&self, stored: &'h str) -> Option<(PasswordKey, &'h str)> {
        let ring = self.ring();
        let (key, hash) = match stored.split_once(':') {
            Some((tag, hash)) => (ring.by_tag(KeyTag::parse(tag)?), hash),
            None => (ring.first(), stored),
        };
        key.map(|key| (password_key(key), hash))
    }
}

fn tagged(key: &FileKey, kind: &str, secret: &str) -> Vec<u8> {
    let mac = mac(&key.key, &[kind.as_bytes(), &[0], secret.as_bytes()]);
    if key.first {
        mac.to_vec()
    } else {
        [key.tag.0.as_slice(), &*mac].concat()
    }
}

fn derived(key: &FileKey, purpose: &str) -> Zeroizing<[u8; 32]> {
    mac(&key.key, &[b"derive\0", purpose.as_bytes()])
}

fn password_key(key: &FileKey) -> PasswordKey {
    PasswordKey {
        key: derived(key, "passwords"),
        prefix: if key.first {
            String::new()
        } else {
            format!("{}:", key.tag)
        },
    }
}
