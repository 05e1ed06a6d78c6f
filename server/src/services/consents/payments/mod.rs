//! Payments: written down with the step that orders them, read with the pair that their authorisation brought, followed
//! at the bank until nothing can happen to them any more, and called off while the bank lets them be.
//!
//! What the bank said last is kept, so that a bank that is down breaks no answer; what is final stays.

#[cfg(test)]
mod tests;

use std::time::Duration as StdDuration;

use app::domain::ids::{CredentialsId, PaymentId, SessionId};
use app::domain::payment::{PaymentKind, PaymentStatus};
use app::domain::problem::Code;
use app::domain::skill::SkillName;
use chrono::{DateTime, Duration, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use super::data::ServedFrom;
use super::lifecycle::{self, Credentials};
use super::provider_access::provider_refusal;
use super::sealed::{open, seal};
use super::{accounts, grants};
use crate::aad;
use crate::jobs::follow_payment::FollowPayment;
use crate::scope;
use crate::services::access::keys::Client;
use crate::services::refusal::{ApiError, Refusal};
use crate::skills::payment_intent::PaymentIntent;
use crate::skills::{
    BankExecutions, BankPayment, BankPaymentItem, Cancellation, ConnectorError, Opaque,
};
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::consents::ConsentRow;
use crate::storage::payments::{PaymentRow, ProviderStatus};
use crate::storage::sessions::SessionRow;

/// An answer this young is not asked for again.
const FRESH: Duration = Duration::seconds(1);
/// Time a read waits for the bank before it answers with what is known.
const PATIENCE: StdDuration = StdDuration::from_secs(3);
/// The shortest time between two polls of the job.
pub(in crate::services) const SOON: Duration = Duration::seconds(2);

/// A payment, opened.
pub struct OpenedPayment {
    pub id: PaymentId,
    pub credentials_id: Option<CredentialsId>,
    pub skill: SkillName,
    /// The provider behind the skill.
    pub servicer_id: Uuid,
    pub servicer_name: String,
    pub kind: PaymentKind,
    pub status: PaymentStatus,
    pub is_final: bool,
    /// The order as submitted, without who submitted it and where they went afterwards.
    pub ordered: Value,
    pub intent: PaymentIntent,
    pub total: Decimal,
    pub said: ProviderStatusDetails,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// Time the bank was asked last; `None` if it was not asked yet.
    pub as_of: Option<DateTime<Utc>>,
    pub served_from: ServedFrom,
}

/// Details of the bank's last answer about a payment, stored sealed.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct ProviderStatusDetails {
    pub reason: Option<String>,
    pub debtor_iban: Option<String>,
    pub items: Vec<ItemDetails>,
    pub executions: Option<ExecutionDetails>,
}

/// Status of one transfer of a bulk payment.
#[derive(Clone, Serialize, Deserialize)]
pub struct ItemDetails {
    pub status: PaymentStatus,
    pub reason: Option<String>,
}

/// Executions of a standing order: the number so far, and the last and next date.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct ExecutionDetails {
    pub done: i64,
    pub last: Option<NaiveDate>,
    pub next: Option<NaiveDate>,
}

/// The calendar day at the bank of a skill; in UTC for one that is no more.
fn day_at(state: &AppState, skill: &SkillName, at: DateTime<Utc>) -> NaiveDate {
    let skill = state.skills.get(skill);
    skill.map_or_else(|| at.date_naive(), |skill| skill.day(at))
}

/// Writes down the payment that a step orders, in the transaction of the step, and sees to it that it is followed.
pub async fn record_order(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
    data: &serde_json::Map<String, Value>,
    bank_ref: Option<&Opaque>,
) -> Result<(), ApiError> {
    let now = state.now_of(session.tenant_id);
    let id = PaymentId(state.clock.id());
    let mut order = Value::Object(data.clone());
    let intent = PaymentIntent::read(&order)
        .ok_or_else(|| ApiError::broken("a payment was ordered with data that is none"))?;
    if let Some(order) = order.as_object_mut() {
        order.shift_remove("psu_redirect_link");
        order.shift_remove("psu_id");
    }
    let row = PaymentRow {
        id,
        tenant_id: session.tenant_id,
        session_id: session.id,
        position: session.position,
        consent_id: None,
        skill: session.skill.clone(),
        kind: intent.info().kind(day_at(state, &session.skill, now)),
        status: PaymentStatus::Received,
        is_final: false,
        ordered: seal(state, &aad::payment_order(id), &order)?,
        bank_ref: bank_ref
            .map(|kept| {
                state
                    .vault
                    .seal(&state.clock, &aad::payment_bank_ref(id), kept.expose())
            })
            .transpose()?,
        said: None,
        as_of: None,
        // A job takes the poll, and jobs go by the real time.
        look_at: state.clock.now() + SOON,
        created_at: now,
        updated_at: now,
    };
    tx.insert_payment(&row).await?;
    let follow = FollowPayment { payment: id };
    state.queue.add_at(tx, &follow, row.look_at).await?;
    Ok(())
}

