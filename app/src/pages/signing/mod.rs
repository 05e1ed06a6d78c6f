//! Signed requests: the keys a servicer signs with, and the debugger for signatures that were refused.

mod add;
mod debugger;
mod findings;
mod stop;

use chrono::{DateTime, Utc};
use leptos::prelude::*;

pub(super) use self::add::screen as add;
pub(super) use self::debugger::screen as debugger;
pub(super) use self::stop::screen as stop;
use super::components::done_notice;
use super::{Frame, Page, ScreenResult, Visit};
use crate::domain::signature::MOST_KEYS;
use crate::links;
use crate::portal::signing::SigningKey;
use crate::ui::{Ago, Empty, Notice, PageHead, Table, TableColumn, Tone};

const DONE: &[(&str, &str)] = &[
    (
        "added",
        "Added. Signatures made with it are accepted from now on.",
    ),
    ("stopped", "Stopped. Signatures made with it are refused."),
];

pub(super) async fn list(visit: Visit) -> ScreenResult {
    let keys = visit.portal.signing_keys(visit.actor()?).await?;
    let now = visit.now;
    Ok(Page::new(Frame::App, "Signing", move || {
        let notice = done_notice(&visit, DONE);
        let places = format!("{} of {MOST_KEYS} keys.", keys.len());
        let body = if keys.is_empty() {
            no_keys().into_any()
        } else {
            view! {
                {table(keys, now)}
                <p class="faint places">{places}</p>
            }
            .into_any()
        };
        view! {
            <PageHead
                title="Signing"
                lead="Requests to /v1s are signed over the body, so that a stolen client_secret alone opens nothing. Register the public keys here; the private ones never leave your servers."
            >
                <a class="btn" href=links::SIGNATURE_DEBUGGER>
                    "Debug a signature"
                </a>
                <a class="btn primary" href=links::NEW_SIGNING_KEY>
                    "Add key"
                </a>
            </PageHead>
            {notice}
            {body}
        }
    })
    .wide()
    .into())
}

fn no_keys() -> impl IntoView {
    view! {
        <Empty icon="signing" title="No key yet">
            <p>
                "Make a pair of keys, keep the private one on your server, and add the public one as PEM, as JWK, or as the URL of a key set."
            </p>
            <div class="actions">
                <a class="btn primary" href=links::NEW_SIGNING_KEY>
                    "Add key"
                </a>
                <a class="btn" href=links::docs("signed-requests")>
                    "Read how requests are signed"
                </a>
            </div>
        </Empty>
    }
}

fn table(keys: Vec<SigningKey>, now: DateTime<Utc>) -> impl IntoView {
    let columns = vec![
        TableColumn::text("Issuer"),
        TableColumn::text("Key"),
        TableColumn::text("Last used"),
        TableColumn::text("Added"),
        TableColumn::actions("Act"),
    ];
    let rows = keys.into_iter().map(|key| row(key, now)).collect_view();
    view! {
        <Table caption="Keys that sign your requests" columns=columns folds=true>
            {rows}
        </Table>
    }
}

fn row(key: SigningKey, now: DateTime<Utc>) -> impl IntoView {
    let used = key.last_used_at.map_or_else(
        || "never".into_any(),
        |at| view! { <Ago at=at now=now /> }.into_any(),
    );
    let spoken = format!("Stop the key of {}", key.issuer);
    view! {
        <tr>
            <th scope="row" class="break">
                {key.issuer.clone()}
            </th>
            <td>{material(&key, now)}</td>
            <td class="nowrap" data-label="Last used">
                {used}
            </td>
            <td data-label="Added">
                <Ago at=key.created_at now=now />
                <div class="faint break">{key.created_by}</div>
            </td>
            <td class="num">
                <a class="btn danger" href=links::stop_signing_key(key.id) aria-label=spoken>
                    "Stop"
                </a>
            </td>
        </tr>
    }
}

/// The key, or the set and how it was last read.
fn material(key: &SigningKey, now: DateTime<Utc>) -> impl IntoView + use<> {
    let keys = key.keys.iter().map(|(kid, algorithms)| {
        view! {
            <div>
                <div class="mono break">{kid.clone()}</div>
                <div class="faint">{algorithms.clone()}</div>
            </div>
        }
    });
    let keys = keys.collect_view();
    let read = key
        .fetched_at
        .map(|at| view! { <div class="faint">"read " <Ago at=at now=now /></div> });
    let problem = key.problem.clone().map(|problem| {
        view! {
            <Notice tone=Tone::Warn title="The set could not be read the last time">
                <p>{problem}</p>
            </Notice>
        }
    });
    let url = key
        .url
        .clone()
        .map(|url| view! { <div class="mono break">{url}</div> });
    view! {
        {url}
        {keys}
        {read}
        {problem}
    }
}

/// A page below the list.
fn under_signing(page: Page) -> Page {
    page.under("Signing", links::SIGNING)
}
