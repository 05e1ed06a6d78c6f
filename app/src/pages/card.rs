//! Pages of one card without a form: what happened, and the way on.

use leptos::prelude::*;

use super::{Frame, Page};

/// The label of a way on, and where it leads.
pub(super) type CardLink = (&'static str, &'static str);

/// A card that says something. The first of the ways is the one to take.
pub(super) fn says(title: &'static str, lead: &'static str, ways: &'static [CardLink]) -> Page {
    Page::new(Frame::Card, title, move || {
        let ways = ways.iter().enumerate().map(|(at, (label, href))| {
            let class = if at == 0 { "btn primary" } else { "btn quiet" };
            view! {
                <a class=class href=*href>
                    {*label}
                </a>
            }
        });
        view! {
            <div class="card">
                <h1>{title}</h1>
                <p class="lead">{lead}</p>
                <div class="actions">{ways.collect_view()}</div>
            </div>
        }
    })
}

/// The page of a mailed link that works no more.
pub(super) fn dead_link(lead: &'static str, ways: &'static [CardLink]) -> Page {
    says("This link has ended", lead, ways).status(410)
}
