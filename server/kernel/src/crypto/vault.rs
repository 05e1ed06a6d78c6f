//! Sealed bytes: XChaCha20-Poly1305 under a data key, which is itself sealed under the vault key of the key file.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use uuid::Uuid;
use zeroize::Zeroizing;

use super::aead::{Aead, Unsealable};
use super::data_key::DataKey;
use super::file::Ring;
use super::pepper::Pepper;
use super::{Digest, KeyTag};
use crate::clock::Clock;

/// Opened data keys that a process keeps at most: about 400 bytes each.
const KEPT: usize = 10_000;

/// Tables whose rows belong to a tenant: nothing in them is sealed but under the tenant's own key.
const OF_TENANTS: [&str; 15] = [
    "accounts",
    "balances",
    "bank_returns",
    "consents",
    "kept_answers",
    "nonces",
    "payments",
    "products",
    "session_steps",
    "sessions",
    "temp_tokens",
    "tenant_keys",
    "tenants",
    "transactions",
    "upload_chunks",
];

/// Seals what must be read back, for the system or (after [`Vault::of`]) for one tenant. Cheap to clone; all clones see a
/// new key file and an erased key at once.
#[derive(Clone)]
pub struct Vault {
    shared: Arc<Shared>,
    scope: Scope,
}

#[derive(Clone)]
enum Scope {
    System,
    Tenant(Arc<DataKey>),
}

struct Shared {
    keys: RwLock<Arc<Ring>>,
    system: RwLock<Option<Arc<DataKey>>>,
    opened: RwLock<HashMap<Uuid, Arc<DataKey>>>,
}

impl Vault {
    pub(super) fn new(keys: Ring) -> Self {
        Self {
            shared: Arc::new(Shared {
                keys: RwLock::new(Arc::new(keys)),
                system: RwLock::default(),
                opened: RwLock::default(),
            }),
            scope: Scope::System,
        }
    }

    /// A vault that keeps nothing in a database: its system key follows from the vault key.
    pub(super) fn without_database(keys: Ring) -> Self {
        let system = super::mac(&keys.active().key, &[b"system"]);
        let system = DataKey::from_bytes(super::SYSTEM, &system);
        let vault = Self::new(keys);
        vault.begin(system);
        vault
    }

    /// Seals as the releases did that had no data keys: what they left is read until it is sealed anew.
    ///
    /// # Errors
    /// If there is no key, or the text is too long.
    pub fn seal_as_before(
        &self,
        clock: &Clock,
        aad: &str,
        plain: &[u8],
    ) -> Result<Vec<u8>, Unsealable> {
        let keys = self.keys();
        let first = Aead::new(&keys.first().ok_or(Unsealable)?.key);
        first.seal(clock, aad.as_bytes(), plain)
    }

    #[cfg(test)]
    pub(super) fn count_opened(&self) -> usize {
        self.shared.opened.read().unwrap().len()
    }

