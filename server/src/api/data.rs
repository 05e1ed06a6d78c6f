//! What the data operations share: the pair they are called with, page sizes, and how fresh an answer is.

use app::domain::account::{BalanceType, CreditDebit};
use app::domain::money::Bound;
use app::domain::problem::Code;
use app::domain::transaction::BookingStatus;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use json::JsonValue;
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};

use crate::http::call::{ConsentHolder, ExtraCredentials};
use crate::http::fields::{Field, FieldPath, schema_of, unproved_problem, word_field};
use crate::problem::Problem;
use crate::services::access::keys::Client;
use crate::services::consents::Credentials;
use crate::services::consents::accounts::Listing;
use crate::services::consents::data::Freshness;
use crate::services::refusal::{FieldProblem, Refusal};
use crate::wire::{List, Time};

const AS_OF: HeaderName = HeaderName::from_static("x-data-as-of");
const SERVED_FROM: HeaderName = HeaderName::from_static("x-data-served-from");
const FRESHNESS: HeaderName = HeaderName::from_static("x-data-freshness");
const UNREADABLE: HeaderName = HeaderName::from_static("x-data-unreadable");
const CALLS_LEFT: HeaderName = HeaderName::from_static("x-data-bank-calls-left");

word_field! {
    BookingStatus, "must be booked or pending";
    CreditDebit, "must be credit or debit";
    BalanceType, "must be a balance type like ClosingBooked or InterimAvailable";
}

/// The tenant and the pair of a data call.
pub fn credentials(by: ConsentHolder, also: ExtraCredentials) -> (Client, Credentials) {
    let credentials = Credentials {
        id: by.credentials_id,
        access_token: by.access_token,
        tenant_user_id: also.tenant_user_id,
    };
    (by.client, credentials)
}

/// Returns the pair that came along with a call of a server which does not need one; `None` if none did. Half a pair is a
/// mistake: 400, or 401 where credentials travel in headers.
pub fn pair(also: ExtraCredentials, in_headers: bool) -> Result<Option<Credentials>, Problem> {
    let lacking = match (also.credentials_id, also.access_token) {
        (None, None) => return Ok(None),
        (Some(id), Some(access_token)) => {
            return Ok(Some(Credentials {
                id: id.parse().map_err(|_| Code::InvalidCredentialsId)?,
                access_token,
                tenant_user_id: also.tenant_user_id,
            }));
        }
        (None, Some(_)) => "credentials_id",
        (Some(_), None) => "access_token",
    };
    let why = "is required beside the other half";
    let field = FieldProblem::new(lacking, Code::MissingFields, why);
    Err(if in_headers {
        unproved_problem(vec![field])
    } else {
        Refusal::new(Code::MissingFields)
            .says(format!("Missing: {lacking}."))
            .at(vec![field])
            .into()
    })
}

/// Returns the headers that say how fresh a bare array is: the array has no fields that could.
pub fn freshness(fresh: Freshness) -> HeaderMap {
    let as_of = HeaderValue::from_str(&Time(fresh.as_of).text());
    let from = HeaderValue::from_static(fresh.served_from.as_str());
    let mut headers = HeaderMap::new();
    headers.insert(AS_OF, as_of.unwrap_or(HeaderValue::from_static("")));
    headers.insert(SERVED_FROM, from);
    let word = HeaderValue::from_static(crate::wire::freshness(fresh));
    headers.insert(FRESHNESS, word);
    if fresh.unreadable > 0 {
        headers.insert(UNREADABLE, HeaderValue::from(fresh.unreadable));
    }
    if let Some(budget) = fresh.budget {
        headers.insert(CALLS_LEFT, HeaderValue::from(budget.left));
    }
    headers
}

/// The part of a short list that a bare array asks for.
pub fn part<T, I: PartialEq, W: From<T>>(
    listing: Listing<T, I>,
    after: Option<I>,
    limit: Option<Limit<1_000_000>>,
    id: impl Fn(&T) -> I,
) -> Result<Vec<W>, Problem> {
    let rest = following(listing.items, after, &id, "must be an id of this list")?;
    let limit = limit.and_then(|limit| usize::try_from(limit.0).ok());
    let rest = rest.take(limit.unwrap_or(usize::MAX));
    Ok(rest.map(W::from).collect())
}

/// Returns the items that follow one, all of them if none is named; 400 if the list has no such item.
fn following<T, I: PartialEq>(
    items: Vec<T>,
    after: Option<I>,
    id: &impl Fn(&T) -> I,
    expected: &str,
) -> Result<std::vec::IntoIter<T>, Problem> {
    let mut rest = items.into_iter();
    if let Some(after) = after
        && !rest.any(|item| id(&item) == after)
    {
        let field = FieldProblem::new("after", Code::InvalidField, expected);
        return Err(Refusal::new(Code::InvalidField).at(vec![field]).into());
    }
    Ok(rest)
}

/// The part of a short list that a page asks for.
pub fn paged<T, I, W>(
    listing: Listing<T, I>,
    after: Option<I>,
    limit: Option<Limit<500>>,
    id: impl Fn(&T) -> I,
) -> Result<List<W>, Problem>
where
    I: PartialEq + ToString,
    W: From<T>,
{
    let lost = listing.lost;
    let mut rest = following(listing.items, after, &id, "must be a next_cursor")?;
    let limit = limit.map_or(100, |limit| limit.0);
    let limit = usize::try_from(limit).unwrap_or(100);
    let page: Vec<T> = rest.by_ref().take(limit).collect();
    let has_more = rest.next().is_some();
    let end = page.last().filter(|_| has_more);
    let next = end.map(|item| id(item).to_string());
    let items = page.into_iter().map(W::from).collect();
    Ok(List::of(items, next, listing.fresh).beside(lost))
}

/// Number of rows to return, from 1 to `MAX`.
#[derive(Clone, Copy)]
pub struct Limit<const MAX: i64>(pub i64);

impl<const MAX: i64> Field for Limit<MAX> {
    fn read(value: JsonValue<'_>, at: &mut FieldPath<'_>) -> Option<Self> {
        let limit = i64::read(value, at)?;
        if (1..=MAX).contains(&limit) {
            return Some(Self(limit));
        }
        at.invalid(format!("must be from 1 to {MAX}"))
    }

    fn schema() -> RefOr<Schema> {
        let object = ObjectBuilder::new().schema_type(Type::Integer);
        Schema::Object(object.minimum(Some(1)).maximum(Some(MAX)).build()).into()
    }
}

/// A decimal to compare amounts with, exactly as it was written: a JSON number, or a string of one.
#[derive(Clone, Copy)]
pub struct Amount(pub Bound);

impl Field for Amount {
    fn read(value: JsonValue<'_>, at: &mut FieldPath<'_>) -> Option<Self> {
        let text = match value {
            JsonValue::Number(number) => number.to_string(),
            JsonValue::Text(text) => text.into_owned(),
            other => return at.invalid(format!("must be a decimal number, not {}", other.kind())),
        };
        match Bound::parse(&text) {
            Ok(bound) => Some(Self(bound)),
            Err(error) => at.invalid(error.to_string()),
        }
    }

    fn schema() -> RefOr<Schema> {
        schema_of(Type::Number, None)
    }
}
