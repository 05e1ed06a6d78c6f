//! The ends of a run: everything read, with what may be asked for besides, or no way on.

use leptos::prelude::*;

use super::failure::failure;
use crate::domain::console::Offer;
use crate::domain::skill::SkillType;
use crate::links;
use crate::portal::console::Run;
use crate::ui::{Chip, PostButton, Tone};

pub(super) fn done_card(run: &Run) -> AnyView {
    let (title, reads) = match run.kind {
        Some(SkillType::PaymentInitiation) => (
            "Done: the payment is ordered",
            "use them to read the payment’s status, and cancel it while the bank still allows it",
        ),
        Some(SkillType::Marketplace) => (
            "Done: the product is there",
            "use them to read the product and its updates",
        ),
        _ => (
            "Done: your first data",
            "use them to read accounts, balances and transactions until the consent ends",
        ),
    };
    let offers = run.offers.iter().map(|offer| offered(run, *offer));
    let offers = offers.collect::<Vec<_>>();
    view! {
        <section class="card next">
            <div class="bar"><h2>{title}</h2> <span class="spacer"></span> <Chip tone=Tone::Ok text="Complete" /></div>
            <div class="pad">
                {failure(run, &[])}
                <p>"Store " <code>"credentials_id"</code> " and " <code>"access_token"</code> " with your user: " {reads} "."</p>
                <p class="artefact"><span class="faint">"credentials_id"</span> <code>{run.credentials_id.clone()}</code></p>
                <div class="actions">
                    <a class="btn primary" href=links::docs("quick-start")>"Build this into your app"</a>
                    {offers}
                    <a class="btn" href=links::CONSOLE>"All runs"</a>
                </div>
            </div>
        </section>
    }
    .into_any()
}

/// The button of a call that is made besides.
fn offered(run: &Run, offer: Offer) -> impl IntoView + use<> {
    let (label, class) = match offer {
        Offer::Balances => ("Read balances", "btn"),
        Offer::Payment => ("Read the payment again", "btn"),
        Offer::CancelPayment => ("Cancel the payment", "btn danger"),
        Offer::Products => ("Read products again", "btn"),
    };
    let fields = vec![
        ("act", "offer".to_owned()),
        ("at", run.calls.len().to_string()),
        ("offer", offer.to_string()),
    ];
    view! { <PostButton action=links::run(run.id) label=label class=class fields=fields /> }
}

pub(super) fn dead_end(run: &Run, why: &str) -> AnyView {
    view! {
        <section class="card next">
            <div class="bar"><h2>"This run cannot go on"</h2></div>
            <div class="pad">
                {failure(run, &[])}
                <p>{why.to_owned()}</p>
                <PostButton action=links::run(run.id) label="Start again with the same data" class="btn primary" fields=vec![("act", "again".to_owned())] />
            </div>
        </section>
    }
    .into_any()
}
