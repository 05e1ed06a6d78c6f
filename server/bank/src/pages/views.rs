//! The pages' words and forms.

use chrono::NaiveDate;
use kernel::form::pairs::PairsError;
use maud::{Markup, html};

use super::format::host;
use super::html::page;
use crate::BankState;
use crate::ledger::accounts::{PASSWORD, USERS};
use crate::storage::visits::{VisitRow, VisitSubject};

/// An account to tick, as its row shows it.
pub struct AccountChoice {
    pub id: i64,
    pub name: String,
    pub iban: String,
    pub balance: String,
    pub currency: String,
    pub overdrawn: bool,
    pub ticked: bool,
}

/// Parties that ask for the authorisation, as far as the bank knows.
pub struct RequestingParties {
    /// The provider that is registered with the bank.
    pub client: String,
    /// Name of the app that the provider asks for, as the provider gives it; not verified.
    pub brand: Option<String>,
    /// Host that the browser is redirected to afterwards.
    pub host: String,
}

impl RequestingParties {
    pub fn of(bank: &BankState, visit: &VisitRow) -> Self {
        Self {
            client: bank.client.name.clone(),
            brand: visit.brand.clone(),
            host: host(&visit.redirect_uri),
        }
    }

    /// Returns the name that the page shows for the app: its brand, or the provider's name if none was given.
    pub fn app(&self) -> &str {
        self.brand.as_deref().unwrap_or(&self.client)
    }

    /// Renders the paragraph that names the app and the provider, and says that the app's name is not verified.
    pub fn paragraph(&self) -> Markup {
        html! {
            @if let Some(brand) = &self.brand {
                p {
                    strong { (brand) } " asks through " strong { (self.client) }
                    ", a provider registered with us. The app’s name is its own claim: we have not checked it."
                }
            } @else {
                p { strong { (self.client) } ", a provider registered with us, asks you." }
            }
        }
    }
}

/// A consent in the list of what was agreed to.
pub struct ConsentListItem {
    pub id: String,
    pub app: String,
    pub client: String,
    pub user: String,
    pub since: NaiveDate,
    pub until: NaiveDate,
    pub host: String,
}

/// A page that only tells something, with an optional way on.
fn notice(title: &str, text: &str, way: Option<(&str, &str)>) -> String {
    page(
        title,
        &html! {
            h1 { (title) }
            p { (text) }
            @if let Some((href, label)) = way {
                p { a class="button primary" href=(href) { (label) } }
            }
        },
    )
}

pub fn home() -> String {
    notice(
        "A bank to practise on",
        "This bank exists so that apps can be tried against a bank. You come here from an app that wants to read \
         accounts or to have something paid, and go back to it when you have decided.",
        Some(("/consents", "What you have agreed to")),
    )
}

pub fn not_found() -> String {
    notice(
        "This page does not exist",
        "The address is not one of this bank's. Go back to the app you came from and start again there.",
        None,
    )
}

pub fn busy() -> String {
    notice(
        "Too many people ask just now",
        "More was asked of this bank from your network within a minute than it answers. Wait a minute, then load this page again: nothing is lost.",
        None,
    )
}

pub fn foreign_form() -> String {
    notice(
        "This form was not sent from our page",
        "To protect you, the bank takes forms from its own pages only. Go back to the app you came from and start again there.",
        None,
    )
}

pub fn bad_request(why: &str) -> String {
    let text = format!(
        "The app sent you here with a request that this bank cannot take: {why}. Nothing was shared. Go back to the \
         app; if it happens again, its developers need to know."
    );
    notice("The app's request is not right", &text, None)
}

/// The page for a form or a query that cannot be read.
pub fn unreadable(why: &PairsError) -> String {
    let text = format!(
        "This bank cannot read what your browser sent: {why}. Nothing was shared or paid. Go back and try again, or start \
         again in the app; if it happens again, its developers need to know."
    );
    notice("This request cannot be read", &text, None)
}

