//! The steps of a run, made and to come, in two zones.

use leptos::prelude::*;

use super::super::flow;
use super::{Looks, at};
use crate::portal::console::{NextCall, Run};

/// Every call made, and what is still to come, in two zones: what may run in a browser, and what may not.
pub(super) fn steps(run: &Run, looks: &Looks) -> impl IntoView + use<> {
    let made = run.calls.iter().enumerate().flat_map(|(call, made)| {
        let current = (call == looks.call).then_some("true");
        let class = if made.status < 300 { "done" } else { "failed" };
        let mark = if made.status < 300 { "✓" } else { "!" };
        let note = run
            .nonces
            .iter()
            .find(|nonce| nonce.made_by == call)
            .map(|nonce| format!("{} {}", nonce.label, nonce.masked));
        let note = note.unwrap_or_else(|| made.status.to_string());
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
    });
    let mut number = run.calls.len();
    let coming =
        coming(&run.next)
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
    let all: Vec<(bool, AnyView)> = made.chain(coming).collect();
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

/// What is still to come, the next one first: title, a word on it, whether browsers may do it.
fn coming(next: &NextCall) -> Vec<(String, &'static str, bool)> {
    let all = [
        ("Open session", "", true),
        ("Step", "", true),
        ("Bank consent", "the end-user decides", true),
        ("Exchange token", "", false),
        ("Accounts", "", false),
        ("Transactions", "", false),
    ];
    let (from, first) = match next {
        NextCall::OpenSession => (0, None),
        NextCall::Step { name, .. } => (1, Some(format!("Step {name}"))),
        NextCall::Ask => (1, Some("Ask what comes next".to_owned())),
        NextCall::Bank => (2, None),
        NextCall::Exchange => (3, None),
        NextCall::Accounts => (4, None),
        NextCall::Transactions => (5, None),
        NextCall::Done | NextCall::DeadEnd(_) => (all.len(), None),
    };
    let rest = all.iter().skip(from).enumerate();
    rest.map(|(place, (title, note, browser))| {
        let title = first
            .clone()
            .filter(|_| place == 0)
            .unwrap_or_else(|| (*title).to_owned());
        (title, *note, *browser)
    })
    .collect()
}
