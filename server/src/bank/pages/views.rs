//! The pages' words and forms.

use chrono::NaiveDate;

use super::format::host;
use super::html::{esc, page};
use crate::bank::BankState;
use crate::bank::ledger::accounts::{PASSWORD, USERS};
use crate::bank::storage::visits::{VisitRow, VisitSubject};

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

    /// Returns the HTML paragraph that names the app and the provider, and says that the app's name is not verified.
    pub fn paragraph(&self) -> String {
        let client = esc(&self.client);
        match &self.brand {
            Some(brand) => format!(
                "<p><strong>{}</strong> asks through <strong>{client}</strong>, a provider registered with us. \
                 The app’s name is its own claim: we have not checked it.</p>",
                esc(brand)
            ),
            None => format!(
                "<p><strong>{client}</strong>, a provider registered with us, asks you.</p>"
            ),
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
    let way = way.map_or_else(String::new, |(href, label)| {
        format!(
            "\n<p><a class=\"button primary\" href=\"{}\">{}</a></p>",
            esc(href),
            esc(label)
        )
    });
    page(
        title,
        &format!("<h1>{}</h1>\n<p>{}</p>{way}", esc(title), esc(text)),
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
    let (error, marks) = match wrong {
        Some(_) => (
            "<p class=\"error\" id=\"wrong\" role=\"alert\">User name or password is not right. The test users are listed above.</p>",
            " aria-invalid=\"true\" aria-describedby=\"wrong\"",
        ),
        None => ("", ""),
    };
    let users: String = USERS
        .iter()
        .map(|user| {
            format!(
                r#"<div class="user"><button name="user" value="{name}" form="as-user" aria-describedby="about-{name}">Continue as {name}</button>
<p id="about-{name}">{about}</p></div>
"#,
                name = user.username,
                about = user.about,
            )
        })
        .collect();
    let main = format!(
        r#"<h1>Sign in</h1>
{who}
<p>{asks}</p>
<section aria-labelledby="test-users" class="users">
<h2 id="test-users">Test users</h2>
{users}</section>
<form method="post" action="{path}/sign-in" aria-labelledby="by-hand">
<h2 id="by-hand">Or sign in by hand</h2>
<p class="hint">The password of each test user is <code>{PASSWORD}</code>.</p>
{error}
<label for="username">User name</label>
<input id="username" name="username" value="{name}" autocomplete="username" autocapitalize="none" spellcheck="false" required{marks}>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" required{marks}>
<button class="primary">Sign in</button>
</form>
<form method="post" action="{path}/sign-in" id="as-user"></form>
<form method="post" action="{path}/decision">
<button class="quiet" name="decision" value="refuse">Cancel and go back</button>
</form>"#,
        who = asker.paragraph(),
        path = esc(path),
        name = esc(wrong.unwrap_or_default()),
    );
    page("Sign in", &main)
}

/// The consent page of someone who has accounts: who asks, for what, until when, and where it ends.
pub fn consent(
    path: &str,
    asker: &RequestingParties,
    (today, until): (NaiveDate, NaiveDate),
    choices: &[AccountChoice],
    error: Option<&str>,
) -> String {
    let rows: String = choices.iter().map(row).collect();
    let (message, described) = match error {
        Some(text) => (
            format!(
                "<p class=\"error\" id=\"none\" role=\"alert\">{}</p>",
                esc(text)
            ),
            " aria-describedby=\"none explained\"",
        ),
        None => (String::new(), " aria-describedby=\"explained\""),
    };
    let main = format!(
        r#"<h1>Let {app} read your accounts?</h1>
{who}
<dl class="sum">
<div><dt>It reads</dt><dd>account numbers and names, balances, and transactions of up to three years</dd></div>
<div><dt>Until</dt><dd>{until} ({days})</dd></div>
<div><dt>It cannot</dt><dd>move money or change anything</dd></div>
<div><dt>Returns to</dt><dd><code>{host}</code></dd></div>
</dl>
<p>You can end this at any time, in the app or here under <a href="/consents">What you have agreed to</a>.</p>
<form method="post" action="{path}/decision">
<fieldset{described}>
<legend>Your accounts</legend>
<p class="hint" id="explained">All are ticked. Untick what you want to keep to yourself: {app} then does not learn that it exists.</p>
{message}
{rows}</fieldset>
<button class="primary" name="decision" value="approve">Agree and share</button>
<button class="quiet" name="decision" value="refuse">Refuse</button>
</form>"#,
        app = esc(asker.app()),
        who = asker.paragraph(),
        until = until.format("%-d %B %Y"),
        days = days((until - today).num_days()),
        host = esc(&asker.host),
        path = esc(path),
    );
    page("Choose accounts", &main)
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
    let notice = if ended {
        "<p class=\"done\" role=\"status\">Ended. The app cannot read anything from now on.</p>\n"
    } else {
        ""
    };
    let rows: String = given.iter().map(given_row).collect();
    let list = if rows.is_empty() {
        "<p>Nothing you agreed to in this browser is alive.</p>".to_owned()
    } else {
        format!("<ul class=\"given\">\n{rows}</ul>")
    };
    let main = format!(
        r"<h1>What you have agreed to</h1>
<p>Apps that may read accounts here because somebody agreed to it in this browser. The test users are shared by everybody who tries this bank, so other browsers’ consents are not shown.</p>
{notice}{list}"
    );
    page("What you have agreed to", &main)
}

fn given_row(one: &ConsentListItem) -> String {
    format!(
        r#"<li><h2 id="c-{id}">{app}</h2>
<dl class="sum">
<div><dt>Through</dt><dd>{client}</dd></div>
<div><dt>Accounts of</dt><dd><code>{user}</code></dd></div>
<div><dt>Agreed</dt><dd>{since}</dd></div>
<div><dt>Until</dt><dd>{until}</dd></div>
<div><dt>Returns to</dt><dd><code>{host}</code></dd></div>
</dl>
<form method="post" action="/consents/{id}/end"><button aria-describedby="c-{id}">End now</button></form></li>
"#,
        id = esc(&one.id),
        app = esc(&one.app),
        client = esc(&one.client),
        user = esc(&one.user),
        since = one.since.format("%-d %B %Y"),
        until = one.until.format("%-d %B %Y"),
        host = esc(&one.host),
    )
}

fn row(choice: &AccountChoice) -> String {
    let ticked = if choice.ticked { " checked" } else { "" };
    let below = if choice.overdrawn {
        " class=\"below\""
    } else {
        ""
    };
    format!(
        r#"<label class="account"><input type="checkbox" name="accounts" value="{id}"{ticked}><span class="what"><span>{name}</span><span class="iban">{iban}</span></span><span class="amount"><span{below}>{balance}</span> {currency}</span></label>
"#,
        id = choice.id,
        name = esc(&choice.name),
        iban = esc(&choice.iban),
        balance = esc(&choice.balance),
        currency = esc(&choice.currency),
    )
}

/// The consent page of someone who has none.
pub fn no_accounts(path: &str, asker: &RequestingParties) -> String {
    let main = format!(
        r#"<h1>You have no accounts with us</h1>
<p>There is nothing that <strong>{client}</strong> could read, so there is nothing to agree to.</p>
<form method="post" action="{path}/decision">
<button class="primary" name="decision" value="refuse">Go back without sharing</button>
</form>"#,
        client = esc(asker.app()),
        path = esc(path),
    );
    page("No accounts", &main)
}