/// Has the payment of a session that is over polled now: what is still open at the bank must not be agreed to.
pub async fn on_session_ended(
    state: &AppState,
    tx: &mut Tx,
    session: SessionId,
) -> Result<(), ApiError> {
    if let Some(payment) = tx.poll_now(session, state.clock.now()).await? {
        state.queue.add(tx, &FollowPayment { payment }).await?;
    }
    Ok(())
}

/// The payment of a pair, as fresh as the bank lets it be; with `id`, only if it is that one.
pub async fn get(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
    id: Option<PaymentId>,
) -> Result<OpenedPayment, ApiError> {
    let (consent, row) = find(state, client, credentials, id).await?;
    let state = &state.for_tenant_alone(consent.tenant_id).await?;
    let now = state.now_of(consent.tenant_id);
    let young = |at: DateTime<Utc>| now - at < FRESH;
    if row.is_final || row.as_of.is_some_and(young) {
        return opened(state, row, ServedFrom::Cache);
    }
    let known = row.clone();
    let work = {
        let state = state.clone();
        // To the end, even if the caller hangs up: what the bank said is worth keeping.
        scope::spawn(async move { ask_bank(&state, &row, &consent).await })
    };
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(Ok(Ok(row))) => opened(state, row, ServedFrom::Bank),
        Ok(Ok(Err(ApiError::Database(error)))) => Err(error.into()),
        _ => opened(state, known, ServedFrom::Cache),
    }
}

/// Calls the payment of a pair off. Calling off what is off already changes nothing.
pub async fn cancel(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
    id: Option<PaymentId>,
) -> Result<OpenedPayment, ApiError> {
    let (consent, row) = find(state, client, credentials, id).await?;
    let state = &state.for_tenant_alone(consent.tenant_id).await?;
    if row.is_final {
        return cancelled(state, row);
    }
    let state = state.clone();
    // To the end, even if the caller hangs up: the bank's word on it must be kept.
    let work = scope::spawn(async move { cancel_at_bank(&state, row, &consent).await });
    work.await.unwrap_or_else(|error| {
        Err(ApiError::Broken(format!(
            "a cancellation broke off: {error}"
        )))
    })
}

async fn cancel_at_bank(
    state: &AppState,
    row: PaymentRow,
    consent: &ConsentRow,
) -> Result<OpenedPayment, ApiError> {
    let (connector, grant) = grants::open_access(state, consent)?;
    let refusal = |error: &ConnectorError| ApiError::from(provider_refusal(&row.skill, error));
    let cancellation = connector.cancel_payment(&grant).await;
    let cancellation = cancellation.map_err(|error| refusal(&error))?;
    // From here on: what was asked before the bank decided is older than its decision.
    let asked_at = state.now_of(row.tenant_id);
    match cancellation {
        Cancellation::Cancelled => {
            let told = connector.payment(&grant).await.ok();
            let told = told.filter(|told| told.status == PaymentStatus::Cancelled);
            let told = match told {
                Some(told) => told,
                // It said so; how many executions came before is known as of the last poll.
                None => as_cancelled(provider_status(state, &row)?),
            };
            cancelled(state, keep_status(state, &row, &told, asked_at).await?)
        }
        Cancellation::TooLate => {
            let told = connector.payment(&grant).await;
            let told = told.map_err(|error| refusal(&error))?;
            cancelled(state, keep_status(state, &row, &told, asked_at).await?)
        }
    }
}

/// The answer to a cancellation: the payment if it is off, else why it is not.
fn cancelled(state: &AppState, row: PaymentRow) -> Result<OpenedPayment, ApiError> {
    if row.status == PaymentStatus::Cancelled {
        return opened(state, row, ServedFrom::Bank);
    }
    let says = format!(
        "The bank no longer lets this payment be called off: it is {} ({}).",
        row.status.text(),
        row.status
    );
    Err(Refusal::new(Code::PaymentNotCancellable).says(says).into())
}

