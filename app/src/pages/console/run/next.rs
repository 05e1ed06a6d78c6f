//! The next call of a run: what it is, what it needs, and the button that makes it.

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use super::super::step::{StepForm, controls};
use super::Looks;
use super::act::StepData;
use super::done::{dead_end, done_card};
use super::failure::failure;
use super::uploads::uploads_card;
use crate::islands::AwaitWord;
use crate::links;
use crate::pages::components::holder_chip;
use crate::portal::console::{NextCall, Run};
use crate::ui::time::span;
use crate::ui::{Chip, Notice, TextArea, Tone};

/// The next call: what it is, what it needs, and the button that makes it.
pub(super) fn next_card(run: &Run, looks: &Looks) -> AnyView {
    let says = |text: &'static str| view! { <p>{text}</p> }.into_any();
    let (title, safe, body, button) = match &run.next {
        NextCall::OpenSession => (
            "Open session",
            true,
            says("Opens a session of this skill. The answer brings the first nonce."),
            "Send POST /v1/sessions",
        ),
        NextCall::Step { .. } => return step_card(run, looks),
        NextCall::Uploads { step, wanted } => return uploads_card(run, looks, step, wanted),
        NextCall::Bank => return bank_card(run),
        NextCall::Pending { poll_after } => return pending_card(run, *poll_after),
        NextCall::Ask => (
            "Ask what comes next",
            true,
            ask_view(run),
            "Send POST …/get",
        ),
        NextCall::Exchange => (
            "Exchange token",
            false,
            token(run, looks.now),
            "Send POST /v1/token",
        ),
        NextCall::Accounts => (
            "Read accounts",
            false,
            says("With the pair that the exchange answered: credentials_id and access_token."),
            "Send POST /v1/accounts/get",
        ),
        NextCall::Transactions => (
            "Read transactions",
            false,
            says("The newest 50 of all accounts."),
            "Send POST /v1/transactions/get",
        ),
        NextCall::Payment => (
            "Read the payment",
            false,
            says(
                "With the pair that the exchange answered. The bank is asked how far the payment is.",
            ),
            "Send POST /v1/payments/get",
        ),
        NextCall::Products => (
            "Read products",
            false,
            says("With the pair that the exchange answered: what the session led to."),
            "Send POST /v1/products/get",
        ),
        NextCall::Done => return done_card(run),
        NextCall::DeadEnd(why) => return dead_end(run, why),
    };
    view! {
        <section class="card next">
            <div class="bar"><h2>"Next: " {title}</h2> <span class="spacer"></span> {holder_chip(safe)}</div>
            <form method="post" action=links::run(run.id) class="pad">
                {bound(run)}
                {failure(run, &looks.left)}
                {body}
                <button class="btn primary">{button}</button>
            </form>
        </section>
    }
    .into_any()
}

/// Renders the hidden fields that tie a form to the run as it is shown.
fn bound(run: &Run) -> impl IntoView + use<> {
    view! {
        <input type="hidden" name="act" value="advance" />
        <input type="hidden" name="at" value=run.calls.len().to_string() />
    }
}

/// A step with its data: as a form made from its schema, or as JSON, each leading to the other.
fn step_card(run: &Run, looks: &Looks) -> AnyView {
    let NextCall::Step {
        name,
        title,
        schema,
        ..
    } = &run.next
    else {
        return ().into_any();
    };
    let (shape, data, other) = match &looks.data {
        Some(StepData::Form(typed)) => (
            "form",
            controls(&StepForm::of(schema), typed),
            ("json", "Show as JSON"),
        ),
        Some(StepData::Text(entry)) => {
            let label = format!("data of step {name}");
            let rows = u32::try_from(entry.value.lines().count().clamp(6, 18)).unwrap_or(6);
            let view = view! { <TextArea entry=entry.clone() label=label hint="JSON. Checked against the skill’s schema by the API itself." rows=rows mono=true /> };
            ("json", view.into_any(), ("form", "Show as form"))
        }
        None => return ().into_any(),
    };
    let (to, other) = other;
    view! {
        <section class="card next">
            <div class="bar"><h2>"Next: Step " <code>{name.clone()}</code></h2> <span>{title.clone()}</span> <span class="spacer"></span> {holder_chip(true)}</div>
            <form method="post" action=links::run(run.id) class="pad">
                {bound(run)}
                <input type="hidden" name="shape" value=shape />
                {run.reason.clone().map(once_more)}
                {failure(run, &looks.left)}
                <div class="parts">{data}</div>
                <div class="actions">
                    <button class="btn primary">"Send POST …/steps"</button>
                    <button class="btn" name="to" value=to formnovalidate>{other}</button>
                </div>
            </form>
        </section>
    }
    .into_any()
}

