//! A run as it is shown: bodies pretty-printed, secrets by their ends alone.

use app::domain::console::{Offer, RunStage};
use app::domain::payment::PaymentKind;
use app::domain::skill::{SkillName, SkillType};
use app::portal::console::{
    ConsoleCall, NextCall, NonceUse, Run, RunSummary as Listed, SentFile, StepName, WantedFile,
};
use serde_json::Value;

use super::plan::{self, RunPlan};
use super::run_state::RunState;
use crate::storage::console::{CallRow, RunRow};

/// The bodies of a call, as sealed.
#[derive(serde::Serialize, serde::Deserialize)]
pub struct Bodies {
    pub request: String,
    pub response: String,
}

/// One row of the list.
pub fn listed(row: RunRow) -> Option<Listed> {
    Some(Listed {
        id: row.id,
        tenant_name: row.tenant_name,
        skill: SkillName::parse(&row.skill).ok()?,
        started_at: row.started_at,
        stage: if row.held.is_some() {
            row.next_call
        } else {
            RunStage::DeadEnd
        },
        calls: row.calls,
    })
}

/// A whole run. Without `held` it is over: its day has passed.
pub fn run(
    row: RunRow,
    skill: SkillName,
    plan: Option<&RunPlan<'_>>,
    held: Option<&RunState>,
    calls: Vec<(CallRow, Bodies)>,
) -> Run {
    let empty = RunState::default();
    let calls: Vec<ConsoleCall> = calls.into_iter().map(call).collect();
    let next = held.map_or_else(
        || {
            NextCall::DeadEnd(
                "A run is forgotten a day after it began: its tokens and bodies are gone.".into(),
            )
        },
        |held| next(row.next_call, plan, held),
    );
    let held = held.unwrap_or(&empty);
    let waiting = row.next_call == RunStage::Exchange;
    Run {
        id: row.id,
        tenant: row.tenant_id,
        tenant_name: row.tenant_name,
        skill,
        kind: plan.map(|plan| plan.manifest.kind),
        steps: plan.map(steps).unwrap_or_default(),
        started_at: row.started_at,
        offers: offers(row.next_call, plan, &calls),
        calls,
        nonces: nonces(held),
        session: row.session_id,
        session_status: row.session_status,
        bank_url: held.bank_url.clone(),
        temp_token: held
            .temp_token
            .as_ref()
            .filter(|_| waiting)
            .map(super::run_state::MaskedSecret::masked),
        temp_token_expires_at: held.temp_token_expires_at.filter(|_| waiting),
        credentials_id: held.credentials_id.clone(),
        next,
        files: held.sent.iter().map(sent).collect(),
        forget_at: row.forget_at,
        refusal: held.refusal.clone(),
        reason: held.reason.clone(),
    }
}

fn next(stage: RunStage, plan: Option<&RunPlan<'_>>, held: &RunState) -> NextCall {
    match stage {
        RunStage::OpenSession => NextCall::OpenSession,
        RunStage::Step => {
            let known = plan.and_then(|plan| plan.step(&held.step));
            NextCall::Step {
                name: held.step.clone(),
                title: known.map(|step| step.title.clone()).unwrap_or_default(),
                schema: known.map(|step| step.schema.clone()).unwrap_or_default(),
                data: held.data.clone(),
            }
        }
        RunStage::Uploads => uploads(plan, held),
        RunStage::Bank => NextCall::Bank,
        RunStage::Pending => NextCall::Pending {
            poll_after: held.poll_after,
        },
        RunStage::Ask => NextCall::Ask,
        RunStage::Exchange => NextCall::Exchange,
        RunStage::Accounts => NextCall::Accounts,
        RunStage::Transactions => NextCall::Transactions,
        RunStage::Payment => NextCall::Payment,
        RunStage::Products => NextCall::Products,
        RunStage::Done => NextCall::Done,
        RunStage::DeadEnd => NextCall::DeadEnd(held.dead_end.clone().unwrap_or_default()),
    }
}