    pub(super) fn replace(&self, keys: Ring) {
        *self
            .shared
            .keys
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    fn keys(&self) -> Arc<Ring> {
        let keys = self.shared.keys.read();
        keys.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the system's data key into use.
    pub fn begin(&self, system: DataKey) {
        let mut slot = self
            .shared
            .system
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *slot = Some(Arc::new(system));
    }

    /// This vault for one tenant, if its data key is opened already.
    pub fn opened(&self, owner: Uuid) -> Option<Self> {
        let opened = self.shared.opened.read();
        let key = opened
            .unwrap_or_else(PoisonError::into_inner)
            .get(&owner)
            .cloned();
        key.map(|key| self.of(key))
    }

    /// This vault for the owner of a data key, which it remembers.
    #[must_use]
    pub fn of_opened(&self, key: DataKey) -> Self {
        let key = Arc::new(key);
        let mut opened = self
            .shared
            .opened
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if opened.len() >= KEPT {
            // Which ones go does not matter: each costs one statement to come back.
            let going: Vec<_> = opened.keys().take(KEPT / 10).copied().collect();
            for owner in going {
                opened.remove(&owner);
            }
        }
        opened.insert(key.owner(), key.clone());
        drop(opened);
        self.of(key)
    }

    fn of(&self, key: Arc<DataKey>) -> Self {
        Self {
            shared: self.shared.clone(),
            scope: Scope::Tenant(key),
        }
    }

    /// Forgets a data key that was erased, and stops everybody who still holds it.
    pub fn forget(&self, owner: Uuid) {
        let mut opened = self
            .shared
            .opened
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = opened.remove(&owner) {
            key.erase();
        }
    }

    /// A new data key for an owner, wrapped under the vault key of today: the key, and what the database keeps.
    pub fn make(&self, clock: &Clock, owner: Uuid) -> Result<(DataKey, Wrapped), Unsealable> {
        let (key, bytes) = DataKey::make(owner, clock);
        let wrapped = self.wrap(clock, &key, &bytes)?;
        Ok((key, wrapped))
    }

    fn wrap(&self, clock: &Clock, key: &DataKey, bytes: &[u8; 32]) -> Result<Wrapped, Unsealable> {
        let keys = self.keys();
        let under = keys.active();
        let bound = wrapped_bound(key.owner(), &key.head(), under.tag);
        Ok(Wrapped {
            owner: key.owner(),
            head: key.head(),
            under: under.tag.0.to_vec(),
            bytes: Aead::new(&under.key).seal(clock, &bound, bytes)?,
        })
    }

    /// Opens a data key. Fails if it was altered or moved, or if its vault key is not in the key file.
    pub fn unwrap(&self, wrapped: &Wrapped) -> Result<DataKey, Unsealable> {
        let bytes = self.unwrapped(wrapped)?;
        let key = DataKey::from_bytes(wrapped.owner, &bytes);
        // The head is looked for in SQL: it must be this key's.
        if key.head() == wrapped.head {
            Ok(key)
        } else {
            Err(Unsealable)
        }
    }

    fn unwrapped(&self, wrapped: &Wrapped) -> Result<Zeroizing<[u8; 32]>, Unsealable> {
        let tag = KeyTag(
            wrapped
                .under
                .as_slice()
                .try_into()
                .map_err(|_| Unsealable)?,
        );
        let keys = self.keys();
        let under = keys.by_tag(tag).ok_or(Unsealable)?;
        let bound = wrapped_bound(wrapped.owner, &wrapped.head, tag);
        let plain = Aead::new(&under.key).open(&bound, &wrapped.bytes)?;
        let bytes = plain.as_slice().try_into().map_err(|_| Unsealable)?;
        Ok(Zeroizing::new(bytes))
    }

    /// Wraps the same data key under the active vault key. Fails if its present vault key is not in the key file.
    pub fn rewrap(&self, clock: &Clock, wrapped: &Wrapped) -> Result<Wrapped, Unsealable> {
        let bytes = self.unwrapped(wrapped)?;
        self.wrap(clock, &DataKey::from_bytes(wrapped.owner, &bytes), &bytes)
    }

    /// Seals bytes. The associated data `aad` names table, column and row (`tenant_keys.sealed/<id>`): they open only there.
    pub fn seal(&self, clock: &Clock, aad: &str, plain: &[u8]) -> Result<Vec<u8>, Unsealable> {
        self.key(aad)?.seal(clock, aad, plain)
    }

    /// Opens what was sealed under the same associated data, under the key of today or before there were data keys.
    pub fn open(&self, aad: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        if let Some(plain) = self.key(aad)?.open(aad, sealed)? {
            return Ok(plain);
        }
        let keys = self.keys();
        let first = keys.first().ok_or(Unsealable)?;
        Aead::new(&first.key).open(aad.as_bytes(), sealed)
    }

    /// The keyed digest of a text, for what must be found again as long as its owner lives: the same under every pepper.
    /// What was stored before data keys were is found too.
    pub fn digest(&self, pepper: &Pepper, kind: &str, text: &str) -> Result<Digest, Unsealable> {
        let key = self.scoped()?;
        Ok(Digest::with_former(
            key.digest(kind, text),
            pepper.first(kind, text),
        ))
    }

    /// A key for one purpose of the owner's, whatever becomes of pepper and vault key.
    pub fn derive(&self, purpose: &str) -> Result<Zeroizing<[u8; 32]>, Unsealable> {
        Ok(self.scoped()?.derive(purpose))
    }

    /// The system never seals what is a tenant's: erasing the tenant would leave it readable.
    fn key(&self, aad: &str) -> Result<Arc<DataKey>, Unsealable> {
        let table = aad.split('.').next().unwrap_or_default();
        if matches!(self.scope, Scope::System) && OF_TENANTS.contains(&table) {
            tracing::error!(
                table,
                "a tenant's data was to be sealed or opened without the tenant's key"
            );
            return Err(Unsealable);
        }
        self.scoped()
    }

    fn scoped(&self) -> Result<Arc<DataKey>, Unsealable> {
        match &self.scope {
            Scope::Tenant(key) => Ok(key.clone()),
            Scope::System => {
                let system = self.shared.system.read();
                let system = system.unwrap_or_else(PoisonError::into_inner).clone();
                system.ok_or(Unsealable)
            }
        }
    }
}

/// A data key as the database keeps it.
#[derive(Clone, sqlx::FromRow)]
pub struct Wrapped {
    pub owner: Uuid,
    /// Bytes that precede everything sealed under it.
    pub head: Vec<u8>,
    /// The vault key it is wrapped under.
    pub under: Vec<u8>,
    pub bytes: Vec<u8>,
}

fn wrapped_bound(owner: Uuid, head: &[u8], under: KeyTag) -> Vec<u8> {
    [
        b"data_keys.wrapped\0".as_slice(),
        owner.as_bytes(),
        head,
        &under.0,
    ]
    .concat()
}
