//! Cryptography that keeps a stolen database useless: keyed digests for what is only compared ([`Pepper`]), sealed
//! bytes for what must be read back ([`Vault`]). The keys of both live in `secrets.key` ([`file`]), outside the
//! database (docs/API.md, "Keys"). Several of a kind may live at once, so that they are rotated without a call that
//! fails.

mod aead;
mod data_key;
pub mod file;
mod pepper;
mod vault;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use aead::{Aead, Unsealable};
pub use data_key::{DataKey, SYSTEM};
pub use file::{Secrets, SecretsError};
pub use pepper::{PasswordKey, Pepper};
pub use vault::{Vault, Wrapped};

/// Names a key of the key file or a data key: eight bytes, in hexadecimal where people read it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyTag(pub [u8; 8]);

/// The keyed digest of a secret: HMAC-SHA-256 with the kind of secret mixed in. While a pepper is rotated it also carries
/// the digest under the other one: a statement that looks for it binds both (`digest IN ($1, $2)`), one that stores it
/// binds the first. Equality takes constant time and holds if either is equal; it has no `Debug`.
#[derive(Clone)]
pub struct Digest(pub Vec<u8>, Option<Vec<u8>>);

impl Digest {
    /// A digest with nothing beside it.
    pub fn of(bytes: Vec<u8>) -> Self {
        Self(bytes, None)
    }

    /// A digest, and the one that the same secret had before.
    pub fn with_former(bytes: Vec<u8>, former: Option<Vec<u8>>) -> Self {
        Self(bytes, former)
    }

    /// Returns the digest of the same secret under the other key of a rotation; the same bytes as the first if there is
    /// none.
    pub fn other(&self) -> &[u8] {
        self.1.as_deref().unwrap_or(&self.0)
    }

    /// Returns `true` if there is a second digest, under the other key of a rotation.
    pub fn has_other(&self) -> bool {
        self.1.is_some()
    }

    /// Returns `true` if the stored digest of the same secret was made under another key than new ones are, and so is
    /// to be renewed.
    pub fn renews(&self, stored: &Self) -> bool {
        self.0 != stored.0
    }

    fn all(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&*self.0).chain(self.1.as_deref())
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        let mut equal = subtle::Choice::from(0);
        for one in self.all() {
            for two in other.all() {
                equal |= one.ct_eq(two);
            }
        }
        equal.into()
    }
}

impl<DB: sqlx::Database> sqlx::Type<DB> for Digest
where
    Vec<u8>: sqlx::Type<DB>,
{
    fn type_info() -> DB::TypeInfo {
        <Vec<u8> as sqlx::Type<DB>>::type_info()
    }

    fn compatible(ty: &DB::TypeInfo) -> bool {
        <Vec<u8> as sqlx::Type<DB>>::compatible(ty)
    }
}

impl<'q, DB: sqlx::Database> sqlx::Encode<'q, DB> for Digest
where
    Vec<u8>: sqlx::Encode<'q, DB>,
{
    fn encode_by_ref(
        &self,
        buffer: &mut <DB as sqlx::Database>::ArgumentBuffer,
    ) -> Result<sqlx::encode::IsNull, sqlx::error::BoxDynError> {
        self.0.encode_by_ref(buffer)
    }
}

impl<'r, DB: sqlx::Database> sqlx::Decode<'r, DB> for Digest
where
    Vec<u8>: sqlx::Decode<'r, DB>,
{
    fn decode(
        value: <DB as sqlx::Database>::ValueRef<'r>,
    ) -> Result<Self, sqlx::error::BoxDynError> {
        <Vec<u8> as sqlx::Decode<'r, DB>>::decode(value).map(Self::of)
    }
}

impl KeyTag {
    /// The tag of a key: the first bytes of an HMAC under it, so that a key that was altered has another.
    fn of(key: &[u8; 32]) -> Self {
        let mac = mac(key, &[b"tessera key id"]);
        Self(std::array::from_fn(|at| {
            mac.get(at).copied().unwrap_or_default()
        }))
    }

    /// A tag as it is written.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 16)
            .then(|| u64::from_str_radix(text, 16).ok())?
            .map(|number| Self(number.to_be_bytes()))
    }
}

impl std::fmt::Display for KeyTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl std::fmt::Debug for KeyTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// HMAC-SHA-256 over the parts as they follow each other.
fn mac(key: &[u8; 32], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
    // HMAC pads a shorter key with zeros to the block size itself (RFC 2104, section 2).
    let padded = Zeroizing::new(std::array::from_fn::<u8, 64, _>(|at| {
        key.get(at).copied().unwrap_or(0)
    }));
    let mut mac = Hmac::<Sha256>::new(&(*padded).into());
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

/// SHA-256 in lower-case hexadecimal: for content that is no secret.
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    // Each sealed row is opened under a name that holds some: formatting would cost a third of what opening it does.
    text.extend(halves.filter_map(|half| char::from_digit(half.into(), 16)));
    text
}

/// An id that is the same wherever it is made of the same text (RFC 9562, version 8).
pub fn named_uuid(name: &str) -> Uuid {
    let hash = Sha256::digest(name.as_bytes());
    let mut bytes = [0; 16];
    for (slot, byte) in bytes.iter_mut().zip(hash) {
        *slot = byte;
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests;