/// The files that the step submitted last takes, those that are there among them.
fn uploads(plan: Option<&RunPlan<'_>>, held: &RunState) -> NextCall {
    let step = held.filed.as_ref().map(|filed| filed.step.clone());
    let step = step.unwrap_or_default();
    let known = plan.and_then(|plan| plan.step(&step));
    let rules = known.into_iter().flat_map(|step| &step.uploads);
    let wanted = rules.map(|rule| WantedFile {
        kind: rule.kind.clone(),
        title: rule.title.clone(),
        required: rule.required,
        max_bytes: rule.max_bytes,
        sent: held.has_file(&rule.kind),
    });
    NextCall::Uploads {
        wanted: wanted.collect(),
        step,
    }
}

fn steps(plan: &RunPlan<'_>) -> Vec<StepName> {
    let steps = plan.manifest.steps.iter();
    steps
        .map(|step| StepName {
            name: step.name.clone(),
            title: step.title.clone(),
            redirects: step.redirect,
            waits: step.pending,
        })
        .collect()
}

fn sent(file: &super::run_state::RunFile) -> SentFile {
    SentFile {
        step: file.step.clone(),
        kind: file.kind.clone(),
        upload_id: file.upload_id.clone(),
        size: file.size,
        sha256: file.sha256.clone(),
    }
}

/// Returns the calls offered once the consent was read, by the skill's kind.
fn offers(stage: RunStage, plan: Option<&RunPlan<'_>>, calls: &[ConsoleCall]) -> Vec<Offer> {
    let Some(plan) = plan.filter(|_| stage == RunStage::Done) else {
        return Vec::new();
    };
    let kind = plan.manifest.kind;
    let may_cancel = kind == SkillType::PaymentInitiation && may_be_called_off(calls);
    let all = Offer::ALL.iter().copied();
    all.filter(|offer| plan::is_for(kind, *offer))
        .filter(|offer| *offer != Offer::CancelPayment || may_cancel)
        .collect()
}

/// Returns `true` if the bank may still cancel the payment, judged by the last answer about it: it is scheduled for a
/// later day or recurring, and it is not final.
fn may_be_called_off(calls: &[ConsoleCall]) -> bool {
    let read = calls
        .iter()
        .rfind(|call| call.status < 300 && call.path.starts_with("/v1/payments/"));
    let payment: Value = read
        .and_then(|call| serde_json::from_str(&call.response_body).ok())
        .unwrap_or_default();
    let kind: Option<PaymentKind> = payment
        .get("kind")
        .and_then(Value::as_str)
        .and_then(|kind| kind.parse().ok());
    let later = kind.is_some_and(|kind| kind != PaymentKind::Single);
    later && payment.get("final") == Some(&Value::Bool(false))
}

fn nonces(held: &RunState) -> Vec<NonceUse> {
    let place = |position: i64| usize::try_from(position).unwrap_or(0);
    let numbered = held.nonces.iter().zip(1..);
    numbered
        .map(|(nonce, number)| NonceUse {
            label: format!("nonce {number}"),
            masked: nonce.value.masked(),
            made_by: place(nonce.made_by),
            used_by: nonce.used_by.map(place),
            expires_at: nonce.expires_at,
        })
        .collect()
}

fn call((row, bodies): (CallRow, Bodies)) -> ConsoleCall {
    let micros = i32::try_from(row.latency).unwrap_or(i32::MAX);
    ConsoleCall {
        request: row.request_id,
        at: row.at,
        title: row.title,
        method: row.method,
        path: row.path,
        status: u16::try_from(row.status).unwrap_or(0),
        latency_ms: f64::from(micros) / 1000.0,
        request_body: bodies.request,
        response_body: bodies.response,
        browser_safe: row.browser_safe,
    }
}

/// A body as it is kept and shown: pretty-printed, every secret of the run by its ends alone, whatever field it is in.
pub fn masked_body(body: &Value, held: &RunState) -> String {
    let mut text = serde_json::to_string_pretty(body).unwrap_or_default();
    for nonce in &held.nonces {
        text = text.replace(nonce.value.expose(), &nonce.value.masked());
    }
    for token in held.temp_token.iter().chain(&held.access_token) {
        text = text.replace(token.expose(), &token.masked());
    }
    text
}
