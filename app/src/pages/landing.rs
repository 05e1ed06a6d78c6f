//! The first page: what this is, one real call, and the button that leads to keys.

use leptos::prelude::*;

use super::{Answer, Frame, Page, Visit};
use crate::links;
use crate::ui::{Chip, Tone};

pub(super) fn screen(visit: Visit) -> Answer {
    let api = visit.site.public_url.clone();
    let signed_in = visit.actor.is_some();
    Page::new(Frame::Public, "", move || {
        view! {
            <section class="hero">
                <div>
                    <h1>"One API for every bank, and a sandbox that answers now"</h1>
                    <p class="lead">
                        "Take an end-user through a bank’s consent, then read their accounts and transactions: one session \
                         flow for every skill. Your keys are ready as soon as you have named your project."
                    </p>
                    {first_button(signed_in)}
                    <p class="small">
                        "Free sandbox. Three fields, no email confirmation, no credit card. "
                        <a href=links::SIGN_UP>"Joining an existing company?"</a>
                    </p>
                </div>
                {sample(&api)}
            </section>
            <section class="promises" aria-label="What to expect">
                {PROMISES
                    .iter()
                    .map(|(title, text)| view! { <div><h2>{*title}</h2><p>{*text}</p></div> })
                    .collect_view()}
            </section>
        }
    })
    .into()
}

fn first_button(signed_in: bool) -> impl IntoView {
    let (href, label) = if signed_in {
        (links::OVERVIEW, "Open the portal")
    } else {
        (links::START, "Get sandbox keys")
    };
    view! {
        <div class="actions">
            <a class="btn primary big" href=href>
                {label}
            </a>
            <a class="btn big" href=links::DOCS>
                "Read the docs"
            </a>
        </div>
    }
}

/// The call that every integration begins with, and the shape of its answer.
fn sample(api: &str) -> impl IntoView + use<> {
    let name = |text: &'static str| view! { <span class="k">{text}</span> };
    let value = |text: &'static str| view! { <span class="s">{text}</span> };
    let command = format!("curl {api}/v1/sessions --json '{{\n  ");
    view! {
        <figure class="card" aria-label="Opening a session: request and answer">
            <div class="bar">
                <Chip tone=Tone::Ok text="200" />
                <code>"POST /v1/sessions"</code>
                <span class="spacer"></span>
                <span>"opens a session"</span>
            </div>
            <pre tabindex="0" role="region" aria-label="Sample request and answer">
                {command} {name("\"client_id\"")} ": " {value("\"0d9c5a1e-…-8c31b7c02f61\"")} ",\n  "
                {name("\"client_app_key\"")} ": " {value("\"tsr_sbx_ak_7QmX…\"")} ",\n  "
                {name("\"skill\"")} ": " {value("\"xyz_ro_aisp_sbx_#1.0\"")} "\n}'\n\n{\n  "
                {name("\"session_id\"")} ": " {value("\"7489fe74-a91d-4897-8895-cd5e05c0fc4b\"")} ",\n  "
                {name("\"nonce\"")} ": " {value("\"F3YXJlCjAwMTZp…\"")} ",\n  " {name("\"status\"")} ": "
                {value("\"SESSION_CREATED\"")} "\n}"
            </pre>
        </figure>
    }
}

const PROMISES: &[(&str, &str)] = &[
    (
        "A session is a conversation",
        "Each step is authorised by the nonce of the answer before. The console draws that chain as it happens.",
    ),
    (
        "Keys you can rotate on a Monday",
        "Old and new work side by side. The page shows who still uses the old one and says when it is safe to end it.",
    ),
    (
        "Every failure says why",
        "Cause, fix and whose fault: in the answer, in the request log within a second, and in the docs.",
    ),
];
