//! Which keys were used lately, for whoever asks whether an old one may end.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use app::domain::ids::KeyId;
use chrono::{DateTime, Utc};
use kernel::gate::SourceAddress;

use crate::storage::{Db, DbError};

/// Uses of keys since the last flush, kept in memory so that no call waits for a write.
#[derive(Default)]
pub struct KeyUse(Mutex<HashMap<KeyId, (DateTime<Utc>, SourceAddress)>>);

impl KeyUse {
    /// Notes a use.
    pub fn note(&self, key: KeyId, at: DateTime<Utc>, source: SourceAddress) {
        let mut used = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        used.insert(key, (at, source));
    }

    /// Writes the notes down; what could not be written is lost, which costs a minute of precision.
    ///
    /// Each note has a transaction of its own. One that held a row while it waits for another would lock up with whoever
    /// stops all keys of a tenant, or with another process that flushes, and the database might end theirs.
    pub async fn flush(&self, db: &Db) -> Result<(), DbError> {
        let used = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (key, (at, source)) in used {
            let mut tx = db.write().await?;
            tx.note_key_use(key, at, &source.to_string()).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
