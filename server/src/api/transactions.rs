//! Transactions under one consent: whole and streamed, or page by page.

use app::domain::account::CreditDebit;
use app::domain::currency::Currency;
use app::domain::ids::AccountId;
use app::domain::moment::Moment;
use app::domain::transaction::BookingStatus;
use axum::body::{Body as HttpBody, Bytes};
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, Stream};
use json::Object;
use kernel::json::Json;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::data::{Amount, Limit, credentials, freshness};
use super::refusals::ReadDataErrors;
use crate::http::call::{Call, ConsentAuth, Input};
use crate::http::fields::{
    ExactMoment, FieldErrors, FromFields, VisibleText, described_input, fields,
};
use crate::problem::Problem;
use crate::services::consents::bounds::{AmountBounds, TimeBounds};
use crate::services::consents::data;
use crate::services::consents::transactions::{
    self, TransactionFilter, TransactionPage, TransactionPosition, TransactionReader,
};
use crate::services::refusal::ApiError;
use crate::state::AppState;
use crate::wire::List;
use crate::wire::transactions::Transaction;

/// Rows read and sent at once: what an answer keeps in memory, however long it is.
const CHUNK: i64 = 1_000;

/// The operations of this file.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(list, get_at_transactions))
}

fields! {
    /// Filter of transactions. A transaction is returned if it matches every field that is given.
    pub struct TransactionFilterFields {
        /// Account that the transaction belongs to.
        account_id: Option<AccountId>,
        /// Currency of the transaction (ISO 4217).
        currency: Option<Currency>,
        /// `booked` or `pending`.
        status: Option<BookingStatus>,
        /// `credit` or `debit`.
        credit_debit_indicator: Option<CreditDebit>,
        /// Category of the transaction, compared exactly.
        category: Option<VisibleText<256>>,
        /// Name of the counterparty. Case, runs of blanks and ways of writing one letter do not matter.
        merchant: Option<VisibleText<256>>,
        /// Location of the transaction. No bank provides it yet: nothing matches.
        location: Option<VisibleText<256>>,
        /// Tag of the transaction. No bank provides tags yet: nothing matches.
        tag: Option<VisibleText<256>>,
        /// Amount equal to this.
        eq: Option<Amount>,
        /// Amount at least this.
        gte: Option<Amount>,
        /// Amount above this.
        gt: Option<Amount>,
        /// Amount at most this.
        lte: Option<Amount>,
        /// Amount below this.
        lt: Option<Amount>,
        /// Booked at this time exactly, or on this day (UTC).
        booking_date_eq: Option<ExactMoment>,
        /// Booked at this time or later.
        booking_date_gte: Option<Moment>,
        /// Booked later than this time.
        booking_date_gt: Option<Moment>,
        /// Booked at this time or earlier.
        booking_date_lte: Option<Moment>,
        /// Booked earlier than this time.
        booking_date_lt: Option<Moment>,
        /// Stored here at this time exactly, or on this day (UTC).
        timestamp_eq: Option<ExactMoment>,
        /// Stored here at this time or later.
        timestamp_gte: Option<Moment>,
        /// Stored here later than this time.
        timestamp_gt: Option<Moment>,
        /// Stored here at this time or earlier.
        timestamp_lte: Option<Moment>,
        /// Stored here earlier than this time.
        timestamp_lt: Option<Moment>,
    }
}

fields! {
    /// Asks for the transactions of a consent, newest first.
    pub struct GetTransactions for ConsentAuth {
        /// Filter of the transactions; all are returned if it is absent.
        filter: Option<TransactionFilterFields>,
        /// Largest number of transactions to return, from 1 to 1000000; all of them if absent.
        limit: Option<Limit<1_000_000>>,
        /// Id of a transaction: only those that follow it in the list, the older ones, are returned.
        after: Option<String>,
    }
}

fields! {
    /// One page of a list.
    pub struct PageParams {
        /// 1 to 500; 100 if not given.
        limit: Option<Limit<500>>,
        /// The `next_cursor` of the page before.
        after: Option<String>,
    }
}

/// Asks for the transactions of a consent, page by page: the filter's fields stand beside the page's.
pub struct ListTransactions {
    fields: TransactionFilterFields,
    page: PageParams,
}

impl FromFields for ListTransactions {
    const ABOUT: &'static str = "Asks for the transactions of a consent, page by page.";

    fn take(
        values: &mut Object<'_>,
        prefix: &str,
        in_query: bool,
        wrong: &mut FieldErrors,
    ) -> Option<Self> {
        let fields = TransactionFilterFields::take(values, prefix, in_query, wrong);
        let page = PageParams::take(values, prefix, in_query, wrong);
        Some(Self {
            fields: fields?,
            page: page?,
        })
    }

    fn schema_fields() -> Vec<(&'static str, &'static str, RefOr<Schema>, bool)> {
        [
            TransactionFilterFields::schema_fields(),
            PageParams::schema_fields(),
        ]
        .concat()
    }
}

impl Input for ListTransactions {
    type Auth = ConsentAuth;
}
described_input!(ListTransactions);

/// Read transactions
///
/// The whole list, streamed: newest first by booking date, then id.
#[utoipa::path(post, path = "/v1/transactions/get", tag = "Transactions", request_body = GetTransactions,
    responses((status = 200, body = Vec<Transaction>), ReadDataErrors))]
async fn get(
    State(state): State<AppState>,
    call: Call<GetTransactions>,
) -> Result<Response, Problem> {
    array(state, call).await
}

/// Read transactions (the first documents' path)
#[utoipa::path(post, path = "/v1/transactions", tag = "Transactions", request_body = GetTransactions,
    responses((status = 200, body = Vec<Transaction>), ReadDataErrors))]
