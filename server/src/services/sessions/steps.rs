//! Steps: a nonce is checked and claimed, the provider is asked, and what came of it is written down with the nonce's
//! end, in one transaction.
//!
//! The claim is committed before the provider is called and lasts 60 seconds; whoever crashes in between leaves session
//! and nonce as they were, to be taken over. No transaction is open while a provider is asked.

mod check;

use app::domain::ids::{SessionId, StepId};
use app::domain::session::{SessionEvent, SessionStatus};
use app::domain::terms::CONSENT_DURATION;
use chrono::Duration;
use kernel::crypto::Digest;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::standing::{ended, in_flight, owned, request_id, status_at};
use super::transition::{self, ClaimedSession, Delivery, Success};
use crate::aad;
use crate::scope;
use crate::services::access::keys::NamedTenant;
use crate::services::consents::payments;
use crate::services::consents::provider_access::{
    callback_digest, callback_url, connector, open_ref, provider_refusal,
};
use crate::services::lease::LEASE;
use crate::services::refusal::ApiError;
use crate::skills::payment_intent;
use crate::skills::payment_texts::AdaptedText;
use crate::skills::{Next, Psu, PublishedSkill, RedirectTarget, RequestingApp, Submission};
use crate::state::AppState;
use crate::storage::callbacks::{CallbackOutcome, CallbackRow};
use crate::storage::sessions::{SessionClaim, SessionRow};
use crate::storage::steps::StepRow;

use check::{check, usable};

/// A step as submitted.
pub struct NewStep {
    pub session_id: SessionId,
    pub nonce: SecretString,
    pub skill: String,
    pub step: String,
    pub data: Map<String, Value>,
    /// Checked if given.
    pub tenant_user_id: Option<String>,
    pub psu: Psu,
}

/// The answer to a step that took effect.
pub struct StepResult {
    pub step_id: StepId,
    pub status: SessionStatus,
    pub nonce: Option<String>,
    pub next_step: Option<String>,
    pub temp_token: Option<String>,
    pub data: Value,
}

/// A step that was checked, on its way to the provider.
struct CheckedStep {
    skill: PublishedSkill,
    digest: Digest,
    /// The tenant's link, if the step names one.
    link: Option<String>,
    /// Texts that the provider gets in another spelling than they were given.
    written: Vec<AdaptedText>,
}

/// Submits a step. Once the provider is asked the work goes on to its end even if the caller hangs up.
pub async fn submit(
    state: &AppState,
    client: &NamedTenant,
    mut new: NewStep,
) -> Result<StepResult, ApiError> {
    let ready = check(state, client, &mut new).await?;
    let state = state.for_tenant_alone(client.tenant()).await?;
    let step_id = StepId(state.clock.id());
    let row = claim(&state, client, &new, &ready, step_id).await?;
    let work = scope::spawn(async move { work(&state, row, new, ready, step_id).await });
    work.await.unwrap_or_else(|error| {
        Err(ApiError::Broken(format!(
            "a step's work broke off: {error}"
        )))
    })
}

/// Submits a step without a task of its own: dropping the future simulates a crash.
#[cfg(test)]
pub(in crate::services) async fn submit_inline(
    state: &AppState,
    client: &NamedTenant,
    mut new: NewStep,
) -> Result<StepResult, ApiError> {
    let ready = check(state, client, &mut new).await?;
    let state = &state.for_tenant_alone(client.tenant()).await?;
    let step_id = StepId(state.clock.id());
    let row = claim(state, client, &new, &ready, step_id).await?;
    work(state, row, new, ready, step_id).await
}

/// Takes the claim, committed before anything else happens; of many that race one gets it.
async fn claim(
    state: &AppState,
    client: &NamedTenant,
    new: &NewStep,
    ready: &CheckedStep,
    step_id: StepId,
) -> Result<SessionRow, ApiError> {
    let tenant = client.tenant();
    let lease = SessionClaim::new(step_id, state.clock.now(), LEASE);
    let mut tx = state.db.write().await?;
    let claimed = tx
        .claim_step(
            new.session_id,
            tenant,
            &ready.digest,
            &lease,
            state.now_of(tenant),
        )
        .await?;
    if let Some(row) = claimed {
        tx.commit().await?;
        return Ok(row);
    }
    let row = owned(&mut tx, tenant, new.session_id).await?;
    usable(state, &mut tx, &row, &ready.digest).await?;
    // Usable again already: whoever was faster has let it go in this very moment.
    Err(in_flight().into())
}

async fn work(
    state: &AppState,
    row: SessionRow,
    new: NewStep,
    ready: CheckedStep,
    step_id: StepId,
) -> Result<StepResult, ApiError> {
    let return_token = state.clock.token();
    let claimed = ClaimedSession {
        session: &row,
        claim: step_id,
    };
    let taken = match ask(state, &row, &new, &ready.skill, &return_token).await {
        Ok(next) => complete(state, claimed, &new, &ready, &return_token, next).await,
        Err(failure) => Err(failure),
    };
    if taken.is_err() {
        claimed.release(state).await?;
    }
    taken
}

