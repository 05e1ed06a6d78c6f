//! The words and the form of the page on which a payment is confirmed.

use maud::{Markup, html};

use super::format::{grouped, thousands};
use super::html::page;
use super::views::RequestingParties;
use crate::payments::order::{Order, OrderTransfer, minor};
use crate::payments::schedule::{Frequency, Schedule};

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
    if payers.is_empty() {
        return page(
            "No account to pay from",
            &html! {
                h1 { "You have no account that can pay this" }
                p {
                    strong { (asker.app()) } " asks for a payment in " (order.currency)
                    " from an account that you do not have with us."
                }
                (summary(order))
                form method="post" action={ (path) "/decision" } {
                    button class="primary" name="decision" value="refuse" { "Go back without paying" }
                }
            },
        );
    }
    let fixed = order.debtor_account.is_some();
    page(
        "Confirm payment",
        &html! {
            h1 { "Confirm this payment" }
            (asker.paragraph())
            (summary(order))
            p { "Afterwards you go back to " code { (asker.host) } "." }
            form method="post" action={ (path) "/decision" } {
                fieldset aria-describedby=[error.map(|_| "wrong")] {
                    legend { "Pay from" }
                    @if let Some(text) = error {
                        p class="error" id="wrong" role="alert" { (text) }
                    }
                    "\n"
                    @for payer in *payers { (row(payer, fixed)) "\n" }
                }
                button class="primary" name="decision" value="approve" { "Confirm and pay" }
                button class="quiet" name="decision" value="refuse" { "Refuse" }
            }
        },
    )
}

/// Renders the order: payees, amounts, texts and dates.
fn summary(order: &Order) -> Markup {
    let line = |name: &str, class: Option<&str>, text: &str| {
        html! { div { dt { (name) } dd class=[class] { (text) } } }
    };
    let total = format!("{} {}", thousands(order.total()), order.currency);
    html! {
        dl class="sum" {
            (line("Amount", Some("total"), &total))
            @if let [one] = order.transfers.as_slice() {
                (line("To", None, &one.creditor_name))
                (line("Account", Some("iban"), &grouped(&one.creditor_account.iban)))
                @if let Some(text) = &one.remittance_information_unstructured {
                    (line("For", None, text))
                }
            } @else {
                (line("Payments", None, &order.transfers.len().to_string()))
            }
            (line("When", None, &when(order)))
        }
        @if order.transfers.len() != 1 { (list(&order.transfers, order.currency)) }
    }
}

fn list(transfers: &[OrderTransfer], currency: &str) -> Markup {
    let amount = |one: &OrderTransfer| thousands(minor(&one.instructed_amount.amount).unwrap_or(0));
    let more = transfers.len().saturating_sub(MOST_SHOWN);
    html! {
        ul {
            @for one in transfers.iter().take(MOST_SHOWN) {
                li {
                    (amount(one)) " " (currency) " to " (one.creditor_name) ", "
                    span class="iban" { (grouped(&one.creditor_account.iban)) }
                }
            }
            @if more > 0 { li { "and " (more) " more" } }
        }
    }
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
fn row(payer: &Payer, fixed: bool) -> Markup {
    let content = html! {
        @if !fixed {
            input type="radio" name="account" value=(payer.id) checked[payer.chosen];
        }
        span class="what" {
            span { (payer.name) }
            span class="iban" { (payer.iban) }
        }
        span class="amount" { (payer.available) " " (payer.currency) }
    };
    html! {
        @if fixed { div class="account" { (content) } } @else { label class="account" { (content) } }
    }
}
