//! One run: its steps, the conversation so far, the next call, and every call's request and answer.

mod act;
mod call;
mod done;
mod failure;
mod next;
mod steps;
mod uploads;

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use super::step::StepErrors;
use super::{data, flow};
use crate::domain::ids::{RunId, SessionId};
use crate::domain::tenant::Environment;
use crate::links;
use crate::pages::samples::Lang;
use crate::pages::{Answer, Frame, Page, ScreenResult, Visit};
use crate::portal::PortalError;
use crate::portal::console::{NextCall, Run};
use crate::ui::sequence::Sequence;
use crate::ui::time::until;
use crate::ui::{Chip, Notice, PageHead, PostButton, Tone};
use act::{FormOutcome, StepData, SubmittedForm};
use call::{Pane, call_card};
use failure::wrong_fields;
use next::next_card;
use steps::steps;
use uploads::files_card;

/// State of the page besides the run itself.
struct Looks {
    now: DateTime<Utc>,
    api: String,
    /// The call whose bodies are shown, its pane and the language of its code.
    call: usize,
    pane: Pane,
    lang: Lang,
    /// The data of the step that comes next, with what is wrong with it.
    data: Option<StepData>,
    /// Errors found by the API that belong to no control.
    left: StepErrors,
    /// The kind of file that is wrong, and why.
    file: Option<(String, String)>,
}

pub(crate) async fn screen(visit: Visit) -> ScreenResult {
    let id: RunId = visit.param("run")?;
    let given = match &visit.form {
        Some(form) => match act::take(&visit, id, form).await? {
            FormOutcome::Answer(answer) => return Ok(answer),
            FormOutcome::Again(given) => given,
        },
        None => SubmittedForm::default(),
    };
    let status = given.status();
    let refused = given.refused.clone();
    let run = visit.portal.run(visit.actor()?, id).await?;
    let looks = looks(&visit, &run, given);
    Ok(
        Page::new(Frame::App, format!("Run {}", short(id)), move || {
            page(run, looks, refused)
        })
        .under("Console", links::CONSOLE)
        .within(Environment::Sandbox)
        .wide()
        .status(status)
        .into(),
    )
}

fn looks(visit: &Visit, run: &Run, given: SubmittedForm) -> Looks {
    let (first, left) = act::shown(run, wrong_fields(run));
    Looks {
        now: visit.now,
        api: visit.site.public_url.clone(),
        call: shown_call(visit, run.calls.len()),
        pane: Pane::of(visit.query.get("pane")),
        lang: Lang::of(visit.query.get("lang")),
        data: given.data.or(first),
        left,
        file: given.file,
    }
}

/// Handles the return of the end-user from the bank: stores its parameters in the run, then redirects to an address
/// without them.
pub(crate) async fn back(visit: Visit) -> ScreenResult {
    let session: SessionId = visit
        .query
        .parse("session_id")
        .ok_or(PortalError::NotFound)?;
    let given = |name: &str| Some(visit.query.get(name)).filter(|value| !value.is_empty());
    let (token, error) = (given("temp_token"), given("error"));
    let run = visit
        .portal
        .bank_return(visit.actor()?, session, token, error)
        .await?;
    Ok(Answer::See(links::run(run)))
}

/// Answers `decided` or `pending` for the page of a run that waits for a decision.
pub(crate) async fn decided(visit: Visit) -> ScreenResult {
    let id: RunId = visit.param("run")?;
    let decided = visit.portal.decided(visit.actor()?, id).await?;
    let word = if decided { "decided" } else { "pending" };
    Ok(Answer::Text {
        content_type: "text/plain; charset=utf-8",
        body: word.to_owned(),
    })
}

/// The call asked for, counted from one in the address; else the last one.
fn shown_call(visit: &Visit, calls: usize) -> usize {
    let asked = visit
        .query
        .parse::<usize>("call")
        .filter(|call| (1..=calls).contains(call));
    asked.unwrap_or(calls).saturating_sub(1)
}

/// The last group of the id: enough to tell runs apart.
pub(super) fn short(id: RunId) -> String {
    id.to_string()
        .chars()
        .rev()
        .take(8)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect()
}

fn page(run: Run, looks: Looks, refused: Option<String>) -> impl IntoView {
    let lead = format!("{} · {}", run.tenant_name, run.skill);
    let log = session_log(&run);
    let all = may_run_all(&run).then(|| links::run(run.id));
    view! {
        <PageHead title="Sandbox console" lead=lead>
            {all.map(|action| view! {
                <PostButton action=action label="Run all" class="btn primary" fields=vec![("act", "all".to_owned())] />
            })}
            <a class="btn" href=log>"View in request log"</a>
            <PostButton action=links::run(run.id) label="Start again" fields=vec![("act", "again".to_owned())] />
        </PageHead>
        {refused.map(|why| view! { <Notice tone=Tone::Err title=why /> })}
        <div class="console">
            <nav class="card" aria-label="Steps of the run">{steps(&run, &looks)}</nav>
            <div class="stack">
                {next_card(&run, &looks)}
                {data::tables(&run, as_json)}
                {files_card(&run)}
                <section class="card">
                    <div class="bar">
                        <h2>"The conversation so far"</h2>
                        <span class="spacer"></span>
                        <Chip tone=Tone::Accent plain=true text="Browser-safe" />
                        <Chip tone=Tone::Err plain=true text="Server only" />
                    </div>
                    <Sequence label="Sequence of the session so far; the same as a list follows" lanes=flow::LANES zone=flow::ZONE messages=flow::messages(&run) />
                    {nonces(&run, looks.now)}
                </section>
            </div>
            {call_card(&run, &looks)}
        </div>
    }
}

/// Returns `true` if there is a call left that the console can make by itself.
fn may_run_all(run: &Run) -> bool {
    !matches!(
        run.next,
        NextCall::Done | NextCall::DeadEnd(_) | NextCall::Pending { .. }
    )
}

fn session_log(run: &Run) -> String {
    let session = run.session.map(|id| id.to_string()).unwrap_or_default();
    format!("{}?session={session}&source=console", links::REQUESTS)
}

/// The page with a call's answer open.
fn as_json(run: RunId, call: usize) -> String {
    at(run, call, "response", Lang::Shell)
}

/// The page with one call's pane open.
fn at(run: RunId, call: usize, pane: &str, lang: Lang) -> String {
    let lang = if pane == "code" {
        format!("&lang={}", lang.word())
    } else {
        String::new()
    };
    format!(
        "{}?call={}&pane={pane}{lang}#call",
        links::run(run),
        call + 1
    )
}

/// The chain of nonces: where each was made, where it was used, and how long it lives.
fn nonces(run: &Run, now: DateTime<Utc>) -> Option<AnyView> {
    if run.nonces.is_empty() {
        return None;
    }
    let lines = run.nonces.iter().map(|nonce| {
        let life = match nonce.used_by {
            Some(call) => format!("used by call {}", call + 1),
            None if nonce.expires_at <= now => "expired unused".to_owned(),
            None => format!("expires {}", until(nonce.expires_at, now)),
        };
        let class = if nonce.used_by.is_some() { "used" } else { "" };
        view! {
            <li class=class>
                <span class="dot" aria-hidden="true">"●"</span>
                <span>{nonce.label.clone()}</span>
                <code>{nonce.masked.clone()}</code>
                <span class="faint">{format!("from call {}, {life}", nonce.made_by + 1)}</span>
            </li>
        }
    });
    Some(view! { <ul class="nonces" aria-label="Nonces">{lines.collect_view()}</ul> }.into_any())
}
