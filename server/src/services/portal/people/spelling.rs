//! Addresses from before each mailbox had one spelling: domains beyond ASCII were stored as they were typed, and are A-labels
//! now; and those whose letters counted as one by an older rule. Each start writes those that are left in today's spelling,
//! so that their accounts sign in as before.

use app::domain::person::Email;

use crate::storage::people::AddressRow;
use crate::storage::{Db, DbResult, lost_race};

/// Writes every address in the one spelling of its mailbox. An account that finds its new spelling proved by another keeps
/// the old one, and signs in with it.
pub async fn respell(db: &Db) -> DbResult<()> {
    for row in db.read().await?.addresses_beyond_ascii().await? {
        let Ok(email) = Email::parse(&row.email) else {
            continue;
        };
        if email.as_str() == row.email && email.key() == row.registered_key {
            continue;
        }
        match respell_one(db, &row, &email).await {
            Err(error) if lost_race(&error) => {
                tracing::warn!(person = %row.id, "two accounts proved one address in two spellings");
            }
            done => done?,
        }
    }
    Ok(())
}

async fn respell_one(db: &Db, row: &AddressRow, email: &Email) -> DbResult<()> {
    let mut tx = db.write().await?;
    tx.respell_email(row, email.as_str(), &email.key()).await?;
    if row.verified_at.is_some() {
        // As whenever an address is proved: strangers who claimed its other spelling are cut off.
        tx.release_email(&email.key()).await?;
    }
    tx.commit().await
}