/// A payment that was called off, by what was known of it before.
fn as_cancelled(before: ProviderStatusDetails) -> BankPayment {
    let item = |_| BankPaymentItem {
        status: PaymentStatus::Cancelled,
        reason: None,
    };
    BankPayment {
        status: PaymentStatus::Cancelled,
        reason: None,
        debtor_iban: before.debtor_iban,
        items: before.items.into_iter().map(item).collect(),
        executions: before.executions.map(|before| BankExecutions {
            done: before.done,
            last: before.last,
            next: None,
        }),
    }
}

/// The consent of a pair and the payment it reads; another id is an unknown one.
async fn find(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
    id: Option<PaymentId>,
) -> Result<(ConsentRow, PaymentRow), ApiError> {
    let mut tx = state.db.read().await?;
    let consent = lifecycle::authorise(state, &mut tx, client, credentials).await?;
    lifecycle::require_user(&consent, credentials)?;
    let row = tx.payment_of(consent.id).await?;
    let row = row.ok_or(Code::WrongKindOfConsent)?;
    match id {
        Some(id) if id != row.id => Err(Code::NotFound.into()),
        _ => Ok((consent, row)),
    }
}

/// Asks the bank and keeps what it says.
pub(in crate::services) async fn ask_bank(
    state: &AppState,
    row: &PaymentRow,
    consent: &ConsentRow,
) -> Result<PaymentRow, ApiError> {
    let (connector, grant) = grants::open_access(state, consent)?;
    let asked_at = state.now_of(row.tenant_id);
    let told = connector.payment(&grant).await;
    let told = told.map_err(|error| provider_refusal(&row.skill, &error))?;
    keep_status(state, row, &told, asked_at).await
}

/// Keeps what the bank said, unless something newer or final is known; answers what is known then.
pub(in crate::services) async fn keep_status(
    state: &AppState,
    row: &PaymentRow,
    told: &BankPayment,
    as_of: DateTime<Utc>,
) -> Result<PaymentRow, ApiError> {
    let id = row.id;
    let items = told.items.iter().map(|item| item.status);
    let details = ProviderStatusDetails {
        reason: told.reason.clone(),
        debtor_iban: told.debtor_iban.clone(),
        items: told.items.iter().map(Into::into).collect(),
        executions: told.executions.map(Into::into),
    };
    let said = ProviderStatus {
        status: told.status,
        is_final: told.status.is_over(items),
        said: &seal(state, &aad::payment_status(id), &details)?,
        as_of,
        now: state.now_of(row.tenant_id),
    };
    let mut tx = state.db.write().await?;
    tx.put_provider_status(id, &said).await?;
    let row = tx.payment(id).await?.ok_or(Code::InactiveCredentials)?;
    tx.commit().await?;
    Ok(row)
}

fn opened(
    state: &AppState,
    row: PaymentRow,
    served_from: ServedFrom,
) -> Result<OpenedPayment, ApiError> {
    let ordered: Value = open(state, &aad::payment_order(row.id), &row.ordered)?;
    let intent = PaymentIntent::read(&ordered)
        .ok_or_else(|| ApiError::broken("a kept order cannot be read"))?;
    let said = provider_status(state, &row)?;
    let (servicer_id, servicer_name) = accounts::provider(state, &row.skill);
    Ok(OpenedPayment {
        id: row.id,
        credentials_id: row.consent_id,
        skill: row.skill,
        servicer_id,
        servicer_name,
        kind: row.kind,
        status: row.status,
        is_final: row.is_final,
        total: intent.info().total(),
        ordered,
        intent,
        said,
        created_at: row.created_at,
        updated_at: row.updated_at,
        as_of: row.as_of,
        served_from,
    })
}

fn provider_status(state: &AppState, row: &PaymentRow) -> Result<ProviderStatusDetails, ApiError> {
    match &row.said {
        Some(sealed) => open(state, &aad::payment_status(row.id), sealed),
        None => Ok(ProviderStatusDetails::default()),
    }
}

impl From<&BankPaymentItem> for ItemDetails {
    fn from(item: &BankPaymentItem) -> Self {
        Self {
            status: item.status,
            reason: item.reason.clone(),
        }
    }
}

impl From<BankExecutions> for ExecutionDetails {
    fn from(told: BankExecutions) -> Self {
        Self {
            done: told.done,
            last: told.last,
            next: told.next,
        }
    }
}

impl OpenedPayment {
    /// The day it is, was or will next be executed, as far as that is known.
    pub fn execution_date(&self) -> Option<NaiveDate> {
        let info = self.intent.info();
        match (self.kind, &self.said.executions) {
            (PaymentKind::Periodic, Some(told)) => told.next.or(told.last),
            (PaymentKind::Periodic, None) => info.start_date,
            _ => info
                .requested_execution_date
                .or(Some(self.created_at.date_naive())),
        }
    }
}
