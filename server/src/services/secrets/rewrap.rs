//! Re-wrapping: data keys move under the vault key of today, and what was sealed before there were data keys moves under its
//! owner's. In batches, each a short transaction, while everybody works; a row that changed meanwhile is left to whoever
//! changed it. Killed at any instant, it goes on where it was when it is started again.

use std::time::Duration;

use app::domain::ids::{CredentialsId, TenantId};
use uuid::Uuid;

use super::rotation::Hanging;
use crate::crypto::file::{FileKey, KeyFile};
use crate::crypto::{SYSTEM, Unsealable};
use crate::services::data::{self, TransactionDetails};
use crate::services::refusal::Failure;
use crate::state::AppState;
use crate::storage::DbError;
use crate::storage::reseal::{COLUMNS, Column, SealedRow};

/// Rows of one transaction.
const BATCH: i64 = 200;
/// Between two transactions, so that whoever waits for the writer comes first.
const PAUSE: Duration = Duration::from_millis(5);

/// How it went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Data keys that moved under today's vault key.
    pub keys: u64,
    /// Rows that moved under their owner's data key.
    pub rows: u64,
    /// Rows that do not open: altered, or moved. They stay as they are.
    pub broken: u64,
}

/// Moves everything. `progress` is told after each batch what is done so far, and of which column.
pub async fn rewrap(
    state: &AppState,
    file: &KeyFile,
    progress: impl Fn(&str, Done),
) -> Result<Done, Failure> {
    let mut done = Done::default();
    let today = file.vault.active().tag.0;
    loop {
        let mut tx = state.db.read().await?;
        let keys = tx.data_keys_not_under(&today, BATCH).await?;
        drop(tx);
        if keys.is_empty() {
            break;
        }
        let mut tx = state.db.write().await?;
        for key in &keys {
            let moved = state.vault.rewrap(&state.clock, key)?;
            done.keys += u64::from(tx.rewrap_data_key(key, &moved).await?);
        }
        tx.commit().await?;
        progress("data keys", done);
        tokio::time::sleep(PAUSE).await;
    }
    // Without that key there is nothing from before there were data keys, or nothing to open it with.
    if file.vault.first().is_none() {
        return Ok(done);
    }
    for column in &COLUMNS {
        reseal(state, column, &mut done, &progress).await?;
    }
    let mut tx = state.db.write().await?;
    tx.forget_stale_copies(state.clock.now()).await?;
    tx.commit().await?;
    Ok(done)
}

async fn reseal(
    state: &AppState,
    column: &Column,
    done: &mut Done,
    progress: &impl Fn(&str, Done),
) -> Result<(), Failure> {
    let mut after = (Uuid::nil(), i64::MIN);
    loop {
        let mut tx = state.db.read().await?;
        let rows = tx.stale_rows(column, after, BATCH).await?;
        drop(tx);
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = (last.id, last.number);
        // Sealed before the transaction begins: nobody waits for that.
        let mut moved = Vec::with_capacity(rows.len());
        for row in &rows {
            match anew(state, column, row).await {
                Ok(new) => moved.push((row, new)),
                Err(Failure::Database(error)) => return Err(error.into()),
                Err(_) => done.broken += 1,
            }
        }
        let mut tx = state.db.write().await?;
        for (row, (sealed, merchant)) in moved {
            let merchant = merchant.as_deref();
            done.rows += u64::from(tx.reseal(column, row, &sealed, merchant).await?);
        }
        tx.commit().await?;
        progress(column.name, *done);
        tokio::time::sleep(PAUSE).await;
    }
}

/// A row's bytes sealed anew, and its merchant's key.
async fn anew(
    state: &AppState,
    column: &Column,
    row: &SealedRow,
) -> Result<(Vec<u8>, Option<Vec<u8>>), Failure> {
    let scoped = if row.owner == SYSTEM {
        state.clone()
    } else {
        state.for_tenant_alone(TenantId(row.owner)).await?
    };
    let mut places = places(column.name, row).into_iter();
    let (place, plain) = loop {
        let place = places.next().ok_or(Unsealable)?;
        if let Ok(plain) = scoped.vault.open(&place, &row.sealed) {
            break (place, plain);
        }
    };
    let sealed = scoped.vault.seal(&state.clock, &place, &plain)?;
    if !column.merchants {
        return Ok((sealed, None));
    }
    let details: TransactionDetails = serde_json::from_slice(&plain)
        .map_err(|_| Failure::Broken("a row's details cannot be read".into()))?;
    let consent = CredentialsId(row.parent);
    let merchant = details.merchant.as_deref();
    let merchant = merchant.map(|name| data::merchant_key(&scoped, consent, name));
    Ok((sealed, merchant.transpose()?.map(|digest| digest.0)))
}

/// Where a row is sealed, as the services say it where they seal; a piece of a file may be its last or not.
pub(in crate::services) fn places(column: &str, row: &SealedRow) -> Vec<String> {
    let SealedRow {
        owner,
        id,
        number,
        parent,
        kind,
        currency,
        ..
    } = row;
    let hex = data::hex(&row.bytes);
    vec![match column {
        "tenants.utx_key" | "sessions.client_state" | "jobs.payload" | "console_runs.held" => {
            format!("{column}/{id}")
        }
        "payments.ordered" | "payments.bank_ref" | "payments.said" => format!("{column}/{id}"),
        "tenant_keys.sealed" | "sessions.bank_ref" => format!("{column}/{owner}/{id}"),
        "consents.bank_grant" => format!("{column}/{owner}/{parent}"),
        "accounts.sealed" | "products.sealed" => format!("{column}/{parent}/{hex}"),
        "transactions.sealed" | "past_changes.sealed" => {
            format!("transactions.sealed/{parent}/{hex}")
        }
        "balances.sealed" => format!("{column}/{parent}/{kind}/{currency}"),
        "upload_chunks.sealed" => {
            let piece = format!("{column}/{owner}/{parent}/{id}/{number}");
            return vec![format!("{piece}/more"), format!("{piece}/last")];
        }
        _ => format!("{column}/{id}/{number}"),
    }]
}

/// What is still wrapped or sealed under a vault key.
pub async fn under(state: &AppState, key: &FileKey) -> Result<Vec<Hanging>, DbError> {
    let mut tx = state.db.read().await?;
    let mut all = vec![Hanging {
        what: "data keys of tenants and of the system".to_owned(),
        count: tx.count_data_keys_under(&key.tag.0).await?,
    }];
    if key.first {
        for column in &COLUMNS {
            all.push(Hanging {
                what: format!("rows of {}", column.name),
                count: tx.count_stale(column).await?,
            });
        }
        all.push(Hanging {
            what: "rows of temp_tokens.sealed, over within a day".to_owned(),
            count: tx.count_stale_tokens().await?,
        });
    }
    Ok(all)
}
