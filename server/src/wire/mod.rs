//! Shapes that leave the building: one struct for one documented object, its doc comments being the OpenAPI's words.
//!
//! Field names are the documents', quirks included: an account's balances are not named like those of
//! `/v1/balances/get`.

pub mod accounts;
pub mod balances;
pub mod catalog;
pub mod consents;
pub mod payments;
pub mod products;
pub mod sessions;
pub mod sync;
pub mod tokens;
pub mod transactions;
pub mod uploads;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{KnownFormat, RefOr, Schema, SchemaFormat};
use uuid::Uuid;

use crate::services::consents::bank_allowance;
use crate::services::consents::data::{Freshness, UnreadableCount};

/// A time as sent: ISO 8601, UTC, whole seconds, `Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time(pub DateTime<Utc>);

impl Time {
    /// The text that is sent.
    pub fn text(self) -> String {
        self.0.to_rfc3339_opts(SecondsFormat::Secs, true)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl utoipa::PartialSchema for Time {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::DateTime);
        let object = ObjectBuilder::new().schema_type(Type::String);
        Schema::Object(object.format(Some(format)).build()).into()
    }
}

impl utoipa::ToSchema for Time {}

/// One page of a list.
#[derive(Serialize, utoipa::ToSchema)]
pub struct List<T> {
    pub items: Vec<T>,
    /// Opaque; send it as `after` for the page that follows. `null` on the last page.
    pub next_cursor: Option<String>,
    pub has_more: bool,
    /// Time the data was fetched from the bank.
    pub as_of: Time,
    /// `cache`, or `bank` if it was fetched for this very call.
    #[schema(value_type = String)]
    pub served_from: &'static str,
    /// Calls to the bank that are left for this consent; `null` where the provider may be asked at any time.
    pub bank_budget: Option<BankBudget>,
    /// `current`, or `suspect` while the bank's last answer took so much away that what is here waits for a later answer to
    /// confirm it.
    #[schema(value_type = String)]
    pub freshness: &'static str,
    /// Transactions of the bank that could not be read, counted by account and field. They are kept, and read as soon
    /// as they can be. In every list, rows stored here that can no longer be opened, under the field `sealed`: a
    /// transaction is then shown with what else is known of it, an account or balance is left out.
    pub unreadable: Vec<Unreadable>,
}

/// Number of entries of an account that could not be read because of one of their fields.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Unreadable {
    pub account_id: Uuid,
    /// The bank's name of the member: `bookingDate`; `sealed` if what is stored here can no longer be opened.
    pub field: String,
    pub count: i64,
}

impl From<UnreadableCount> for Unreadable {
    fn from(counted: UnreadableCount) -> Self {
        Self {
            account_id: counted.account_id.0,
            field: counted.field,
            count: counted.count,
        }
    }
}

/// The word for how far data is to be trusted.
pub const fn freshness(fresh: Freshness) -> &'static str {
    if fresh.suspect { "suspect" } else { "current" }
}

/// Calls that the bank still accepts for one consent while the end-user is not present.
#[derive(Clone, Copy, Debug, Serialize, utoipa::ToSchema)]
pub struct BankBudget {
    /// Calls in 24 hours.
    pub limit: i64,
    /// Calls left. With none left, answers come from the cache until one is given back.
    pub left: i64,
    /// Time at which the next used call is given back; `null` if none was used.
    pub resets_at: Option<Time>,
}

impl From<bank_allowance::BankAllowance> for BankBudget {
    fn from(budget: bank_allowance::BankAllowance) -> Self {
        Self {
            limit: budget.limit,
            left: budget.left,
            resets_at: budget.resets_at.map(Time),
        }
    }
}

impl<T> List<T> {
    /// A page of data that is so fresh; `next` is the cursor of the page that follows, if one does.
    pub fn of(items: Vec<T>, next: Option<String>, fresh: Freshness) -> Self {
        Self {
            items,
            has_more: next.is_some(),
            next_cursor: next,
            as_of: Time(fresh.as_of),
            served_from: fresh.served_from.as_str(),
            bank_budget: fresh.budget.map(Into::into),
            freshness: freshness(fresh),
            unreadable: Vec::new(),
        }
    }

    /// Returns the page with the counts of entries that could not be read.
    #[must_use]
    pub fn beside(self, unreadable: Vec<UnreadableCount>) -> Self {
        Self {
            unreadable: unreadable.into_iter().map(Into::into).collect(),
            ..self
        }
    }
}
