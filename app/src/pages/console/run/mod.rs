//! One run: its steps, the conversation so far, the next call, and every call's request and answer.

mod call;
mod next;
mod steps;

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use super::{data, flow};
use crate::domain::ids::{RunId, SessionId};
use crate::domain::tenant::Environment;
use crate::links;
use crate::pages::samples::Lang;
use crate::pages::{Answer, Frame, Page, Shown, Visit};
use crate::portal::Trouble;
use crate::portal::console::Run;
use crate::ui::sequence::Sequence;
use crate::ui::time::until;
use crate::ui::{Chip, Entry, Notice, PageHead, PostButton, Tone};
use call::{Pane, call_card};
use next::next_card;
use steps::steps;

/// What the page shows besides the run itself.
struct Looks {
    now: DateTime<Utc>,
    api: String,
    /// The call whose bodies are shown, its pane and the language of its code.
    call: usize,
    pane: Pane,
    lang: Lang,
    /// Step data as typed, and what is wrong with it.
    typed: Option<Entry>,
}

pub(crate) async fn screen(visit: Visit) -> Shown {
    let id: RunId = visit.param("run")?;
    let actor = visit.actor()?;
    let mut typed = None;
    let mut refused = None;
    if let Some(form) = &visit.form {
        if form.get("act") == "again" {
            let fresh = visit.portal.again(actor, id, &visit.source).await?;
            visit
                .portal
                .advance(actor, fresh, 0, None, &visit.source)
                .await?;
            return Ok(Answer::See(links::run(fresh)));
        }
        let at = form.parse("at").ok_or(Trouble::NotFound)?;
        let data = Some(form.get("data")).filter(|data| !data.is_empty());
        match visit
            .portal
            .advance(actor, id, at, data, &visit.source)
            .await
        {
            Ok(()) => return Ok(Answer::See(links::run(id))),
            Err(Trouble::Refused(errors)) => {
                typed = Some(Entry {
                    name: "data",
                    value: form.get("data").to_owned(),
                    error: errors.into_iter().next().map(|error| error.message),
                    first_error: true,
                });
            }
            Err(Trouble::Conflict(why)) => refused = Some(why),
            Err(other) => return Err(other),
        }
    }
    let status = if typed.is_some() || refused.is_some() {
        422
    } else {
        200
    };
    let run = visit.portal.run(actor, id).await?;
    let looks = Looks {
        now: visit.now,
        api: visit.site.public_url.clone(),
        call: shown_call(&visit, run.calls.len()),
        pane: Pane::of(visit.query.get("pane")),
        lang: Lang::of(visit.query.get("lang")),
        typed,
    };
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

/// Where banks send the end-user back: takes what they brought into the run, then leads to a clean address.
pub(crate) async fn back(visit: Visit) -> Shown {
    let session: SessionId = visit.query.parse("session_id").ok_or(Trouble::NotFound)?;
    let given = |name: &str| Some(visit.query.get(name)).filter(|value| !value.is_empty());
    let (token, error) = (given("temp_token"), given("error"));
    let run = visit
        .portal
        .bank_return(visit.actor()?, session, token, error)
        .await?;
    Ok(Answer::See(links::run(run)))
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
    let (id, log) = (run.id, session_log(&run));
    let json = move |call: usize| at(id, call, "response", Lang::Shell);
    view! {
        <PageHead title="Sandbox console" lead=lead>
            <a class="btn" href=log>"In the request log"</a>
            <PostButton action=links::run(id) label="Start again" fields=vec![("act", "again".to_owned())] />
        </PageHead>
        {refused.map(|why| view! { <Notice tone=Tone::Err title=why /> })}
        <div class="console">
            <nav class="card" aria-label="Steps of the run">{steps(&run, &looks)}</nav>
            <div class="stack">
                {next_card(&run, &looks)}
                {data::tables(&run, json)}
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

fn session_log(run: &Run) -> String {
    let session = run.session.map(|id| id.to_string()).unwrap_or_default();
    format!("{}?session={session}&source=console", links::REQUESTS)
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