/// The visit, or the request behind it, is over; `back` leads to the app that asked.
pub fn over(back: Option<&str>) -> String {
    notice(
        "Your time for this request is over",
        "Requests can be answered for a few minutes only, and once. Nothing was shared or paid in this visit. Go back to the app and \
         start again there.",
        back.map(|href| (href, "Back to the app")),
    )
}

/// The person decided and came back to the page; `back` leads where the decision led.
pub fn answered(agreed: Option<VisitSubject>, back: &str) -> String {
    let (title, text) = match agreed {
        Some(VisitSubject::Consent) => (
            "You have agreed already",
            "The accounts you ticked are shared with the app that asked. You can end this at any time, in the app or on this bank’s page “What you have agreed to”.",
        ),
        Some(VisitSubject::Payment) => (
            "You have confirmed already",
            "The payment is with the bank. The app that asked for it shows how far it is.",
        ),
        None => (
            "You have refused already",
            "Nothing was shared or paid. If you did not mean to refuse, start again in the app that sent you here.",
        ),
    };
    notice(title, text, Some((back, "Back to the app")))
}

/// Another browser began this visit, or this one forgot its cookie.
pub fn other_browser() -> String {
    notice(
        "This visit belongs to another browser window",
        "The bank does not recognise this browser: cookies may be switched off, or the address was copied from \
         elsewhere. Nothing is shared or paid from here. Go back to the app and start again there.",
        None,
    )
}

pub fn unavailable() -> String {
    notice(
        "The bank cannot answer now",
        "Something went wrong on our side. If you had just answered, your answer may have been kept all the same: load \
         the page again, and it says how things stand.",
        None,
    )
}

/// The sign-in page; `asks` is what the client wants, and `wrong` the name that was tried.
pub fn sign_in(path: &str, asker: &RequestingParties, asks: &str, wrong: Option<&str>) -> String {
    let is_wrong = wrong.map(|_| "true");
    let described = wrong.map(|_| "wrong");
    page(
        "Sign in",
        &html! {
            h1 { "Sign in" }
            (asker.paragraph())
            p { (asks) }
            section aria-labelledby="test-users" class="users" {
                h2 id="test-users" { "Test users" }
                @for user in USERS {
                    div class="user" {
                        button name="user" value=(user.username) form="as-user" aria-describedby={ "about-" (user.username) } {
                            "Continue as " (user.username)
                        }
                        p id={ "about-" (user.username) } { (user.about) }
                    }
                    "\n"
                }
            }
            form method="post" action={ (path) "/sign-in" } aria-labelledby="by-hand" {
                h2 id="by-hand" { "Or sign in by hand" }
                p class="hint" { "The password of each test user is " code { (PASSWORD) } "." }
                @if wrong.is_some() {
                    p class="error" id="wrong" role="alert" {
                        "User name or password is not right. The test users are listed above."
                    }
                }
                label for="username" { "User name" }
                input id="username" name="username" value=(wrong.unwrap_or_default()) autocomplete="username"
                    autocapitalize="none" spellcheck="false" required aria-invalid=[is_wrong] aria-describedby=[described];
                label for="password" { "Password" }
                input id="password" name="password" type="password" autocomplete="current-password" required
                    aria-invalid=[is_wrong] aria-describedby=[described];
                button class="primary" { "Sign in" }
            }
            form method="post" action={ (path) "/sign-in" } id="as-user" {}
            form method="post" action={ (path) "/decision" } {
                button class="quiet" name="decision" value="refuse" { "Cancel and go back" }
            }
        },
    )
}

