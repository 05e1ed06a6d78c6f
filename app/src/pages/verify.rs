//! Confirming an address. Opening the link confirms nothing: whoever is not signed in as the account's person shows its
//! password, so that a click on the letter of a stranger's registration gives that stranger nothing.

use leptos::prelude::*;

use super::components::password_field;
use super::form::Form;
use super::{Answer, Frame, Page, ScreenResult, Visit, card};
use crate::links;
use crate::portal::PortalError;
use crate::portal::people::{AddressLink, GivenPasswords};
use crate::ui::ErrorSummary;

const FIELDS: &[&str] = &["password", "confirmed"];

pub(super) async fn screen(visit: Visit) -> ScreenResult {
    let token = visit.params.get("token").to_owned();
    let actor = visit.actor.as_ref();
    let link = visit.portal.verify_link(actor, &token, &visit.source).await;
    let link = match link {
        Ok(link) => link,
        Err(PortalError::NotFound) => return Ok(ended(&visit)),
        Err(error) => return Err(error),
    };
    let Some(fields) = visit.form.clone() else {
        return Ok(ask(Form::default(), token, link).into());
    };
    let given = GivenPasswords {
        own: fields.get("password").to_owned(),
        confirmed: fields.get("confirmed").to_owned(),
    };
    let confirmed = visit.portal.verify(actor, &token, given, &visit.source);
    match confirmed.await {
        Ok(person) if actor.is_some_and(|actor| actor.person == person) => {
            let to = links::with(links::SETTINGS, "done", "verified");
            Ok(Answer::See(to))
        }
        Ok(person) => Ok(Answer::SignedIn {
            person,
            to: links::with(links::SETTINGS, "done", "verified"),
        }),
        Err(PortalError::NotFound) => Ok(ended(&visit)),
        Err(error) => Ok(ask(Form::refused(fields, error)?, token, link).into()),
    }
}

fn ask(form: Form, token: String, link: AddressLink) -> Page {
    let shown = form.clone();
    form.status(Page::new(
        Frame::Card,
        "Confirm this is your email address",
        move || {
            let servicers = link.servicers.join(", ");
            let own = (!link.signed_in).then(|| {
                view! {
                    <p>
                        "Enter the password of the account that registered "
                        {(!servicers.is_empty()).then(|| view! { <strong class="break">{servicers.clone()}</strong> })}
                        ". If you didn't register, close this page: without the password nothing happens."
                    </p>
                    {password_field(shown.entry("password"), "Password")}
                }
            });
            let confirmed = link.confirmed_elsewhere.then(|| {
                view! {
                    <p>
                        "This address belongs to another account already. With that account's password, this servicer becomes
                        part of it."
                    </p>
                    {password_field(shown.entry("confirmed"), "Password of your confirmed account")}
                }
            });
            view! {
                <div class="card">
                    <h1>"Confirm this is your email address"</h1>
                    <p class="lead">
                        <strong>{link.address}</strong>
                    </p>
                    <form method="post" action=links::verify(&token) class="form">
                        <ErrorSummary errors=shown.errors(FIELDS) />
                        {own}
                        {confirmed}
                        <button class="btn primary big full">"Confirm email"</button>
                    </form>
                </div>
            }
        },
    ))
}

/// The answer to a link that works no more: a second click, mostly. Who is signed in with a confirmed address has got what
/// the link was for, or needs none.
fn ended(visit: &Visit) -> Answer {
    if visit.actor.as_ref().is_some_and(|actor| actor.verified) {
        return card::says(
            "Your email address is confirmed",
            "This link has already been used. The email address of the account you are signed in to is confirmed.",
            &[
                ("Go to the overview", links::OVERVIEW),
                ("Go to settings", links::SETTINGS),
            ],
        )
        .status(410)
        .into();
    }
    card::dead_link(
        "It was used already, and then your address is confirmed: sign in. Or it is too old, or not whole: your settings say \
         whether the address is confirmed, and send a new link if it isn't.",
        &[("Go to settings", links::SETTINGS)],
    )
    .into()
}
