//! Transactions, read from the cache under one consent, newest first (booking date, then id).

use app::domain::account::CreditDebit;
use app::domain::currency::Currency;
use app::domain::ids::{AccountId, CredentialsId, TransactionId};
use app::domain::moment::Moment;
use app::domain::money::SCALE;
use app::domain::problem::Code;
use app::domain::transaction::BookingStatus;
use chrono::{DateTime, Datelike as _, Utc};
use rust_decimal::Decimal;
use uuid::Uuid;

use super::accounts;
use super::bounds::{self, AmountBounds, TimeBounds};
use super::cursors::{self, Cursor};
use super::data::{self, ReadableConsent, UnreadableCount};
use super::lifecycle::Credentials;
use super::sealed::{self, StoredTransactionDetails};
use super::utx::Stability;
use crate::aad;
use crate::services::access::keys::Client;
use crate::services::refusal::{ApiError, FieldProblem, Refusal};
use crate::state::AppState;
use crate::storage::paging::{Paged, one_more};
pub use crate::storage::transactions::TransactionPosition;
use crate::storage::transactions::{Range, TransactionConditions, TransactionRow};

/// One transaction, opened.
pub struct OpenedTransaction {
    pub row: TransactionRow,
    pub details: StoredTransactionDetails,
    /// `true` if the stored details do not open: they are then what is known without them.
    pub lost: bool,
}

/// Filter of a caller; all of its fields must hold.
#[derive(Default)]
pub struct TransactionFilter {
    pub account_id: Option<AccountId>,
    pub currency: Option<Currency>,
    pub status: Option<BookingStatus>,
    pub credit_debit: Option<CreditDebit>,
    pub category: Option<String>,
    pub amount: AmountBounds,
    pub booked_at: TimeBounds,
    pub inserted_at: TimeBounds,
    /// Name of a counterparty, in any spelling.
    pub merchant: Option<String>,
    /// No provider tells locations or tags: asking for one finds nothing.
    pub location: Option<String>,
    pub tag: Option<String>,
    /// Prefix of these fields' names in the request: `filter.`.
    pub under: &'static str,
}

/// A consent's transactions under one filter, to be read page by page: no connection is held between two pages.
pub struct TransactionReader {
    state: AppState,
    pub readable: ReadableConsent,
    /// `None` when nothing can match.
    conditions: Option<TransactionConditions>,
}

/// One page, and where the next begins.
pub struct TransactionPage {
    pub items: Vec<OpenedTransaction>,
    pub next: Option<TransactionPosition>,
    /// The items whose details do not open, counted.
    pub lost: Vec<UnreadableCount>,
}

/// Opens a consent's transactions.
pub async fn reader(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
    filter: TransactionFilter,
) -> Result<TransactionReader, ApiError> {
    let readable = data::readable(state, client, credentials).await?;
    bounds::check_amount(&filter.amount, filter.under)?;
    bounds::check_times(&filter.booked_at, filter.under, "booking_date_")?;
    bounds::check_times(&filter.inserted_at, filter.under, "timestamp_")?;
    if let Some(account) = filter.account_id {
        let field = format!("{}account_id", filter.under);
        accounts::require_own(state, readable.consent.id, account, field).await?;
    }
    let state = state.for_tenant_alone(readable.consent.tenant_id).await?;
    let conditions = conditions(&state, readable.consent.id, filter)?;
    Ok(TransactionReader {
        state,
        readable,
        conditions,
    })
}

impl TransactionReader {
    /// At most `limit` rows after a position, or from the newest on.
    pub async fn page(
        &self,
        after: Option<TransactionPosition>,
        limit: i64,
    ) -> Result<TransactionPage, ApiError> {
        let Some(conditions) = &self.conditions else {
            return Ok(TransactionPage {
                items: Vec::new(),
                next: None,
                lost: Vec::new(),
            });
        };
        let consent = self.readable.consent.id;
        let mut tx = self.state.db.read().await?;
        let rows = tx
            .transactions(consent, conditions, after, one_more(limit))
            .await?;
        drop(tx);
        let page = Paged::from_rows(rows, limit);
        let position = |row: &TransactionRow| TransactionPosition {
            booked_at: row.booked_at,
            id: row.id,
        };
        let next = page.last_of_more().map(position);
        let open = |row| opened(&self.state, row);
        let items: Vec<_> = page.rows.into_iter().map(open).collect();
        let lost = lost(consent, &items);
        Ok(TransactionPage { items, next, lost })
    }

    /// Returns the cursor of the page that follows a position.
    pub fn cursor(&self, position: TransactionPosition) -> Result<String, ApiError> {
        write_cursor(&self.state, self.readable.consent.id, position)
    }

