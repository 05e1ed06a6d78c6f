//! Digests that were made under a pepper on its way out, to be renewed because their secret was just shown. Kept in memory,
//! so that no call waits for a write; each is written by one conditional statement.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use kernel::crypto::Digest;

use crate::storage::digests::DigestOwner;
use crate::storage::{Db, DbError};

/// Most renewals that may wait. Any beyond are dropped, and noted again at the next use of their secret.
const MOST: usize = 2_000;

/// Renewals since the last flush.
#[derive(Default)]
pub struct Digests(Mutex<HashMap<DigestOwner, (Digest, Digest)>>);

impl Digests {
    /// Notes that a secret was shown whose stored digest is `stored`; nothing to do if that is today's.
    pub fn note(&self, whose: DigestOwner, stored: &Digest, today: &Digest) {
        if !today.renews(stored) {
            return;
        }
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if noted.len() < MOST {
            let today = Digest::of(today.0.clone());
            noted.insert(whose, (stored.clone(), today));
        }
    }

    /// Writes the renewals down, each in a transaction of its own: none holds a row while it waits for another.
    pub async fn flush(&self, db: &Db) -> Result<(), DbError> {
        let noted = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (whose, (from, to)) in noted {
            let mut tx = db.write().await?;
            tx.renew_digest(whose, &from, &to).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
