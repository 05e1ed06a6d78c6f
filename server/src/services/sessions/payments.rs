//! Following a payment at its bank: from an end-user who may never come back to its last status.

use app::domain::ids::PaymentId;
use app::domain::session::SessionStatus;
use chrono::Duration;

use super::{callbacks, standing};
use crate::aad;
use crate::jobs::follow_payment::FollowPayment;
use crate::services::consents::grants;
use crate::services::consents::payments::{SOON, ask_bank, keep_status};
use crate::services::consents::provider_access::provider_refusal;
use crate::services::refusal::ApiError;
use crate::skills::{ConnectorError, ConsentOutcome, Next, Opaque};
use crate::state::AppState;
use crate::storage::payments::PaymentRow;

/// The longest time between two polls.
const LATE: Duration = Duration::hours(1);

/// Polls the bank, once for each job: claims the poll, so that of two jobs one asks, puts the next job in the table, and asks.
pub async fn poll(state: &AppState, id: PaymentId) -> Result<(), ApiError> {
    let now = state.clock.now();
    let mut tx = state.db.write().await?;
    let Some(row) = tx.payment(id).await? else {
        return Ok(());
    };
    let age = state.now_of(row.tenant_id) - row.created_at;
    let next = now + (age / 4).clamp(SOON, LATE);
    let Some(row) = tx.claim_payment_poll(id, now, next).await? else {
        return Ok(());
    };
    let follow = FollowPayment { payment: id };
    state.queue.add_at(&mut tx, &follow, next).await?;
    tx.commit().await?;
    let state = &state.for_tenant_alone(row.tenant_id).await?;
    let Some(consent) = row.consent_id else {
        return unauthorised(state, &row).await;
    };
    let mut tx = state.db.read().await?;
    let consent = tx.consent(consent).await?;
    let session = tx.session(row.session_id).await?;
    drop(tx);
    let Some(consent) = consent.filter(|consent| consent.bank_grant.is_some()) else {
        return Ok(());
    };
    if session.is_some_and(|session| session.status == SessionStatus::Cancelled) {
        // The tenant called the session off after its end-user had agreed: so is the payment, if it still can be.
        let (connector, grant) = grants::open_access(state, &consent)?;
        connector.cancel_payment(&grant).await.ok();
    }
    ask_bank(state, &row, &consent).await.map(drop)
}

/// A payment whose end-user has not come back, or not agreed.
async fn unauthorised(state: &AppState, row: &PaymentRow) -> Result<(), ApiError> {
    let mut tx = state.db.read().await?;
    let session = tx.session(row.session_id).await?;
    drop(tx);
    let Some(session) = session else {
        return Ok(());
    };
    if !standing::status_at(&session, state.now_of(row.tenant_id)).is_final() {
        return callbacks::poll_waiting(state, session.id).await;
    }
    let (Some(skill), Some(sealed)) = (state.skills.get(&row.skill), &row.bank_ref) else {
        return Ok(());
    };
    let bank_ref = Opaque::new(
        state
            .vault
            .open(&aad::payment_bank_ref(row.id), sealed)?
            .to_vec(),
    );
    let Some(connector) = state.skills.connector(&skill.manifest) else {
        return Ok(());
    };
    let refusal = |error: ConnectorError| ApiError::from(provider_refusal(&row.skill, &error));
    match connector.settle(&bank_ref, true).await.map_err(refusal)? {
        None => Ok(()),
        Some(ConsentOutcome::Refused { .. }) => {
            let mut tx = state.db.write().await?;
            let now = state.now_of(row.tenant_id);
            tx.reject_payment(row.session_id, now).await?;
            Ok(tx.commit().await?)
        }
        Some(ConsentOutcome::Consented(next) | ConsentOutcome::Settled(next)) => {
            let Next::Done { granted, .. } = next else {
                // With further steps or checks to come: nobody will take them in a session that is over.
                return Ok(());
            };
            tracing::warn!(payment = %row.id, session = %row.session_id, "a payment was authorised in a session that is over");
            connector.cancel_payment(&granted.grant).await.ok();
            let asked_at = state.now_of(row.tenant_id);
            let told = connector.payment(&granted.grant).await.map_err(refusal)?;
            keep_status(state, row, &told, asked_at).await.map(drop)
        }
    }
}
