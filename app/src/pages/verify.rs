//! Proving an address. Asked by a button, so that a mail scanner that opens links proves nothing.

use leptos::prelude::*;

use super::{Answer, Frame, Page, Shown, Visit, card};
use crate::links;
use crate::portal::Trouble;
use crate::ui::PostButton;

pub(super) async fn screen(visit: Visit) -> Shown {
    let token = visit.params.get("token").to_owned();
    if visit.form.is_none() {
        return Ok(ask(token).into());
    }
    match visit.portal.verify(&token).await {
        Ok(_) if visit.actor.is_some() => Ok(Answer::See(links::with(
            links::SETTINGS,
            "done",
            "verified",
        ))),
        Ok(_) => Ok(done().into()),
        Err(Trouble::NotFound | Trouble::Conflict(_)) => Ok(dead_link().into()),
        Err(trouble) => Err(trouble),
    }
}

fn ask(token: String) -> Page {
    Page::new(Frame::Card, "Confirm your address", move || {
        view! {
            <div class="card">
                <h1>"Confirm your address"</h1>
                <p class="lead">"One click, and we know that our mails reach you."</p>
                <PostButton
                    action=links::verify(&token)
                    label="This is my address"
                    class="btn primary big full"
                />
            </div>
        }
    })
}

fn done() -> Page {
    card::says(
        "Address confirmed",
        "Thank you. There is nothing more to do.",
        &[("Sign in", links::SIGN_IN)],
    )
}

fn dead_link() -> Page {
    card::dead_link(
        "It was used already, or it is too old. Sign in and ask for a new one in your settings.",
        &[("Go to settings", links::SETTINGS)],
    )
}
