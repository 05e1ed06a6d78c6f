//! Data keys at start: the system's is opened, and tenants from before there were data keys are given one.

use kernel::clock::Clock;
use kernel::crypto::{SYSTEM, Unsealable, Vault};

use crate::storage::{Db, DbError};

/// Tenants that are given their key in one transaction.
const BATCH: i64 = 200;

/// Reason why the data keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    #[error("the database does not answer: {0}")]
    Database(#[from] DbError),
    #[error(
        "the key file does not open the system's data key: it lacks the vault key that one is wrapped under, or the row was \
         altered. Give this process the newest key file (`server secrets list` where it was made shows the ids)."
    )]
    Locked(#[from] Unsealable),
}

/// Opens the system's data key, which is made with an empty database, and makes those that tenants lack.
pub async fn prepare(db: &Db, vault: &Vault, clock: &Clock) -> Result<(), PrepareError> {
    let mut tx = db.read().await?;
    let mut wrapped = tx.data_key(SYSTEM).await?;
    let lacking = tx.tenants_without_data_key(1).await?;
    drop(tx);
    if wrapped.is_none() {
        let (_, made) = vault.make(clock, SYSTEM)?;
        let mut tx = db.write().await?;
        // Of several processes that start at once one is the first.
        tx.add_data_key(&made, clock.now()).await?;
        wrapped = tx.data_key(SYSTEM).await?;
        tx.commit().await?;
    }
    vault.begin(vault.unwrap(&wrapped.ok_or(Unsealable)?)?);
    if !lacking.is_empty() {
        make_missing(db, vault, clock).await?;
    }
    Ok(())
}

async fn make_missing(db: &Db, vault: &Vault, clock: &Clock) -> Result<(), PrepareError> {
    loop {
        let mut tx = db.write().await?;
        let tenants = tx.tenants_without_data_key(BATCH).await?;
        for tenant in &tenants {
            let (_, made) = vault.make(clock, *tenant)?;
            tx.add_data_key(&made, clock.now()).await?;
        }
        tx.commit().await?;
        if tenants.is_empty() {
            return Ok(());
        }
    }
}