/// The consent page of someone who has accounts: who asks, for what, until when, and where it ends.
pub fn consent(
    path: &str,
    asker: &RequestingParties,
    (today, until): (NaiveDate, NaiveDate),
    choices: &[AccountChoice],
    error: Option<&str>,
) -> String {
    let described = error.map_or("explained", |_| "none explained");
    page(
        "Choose accounts",
        &html! {
            h1 { "Let " (asker.app()) " read your accounts?" }
            (asker.paragraph())
            dl class="sum" {
                (line("It reads", html! { "account numbers and names, balances, and transactions of up to three years" }))
                (line("Until", html! { (date(until)) " (" (days((until - today).num_days())) ")" }))
                (line("It cannot", html! { "move money or change anything" }))
                (line("Returns to", html! { code { (asker.host) } }))
            }
            p {
                "You can end this at any time, in the app or here under "
                a href="/consents" { "What you have agreed to" } "."
            }
            form method="post" action={ (path) "/decision" } {
                fieldset aria-describedby=(described) {
                    legend { "Your accounts" }
                    p class="hint" id="explained" {
                        "All are ticked. Untick what you want to keep to yourself: " (asker.app())
                        " then does not learn that it exists."
                    }
                    @if let Some(text) = error {
                        p class="error" id="none" role="alert" { (text) }
                    }
                    "\n"
                    @for choice in choices { (account(choice)) "\n" }
                }
                button class="primary" name="decision" value="approve" { "Agree and share" }
                button class="quiet" name="decision" value="refuse" { "Refuse" }
            }
        },
    )
}

/// A name and what it stands for, in a list of facts.
pub fn line(name: &str, value: Markup) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

fn date(day: NaiveDate) -> String {
    day.format("%-d %B %Y").to_string()
}

fn days(count: i64) -> String {
    match count {
        ..=0 => "today".to_owned(),
        1 => "1 day from now".to_owned(),
        more => format!("{more} days from now"),
    }
}

/// Renders the list of consents given in this browser. With `ended`, it says that one of them was just ended.
pub fn given(given: &[ConsentListItem], ended: bool) -> String {
    page(
        "What you have agreed to",
        &html! {
            h1 { "What you have agreed to" }
            p {
                "Apps that may read accounts here because somebody agreed to it in this browser. The test users are shared by \
                 everybody who tries this bank, so other browsers’ consents are not shown."
            }
            @if ended {
                p class="done" role="status" { "Ended. The app cannot read anything from now on." }
            }
            @if given.is_empty() {
                p { "Nothing you agreed to in this browser is alive." }
            } @else {
                ul class="given" { @for one in given { (given_row(one)) "\n" } }
            }
        },
    )
}

fn given_row(one: &ConsentListItem) -> Markup {
    html! {
        li {
            h2 id={ "c-" (one.id) } { (one.app) }
            dl class="sum" {
                (line("Through", html! { (one.client) }))
                (line("Accounts of", html! { code { (one.user) } }))
                (line("Agreed", html! { (date(one.since)) }))
                (line("Until", html! { (date(one.until)) }))
                (line("Returns to", html! { code { (one.host) } }))
            }
            form method="post" action={ "/consents/" (one.id) "/end" } {
                button aria-describedby={ "c-" (one.id) } { "End now" }
            }
        }
    }
}

fn account(choice: &AccountChoice) -> Markup {
    html! {
        label class="account" {
            input type="checkbox" name="accounts" value=(choice.id) checked[choice.ticked];
            span class="what" {
                span { (choice.name) }
                span class="iban" { (choice.iban) }
            }
            span class="amount" {
                span class=[choice.overdrawn.then_some("below")] { (choice.balance) } " " (choice.currency)
            }
        }
    }
}

/// The consent page of someone who has none.
pub fn no_accounts(path: &str, asker: &RequestingParties) -> String {
    page(
        "No accounts",
        &html! {
            h1 { "You have no accounts with us" }
            p { "There is nothing that " strong { (asker.app()) } " could read, so there is nothing to agree to." }
            form method="post" action={ (path) "/decision" } {
                button class="primary" name="decision" value="refuse" { "Go back without sharing" }
            }
        },
    )
}
