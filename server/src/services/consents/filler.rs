//! A large table of transactions for `cargo xtask bench`, and how the database reads a page of it.
//!
//! One consent, whose pages are read, gets a long history of its own that opens like any other; everything around it
//! belongs to other tenants and is never opened.

use app::domain::ids::{AccountId, CredentialsId, SessionId, TenantId};
use app::domain::tenant::Environment;
use app::domain::transaction::{BookingStatus, ChangeKind};
use chrono::Duration;
use kernel::crypto::Digest;
use uuid::Uuid;

use super::sealed;
use super::transactions::{opened, read_cursor};
use crate::aad;
use crate::services::refusal::ApiError;
use crate::state::AppState;
use crate::storage::consents::ConsentRow;
use crate::storage::filler::{FilledConsent, MODELS};
use crate::storage::transactions::{TransactionConditions, TransactionRow};

/// The name of the only tenants whose consents may be used like this.
pub const TENANT: &str = "Benchmark";
/// Consents that one transaction fills.
const HOLDERS: i64 = 25;

/// Gives a consent at least `own` rows, then fills the table around it until it holds `rows`; reports the number after
/// each transaction. Returns the number of rows in the end.
pub async fn fill(
    state: &AppState,
    id: CredentialsId,
    own: i64,
    rows: i64,
    progress: impl Fn(i64),
) -> Result<i64, ApiError> {
    let consent = benchmark(state, id).await?;
    lengthen(state, &consent, own).await?;
    let mut tx = state.db.read().await?;
    let mut there = tx.count_transactions(None).await?;
    let accounts = tx.accounts(id).await?;
    drop(tx);
    let accounts: Vec<AccountId> = accounts.into_iter().map(|account| account.id).collect();
    while there < rows {
        let missing = (rows - there).div_euclid(MODELS) + 1;
        there += surround(state, &consent, &accounts, missing.min(HOLDERS)).await?;
        progress(there);
    }
    state.db.settle().await?;
    Ok(there)
}

/// Returns the database's query plan for a page, as text; `after` is a cursor.
pub async fn plan(
    state: &AppState,
    id: CredentialsId,
    after: Option<&str>,
) -> Result<String, ApiError> {
    let consent = benchmark(state, id).await?;
    let state = &state.for_tenant_alone(consent.tenant_id).await?;
    let after = after.map(|text| {
        read_cursor(state, id, text)
            .ok_or_else(|| ApiError::Broken(format!("{text} is no next_cursor")))
    });
    let mut tx = state.db.read().await?;
    let all = TransactionConditions::default();
    Ok(tx
        .explain_transactions(id, &all, after.transpose()?)
        .await?)
}

/// The consent, if its tenant is there to be measured with.
async fn benchmark(state: &AppState, id: CredentialsId) -> Result<ConsentRow, ApiError> {
    let mut tx = state.db.read().await?;
    if let Some(consent) = tx.consent(id).await?
        && let Some(tenant) = tx.tenant_auth(consent.tenant_id).await?
        && tenant.environment == Environment::Sandbox
        && tenant.name == TENANT
    {
        return Ok(consent);
    }
    let why = format!("{id} is no consent of a sandbox tenant with the name {TENANT}");
    Err(ApiError::Broken(why))
}

/// Repeats what happened under a consent, each time before all that is there, until it holds `own` rows.
async fn lengthen(state: &AppState, consent: &ConsentRow, own: i64) -> Result<(), ApiError> {
    let mut tx = state.db.read().await?;
    let missing = own - tx.count_transactions(Some(consent.id)).await?;
    let booked = TransactionConditions {
        status: Some(BookingStatus::Booked),
        ..TransactionConditions::default()
    };
    let models = tx.transactions(consent.id, &booked, None, MODELS).await?;
    let state = &state.for_tenant(&mut tx, consent.tenant_id).await?;
    drop(tx);
    let (Some(newest), Some(oldest)) = (models.first(), models.last()) else {
        let why = format!("{} has no transactions to copy: read it first", consent.id);
        return Err(ApiError::Broken(why));
    };
    if missing <= 0 {
        return Ok(());
    }
    let span = newest.booked_at - oldest.booked_at + Duration::days(1);
    let rounds = (1..).flat_map(|round| models.iter().map(move |model| (round, model)));
    // Sealed before the transaction begins: nobody waits for that.
    let mut rows: Vec<_> = (1..=missing)
        .zip(rounds)
        .map(|(number, (round, model))| earlier(state, model, span * round, number))
        .collect::<Result<_, _>>()?;
    let mut tx = state.db.write().await?;
    let before = tx.take_changes(consent.id, missing).await? - missing;
    for row in &mut rows {
        row.change_no += before;
    }
    tx.put_transactions(&rows).await?;
    Ok(tx.commit().await?)
}

/// Returns a copy of a transaction that was booked earlier by `by`, with an id of its own and sealed for its own row.
fn earlier(
    state: &AppState,
    model: &TransactionRow,
    by: Duration,
    change_no: i64,
) -> Result<TransactionRow, ApiError> {
    let mut row = opened(state, model.clone());
    row.row.id.0 = state.clock.id();
    row.row.utx = Digest::of(state.clock.random::<32>().to_vec());
    row.row.booked_at -= by;
    (row.row.change_no, row.row.change_kind) = (change_no, ChangeKind::Added);
    row.row.replaces = None;
    let place = aad::transaction(row.row.consent_id, &row.row.utx);
    row.row.sealed = sealed::seal(state, &place, &row.details)?;
    Ok(row.row)
}

/// Adds one more tenant, whose consents hold copies of the model's rows. Returns the number of rows added.
async fn surround(
    state: &AppState,
    model: &ConsentRow,
    accounts: &[AccountId],
    holders: i64,
) -> Result<i64, ApiError> {
    let clock = &state.clock;
    let tenant = TenantId(clock.id());
    let mut tx = state.db.write().await?;
    tx.copy_tenant(model.tenant_id, tenant).await?;
    for _ in 0..holders {
        let copy = FilledConsent {
            tenant,
            session: SessionId(clock.id()),
            // Not by birth: half of them sort before the model, as half of all consents come before any one.
            id: CredentialsId(Uuid::from_bytes(clock.random())),
        };
        tx.copy_consent(model.id, &copy).await?;
        for account in accounts {
            let id = AccountId(Uuid::from_bytes(clock.random()));
            tx.copy_account(*account, id, copy.id).await?;
        }
    }
    let prefix = format!("{:016x}", clock.id().as_u64_pair().0);
    let made = tx.copy_transactions(model.id, tenant, &prefix).await?;
    tx.commit().await?;
    // Copies of nothing would be made for ever.
    let made = i64::try_from(made).ok().filter(|made| *made > 0);
    made.ok_or_else(|| ApiError::Broken(format!("{} has no rows to copy", model.id)))
}