    /// Returns the position that `after` names: a cursor of this list, or the id of the last transaction that was seen.
    pub async fn position(&self, after: &str) -> Result<TransactionPosition, ApiError> {
        let consent = self.readable.consent.id;
        if let Some(position) = read_cursor(&self.state, consent, after) {
            return Ok(position);
        }
        // Cursors of before they were sealed name a transaction too.
        let unsealed = cursors::bare(after).as_deref().and_then(read_position);
        let id = unsealed.map(|position| position.id).or(after.parse().ok());
        let known = match id {
            Some(id) => {
                let mut tx = self.state.db.read().await?;
                tx.transaction_position(consent, id).await?
            }
            None => None,
        };
        known.ok_or_else(|| {
            let expected =
                "must be a next_cursor of this list, or the id of a transaction of this consent";
            let field = FieldProblem::new("after", Code::InvalidField, expected);
            Refusal::new(Code::InvalidField)
                .says("Wrong: after.")
                .at(vec![field])
                .into()
        })
    }
}

/// A transaction with its details; with what is in clear alone, if they do not open.
pub fn opened(state: &AppState, row: TransactionRow) -> OpenedTransaction {
    let aad = aad::transaction(row.consent_id, &row.utx);
    let (details, lost) = match sealed::open(state, &aad, &row.sealed) {
        Ok(details) => (details, false),
        Err(_) => (in_clear(&row), true),
    };
    OpenedTransaction { row, details, lost }
}

fn in_clear(row: &TransactionRow) -> StoredTransactionDetails {
    StoredTransactionDetails {
        amount: Decimal::new(row.amount, SCALE).normalize().to_string(),
        balance: None,
        info: None,
        merchant: None,
        merchant_category_code: None,
        value_date: None,
        // What its id was made of is not known any more.
        stability: Stability::Positional,
        references: Vec::new(),
    }
}

/// Counts the transactions that do not open.
pub fn lost(consent: CredentialsId, items: &[OpenedTransaction]) -> Vec<UnreadableCount> {
    let lost = items.iter().filter(|item| item.lost);
    let accounts: Vec<_> = lost.map(|item| item.row.account_id).collect();
    data::lost(consent, &accounts)
}

/// Returns the opaque cursor of the page that follows a position in a consent's list.
pub fn write_cursor(
    state: &AppState,
    consent: CredentialsId,
    position: TransactionPosition,
) -> Result<String, ApiError> {
    let mut bytes = position.booked_at.timestamp_micros().to_be_bytes().to_vec();
    bytes.extend(position.id.0.as_bytes());
    cursors::write(state, Cursor::Transactions(consent), &bytes)
}

/// Returns the position that an opaque cursor of a consent's list names.
pub fn read_cursor(
    state: &AppState,
    consent: CredentialsId,
    text: &str,
) -> Option<TransactionPosition> {
    read_position(&cursors::read(state, Cursor::Transactions(consent), text)?)
}

/// Reads a position of 24 bytes: microseconds, and the id. Only years that are kept: no database is asked for others.
pub fn read_position(bytes: &[u8]) -> Option<TransactionPosition> {
    let (at, id) = bytes.split_at_checked(8)?;
    let micros = i64::from_be_bytes(at.try_into().ok()?);
    let booked_at = DateTime::from_timestamp_micros(micros)?;
    Some(TransactionPosition {
        booked_at: Some(booked_at).filter(|at| (1..=9999).contains(&at.year()))?,
        id: TransactionId(Uuid::from_slice(id).ok()?),
    })
}

/// Returns the conditions of a filter on the columns of a consent's rows; `None` when nothing can match.
fn conditions(
    state: &AppState,
    consent: CredentialsId,
    filter: TransactionFilter,
) -> Result<Option<TransactionConditions>, ApiError> {
    if filter.location.is_some() || filter.tag.is_some() {
        return Ok(None);
    }
    let Some(amount) = range(&filter.amount) else {
        return Ok(None);
    };
    let keys = |name: String| sealed::merchant_keys(state, consent, &name);
    Ok(Some(TransactionConditions {
        account_id: filter.account_id,
        currency: filter.currency,
        status: filter.status,
        credit_debit: filter.credit_debit,
        category: filter.category,
        merchant: filter.merchant.map(keys).transpose()?,
        amount,
        booked_at: time_range(&filter.booked_at),
        inserted_at: time_range(&filter.inserted_at),
    }))
}

/// Bounds in whole ten-thousandths: what lies between two of them is compared with the nearer one on the right side.
fn range(bounds: &AmountBounds) -> Option<Range<i64>> {
    Some(Range {
        gt: bounds.gt.map(|bound| bound.floor),
        gte: bounds.gte.map(|bound| bound.ceil),
        lt: bounds.lt.map(|bound| bound.ceil),
        lte: bounds.lte.map(|bound| bound.floor),
        eq: match bounds.eq {
            None => None,
            Some(bound) => Some(bound.exact()?),
        },
    })
}

