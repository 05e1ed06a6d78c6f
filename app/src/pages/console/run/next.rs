//! The next call of a run: what it is, what it needs, and the button that makes it.

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use super::Looks;
use crate::domain::problem::Code;
use crate::links;
use crate::portal::console::{NextCall, Run};
use crate::ui::time::span;
use crate::ui::{Chip, Entry, Notice, PostButton, TextArea, Tone, prose};

/// The next call: what it is, what it needs, and the button that makes it.
pub(super) fn next_card(run: &Run, looks: &Looks) -> AnyView {
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
                <p>{prose(&message)}</p>
                <p>{prose(&hint)} " " <a href=links::docs_error(code.as_str())>"More on " <code>{code.as_str()}</code></a></p>
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