async fn get_at_transactions(
    State(state): State<AppState>,
    call: Call<GetTransactions>,
) -> Result<Response, Problem> {
    array(state, call).await
}

/// List transactions
///
/// Newest first by booking date, then id. A cursor stays good when transactions are added.
#[utoipa::path(get, path = "/v1/transactions", tag = "Transactions", params(ListTransactions),
    responses((status = 200, body = List<Transaction>), ReadDataErrors))]
async fn list(
    State(state): State<AppState>,
    call: Call<ListTransactions>,
) -> Result<Json<List<Transaction>>, Problem> {
    let (client, credentials) = credentials(call.by, call.extra);
    let ListTransactions { fields, page } = call.input;
    let filter = TransactionFilter::from(fields);
    let reader = transactions::reader(&state, &client, &credentials, filter).await?;
    let after = position(&reader, page.after.as_deref()).await?;
    let limit = page.limit.map_or(100, |limit| limit.0);
    let page = reader.page(after, limit).await?;
    let items = page.items.into_iter().map(Into::into).collect();
    let next = page.next.map(|next| reader.cursor(next)).transpose()?;
    let mut unreadable = data::unreadable(&state, &reader.readable).await?;
    unreadable.extend(page.lost);
    Ok(Json(
        List::of(items, next, reader.readable.fresh).beside(unreadable),
    ))
}

async fn array(state: AppState, call: Call<GetTransactions>) -> Result<Response, Problem> {
    let (client, credentials) = credentials(call.by, call.extra);
    let mut filter = call
        .input
        .filter
        .map(TransactionFilter::from)
        .unwrap_or_default();
    filter.under = "filter.";
    let reader = transactions::reader(&state, &client, &credentials, filter).await?;
    let after = position(&reader, call.input.after.as_deref()).await?;
    let left = call.input.limit.map_or(i64::MAX, |limit| limit.0);
    // The first page is read before the answer begins, so that what fails at once is answered as an error.
    let first = reader.page(after, left.min(CHUNK)).await?;
    let mut fresh = reader.readable.fresh;
    fresh.unreadable += first.lost.iter().map(|it| it.count).sum::<i64>();
    let fresh = freshness(fresh);
    let json = [(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    )];
    let body = HttpBody::from_stream(chunks(reader, first, left));
    Ok((json, fresh, body).into_response())
}

async fn position(
    reader: &TransactionReader,
    after: Option<&str>,
) -> Result<Option<TransactionPosition>, ApiError> {
    match after {
        Some(after) => reader.position(after).await.map(Some),
        None => Ok(None),
    }
}

/// State of an answer that is being sent.
enum Sending {
    Page {
        page: TransactionPage,
        left: i64,
        first: bool,
    },
    Over,
}

/// The array, page after page. A page that cannot be read breaks the answer off: half an array is no JSON.
fn chunks(
    reader: TransactionReader,
    first: TransactionPage,
    left: i64,
) -> impl Stream<Item = Result<Bytes, std::io::Error>> {
    let start = Sending::Page {
        page: first,
        left,
        first: true,
    };
    stream::try_unfold((reader, start), |(reader, sending)| async move {
        let Sending::Page { page, left, first } = sending else {
            return Ok(None);
        };
        let sent = i64::try_from(page.items.len()).unwrap_or(i64::MAX);
        let left = left.saturating_sub(sent);
        let next = page.next.filter(|_| left > 0);
        let bytes = write(page, first, next.is_none())?;
        let sending = match next {
            None => Sending::Over,
            Some(next) => Sending::Page {
                page: reader
                    .page(Some(next), left.min(CHUNK))
                    .await
                    .map_err(broken)?,
                left,
                first: false,
            },
        };
        Ok(Some((bytes, (reader, sending))))
    })
}

fn write(page: TransactionPage, first: bool, last: bool) -> Result<Bytes, std::io::Error> {
    let mut bytes = Vec::with_capacity(page.items.len() * 512 + 2);
    for (at, item) in page.items.into_iter().enumerate() {
        bytes.push(if first && at == 0 { b'[' } else { b',' });
        serde_json::to_writer(&mut bytes, &Transaction::from(item))?;
    }
    if first && bytes.is_empty() {
        bytes.push(b'[');
    }
    if last {
        bytes.push(b']');
    }
    Ok(bytes.into())
}

fn broken(failure: ApiError) -> std::io::Error {
    tracing::error!(%failure, "an answer broke off");
    std::io::Error::other("the answer broke off")
}

impl From<TransactionFilterFields> for TransactionFilter {
    fn from(fields: TransactionFilterFields) -> Self {
        let bound = |amount: Option<Amount>| amount.map(|amount| amount.0);
        Self {
            amount: AmountBounds {
                eq: bound(fields.eq),
                gt: bound(fields.gt),
                gte: bound(fields.gte),
                lt: bound(fields.lt),
                lte: bound(fields.lte),
            },
            merchant: fields.merchant.map(|words| words.0),
            location: fields.location.map(|words| words.0),
            tag: fields.tag.map(|words| words.0),
            under: "",
            booked_at: TimeBounds {
                gt: fields.booking_date_gt,
                gte: fields.booking_date_gte,
                lt: fields.booking_date_lt,
                lte: fields.booking_date_lte,
                eq: fields.booking_date_eq.map(|exact| exact.0),
            },
            inserted_at: TimeBounds {
                gt: fields.timestamp_gt,
                gte: fields.timestamp_gte,
                lt: fields.timestamp_lt,
                lte: fields.timestamp_lte,
                eq: fields.timestamp_eq.map(|exact| exact.0),
            },
            account_id: fields.account_id,
            currency: fields.currency,
            status: fields.status,
            credit_debit: fields.credit_debit_indicator,
            category: fields.category.map(|words| words.0),
        }
    }
}
