//! Steps: a nonce is checked and claimed, the provider is asked, and what came of it is written down with the nonce's
//! end, in one transaction.
//!
//! The claim is committed before the provider is called and lasts 60 seconds; whoever crashes in between leaves session
//! and nonce as they were, to be taken over. No transaction is open while a provider is asked.

mod check;

use app::domain::ids::{SessionId, StepId};
use app::domain::session::{Event, SessionStatus};
use app::domain::terms::CONSENT_DURATION;
use chrono::Duration;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::keys::Named;
use super::payments;
use super::providers::{
    callback, connector, delay, link_place, open_ref, provider_refusal, return_digest,
};
use super::refusal::Failure;
use super::sessions::{answer_place, ended, in_flight, owned, status_at};
use super::turns::{self, After, Handed, Turn};
use crate::crypto::{Digest, named_uuid};
use crate::skills::payment_intent;
use crate::skills::payment_texts::Written;
use crate::skills::{Asker, Outcome, Psu, ReturnState, Skill, Submission};
use crate::state::AppState;
use crate::storage::returns::{ReturnOutcome, ReturnRow};
use crate::storage::sessions::SessionRow;
use crate::storage::steps::StepRow;

pub use check::check_user;
use check::{check, usable};

/// How long a claim on a session holds: longer than any provider may take.
pub const LEASE: Duration = Duration::seconds(60);

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
pub struct Taken {
    pub step_id: StepId,
    pub status: SessionStatus,
    pub nonce: Option<String>,
    pub next_step: Option<String>,
    pub temp_token: Option<String>,
    pub data: Value,
}

/// A step that was checked, on its way to the provider.
struct Ready {
    skill: Skill,
    digest: Digest,
    /// The tenant's link, if the step names one.
    link: Option<String>,
    /// What the provider gets otherwise than it was given.
    written: Vec<Written>,
}

/// Submits a step. Once the provider is asked the work goes on to its end even if the caller hangs up.
pub async fn submit(state: &AppState, client: &Named, mut new: NewStep) -> Result<Taken, Failure> {
    let ready = check(state, client, &mut new).await?;
    let state = state.for_tenant_alone(client.tenant()).await?;
    let step_id = StepId(state.clock.id());
    let row = claim(&state, client, &new, &ready, step_id).await?;
    let work = tokio::spawn(async move { work(&state, row, new, ready, step_id).await });
    work.await
        .unwrap_or_else(|error| Err(Failure::Broken(format!("a step's work broke off: {error}"))))
}

/// The same without a task of its own: dropping it is a crash.
#[cfg(test)]
pub(super) async fn submit_here(
    state: &AppState,
    client: &Named,
    mut new: NewStep,
) -> Result<Taken, Failure> {
    let ready = check(state, client, &mut new).await?;
    let state = &state.for_tenant_alone(client.tenant()).await?;
    let step_id = StepId(state.clock.id());
    let row = claim(state, client, &new, &ready, step_id).await?;
    work(state, row, new, ready, step_id).await
}

/// Takes the claim, committed before anything else happens; of many that race one gets it.
async fn claim(
    state: &AppState,
    client: &Named,
    new: &NewStep,
    ready: &Ready,
    step_id: StepId,
) -> Result<SessionRow, Failure> {
    let now = state.clock.now();
    let mut tx = state.db.write().await?;
    let claimed = tx
        .claim_step(
            new.session_id,
            client.tenant(),
            &ready.digest,
            step_id,
            now,
            now + LEASE,
        )
        .await?;
    if let Some(row) = claimed {
        tx.commit().await?;
        return Ok(row);
    }
    let row = owned(&mut tx, client.tenant(), new.session_id).await?;
    usable(state, &mut tx, &row, &ready.digest).await?;
    // Usable again already: whoever was faster has let it go in this very moment.
    Err(in_flight().into())
}

async fn work(
    state: &AppState,
    row: SessionRow,
    new: NewStep,
    ready: Ready,
    step_id: StepId,
) -> Result<Taken, Failure> {
    let return_token = state.clock.token();
    let turn = Turn {
        session: &row,
        claim: step_id,
    };
    let taken = match ask(state, &row, &new, &ready.skill, &return_token).await {
        Ok(outcome) => complete(state, turn, &new, &ready, &return_token, outcome).await,
        Err(failure) => Err(failure),
    };
    if taken.is_err() {
        turn.release(state).await?;
    }
    taken
}

async fn ask(
    state: &AppState,
    row: &SessionRow,
    new: &NewStep,
    skill: &Skill,
    return_token: &str,
) -> Result<Outcome, Failure> {
    let connector = connector(state, &skill.name)?;
    let asker = asker(state, row).await?;
    let submission = Submission {
        asker,
        session_id: row.id,
        skill: row.skill.clone(),
        step: new.step.clone(),
        data: Value::Object(new.data.clone()),
        bank_ref: open_ref(state, row)?,
        return_state: ReturnState {
            state: SecretString::from(return_token.to_owned()),
            callback: callback(state, skill),
            expires_at: row.expires_at,
        },
        psu: new.psu.clone(),
        request_id: request_id(row.id, row.position),
    };
    let outcome = connector.submit(submission).await;
    outcome.map_err(|error| provider_refusal(&row.skill, &error).into())
}