/// Bounds in whole microseconds. A whole day that is to be equalled lies between its ends.
fn time_range(bounds: &TimeBounds) -> Range<DateTime<Utc>> {
    let day = bounds.eq.filter(|moment| moment.exact().is_none());
    Range {
        gt: bounds.gt.map(|moment| moment.floor),
        gte: bounds.gte.map(|moment| moment.ceil),
        lt: bounds.lt.map(|moment| moment.ceil),
        lte: bounds.lte.map(|moment| moment.floor),
        eq: bounds.eq.and_then(Moment::exact),
    }
    .and(Range {
        gte: day.map(|moment| moment.ceil),
        lte: day.map(|moment| moment.floor),
        ..Range::default()
    })
}

#[cfg(test)]
mod tests {
    use app::domain::money::Bound;

    use super::*;

    #[test]
    fn a_place_is_in_the_years_that_are_kept() {
        let position = |micros: i64| {
            let mut bytes = micros.to_be_bytes().to_vec();
            bytes.extend([7; 16]);
            read_position(&bytes)
        };
        assert_eq!(position(0).unwrap().booked_at, DateTime::UNIX_EPOCH);
        for odd in [i64::MIN, i64::MAX, 253_402_300_800_000_000] {
            assert_eq!(position(odd), None, "{odd}");
        }
        assert_eq!(read_position(&[0; 23]), None);
    }

    #[test]
    fn a_day_and_what_is_finer_than_a_microsecond_are_compared_exactly() {
        let moment = |text: &str| Some(Moment::parse(text, false).unwrap());
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let finer = "2026-11-12T00:00:00.0000001Z";
        let found = |bounds: TimeBounds, at: &str| {
            let (range, at) = (time_range(&bounds), time(at));
            range.gt.is_none_or(|end| at > end)
                && range.gte.is_none_or(|end| at >= end)
                && range.lt.is_none_or(|end| at < end)
                && range.lte.is_none_or(|end| at <= end)
                && range.eq.is_none_or(|end| at == end)
        };
        let midnight = "2026-11-12T00:00:00Z";
        let bounds = |gte, gt, lte, lt, eq: Option<&str>| TimeBounds {
            gte: Option::and_then(gte, moment),
            gt: Option::and_then(gt, moment),
            lte: Option::and_then(lte, moment),
            lt: Option::and_then(lt, moment),
            eq: eq.and_then(moment),
        };
        assert!(!found(
            bounds(Some(finer), None, None, None, None),
            midnight
        ));
        assert!(!found(
            bounds(None, Some(finer), None, None, None),
            midnight
        ));
        assert!(found(bounds(None, None, Some(finer), None, None), midnight));
        assert!(found(bounds(None, None, None, Some(finer), None), midnight));
        let day = Some("2026-11-12");
        for (bounds, before, within, after) in [
            (bounds(day, None, None, None, None), false, true, true),
            (bounds(None, day, None, None, None), false, false, true),
            (bounds(None, None, day, None, None), true, true, false),
            (bounds(None, None, None, day, None), true, false, false),
            (bounds(None, None, None, None, day), false, true, false),
        ] {
            let range = time_range(&bounds);
            let holds = |at: &str| {
                let at = time(at);
                range.gt.is_none_or(|end| at > end)
                    && range.gte.is_none_or(|end| at >= end)
                    && range.lt.is_none_or(|end| at < end)
                    && range.lte.is_none_or(|end| at <= end)
            };
            assert_eq!(holds("2026-11-11T23:59:59.999999Z"), before);
            assert_eq!(holds(midnight), within);
            assert_eq!(holds("2026-11-12T23:59:59.999999Z"), within);
            assert_eq!(holds("2026-11-13T00:00:00Z"), after);
        }
    }

    #[test]
    fn amounts_between_ten_thousandths_are_compared_exactly() {
        let bound = |text: &str| Some(Bound::parse(text).unwrap());
        let bounds = AmountBounds {
            lt: bound("4.27000001"),
            gt: bound("4.26999999"),
            ..AmountBounds::default()
        };
        let range = range(&bounds).unwrap();
        let matches = |amount: i64| amount < range.lt.unwrap() && amount > range.gt.unwrap();
        assert!(matches(42_700) && !matches(42_701) && !matches(42_699));
        let never = AmountBounds {
            eq: bound("4.27000001"),
            ..AmountBounds::default()
        };
        assert!(super::range(&never).is_none());
    }
}
