//! Authenticated encryption: XChaCha20-Poly1305 under one key.

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::clock::Clock;

/// Sealed bytes that do not open: moved to another row, altered, or sealed under a key that is not there (any more).
#[derive(Debug, thiserror::Error)]
#[error("sealed data does not open: it was altered, moved, or sealed under another key")]
pub struct Unsealable;

/// One key at work, with a random 192-bit nonce in front of the ciphertext.
#[derive(Clone)]
pub struct Aead(XChaCha20Poly1305);

impl Aead {
    pub fn new(key: &[u8; 32]) -> Self {
        Self(XChaCha20Poly1305::new(key.into()))
    }

    pub fn seal(&self, clock: &Clock, bound: &[u8], plain: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let nonce = clock.random::<24>();
        let payload = Payload {
            msg: plain,
            aad: bound,
        };
        let sealed = self.0.encrypt(XNonce::from_slice(&nonce), payload);
        Ok([nonce.as_slice(), &sealed.map_err(|_| Unsealable)?].concat())
    }

    pub fn open(&self, bound: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        let (nonce, sealed) = sealed.split_at_checked(24).ok_or(Unsealable)?;
        let payload = Payload {
            msg: sealed,
            aad: bound,
        };
        let plain = self.0.decrypt(XNonce::from_slice(nonce), payload);
        plain.map(Zeroizing::new).map_err(|_| Unsealable)
    }
}
