//! The steps of a run, made and to come, in two zones.

use leptos::prelude::*;

use super::super::flow;
use super::{Looks, at};
use crate::domain::skill::SkillType;
use crate::portal::console::{NextCall, Run};

/// Every call made, and what is still to come, in two zones: what may run in a browser, and what may not.
pub(super) fn steps(run: &Run, looks: &Looks) -> impl IntoView + use<> {
    let lines = flow::folded(run).into_iter().flat_map(|(first, call)| {
        let Some(made) = run.calls.get(call) else {
            return Vec::new();
        };
        let current = (first..=call).contains(&looks.call).then_some("true");
        let class = if made.status < 300 { "done" } else { "failed" };
        let mark = if made.status < 300 { "✓" } else { "!" };
        let note = run
            .nonces
            .iter()
            .find(|nonce| nonce.made_by == call)
            .map(|nonce| format!("{} {}", nonce.label, nonce.masked));
        let note = if call > first {
            format!("asked {} times", call - first + 1)
        } else {
            note.unwrap_or_else(|| made.status.to_string())
        };
        let line = view! {
            <li class=class>
                <span class="mark" aria-hidden="true">{mark}</span>
                <a href=at(run.id, call, "response", looks.lang) aria-current=current>
                    {made.title.clone()} <span class="faint mono">{note}</span>
                </a>
                <span class="faint">{format!("{:.0} ms", made.latency_ms)}</span>
            </li>
        };
        let bank = flow::left_for_bank(run, call).then(bank_line);
        [(made.browser_safe, line.into_any())]
            .into_iter()
            .chain(bank)
            .collect()
    });
    let made: Vec<(bool, AnyView)> = lines.collect();
    // As many as there are lines above: the bank's has no call, and asking again is one line.
    let mut number = made.len();
    let coming = coming(run)
        .into_iter()
        .enumerate()
        .map(|(place, (title, note, browser))| {
            number += 1;
            let current = (place == 0).then_some("step");
            let line = view! {
                <li class="coming" aria-current=current>
                    <span class="mark" aria-hidden="true">{number}</span>
                    <span>{title} <span class="faint">{note}</span></span>
                </li>
            };
            (browser, line.into_any())
        });
    let all: Vec<(bool, AnyView)> = made.into_iter().chain(coming).collect();
    let (browser, server): (Vec<_>, Vec<_>) = all.into_iter().partition(|(browser, _)| *browser);
    let lines = |part: Vec<(bool, AnyView)>| part.into_iter().map(|(_, line)| line).collect_view();
    view! {
        <h2 class="zone-name">"Browser or app"</h2>
        <ol class="steps">{lines(browser)}</ol>
        <h2 class="zone-name server">"Your back end"</h2>
        <ol class="steps">{lines(server)}</ol>
        <p class="faint pad">"The console stands in for both. In your app the lower part runs on your server."</p>
    }
}

/// The end-user's visit at the bank, once it is over.
fn bank_line() -> (bool, AnyView) {
    let line = view! {
        <li class="done">
            <span class="mark" aria-hidden="true">"✓"</span>
            <span>"Bank consent " <span class="faint">"end-user came back"</span></span>
        </li>
    };
    (true, line.into_any())
}

/// A line of what is still to come: title, a word on it, whether browsers may do it.
type Coming = (String, &'static str, bool);

/// Returns what is still to come, the next one first. Which step really comes next is decided by the API: these are the
/// manifest's.
fn coming(run: &Run) -> Vec<Coming> {
    let line = |title: &str, note, browser| (title.to_owned(), note, browser);
    let current = current_step(run);
    let mut lines = match &run.next {
        NextCall::Done | NextCall::DeadEnd(_) => return Vec::new(),
        NextCall::OpenSession => vec![line("Open session", "", true)],
        NextCall::Step { name, .. } => vec![line(&format!("Step {name}"), "", true)],
        NextCall::Uploads { step, .. } => vec![line(&format!("Files of step {step}"), "", true)],
        NextCall::Ask => vec![line("Ask what comes next", "", true)],
        NextCall::Bank => vec![line("Bank consent", "the end-user decides", true)],
        NextCall::Pending { .. } => vec![line("Decision", "the provider verifies", true)],
        NextCall::Exchange
        | NextCall::Accounts
        | NextCall::Transactions
        | NextCall::Payment
        | NextCall::Products => Vec::new(),
    };
    if !lines.is_empty() {
        let after = matches!(run.next, NextCall::Bank | NextCall::Pending { .. });
        lines.extend(rest_of_session(run, current.as_deref(), after));
        lines.push(line("Exchange token", "", false));
    }
    lines.extend(reads(run));
    lines
}

/// The steps after one, and what each may lead to; `decided`: what that one itself leads to is under way or over.
fn rest_of_session(run: &Run, current: Option<&str>, decided: bool) -> Vec<Coming> {
    let at = run
        .steps
        .iter()
        .position(|step| Some(step.name.as_str()) == current);
    let mut lines = Vec::new();
    for (place, step) in run.steps.iter().enumerate().skip(at.unwrap_or(0)) {
        let is_current = Some(place) == at;
        if !is_current {
            lines.push((format!("Step {}", step.name), "", true));
        }
        if step.redirects && !(is_current && decided) {
            lines.push(("Bank consent".to_owned(), "the end-user decides", true));
        }
        if step.waits && !(is_current && decided) {
            lines.push(("Decision".to_owned(), "the provider verifies", true));
        }
    }
    lines
}

/// The step that comes next or was submitted last.
fn current_step(run: &Run) -> Option<String> {
    match &run.next {
        NextCall::Step { name, .. } => Some(name.clone()),
        NextCall::Uploads { step, .. } => Some(step.clone()),
        NextCall::OpenSession => None,
        _ => {
            let mut titles = run.calls.iter().rev().map(|call| call.title.as_str());
            titles.find_map(|title| title.strip_prefix("Step ").map(str::to_owned))
        }
    }
}

/// Returns the calls that read data under a consent, by the purpose of the skill; those that were made already are left
/// out.
fn reads(run: &Run) -> Vec<Coming> {
    let exchange: &[&str] = if run.next == NextCall::Exchange {
        &["Exchange token"]
    } else {
        &[]
    };
    let reads: &[&str] = match run.kind {
        Some(SkillType::AccountInformation) if run.next == NextCall::Transactions => {
            &["Transactions"]
        }
        Some(SkillType::AccountInformation) => &["Accounts", "Transactions"],
        Some(SkillType::PaymentInitiation) => &["Payment"],
        Some(SkillType::Marketplace) => &["Products"],
        _ => &[],
    };
    let titles = exchange.iter().chain(reads);
    titles
        .map(|title| ((*title).to_owned(), "", false))
        .collect()
}
