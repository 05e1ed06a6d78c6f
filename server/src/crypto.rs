//! What keeps a stolen database useless: keyed digests for what is only compared, sealed bytes for what must be
//! read back. Both keys live in `secrets.key`, outside the database (`api.md`, section 11).

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::clock::Clock;

/// The keyed digest of a secret: HMAC-SHA-256 under the pepper, with the kind of secret mixed in.
/// Equality takes constant time; it has no `Debug`.
#[derive(Clone, sqlx::Type)]
#[sqlx(transparent)]
pub struct Digest(pub Vec<u8>);

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// The two keys of an installation and the id that ties them to their database.
pub struct Secrets {
    pub id: Uuid,
    pub pepper: Pepper,
    pub vault: Vault,
}

/// Makes digests that cannot even be checked without the key file.
#[derive(Clone)]
pub struct Pepper(std::sync::Arc<Zeroizing<[u8; 32]>>);

/// Seals what must be read back: XChaCha20-Poly1305 with a random 192-bit nonce in front of the ciphertext.
#[derive(Clone)]
pub struct Vault {
    cipher: XChaCha20Poly1305,
}

/// Sealed bytes that do not open: moved to another row, altered, or sealed under another key.
#[derive(Debug, thiserror::Error)]
#[error("sealed data does not open: it was altered, moved, or sealed under another key")]
pub struct Unsealable;

/// Why the key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error("cannot read or write the key file {path}: {source}")]
    Io {
        path: String,
        source: std::io::Error,
    },
    #[error("the key file {path} is damaged: restore it from a backup, it cannot be made again")]
    Damaged { path: String },
}

impl Pepper {
    /// The digest of a secret. `kind` separates uses: a nonce never equals a token, whatever their texts.
    pub fn digest(&self, kind: &str, secret: &str) -> Digest {
        let mut mac = self.mac();
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(secret.as_bytes());
        Digest(mac.finalize().into_bytes().to_vec())
    }

    /// A key for one purpose, derived from the pepper.
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let mut mac = self.mac();
        mac.update(b"derive\0");
        mac.update(purpose.as_bytes());
        Zeroizing::new(mac.finalize().into_bytes().into())
    }

    fn mac(&self) -> Hmac<Sha256> {
        // HMAC pads a shorter key with zeros to the block size itself (RFC 2104, section 2).
        let key = Zeroizing::new(std::array::from_fn::<u8, 64, _>(|at| {
            self.0.get(at).copied().unwrap_or(0)
        }));
        Hmac::<Sha256>::new(&(*key).into())
    }
}

impl Vault {
    /// A vault of its own key; for what is sealed under a key derived from a caller's secret.
    pub fn of(key: &[u8; 32]) -> Self {
        Self {
            cipher: XChaCha20Poly1305::new(key.into()),
        }
    }

    /// Seals bytes for one place. `place` names table, column and row (`tenant_keys.sealed/<id>`); they open only there.
    pub fn seal(&self, clock: &Clock, place: &str, plain: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let nonce = clock.random::<24>();
        let payload = Payload {
            msg: plain,
            aad: place.as_bytes(),
        };
        let sealed = self
            .cipher
            .encrypt(XNonce::from_slice(&nonce), payload)
            .map_err(|_| Unsealable)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what was sealed for the same place.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        let (nonce, sealed) = sealed.split_at_checked(24).ok_or(Unsealable)?;
        let payload = Payload {
            msg: sealed,
            aad: place.as_bytes(),
        };
        self.cipher
            .decrypt(XNonce::from_slice(nonce), payload)
            .map(Zeroizing::new)
            .map_err(|_| Unsealable)
    }
}

/// SHA-256 in lower-case hexadecimal: for content that is no secret.
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
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

impl Secrets {
    /// New keys.
    pub fn make(clock: &Clock) -> Self {
        Self::from_parts(clock.id(), clock.random(), &clock.random())
    }

