//! Applies the API's response to a run: its next stage, and what it has to remember.

use app::domain::console::RunStage;
use app::domain::ids::SessionId;
use chrono::{DateTime, Duration, Utc};
use serde_json::Value;

use super::calls::CallPurpose;
use super::plan::RunPlan;
use super::run_state::{MaskedSecret, RunFile, RunNonce, RunState, SubmittedFiles};

/// Nonces live for half an hour (docs/API.md, "Nonces").
const NONCE_LIFE: Duration = Duration::minutes(30);
/// Seconds to wait before the session is asked again, where the provider does not say for how long.
const POLL_AFTER: u32 = 2;

/// The parts of an answer that the run needs.
pub struct ResponseParts<'a> {
    /// The call's position in the run.
    pub position: i64,
    pub at: DateTime<Utc>,
    pub status: u16,
    pub body: &'a Value,
    /// Seconds a `temp_token` lives.
    pub temp_token_life: i64,
}

/// Applies an answer to a run: updates `held`, and returns the next stage and the session that the answer names.
pub fn apply_response(
    stage: RunStage,
    means: CallPurpose,
    held: &mut RunState,
    plan: &RunPlan<'_>,
    answer: &ResponseParts<'_>,
) -> (RunStage, Option<SessionId>) {
    if answer.status >= 300 {
        return (refused(stage, held, answer), None);
    }
    let session = text(answer.body, "session_id").and_then(|id| id.parse().ok());
    let next = match (means, stage) {
        (CallPurpose::Upload, _) => filed(stage, held, plan, answer),
        (CallPurpose::Next, RunStage::Step) => submitted(held, plan, answer),
        (CallPurpose::Next, RunStage::OpenSession | RunStage::Ask | RunStage::Pending) => {
            conversation(held, plan, answer)
        }
        (CallPurpose::Next, RunStage::Exchange) => exchanged(held, plan, answer),
        (CallPurpose::Next, RunStage::Accounts) => RunStage::Transactions,
        (CallPurpose::Next, RunStage::Transactions | RunStage::Payment | RunStage::Products) => {
            RunStage::Done
        }
        (CallPurpose::Offered, _)
        | (
            CallPurpose::Next,
            RunStage::Uploads | RunStage::Bank | RunStage::Done | RunStage::DeadEnd,
        ) => stage,
    };
    (next, session)
}

/// A step took effect: its nonce is used up, by nothing else. The files it requires are sent before all else.
fn submitted(held: &mut RunState, plan: &RunPlan<'_>, answer: &ResponseParts<'_>) -> RunStage {
    let step = held.step.clone();
    let nonce = held.nonces.last_mut().map(|nonce| {
        nonce.used_by = Some(answer.position);
        nonce.value.clone()
    });
    let then = conversation(held, plan, answer);
    let takes_files = plan
        .step(&step)
        .is_some_and(app::domain::skill::SkillStep::requires_uploads);
    let (Some(nonce), Some(step_id)) = (nonce, text(answer.body, "step_id")) else {
        return then;
    };
    if !takes_files || then == RunStage::DeadEnd {
        held.filed = None;
        return then;
    }
    let step_id = step_id.to_owned();
    held.filed = Some(SubmittedFiles {
        step,
        step_id,
        nonce,
        then,
    });
    RunStage::Uploads
}

/// A file arrived. With the last required one of a last step the token's life begins.
fn filed(
    stage: RunStage,
    held: &mut RunState,
    plan: &RunPlan<'_>,
    answer: &ResponseParts<'_>,
) -> RunStage {
    let Some(filed) = held.filed.clone() else {
        return stage;
    };
    let of = |name| text(answer.body, name).unwrap_or_default().to_owned();
    let sent = RunFile {
        step: filed.step.clone(),
        step_id: filed.step_id,
        kind: of("kind"),
        upload_id: of("upload_id"),
        size: answer
            .body
            .get("size")
            .and_then(Value::as_u64)
            .unwrap_or_default(),
        sha256: of("sha256"),
    };
    if !held.sent.iter().any(|old| old.upload_id == sent.upload_id) {
        held.sent.push(sent);
    }
    let complete = plan
        .step(&filed.step)
        .is_none_or(|step| held.has_all_files(step));
    if !complete {
        return stage;
    }
    if held.temp_token.is_some() {
        let life = Duration::seconds(answer.temp_token_life);
        held.temp_token_expires_at = Some(answer.at + life);
    }
    filed.then
}

