//! The words and the form of the page on which a payment is confirmed.

use super::format::{grouped, thousands};
use super::html::{esc, page};
use super::views::RequestingParties;
use crate::bank::payments::order::{Order, OrderTransfer, minor};
use crate::bank::payments::schedule::{Frequency, Schedule};

/// Number of transfers of a bulk that are shown one by one.
const MOST_SHOWN: usize = 20;

/// An account to pay from, as its row shows it.
pub struct Payer {
    pub id: i64,
    pub name: String,
    pub iban: String,
    pub available: String,
    pub currency: String,
    pub chosen: bool,
}

/// Content of the page.
pub struct PaymentView<'a> {
    pub path: &'a str,
    pub asker: &'a RequestingParties,
    pub order: &'a Order,
    /// One if the order names the account, none if the user has no account that could pay.
    pub payers: &'a [Payer],
    pub error: Option<&'a str>,
}

/// Renders the page.
pub fn confirm(shown: &PaymentView<'_>) -> String {
    let PaymentView {
        path,
        asker,
        order,
        payers,
        error,
    } = shown;
    let (path, app, who) = (esc(path), esc(asker.app()), asker.paragraph());
    let summary = summary(order);
    if payers.is_empty() {
        let main = format!(
            r#"<h1>You have no account that can pay this</h1>
<p><strong>{app}</strong> asks for a payment in {currency} from an account that you do not have with us.</p>
{summary}
<form method="post" action="{path}/decision">
<button class="primary" name="decision" value="refuse">Go back without paying</button>
</form>"#,
            currency = order.currency,
        );
        return page("No account to pay from", &main);
    }
    let (message, described) = match error {
        Some(text) => (
            format!(
                "<p class=\"error\" id=\"wrong\" role=\"alert\">{}</p>\n",
                esc(text)
            ),
            " aria-describedby=\"wrong\"",
        ),
        None => (String::new(), ""),
    };
    let fixed = order.debtor_account.is_some();
    let rows: String = payers.iter().map(|payer| row(payer, fixed)).collect();
    let main = format!(
        r#"<h1>Confirm this payment</h1>
{who}
{summary}
<p>Afterwards you go back to <code>{host}</code>.</p>
<form method="post" action="{path}/decision">
<fieldset{described}>
<legend>Pay from</legend>
{message}{rows}</fieldset>
<button class="primary" name="decision" value="approve">Confirm and pay</button>
<button class="quiet" name="decision" value="refuse">Refuse</button>
</form>"#,
        host = esc(&asker.host),
    );
    page("Confirm payment", &main)
}

/// Renders the order: payees, amounts, texts and dates.
fn summary(order: &Order) -> String {
    let line = |name: &str, class: &str, text: &str| {
        format!("<div><dt>{name}</dt><dd{class}>{}</dd></div>\n", esc(text))
    };
    let total = format!("{} {}", thousands(order.total()), order.currency);
    let mut lines = line("Amount", " class=\"total\"", &total);
    if let [one] = order.transfers.as_slice() {
        lines.push_str(&line("To", "", &one.creditor_name));
        lines.push_str(&line(
            "Account",
            " class=\"iban\"",
            &grouped(&one.creditor_account.iban),
        ));
        if let Some(text) = &one.remittance_information_unstructured {
            lines.push_str(&line("For", "", text));
        }
    } else {
        lines.push_str(&line("Payments", "", &order.transfers.len().to_string()));
    }
    lines.push_str(&line("When", "", &when(order)));
    let list = match order.transfers.as_slice() {
        [_] => String::new(),
        several => list(several, order.currency),
    };
    format!("<dl class=\"sum\">\n{lines}</dl>{list}")
}

fn list(transfers: &[OrderTransfer], currency: &str) -> String {
    let rows: String = transfers
        .iter()
        .take(MOST_SHOWN)
        .map(|one| {
            let amount = thousands(minor(&one.instructed_amount.amount).unwrap_or(0));
            format!(
                "<li>{amount} {currency} to {}, <span class=\"iban\">{}</span></li>\n",
                esc(&one.creditor_name),
                esc(&grouped(&one.creditor_account.iban)),
            )
        })
        .collect();
    let rest = match transfers.len().saturating_sub(MOST_SHOWN) {
        0 => String::new(),
        more => format!("<li>and {more} more</li>\n"),
    };
    format!("\n<ul>\n{rows}{rest}</ul>")
}

fn when(order: &Order) -> String {
    match (&order.schedule, order.on) {
        (Some(schedule), _) => standing(*schedule),
        (None, Some(on)) => format!("On {}", on.date().format("%-d %B %Y")),
        (None, None) => "At once".to_owned(),
    }
}

fn standing(schedule: Schedule) -> String {
    let often = match schedule.frequency {
        Frequency::Daily => "Every day",
        Frequency::Weekly => "Every week",
        Frequency::EveryTwoWeeks => "Every two weeks",
        Frequency::Monthly => "Every month",
        Frequency::EveryTwoMonths => "Every two months",
        Frequency::Quarterly => "Every three months",
        Frequency::SemiAnnual => "Every six months",
        Frequency::Annual => "Every year",
    };
    let first = schedule.due().next().unwrap_or(schedule.start).date();
    let until = schedule.end.map_or_else(
        || "until you or the app cancels it".to_owned(),
        |end| format!("until {}", end.date().format("%-d %B %Y")),
    );
    format!("{often} from {}, {until}", first.format("%-d %B %Y"))
}

/// An account to choose, or the one that the app named.
fn row(payer: &Payer, fixed: bool) -> String {
    let chosen = if payer.chosen { " checked" } else { "" };
    let (element, radio) = if fixed {
        ("div", String::new())
    } else {
        let radio = format!(
            "<input type=\"radio\" name=\"account\" value=\"{}\"{chosen}>",
            payer.id
        );
        ("label", radio)
    };
    format!(
        "<{element} class=\"account\">{radio}<span class=\"what\"><span>{name}</span><span class=\"iban\">{iban}</span></span><span class=\"amount\">{available} {currency}</span></{element}>\n",
        name = esc(&payer.name),
        iban = esc(&payer.iban),
        available = esc(&payer.available),
        currency = esc(&payer.currency),
    )
}