    /// Reads the key file; `None` if there is none.
    pub fn read(path: &Path) -> Result<Option<Self>, SecretsError> {
        let io = |source| SecretsError::Io {
            path: path.display().to_string(),
            source,
        };
        let text = match std::fs::read_to_string(path) {
            Ok(text) => Zeroizing::new(text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
        };
        Self::parse(&text)
            .map(Some)
            .ok_or_else(|| SecretsError::Damaged {
                path: path.display().to_string(),
            })
    }

    /// Makes keys under an id and writes them to a file that did not exist, readable by its owner alone, flushed to disk.
    pub fn create(path: &Path, id: Uuid, clock: &Clock) -> Result<Self, SecretsError> {
        let io = |source| SecretsError::Io {
            path: path.display().to_string(),
            source,
        };
        let (pepper, vault) = (
            Zeroizing::new(clock.random::<32>()),
            Zeroizing::new(clock.random::<32>()),
        );
        let text = Zeroizing::new(format!(
            "tessera-secrets-1\nid {id}\npepper {}\nvault {}\n",
            STANDARD.encode(*pepper),
            STANDARD.encode(*vault)
        ));
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(io)?;
        file.write_all(text.as_bytes())
            .and_then(|()| file.sync_all())
            .map_err(io)?;
        Ok(Self::from_parts(id, *pepper, &vault))
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next()? != "tessera-secrets-1" {
            return None;
        }
        let id = lines.next()?.strip_prefix("id ")?.parse().ok()?;
        let key = |line: &str| -> Option<[u8; 32]> { STANDARD.decode(line).ok()?.try_into().ok() };
        let pepper = key(lines.next()?.strip_prefix("pepper ")?)?;
        let vault = Zeroizing::new(key(lines.next()?.strip_prefix("vault ")?)?);
        Some(Self::from_parts(id, pepper, &vault))
    }

    fn from_parts(id: Uuid, pepper: [u8; 32], vault: &[u8; 32]) -> Self {
        Self {
            id,
            pepper: Pepper(std::sync::Arc::new(Zeroizing::new(pepper))),
            vault: Vault::of(vault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock() -> Clock {
        Clock::mock("2026-01-01T00:00:00Z".parse().unwrap(), 1)
    }

    #[test]
    fn sealed_bytes_open_only_where_they_were_sealed() {
        let clock = clock();
        let vault = Secrets::make(&clock).vault;
        let sealed = vault
            .seal(&clock, "tenant_keys.sealed/1", b"secret")
            .unwrap();
        assert_eq!(
            &**vault.open("tenant_keys.sealed/1", &sealed).unwrap(),
            b"secret"
        );
        assert!(vault.open("tenant_keys.sealed/2", &sealed).is_err());
        for at in 0..sealed.len() {
            let mut broken = sealed.clone();
            broken[at] ^= 1;
            assert!(vault.open("tenant_keys.sealed/1", &broken).is_err());
        }
        assert!(vault.open("tenant_keys.sealed/1", b"short").is_err());
        assert!(
            Secrets::make(&clock)
                .vault
                .open("tenant_keys.sealed/1", &sealed)
                .is_err()
        );
    }

    #[test]
    fn digests_differ_by_kind_and_by_pepper() {
        let clock = clock();
        let (one, two) = (Secrets::make(&clock).pepper, Secrets::make(&clock).pepper);
        assert!(one.digest("nonce", "x") == one.digest("nonce", "x"));
        assert!(one.digest("nonce", "x") != one.digest("temp_token", "x"));
        assert!(one.digest("nonce", "x") != two.digest("nonce", "x"));
    }

    #[test]
    fn the_key_file_is_private_and_read_back() {
        use std::os::unix::fs::PermissionsExt as _;
        let clock = clock();
        let folder = crate::storage::testing::TempFolder::new();
        let path = folder.path().join("secrets.key");
        assert!(Secrets::read(&path).unwrap().is_none());
        let made = Secrets::create(&path, clock.id(), &clock).unwrap();
        let read = Secrets::read(&path).unwrap().unwrap();
        assert_eq!(made.id, read.id);
        assert!(made.pepper.digest("a", "b") == read.pepper.digest("a", "b"));
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert!(
            Secrets::create(&path, clock.id(), &clock).is_err(),
            "an existing key file is never overwritten"
        );
        std::fs::write(&path, "tessera-secrets-1\nid x").unwrap();
        assert!(matches!(
            Secrets::read(&path),
            Err(SecretsError::Damaged { .. })
        ));
    }
}