/// Renders the reason a step has to be done again.
fn once_more(reason: String) -> impl IntoView {
    view! {
        <Notice tone=Tone::Warn title="The provider wants this step once more">
            <p>{reason}</p>
        </Notice>
    }
}

fn bank_card(run: &Run) -> AnyView {
    let url = run.bank_url.clone().unwrap_or_default();
    view! {
        <section class="card next">
            <div class="bar"><h2>"Next: Bank consent"</h2> <span class="spacer"></span> {holder_chip(true)}</div>
            <div class="pad">
                <p>"Your app now sends the end-user’s browser to " <code>"data.url"</code> ". Here you are the end-user: choose one of the test users on the bank’s page and agree, or refuse."</p>
                <p><a class="btn primary" href=url>"Open the bank’s page"</a></p>
                <p class="faint">"The bank leads back here with the temp_token. In your app it arrives on your own redirect link, a web address or a custom scheme."</p>
            </div>
        </section>
    }
    .into_any()
}

/// The provider has its say: a person may have it in its stead. The page finds out by itself without a call, and makes
/// the one call once there is something to hear.
fn pending_card(run: &Run, poll_after: u32) -> AnyView {
    view! {
        <section class="card next">
            <div class="bar">
                <h2>"Next: Wait for the decision"</h2>
                <Chip tone=Tone::Warn text="SESSION_PENDING" />
                <span class="spacer"></span>
                {holder_chip(true)}
            </div>
            <form method="post" action=links::run(run.id) class="pad">
                {bound(run)}
                {failure(run, &[])}
                <p>"The provider verifies what was sent, and takes its own time to decide. In the sandbox you may decide yourself on the Verifications page; otherwise the simulated bank does after some seconds."</p>
                <p>"Your app asks again " <code>{format!("data.poll_after: {poll_after}")}</code> " seconds later, or waits for the event. You may close this page: the run waits."</p>
                <div class="actions">
                    <button class="btn primary" id="check-again">"Check again"</button>
                    <AwaitWord url=links::run_decided(run.id) word="decided".to_owned() press="check-again".to_owned() seconds=poll_after />
                    <a class="btn" href=links::VERIFICATIONS>"Decide in Verifications"</a>
                </div>
            </form>
        </section>
    }
    .into_any()
}

fn ask_view(run: &Run) -> AnyView {
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
    .into_any()
}

fn token(run: &Run, now: DateTime<Utc>) -> AnyView {
    let left = run.temp_token_expires_at.map(|end| {
        if end > now {
            format!("{} left", span(end - now))
        } else {
            "expired".to_owned()
        }
    });
    let by_link = run.steps.iter().any(|step| step.redirects);
    let came = if by_link {
        " came back on the redirect link."
    } else {
        " came with the answer to the last step."
    };
    view! {
        <p>"The " <code>"temp_token"</code> {came} " Hand it to your server, which exchanges it once for an access_token and credentials_id."</p>
        <p class="artefact"><span class="faint">"temp_token"</span> <code>{run.temp_token.clone()}</code> <span class="faint">{left}</span></p>
    }
    .into_any()
}
