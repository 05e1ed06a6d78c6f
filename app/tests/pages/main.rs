//! Every screen, rendered over a portal without a database: what people and their tools can rely on.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "a test says what went wrong by panicking"
)]

mod answers;
#[path = "../contract/mod.rs"]
mod contract;
mod discovery;
mod fake;
mod markup;
mod preview;
mod rendered;
mod runs;
mod sandbox;
mod signing;
mod verifications;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use app::pages::{Answer, FormFields, Page, SCREENS, Screen, Visit, error_page, shell};

/// Opens the screen that the visit's path names, as the portal door does.
fn open(mut visit: Visit) -> (Answer, Visit) {
    let (screen, params) = SCREENS
        .iter()
        .filter_map(|screen| matched(screen, &visit.path).map(|params| (screen, params)))
        .min_by_key(|(_, params)| params.0.len())
        .unwrap_or_else(|| panic!("no screen at {}", visit.path));
    visit.params = params;
    let shown = now((screen.handler)(visit.clone()));
    let answer = shown.unwrap_or_else(|error| error_page::answer(error, &visit));
    (answer, visit)
}

/// Returns the values that a route's `{name}` parts have in a path; `None` if the route does not match it.
fn matched(screen: &Screen, path: &str) -> Option<FormFields> {
    let (parts, wanted): (Vec<_>, Vec<_>) =
        (path.split('/').collect(), screen.path.split('/').collect());
    if parts.len() != wanted.len() {
        return None;
    }
    let mut params = Vec::new();
    for (part, wanted) in parts.into_iter().zip(wanted) {
        match wanted
            .strip_prefix('{')
            .and_then(|name| name.strip_suffix('}'))
        {
            Some(name) => params.push((name.to_owned(), part.replace("%23", "#"))),
            None if part != wanted => return None,
            None => {}
        }
    }
    Some(FormFields(params))
}

/// The fake portal never waits, so a screen is done when it is first asked.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("a screen waited for something that is not the portal"),
    }
}

/// The page of an answer, if it is one.
fn page(answer: Answer) -> Page {
    match answer {
        Answer::Page(page) | Answer::SignedInPage { page, .. } => page,
        _ => panic!("no page"),
    }
}

/// Status and HTML of a visit that ends in a page.
fn show(visit: Visit) -> (u16, String) {
    let (answer, visit) = open(visit);
    let page = page(answer);
    (page.status, shell::render(page, &visit, "n0nce"))
}

/// The fake, held to what the services are held to.
#[test]
fn the_fake_keeps_the_contract_of_every_portal() {
    let fake = fake::Fake(fake::World::Full);
    let side = contract::Side {
        portal: &fake,
        owner: fake::actor(false),
        password: "right",
        tenant: fake::tenant_id(),
        secret: fake::key(app::domain::key::KeyKind::Secret, 1),
    };
    now(side.people());
    now(side.tenants());
    now(side.keys());
    now(side.requests());
}
