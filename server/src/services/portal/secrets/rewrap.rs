//! Re-wrapping: data keys move under the vault key of today, and what was sealed before there were data keys moves under its
//! owner's. In batches, each a short transaction, while everybody works; a row that changed meanwhile is left to whoever
//! changed it. Killed at any instant, it goes on where it was when it is started again.

use std::time::Duration;

use app::domain::ids::{
    AccountId, CredentialsId, JobId, KeyId, PaymentId, RunId, SessionId, TenantId, UploadId,
};
use kernel::crypto::file::{FileKey, KeyFile};
use kernel::crypto::{Digest, SYSTEM, Unsealable};
use uuid::Uuid;

use crate::aad;
use crate::services::consents::sealed::{self, StoredTransactionDetails};
use crate::services::refusal::ApiError;
use crate::state::AppState;
use crate::storage::DbError;
use crate::storage::reseal::{COLUMNS, SealedColumn, SealedRow};

/// Rows of one transaction.
const BATCH: i64 = 200;
/// Pause between two transactions, so that whoever waits for the writer comes first.
const PAUSE: Duration = Duration::from_millis(5);

/// Numbers of keys and rows handled by a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RewrapSummary {
    /// Data keys that moved under today's vault key.
    pub keys: u64,
    /// Rows that moved under their owner's data key.
    pub rows: u64,
    /// Rows that do not open: altered, or moved. They stay as they are.
    pub broken: u64,
}

/// Something that needs a key: its name with the way it goes away, and its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDependents {
    pub what: String,
    pub count: i64,
}

/// Moves everything. `progress` is called after each batch with the column and the numbers so far.
pub async fn rewrap(
    state: &AppState,
    file: &KeyFile,
    progress: impl Fn(&str, RewrapSummary),
) -> Result<RewrapSummary, ApiError> {
    let mut done = RewrapSummary::default();
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
    column: &SealedColumn,
    done: &mut RewrapSummary,
    progress: &impl Fn(&str, RewrapSummary),
) -> Result<(), ApiError> {
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
                Err(ApiError::Database(error)) => return Err(error.into()),
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
    column: &SealedColumn,
    row: &SealedRow,
) -> Result<(Vec<u8>, Option<Vec<u8>>), ApiError> {
    let scoped = if row.owner == SYSTEM {
        state.clone()
    } else {
        state.for_tenant_alone(TenantId(row.owner)).await?
    };
    let mut aads = seal_aads(column.name, row).into_iter();
    let (aad, plain) = loop {
        let aad = aads.next().ok_or(Unsealable)?;
        if let Ok(plain) = scoped.vault.open(&aad, &row.sealed) {
            break (aad, plain);
        }
    };
    let sealed = scoped.vault.seal(&state.clock, &aad, &plain)?;
    if !column.merchants {
        return Ok((sealed, None));
    }
    let details: StoredTransactionDetails = serde_json::from_slice(&plain)
        .map_err(|_| ApiError::broken("a row's details cannot be read"))?;
    let consent = CredentialsId(row.parent);
    let merchant = details.merchant.as_deref();
    let merchant = merchant.map(|name| sealed::merchant_key(&scoped, consent, name));
    Ok((sealed, merchant.transpose()?.map(|digest| digest.0)))
}

/// Returns the associated data that a row may be sealed under, as the services build them. A piece of a file has two: it may be
/// the last or not.
pub(in crate::services) fn seal_aads(column: &str, row: &SealedRow) -> Vec<String> {
    let SealedRow {
        owner,
        id,
        number,
        parent,
        kind,
        currency,
        bytes,
        ..
    } = row;
    let digest = Digest::of(bytes.clone());
    let (tenant, position) = (TenantId(*owner), *number);
    vec![match column {
        "tenants.utx_key" => aad::utx_key(TenantId(*id)),
        "tenant_keys.sealed" => aad::app_key(tenant, KeyId(*id)),
        "sessions.client_state" => aad::client_state(SessionId(*id)),
        "sessions.bank_ref" => aad::session_bank_ref(tenant, SessionId(*id)),
        "session_steps.answer" => aad::step_answer(SessionId(*id), position),
        "nonces.sealed" => aad::nonce(SessionId(*id), position),
        "bank_returns.link" => aad::redirect_link(SessionId(*id), position),
        "consents.bank_grant" => aad::bank_grant(tenant, SessionId(*parent)),
        "accounts.sealed" => aad::account(CredentialsId(*parent), &digest),
        "balances.sealed" => aad::balance(AccountId(*parent), kind, currency),
        "transactions.sealed" | "past_changes.sealed" => {
            aad::transaction(CredentialsId(*parent), &digest)
        }
        "products.sealed" => aad::product(CredentialsId(*parent), &digest),
        "payments.bank_ref" => aad::payment_bank_ref(PaymentId(*id)),
        "payments.ordered" => aad::payment_order(PaymentId(*id)),
        "payments.said" => aad::payment_status(PaymentId(*id)),
        "upload_chunks.sealed" => {
            let session = SessionId(*parent);
            let piece = |last| aad::upload_chunk(tenant, session, UploadId(*id), position, last);
            return vec![piece(false), piece(true)];
        }
        "jobs.payload" => aad::job_payload(JobId(*id)),
        "console_runs.held" => aad::console_run(RunId(*id)),
        "console_calls.bodies" => aad::console_call(RunId(*id), position),
        _ => return Vec::new(),
    }]
}

/// Counts what is still wrapped or sealed under a vault key, by kind.
pub async fn under(state: &AppState, key: &FileKey) -> Result<Vec<KeyDependents>, DbError> {
    let mut tx = state.db.read().await?;
    let mut all = vec![KeyDependents {
        what: "data keys of tenants and of the system".to_owned(),
        count: tx.count_data_keys_under(&key.tag.0).await?,
    }];
    if key.first {
        for column in &COLUMNS {
            all.push(KeyDependents {
                what: format!("rows of {}", column.name),
                count: tx.count_stale(column).await?,
            });
        }
        all.push(KeyDependents {
            what: "rows of temp_tokens.sealed, over within a day".to_owned(),
            count: tx.count_stale_tokens().await?,
        });
    }
    Ok(all)
}