async fn ask(
    state: &AppState,
    row: &SessionRow,
    new: &NewStep,
    skill: &PublishedSkill,
    return_token: &str,
) -> Result<Next, ApiError> {
    let connector = connector(state, &skill.name)?;
    let requesting_app = requesting_app(state, row).await?;
    let submission = Submission {
        asker: requesting_app,
        session_id: row.id,
        skill: row.skill.clone(),
        step: new.step.clone(),
        data: Value::Object(new.data.clone()),
        bank_ref: open_ref(state, row)?,
        return_state: RedirectTarget {
            state: SecretString::from(return_token.to_owned()),
            callback: callback_url(state, skill),
            expires_at: row.expires_at,
        },
        psu: new.psu.clone(),
        request_id: request_id(row.id, row.position),
    };
    let next = connector.submit(submission).await;
    next.map_err(|error| provider_refusal(&row.skill, &error).into())
}

/// Returns the tenant as the provider is told of it, and the time up to which its terms let a consent last that is
/// given now.
async fn requesting_app(state: &AppState, row: &SessionRow) -> Result<RequestingApp, ApiError> {
    let mut tx = state.db.read().await?;
    let facts = tx.tenant_auth(row.tenant_id).await?;
    let terms = tx.skill_terms(row.tenant_id, &row.skill).await?;
    let facts = facts.ok_or_else(|| ApiError::broken("a session without its tenant"))?;
    let minutes = terms.map_or(CONSENT_DURATION.default, |terms| terms.consent_duration);
    let now = state.now_of(row.tenant_id);
    Ok(RequestingApp {
        name: facts.name,
        now,
        until: now + Duration::minutes(minutes),
    })
}

/// Writes the whole effect of a step, or nothing of it.
async fn complete(
    state: &AppState,
    claimed: ClaimedSession<'_>,
    new: &NewStep,
    ready: &CheckedStep,
    return_token: &str,
    next: Next,
) -> Result<StepResult, ApiError> {
    let (row, step_id) = (claimed.session, claimed.claim);
    let mut data = transition::answer_data(&next);
    if let (Value::Object(told), false) = (&mut data, ready.written.is_empty()) {
        told.insert("transliterated".into(), json!(ready.written));
    }
    let mut tx = state.db.write().await?;
    let now = state.now_of(row.tenant_id);
    let applied = if tx.use_nonce(&ready.digest, now).await? {
        let success = Success {
            next: &next,
            of: &new.step,
            event: SessionEvent::Accepted,
            delivery: Delivery::InAnswer,
        };
        claimed.advance(state, &mut tx, success).await?
    } else {
        None
    };
    let Some(applied) = applied else {
        drop(tx);
        return Err(too_late(state, row, &next).await?);
    };
    tx.insert_step(&step_row(state, row, new, step_id, &data)?)
        .await?;
    if new.step == payment_intent::STEP {
        payments::record_order(state, &mut tx, row, &new.data, next.bank_ref()).await?;
    }
    if matches!(next, Next::Redirect { .. }) {
        let link = ready.link.as_deref().unwrap_or_default();
        let way_back = callback_row(state, row, new, applied.to.position, return_token, link)?;
        tx.insert_callback(&way_back).await?;
    }
    tx.commit().await?;
    let next_step = match next {
        Next::Step { name, .. } => Some(name),
        _ => None,
    };
    Ok(StepResult {
        step_id,
        status: applied.to.status,
        nonce: applied.nonce,
        next_step,
        temp_token: applied.temp_token,
        data,
    })
}

/// The refusal when the lease ran out and somebody else went on, or the tenant called the session off.
async fn too_late(state: &AppState, row: &SessionRow, next: &Next) -> Result<ApiError, ApiError> {
    transition::undo_at_provider(state, row, next).await?;
    let mut tx = state.db.read().await?;
    let row = tx.session(row.id).await?;
    let over = row.map(|row| status_at(&row, state.now_of(row.tenant_id)));
    Ok(match over.filter(|status| status.is_final()) {
        Some(status) => ended(status).into(),
        None => in_flight().into(),
    })
}

fn step_row(
    state: &AppState,
    row: &SessionRow,
    new: &NewStep,
    step_id: StepId,
    data: &Value,
) -> Result<StepRow, ApiError> {
    let aad = aad::step_answer(row.id, row.position);
    let answer = data.to_string();
    Ok(StepRow {
        id: step_id,
        session_id: row.id,
        position: row.position,
        step: new.step.clone(),
        answer: state.vault.seal(&state.clock, &aad, answer.as_bytes())?,
        created_at: state.now_of(row.tenant_id),
    })
}

fn callback_row(
    state: &AppState,
    row: &SessionRow,
    new: &NewStep,
    position: i64,
    return_token: &str,
    link: &str,
) -> Result<CallbackRow, ApiError> {
    let aad = aad::redirect_link(row.id, position);
    Ok(CallbackRow {
        state: callback_digest(state, return_token),
        session_id: row.id,
        position,
        step: new.step.clone(),
        link: state.vault.seal(&state.clock, &aad, link.as_bytes())?,
        outcome: CallbackOutcome::Waiting,
        code: None,
        created_at: state.now_of(row.tenant_id),
    })
}
