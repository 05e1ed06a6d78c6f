//! The pages everybody knows: what happened, why, and the way out.

use leptos::prelude::*;

use super::{Answer, Frame, Page, Visit};
use crate::islands::CopyButton;
use crate::links;
use crate::portal::PortalError;
use crate::ui::time::span;

/// Returns the answer for a screen that could not be shown. A missing proof leads to the page that asks for it.
pub fn answer(error: PortalError, visit: &Visit) -> Answer {
    match error {
        PortalError::ProofNeeded if visit.form.is_some() => {
            Answer::Page(super::prove::with_form(visit, None))
        }
        PortalError::ProofNeeded => Answer::See(links::with(links::PROVE, "next", &visit.path)),
        other => Answer::Page(page(other, visit)),
    }
}

/// The page for one kind of trouble, with the status that is true.
pub fn page(error: PortalError, visit: &Visit) -> Page {
    render(words(error, visit), visit)
}

fn render(words: Words, visit: &Visit) -> Page {
    let frame = if visit.actor.is_some() {
        Frame::App
    } else {
        Frame::Public
    };
    let title = words.title;
    Page::new(frame, title, move || {
        view! {
            <div class="trouble">
                <p class="status">{words.status}</p>
                <h1>{words.title}</h1>
                <p class="lead">{words.what}</p>
                {words.reference.map(reference)}
                <div class="actions">
                    {words
                        .ways
                        .into_iter()
                        .enumerate()
                        .map(|(at, (href, label))| {
                            let class = if at == 0 { "btn primary" } else { "btn" };
                            view! { <a class=class href=href>{label}</a> }
                        })
                        .collect_view()}
                </div>
            </div>
        }
    })
    .status(words.status)
}

/// The page for a request that was not understood, with the status that is true.
pub fn unreadable(status: u16, why: &str, visit: &Visit) -> Page {
    let mut words = words(PortalError::Conflict(why.to_owned()), visit);
    words.status = status;
    words.title = match status {
        405 => "This cannot be done here",
        408 | 503 => "This cannot be done now",
        _ => "This cannot be read",
    };
    render(words, visit)
}

/// Returns the links to go on by: never to the page that was just refused.
fn ways_on(home: (String, &'static str), visit: &Visit) -> Vec<(String, &'static str)> {
    let settings = (links::SETTINGS.to_owned(), "Go to your settings");
    if home.0 == visit.path {
        vec![settings, (links::DOCS.to_owned(), "Read the docs")]
    } else {
        vec![home, settings]
    }
}

/// Renders the reference under which our log has this failure.
fn reference(reference: String) -> impl IntoView {
    view! {
        <p class="reference">
            "Reference "
            <code id="reference">{reference}</code>
            " "
            <CopyButton from="reference".to_owned() label="Copy reference".to_owned() />
        </p>
    }
}

/// Returns the explanation of a failure of ours. Reading changes nothing; whether a form took effect before it failed,
/// nobody can tell here, but it did so whole or not at all: every act is one transaction.
fn our_fault(form_sent: bool, support: Option<&str>) -> String {
    let then = if form_sent {
        "We cannot say whether what you sent was still carried out. Nothing was half-done: look at how things stand \
         before you send it again."
    } else {
        "Nothing was changed by asking for this page. Try again in a moment."
    };
    let help = support.map_or_else(String::new, |support| {
        format!(" If it goes on, write to {support} and quote the reference.")
    });
    format!("Something failed here, and it is logged. {then}{help}")
}

struct Words {
    status: u16,
    title: &'static str,
    what: String,
    reference: Option<String>,
    ways: Vec<(String, &'static str)>,
}

fn words(error: PortalError, visit: &Visit) -> Words {
    let operator = visit
        .actor
        .as_ref()
        .is_some_and(|actor| actor.admin && actor.membership.is_none());
    let home = if operator {
        (links::ADMIN_SERVICERS.to_owned(), "Go to the servicers")
    } else if visit.actor.is_some() {
        (links::OVERVIEW.to_owned(), "Go to the overview")
    } else {
        (links::HOME.to_owned(), "Go to the start page")
    };
    let form_sent = visit.form.is_some();
    let again = if form_sent {
        (visit.path.clone(), "Go back to the page")
    } else {
        (visit.path.clone(), "Try again")
    };
    let mut reference = None;
    let (status, title, what, ways) = match error {
        PortalError::NotFound => (
            404,
            "There is nothing at this address",
            "It may have been removed, it may belong to another servicer, or the link may be incomplete.".into(),
            vec![home, (links::DOCS.to_owned(), "Read the docs")],
        ),
        PortalError::Forbidden(why) => (403, "You don't have access", why, ways_on(home, visit)),
        PortalError::Conflict(why) => (409, "This cannot be done now", why, vec![again, home]),
        PortalError::Refused(errors) => {
            let all: Vec<_> = errors.into_iter().map(|error| error.message).collect();
            (422, "Check what you entered", all.join(" "), vec![again, home])
        }
        PortalError::Wait(seconds) => (
            429,
            "Too many tries",
            format!(
                "Wait {} and try again. This keeps guessed passwords and floods out. Somebody else may be the reason: in a \
                 browser that you signed in with before you don't have to wait, and neither does a link that we email you.",
                span(chrono::TimeDelta::seconds(i64::try_from(seconds).unwrap_or(3600)))
            ),
            vec![again, (links::FORGOT.to_owned(), "Email me a link"), home],
        ),
        PortalError::ProofNeeded => (
            403,
            "Confirm it is you",
            "Enter your password once more to continue.".into(),
            vec![(links::with(links::PROVE, "next", &visit.path), "Confirm")],
        ),
        PortalError::Unavailable => (
            503,
            "This cannot be done just now",
            "The database is busy or has no room. Nothing was changed: wait a few seconds and try again.".into(),
            vec![again, home],
        ),
        PortalError::Internal(logged) => {
            reference = Some(logged);
            (
                500,
                "Something went wrong on our side",
                our_fault(form_sent, visit.site.support.as_deref()),
                vec![again, home],
            )
        }
    };
    Words {
        status,
        title,
        what,
        reference,
        ways,
    }
}
