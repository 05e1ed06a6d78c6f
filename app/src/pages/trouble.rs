//! The pages everybody knows: what happened, why, and the way out.

use leptos::prelude::*;

use super::{Answer, Frame, Page, Visit};
use crate::links;
use crate::portal::Trouble;
use crate::ui::time::span;

/// What to answer when a screen could not be shown. A missing proof leads to the page that asks for it.
pub fn answer(trouble: Trouble, visit: &Visit) -> Answer {
    match trouble {
        Trouble::ProofNeeded => Answer::See(links::with(links::PROVE, "next", &visit.path)),
        other => Answer::Page(page(other, visit)),
    }
}

/// The page for one kind of trouble, with the status that is true.
pub fn page(trouble: Trouble, visit: &Visit) -> Page {
    let words = words(trouble, visit);
    let frame = if visit.actor.is_some() {
        Frame::App
    } else {
        Frame::Public
    };
    let title = words.title;
    Page::new(frame, title, move || {
        view! {
            <div class="trouble">
                <p class="faint">{words.status}</p>
                <h1>{words.title}</h1>
                <p class="lead">{words.what}</p>
                <div class="actions">
                    {words
                        .ways
                        .into_iter()
                        .map(|(href, label)| view! { <a class="btn" href=href>{label}</a> })
                        .collect_view()}
                </div>
            </div>
        }
    })
    .status(words.status)
}

struct Words {
    status: u16,
    title: &'static str,
    what: String,
    ways: Vec<(String, &'static str)>,
}

fn words(trouble: Trouble, visit: &Visit) -> Words {
    let home = if visit.actor.is_some() {
        (links::OVERVIEW.to_owned(), "Go to the overview")
    } else {
        (links::HOME.to_owned(), "Go to the start page")
    };
    let again = (visit.path.clone(), "Try again");
    let (status, title, what, ways) = match trouble {
        Trouble::NotFound => (
            404,
            "There is nothing at this address",
            "It may have been removed, it may belong to another servicer, or the link may be incomplete.".into(),
            vec![home, (links::DOCS.to_owned(), "Read the docs")],
        ),
        Trouble::Forbidden(why) => (403, "You may not do this", why, vec![home]),
        Trouble::Conflict(why) => (409, "This cannot be done now", why, vec![again, home]),
        Trouble::Refused(errors) => {
            let all: Vec<_> = errors.into_iter().map(|error| error.message).collect();
            (422, "Something needs mending", all.join(" "), vec![again, home])
        }
        Trouble::Wait(seconds) => (
            429,
            "Too many tries",
            format!(
                "Wait {} and try again. This keeps guessed passwords and floods out.",
                span(chrono::TimeDelta::seconds(i64::try_from(seconds).unwrap_or(3600)))
            ),
            vec![again, home],
        ),
        Trouble::ProofNeeded => (
            403,
            "Confirm it is you",
            "Give your password once more to go on.".into(),
            vec![(links::with(links::PROVE, "next", &visit.path), "Confirm")],
        ),
        Trouble::Internal(reference) => (
            500,
            "This is our fault",
            format!(
                "Nothing was changed. It is logged under the reference {reference}; name it when you write to us."
            ),
            vec![again, home],
        ),
    };
    Words {
        status,
        title,
        what,
        ways,
    }
}
