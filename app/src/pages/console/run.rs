//! One run: its steps, the conversation so far, the next call, and every call's request and answer.

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use super::{data, flow};
use crate::domain::ids::{RunId, SessionId};
use crate::domain::problem::Code;
use crate::domain::tenant::Environment;
use crate::links;
use crate::pages::samples::{Lang, Sample};
use crate::pages::{Answer, Frame, Page, Shown, Visit};
use crate::portal::Trouble;
use crate::portal::console::{Call, NextCall, Run};
use crate::ui::sequence::Sequence;
use crate::ui::time::{span, until};
use crate::ui::{
    Ago, Chip, CodeBlock, Entry, HttpStatus, Json, Notice, PageHead, PostButton, Tab, Tabs,
    TextArea, Tone,
};

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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Pane {
    Response,
    Request,
    Code,
}

impl Pane {
    const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Response, "response", "Response"),
        (Self::Request, "request", "Request"),
        (Self::Code, "code", "Code"),
    ];

    fn of(text: &str) -> Self {
        Self::ALL
            .iter()
            .find(|(_, word, _)| *word == text)
            .map_or(Self::Response, |(pane, _, _)| *pane)
    }
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

/// Every call made, and what is still to come, in two zones: what may run in a browser, and what may not.
fn steps(run: &Run, looks: &Looks) -> impl IntoView + use<> {
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

/// The next call: what it is, what it needs, and the button that makes it.
fn next_card(run: &Run, looks: &Looks) -> AnyView {
    let send = |label: &'static str| view! { <button class="btn primary">{label}</button> };
    let (title, safe, body) = match &run.next {
        NextCall::OpenSession => ("Open session", true, view! { <p>"Opens a session of this skill. The answer brings the first nonce."</p> {send("Send POST /v1/sessions")} }.into_any()),
        NextCall::Step { name, data } => {
            let entry = looks.typed.clone().unwrap_or_else(|| Entry { name: "data", value: data.clone(), ..Entry::default() });
            let label = format!("data of step {name}");
            let button = "Send POST …/steps";
            ("Submit step", true, view! {
                <TextArea entry=entry label=label hint="JSON. Checked against the skill’s schema by the API itself." rows=6 mono=true />
                {send(button)}
            }.into_any())
        }
        NextCall::Bank => return bank_card(run),
        NextCall::Ask => ("Ask what comes next", true, view! { {asking(run)} {send("Send POST …/get")} }.into_any()),
        NextCall::Exchange => ("Exchange token", false, view! { {token(run, looks.now)} {send("Send POST /v1/token")} }.into_any()),
        NextCall::Accounts => ("Read accounts", false, view! { <p>"With the pair that the exchange answered: credentials_id and access_token."</p> {send("Send POST /v1/accounts/get")} }.into_any()),
        NextCall::Transactions => ("Read transactions", false, view! { <p>"The newest 50 of all accounts."</p> {send("Send POST /v1/transactions/get")} }.into_any()),
        NextCall::Done => return done_card(run),
        NextCall::DeadEnd(why) => return dead_end(run, why),
    };
    let chip = if safe {
        view! { <Chip tone=Tone::Accent plain=true text="Browser-safe" /> }
    } else {
        view! { <Chip tone=Tone::Err plain=true text="Server only" /> }
    };
    view! {
        <section class="card next">
            <div class="bar"><h2>"Next: " {title}</h2> <span class="spacer"></span> {chip}</div>
            <form method="post" action=links::run(run.id) class="pad">
                <input type="hidden" name="act" value="advance" />
                <input type="hidden" name="at" value=run.calls.len().to_string() />
                {failure(run)}
                {body}
            </form>
        </section>
    }
    .into_any()
}

/// Why the last call failed and what to do, from the catalogue.
fn failure(run: &Run) -> Option<AnyView> {
    let call = run.calls.last().filter(|call| call.status >= 300)?;
    let answer: serde_json::Value = serde_json::from_str(&call.response_body).ok()?;
    let code = Code::parse(answer.get("code")?.as_str()?)?;
    let message = answer
        .get("message")
        .and_then(|text| text.as_str())
        .unwrap_or(code.entry().cause)
        .to_owned();
    let hint = answer
        .get("hint")
        .and_then(|text| text.as_str())
        .unwrap_or(code.entry().fix)
        .to_owned();
    let mend = match code {
        Code::UnauthorizedTenant => Some((links::tenant_skills(run.tenant), "Whitelist the skill")),
        Code::InvalidRedirectLink | Code::TenantPaused => Some((
            links::tenant_settings(run.tenant),
            "Open the tenant’s settings",
        )),
        _ => None,
    };
    Some(
        view! {
            <Notice tone=Tone::Err title=format!("{} · {}", call.status, code.entry().title)>
                <p>{message}</p>
                <p>{hint} " " <a href=links::docs_error(code.as_str())>"More on " <code>{code.as_str()}</code></a></p>
                {mend.map(|(href, label)| view! { <p class="actions"><a class="btn" href=href>{label}</a></p> })}
            </Notice>
        }
        .into_any(),
    )
}

fn bank_card(run: &Run) -> AnyView {
    let url = run.bank_url.clone().unwrap_or_default();
    view! {
        <section class="card next">
            <div class="bar"><h2>"Next: Bank consent"</h2> <span class="spacer"></span> <Chip tone=Tone::Accent plain=true text="Browser-safe" /></div>
            <div class="pad">
                <p>"Your app now sends the end-user’s browser to " <code>"data.url"</code> ". Here you are the end-user: sign in as one of the users listed on the bank’s page and tick accounts, or refuse."</p>
                <p><a class="btn primary" href=url>"Open the bank’s page"</a></p>
                <p class="faint">"The bank leads back here with the temp_token. In your app it arrives on your own redirect link, a web address or a custom scheme."</p>
            </div>
        </section>
    }
    .into_any()
}

fn asking(run: &Run) -> impl IntoView + use<> {
    let refused = run.refusal.clone().map(|error| {
        let title = if error == "access_denied" { "The end-user refused at the bank".to_owned() } else { format!("The bank led back with {error}") };
        view! {
            <Notice tone=Tone::Warn title=title>
                <p>"Your redirect link receives " <code>{format!("error={error}")}</code> " and no token. A refusal ends the attempt, not the session: ask the session for a fresh nonce and offer the step again, or let it be."</p>
            </Notice>
        }
    });
    view! {
        {refused}
        <p>"With the nonce used last as proof, the session says what comes next."</p>
    }
}

fn token(run: &Run, now: DateTime<Utc>) -> impl IntoView + use<> {
    let left = run.temp_token_expires_at.map(|end| {
        if end > now {
            format!("{} left", span(end - now))
        } else {
            "expired".to_owned()
        }
    });
    view! {
        <p>"The " <code>"temp_token"</code> " came back on the redirect link. Hand it to your server, which exchanges it once for the lasting pair."</p>
        <p class="artefact"><span class="faint">"temp_token"</span> <code>{run.temp_token.clone()}</code> <span class="faint">{left}</span></p>
    }
}

fn done_card(run: &Run) -> AnyView {
    view! {
        <section class="card next">
            <div class="bar"><h2>"Done: your first data"</h2> <span class="spacer"></span> <Chip tone=Tone::Ok text="Complete" /></div>
            <div class="pad">
                <p>"Store " <code>"credentials_id"</code> " and " <code>"access_token"</code> " with your user: they read accounts and transactions until the consent ends."</p>
                <p class="artefact"><span class="faint">"credentials_id"</span> <code>{run.credentials_id.clone()}</code></p>
                <p class="actions">
                    <a class="btn primary" href=links::docs("session-flow")>"Build this into your app"</a>
                    <a class="btn" href=links::CONSOLE>"All runs"</a>
                </p>
            </div>
        </section>
    }
    .into_any()
}

fn dead_end(run: &Run, why: &str) -> AnyView {
    view! {
        <section class="card next">
            <div class="bar"><h2>"This run cannot go on"</h2></div>
            <div class="pad">
                {failure(run)}
                <p>{why.to_owned()}</p>
                <PostButton action=links::run(run.id) label="Start again with the same data" class="btn primary" fields=vec![("act", "again".to_owned())] />
            </div>
        </section>
    }
    .into_any()
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

/// Request, response and code of one call.
fn call_card(run: &Run, looks: &Looks) -> Option<AnyView> {
    let call = run.calls.get(looks.call)?;
    let tabs = Pane::ALL
        .iter()
        .map(|(pane, word, name)| {
            Tab::new(
                *name,
                at(run.id, looks.call, word, looks.lang),
                *pane == looks.pane,
            )
        })
        .collect();
    let body = match looks.pane {
        Pane::Response => {
            view! { <Json id="response" text=call.response_body.clone() label="response" /> }
                .into_any()
        }
        Pane::Request => {
            view! { <Json id="request" text=call.request_body.clone() label="request" /> }
                .into_any()
        }
        Pane::Code => code(run, call, looks),
    };
    Some(
        view! {
            <section class="card call" id="call" aria-label=format!("Call {}", looks.call + 1)>
                <div class="bar">
                    <HttpStatus code=call.status />
                    <code class="break">{format!("{} {}", call.method, call.path)}</code>
                    <span class="spacer"></span>
                    <span><Ago at=call.at now=looks.now /></span>
                </div>
                <Tabs label="Parts of the call" tabs=tabs />
                {body}
                <p class="faint pad">
                    <a href=links::request(call.request)>"Open in the request log"</a>
                    ". Keys and tokens are shown by name or by their ends."
                </p>
            </section>
        }
        .into_any(),
    )
}

fn code(run: &Run, call: &Call, looks: &Looks) -> AnyView {
    let body: Option<serde_json::Value> = serde_json::from_str(&call.request_body).ok();
    let text = |lang: Lang| {
        let sample = Sample {
            method: call.method.clone(),
            url: format!("{}{}", looks.api, call.path),
            headers: Vec::new(),
            basic: None,
            body: body.clone(),
        };
        sample.write(lang)
    };
    let tabs = Lang::ALL
        .iter()
        .map(|lang| {
            Tab::new(
                lang.name(),
                at(run.id, looks.call, "code", *lang),
                *lang == looks.lang,
            )
        })
        .collect();
    view! {
        <Tabs label="Language" tabs=tabs />
        <CodeBlock id="code" code=text(looks.lang) label="code" />
    }
    .into_any()
}
