//! A run as it is shown: bodies pretty-printed, secrets by their ends alone.

use app::domain::console::RunStage;
use app::domain::skill::SkillName;
use app::portal::console::{Call, NextCall, Nonce, Run, RunRow as Listed};
use serde_json::Value;

use super::held::Held;
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
    held: Option<&Held>,
    calls: Vec<(CallRow, Bodies)>,
) -> Run {
    let empty = Held::default();
    let next = held.map_or_else(
        || {
            NextCall::DeadEnd(
                "A run is forgotten a day after it began: its tokens and bodies are gone.".into(),
            )
        },
        |held| next(row.next_call, held),
    );
    let held = held.unwrap_or(&empty);
    let waiting = row.next_call == RunStage::Exchange;
    Run {
        id: row.id,
        tenant: row.tenant_id,
        tenant_name: row.tenant_name,
        skill,
        started_at: row.started_at,
        calls: calls.into_iter().map(call).collect(),
        nonces: nonces(held),
        session: row.session_id,
        session_status: row.session_status,
        bank_url: held.bank_url.clone(),
        temp_token: held
            .temp_token
            .as_ref()
            .filter(|_| waiting)
            .map(super::held::Hidden::masked),
        temp_token_expires_at: held.temp_token_expires_at.filter(|_| waiting),
        credentials_id: held.credentials_id.clone(),
        next,
        forget_at: row.forget_at,
        refusal: held.refusal.clone(),
    }
}

fn next(stage: RunStage, held: &Held) -> NextCall {
    match stage {
        RunStage::OpenSession => NextCall::OpenSession,
        RunStage::Step => NextCall::Step {
            name: held.step.clone(),
            data: held.data.clone(),
        },
        RunStage::Bank => NextCall::Bank,
        RunStage::Ask => NextCall::Ask,
        RunStage::Exchange => NextCall::Exchange,
        RunStage::Accounts => NextCall::Accounts,
        RunStage::Transactions => NextCall::Transactions,
        RunStage::Done => NextCall::Done,
        RunStage::DeadEnd => NextCall::DeadEnd(held.dead_end.clone().unwrap_or_default()),
    }
}

fn nonces(held: &Held) -> Vec<Nonce> {
    let place = |position: i64| usize::try_from(position).unwrap_or(0);
    let numbered = held.nonces.iter().zip(1..);
    numbered
        .map(|(nonce, number)| Nonce {
            label: format!("nonce {number}"),
            masked: nonce.value.masked(),
            made_by: place(nonce.made_by),
            used_by: nonce.used_by.map(place),
            expires_at: nonce.expires_at,
        })
        .collect()
}

fn call((row, bodies): (CallRow, Bodies)) -> Call {
    let micros = i32::try_from(row.latency).unwrap_or(i32::MAX);
    Call {
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
pub fn shown(body: &Value, held: &Held) -> String {
    let mut text = serde_json::to_string_pretty(body).unwrap_or_default();
    for nonce in &held.nonces {
        text = text.replace(nonce.value.expose(), &nonce.value.masked());
    }
    for token in held.temp_token.iter().chain(&held.access_token) {
        text = text.replace(token.expose(), &token.masked());
    }
    text
}