/// The session's answers: a nonce, a link to the bank, a decision to wait for, or the token at the end.
fn conversation(held: &mut RunState, plan: &RunPlan<'_>, answer: &ResponseParts<'_>) -> RunStage {
    let reason = answer.body.pointer("/data/reason").and_then(Value::as_str);
    held.reason = reason.map(str::to_owned);
    if let Some(token) = text(answer.body, "temp_token") {
        take_token(held, token, answer.at, answer.temp_token_life);
        return RunStage::Exchange;
    }
    if let Some(url) = answer.body.pointer("/data/url").and_then(Value::as_str) {
        held.bank_url = Some(url.to_owned());
        held.sent_away = true;
        held.refusal = None;
        return RunStage::Bank;
    }
    if let Some(nonce) = text(answer.body, "nonce") {
        take_nonce(held, nonce, answer);
        held.refusal = None;
        if let Some(step) = text(answer.body, "next_step") {
            plan.enter(held, step);
        }
        return RunStage::Step;
    }
    let status = text(answer.body, "status").unwrap_or_default();
    if status == "SESSION_PENDING" {
        let asked = answer.body.pointer("/data/poll_after");
        let seconds = asked.and_then(Value::as_u64).map(u32::try_from);
        held.poll_after = seconds.and_then(Result::ok).unwrap_or(POLL_AFTER);
        return RunStage::Pending;
    }
    held.dead_end = Some(if status == "SESSION_FAILED" {
        let reason = reason.map_or_else(String::new, |reason| format!(" ({reason})"));
        format!("The provider decided against it{reason}: the session is over, SESSION_FAILED.")
    } else {
        format!("The session stands at {status} and offers nothing to go on with.")
    });
    RunStage::DeadEnd
}

/// The nonce of an answer joins the chain, unless it is the one handed out before, whose life goes on.
fn take_nonce(held: &mut RunState, nonce: &str, answer: &ResponseParts<'_>) {
    if held
        .nonce()
        .is_some_and(|last| last.value.expose() == nonce)
    {
        return;
    }
    held.nonces.push(RunNonce {
        value: MaskedSecret::new(nonce),
        made_by: answer.position,
        used_by: None,
        expires_at: answer.at + NONCE_LIFE,
    });
}

/// Takes a `temp_token` into the run; the bank's page is left behind.
pub fn take_token(held: &mut RunState, token: &str, at: DateTime<Utc>, life: i64) {
    held.temp_token = Some(MaskedSecret::new(token));
    held.temp_token_expires_at = Some(at + Duration::seconds(life));
    held.bank_url = None;
    held.refusal = None;
}

fn exchanged(held: &mut RunState, plan: &RunPlan<'_>, answer: &ResponseParts<'_>) -> RunStage {
    held.credentials_id = text(answer.body, "credentials_id").map(str::to_owned);
    held.access_token = text(answer.body, "access_token").map(MaskedSecret::new);
    plan.first_read()
}

/// A refusal leaves the run where it was, to be tried again, unless its code says that this way is closed.
fn refused(stage: RunStage, held: &mut RunState, answer: &ResponseParts<'_>) -> RunStage {
    let code = text(answer.body, "code").unwrap_or_default();
    match (code, stage) {
        ("expired_nonce", RunStage::Step) | ("temp_token_expired", RunStage::Exchange) => {
            RunStage::Ask
        }
        (
            "session_ended"
            | "invalid_session_id"
            | "invalid_nonce"
            | "expired_nonce"
            | "temp_token_used"
            | "invalid_temp_token"
            | "temp_token_expired"
            | "inactive_credentials"
            | "expired_credentials",
            _,
        ) => {
            held.dead_end = Some(
                text(answer.body, "message")
                    .unwrap_or("The session is over.")
                    .to_owned(),
            );
            RunStage::DeadEnd
        }
        _ => stage,
    }
}

fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name).and_then(Value::as_str)
}