/// The tenant as the provider is told of it, and until when its terms let a consent last that is given now.
async fn asker(state: &AppState, row: &SessionRow) -> Result<Asker, Failure> {
    let mut tx = state.db.read().await?;
    let facts = tx.tenant_facts(row.tenant_id).await?;
    let terms = tx.skill_terms(row.tenant_id, &row.skill).await?;
    let facts = facts.ok_or_else(|| Failure::Broken("a session without its tenant".into()))?;
    let minutes = terms.map_or(CONSENT_DURATION.default, |terms| terms.consent_duration);
    Ok(Asker {
        name: facts.name,
        until: state.clock.now() + Duration::minutes(minutes),
    })
}

/// What providers know a step's submission by: the same for every try, so that a retry after a crash is no second order.
pub fn request_id(session: SessionId, position: i64) -> uuid::Uuid {
    named_uuid(&format!("step/{session}/{position}"))
}

/// What an outcome means for the session, and what its caller is told.
fn read(outcome: Outcome, of: &str) -> (After, Value) {
    match outcome {
        Outcome::Next {
            step: name,
            data,
            bank_ref,
        } => (After::Step { name, bank_ref }, data),
        Outcome::Redirect { url, bank_ref } => {
            let data = json!({ "method": "GET", "url": url, "headers": {} });
            (After::Redirect { bank_ref }, data)
        }
        Outcome::Pending {
            poll_after,
            data,
            bank_ref,
        } => {
            let mut fields = Map::new();
            fields.insert("poll_after".into(), delay(poll_after).num_seconds().into());
            if let Value::Object(more) = data {
                fields.extend(more);
            }
            let after = After::Verification {
                poll_after,
                bank_ref,
            };
            (after, Value::Object(fields))
        }
        Outcome::Done { granted, data } => (After::end(granted, of), data),
    }
}

/// Writes the whole effect of a step, or nothing of it.
async fn complete(
    state: &AppState,
    turn: Turn<'_>,
    new: &NewStep,
    ready: &Ready,
    return_token: &str,
    outcome: Outcome,
) -> Result<Taken, Failure> {
    let (row, step_id) = (turn.session, turn.claim);
    let (after, mut data) = read(outcome, &new.step);
    if let (Value::Object(told), false) = (&mut data, ready.written.is_empty()) {
        told.insert("transliterated".into(), json!(ready.written));
    }
    let mut tx = state.db.write().await?;
    let now = state.clock.now();
    let moved = if tx.use_nonce(&ready.digest, now).await? {
        turn.go_on(state, &mut tx, Event::Accepted, &after, Handed::InAnswer)
            .await?
    } else {
        None
    };
    let Some(moved) = moved else {
        drop(tx);
        return Err(too_late(state, row, &after).await?);
    };
    tx.insert_step(&step_row(state, row, new, step_id, &data)?)
        .await?;
    if new.step == payment_intent::STEP {
        payments::ordered(state, &mut tx, row, &new.data, after.bank_ref()).await?;
    }
    if matches!(after, After::Redirect { .. }) {
        let link = ready.link.as_deref().unwrap_or_default();
        let way_back = return_row(state, row, new, moved.to.position, return_token, link)?;
        tx.insert_return(&way_back).await?;
    }
    tx.commit().await?;
    state.queue.wake();
    let next_step = match after {
        After::Step { name, .. } => Some(name),
        _ => None,
    };
    Ok(Taken {
        step_id,
        status: moved.to.status,
        nonce: moved.nonce,
        next_step,
        temp_token: moved.temp_token,
        data,
    })
}

/// The refusal when the lease ran out and somebody else went on, or the tenant called the session off.
async fn too_late(state: &AppState, row: &SessionRow, after: &After) -> Result<Failure, Failure> {
    turns::undo(state, row, after).await?;
    let mut tx = state.db.read().await?;
    let row = tx.session(row.id).await?;
    let over = row.map(|row| status_at(&row, state.clock.now()));
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
) -> Result<StepRow, Failure> {
    let place = answer_place(row.id, row.position);
    let answer = data.to_string();
    Ok(StepRow {
        id: step_id,
        session_id: row.id,
        position: row.position,
        step: new.step.clone(),
        answer: state.vault.seal(&state.clock, &place, answer.as_bytes())?,
        created_at: state.clock.now(),
    })
}

fn return_row(
    state: &AppState,
    row: &SessionRow,
    new: &NewStep,
    position: i64,
    return_token: &str,
    link: &str,
) -> Result<ReturnRow, Failure> {
    let place = link_place(row.id, position);
    Ok(ReturnRow {
        state: return_digest(state, return_token),
        session_id: row.id,
        position,
        step: new.step.clone(),
        link: state.vault.seal(&state.clock, &place, link.as_bytes())?,
        outcome: ReturnOutcome::Waiting,
        code: None,
        created_at: state.clock.now(),
    })
}
