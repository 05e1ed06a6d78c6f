//! The sandbox bank's database: a file beside the product's, or a schema, which no transaction of the product's reaches. Up to
//! migration 44 its tables lay in the product's database; what is in them is taken over here, once.

use crate::config::Config;
use crate::storage::{Db, Tx};

use super::StartError;

/// Brings the product's database and the bank's up to date, in the order that loses nothing: the bank takes over the rows
/// that still lie in the product's tables and commits them; only then are those tables taken away. Whoever dies in between
/// leaves either the tables, or the note in the bank's database that their rows are there: the next start goes on from
/// there.
///
/// The bank's database is opened if the sandbox is on, and otherwise only if it has rows to take over.
pub async fn bring_up_to_date(db: &Db, config: &Config) -> Result<Option<bank::Db>, StartError> {
    db.migrate_before_bank_moves_out().await?;
    let mut own = None;
    if config.sandbox.enabled || db.read().await?.has_bank_rows().await? {
        let bank = bank::Db::open(&config.bank_database_url()).await;
        let bank = bank.map_err(StartError::BankDatabase)?;
        bank.migrate().await.map_err(StartError::BankDatabase)?;
        take_over(db, &bank).await?;
        own = Some(bank);
    }
    db.migrate().await?;
    Ok(own)
}

async fn take_over(db: &Db, bank: &bank::Db) -> Result<(), StartError> {
    if !db.read().await?.has_bank_tables().await? {
        bank.take_over(None::<&mut Tx>).await?;
        return Ok(());
    }
    // Nobody waits for this transaction but those who move the same tables.
    let mut tx = db.write().await?;
    tx.hold_bank_tables().await?;
    bank.take_over(Some(&mut tx)).await?;
    tx.drop_bank_tables().await?;
    tx.commit().await?;
    Ok(())
}
