//! Proving an address. Asked by a button, so that a mail scanner that opens links proves nothing.

use leptos::prelude::*;

use super::{Answer, Frame, Page, Shown, Visit};
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
    Page::new(Frame::Card, "Address confirmed", || {
        view! {
            <div class="card">
                <h1>"Address confirmed"</h1>
                <p class="lead">"Thank you. There is nothing more to do."</p>
                <a class="btn primary" href=links::SIGN_IN>
                    "Sign in"
                </a>
            </div>
        }
    })
}

fn dead_link() -> Page {
    Page::new(Frame::Card, "This link has ended", || {
        view! {
            <div class="card">
                <h1>"This link has ended"</h1>
                <p class="lead">
                    "It was used already, or it is too old. Sign in and ask for a new one in your settings."
                </p>
                <a class="btn primary" href=links::SETTINGS>
                    "Go to settings"
                </a>
            </div>
        }
    })
    .status(410)
}
