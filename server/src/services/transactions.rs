//! Transactions, read from the cache under one consent, newest first (booking date, then id).

use app::domain::ids::{CredentialsId, TransactionId};
use app::domain::moment::Moment;
use app::domain::money::Bound;
use app::domain::problem::Code;
use chrono::{DateTime, Datelike as _, Utc};
use uuid::Uuid;

use super::accounts;
use super::consents::Credentials;
use super::cursors::{self, Cursor};
use super::data::{self, Readable, TransactionDetails};
use super::keys::Client;
use super::refusal::{Failure, FieldProblem, Refusal};
use crate::state::AppState;
use crate::storage::transactions::TransactionRow;
pub use crate::storage::transactions::{Newest, Range, TransactionFilter};

/// One transaction, opened.
pub struct Transaction {
    pub row: TransactionRow,
    pub details: TransactionDetails,
}

/// Bounds on an amount, as they were written.
#[derive(Default)]
pub struct AmountBounds {
    pub eq: Option<Bound>,
    pub gt: Option<Bound>,
    pub gte: Option<Bound>,
    pub lt: Option<Bound>,
    pub lte: Option<Bound>,
}

/// Bounds on a time, as they were written.
#[derive(Default)]
pub struct TimeBounds {
    pub eq: Option<Moment>,
    pub gt: Option<Moment>,
    pub gte: Option<Moment>,
    pub lt: Option<Moment>,
    pub lte: Option<Moment>,
}

/// What a caller may filter by; all that is given must hold.
#[derive(Default)]
pub struct Wanted {
    pub filter: TransactionFilter,
    pub amount: AmountBounds,
    pub booked_at: TimeBounds,
    pub inserted_at: TimeBounds,
    pub merchant: Option<String>,
    /// No provider tells locations or tags: asking for one finds nothing.
    pub location: Option<String>,
    pub tag: Option<String>,
    /// What stands before the names of these in the request: `filter.`.
    pub under: &'static str,
}

/// A consent's transactions under one filter, to be read page by page: no connection is held between two pages.
pub struct Reader {
    state: AppState,
    pub readable: Readable,
    filter: Option<TransactionFilter>,
}

/// One page, and where the next begins.
pub struct Page {
    pub items: Vec<Transaction>,
    pub next: Option<Newest>,
}

/// Opens a consent's transactions.
pub async fn reader(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
    wanted: Wanted,
) -> Result<Reader, Failure> {
    let readable = data::readable(state, client, credentials).await?;
    if let Some(account) = wanted.filter.account_id {
        let field = format!("{}account_id", wanted.under);
        accounts::require_own(state, readable.consent.id, account, field).await?;
    }
    let state = state.for_tenant_alone(readable.consent.tenant_id).await?;
    let filter = resolve(&state, readable.consent.id, wanted)?;
    Ok(Reader {
        state,
        readable,
        filter,
    })
}

impl Reader {
    /// At most `limit` rows after a place, or from the newest on.
    pub async fn page(&self, after: Option<Newest>, limit: i64) -> Result<Page, Failure> {
        let Some(filter) = &self.filter else {
            return Ok(Page {
                items: Vec::new(),
                next: None,
            });
        };
        let consent = self.readable.consent.id;
        let mut tx = self.state.db.read().await?;
        let mut rows = tx
            .transactions(consent, filter, after, limit.saturating_add(1))
            .await?;
        drop(tx);
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let place = |row: &TransactionRow| Newest {
            booked_at: row.booked_at,
            id: row.id,
        };
        let next = if more { rows.last().map(place) } else { None };
        let open = |row| opened(&self.state, row);
        let items = rows.into_iter().map(open).collect::<Result<_, _>>()?;
        Ok(Page { items, next })
    }

    /// The cursor of the page that follows a place.
    pub fn cursor(&self, place: Newest) -> Result<String, Failure> {
        write_cursor(&self.state, self.readable.consent.id, place)
    }

    /// The place that `after` names: a cursor of this list, or the id of the last transaction that was seen.
    pub async fn place(&self, after: &str) -> Result<Newest, Failure> {
        let consent = self.readable.consent.id;
        if let Some(place) = read_cursor(&self.state, consent, after) {
            return Ok(place);
        }
        // Cursors of before they were sealed name a transaction too.
        let unsealed = cursors::bare(after).as_deref().and_then(read_place);
        let id = unsealed.map(|place| place.id).or(after.parse().ok());
        let known = match id {
            Some(id) => {
                let mut tx = self.state.db.read().await?;
                tx.transaction_place(consent, id).await?
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

/// A transaction with its details.
pub fn opened(state: &AppState, row: TransactionRow) -> Result<Transaction, Failure> {
    let place = data::transaction_place(row.consent_id, &row.utx);
    let details = data::open(state, &place, &row.sealed)?;
    Ok(Transaction { row, details })
}

/// The opaque cursor of the page that follows a place in a consent's list.
pub fn write_cursor(
    state: &AppState,
    consent: CredentialsId,
    place: Newest,
) -> Result<String, Failure> {
    let mut bytes = place.booked_at.timestamp_micros().to_be_bytes().to_vec();
    bytes.extend(place.id.0.as_bytes());
    cursors::write(state, Cursor::Transactions(consent), &bytes)
}

/// The place that an opaque cursor of a consent's list names.
pub fn read_cursor(state: &AppState, consent: CredentialsId, text: &str) -> Option<Newest> {
    read_place(&cursors::read(state, Cursor::Transactions(consent), text)?)
}

/// The place in 24 bytes: microseconds, and the id. Only years that are kept: no database is asked for others.
pub fn read_place(bytes: &[u8]) -> Option<Newest> {
    let (at, id) = bytes.split_at_checked(8)?;
    let micros = i64::from_be_bytes(at.try_into().ok()?);
    let booked_at = DateTime::from_timestamp_micros(micros)?;
    Some(Newest {
        booked_at: Some(booked_at).filter(|at| (1..=9999).contains(&at.year()))?,
        id: TransactionId(Uuid::from_slice(id).ok()?),
    })
}

/// The filter as the database understands it; `None` when nothing can match.
fn resolve(
    state: &AppState,
    consent: CredentialsId,
    wanted: Wanted,
) -> Result<Option<TransactionFilter>, Failure> {
    if wanted.location.is_some() || wanted.tag.is_some() {
        return Ok(None);
    }
    let Some(amount) = range(&wanted.amount) else {
        return Ok(None);
    };
    let keys = |name: String| data::merchant_keys(state, consent, &name);
    Ok(Some(TransactionFilter {
        merchant: wanted.merchant.map(keys).transpose()?,
        amount,
        booked_at: time_range(&wanted.booked_at).and(wanted.filter.booked_at),
        inserted_at: time_range(&wanted.inserted_at).and(wanted.filter.inserted_at),
        ..wanted.filter
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
    use super::*;

    #[test]
    fn a_place_is_in_the_years_that_are_kept() {
        let place = |micros: i64| {
            let mut bytes = micros.to_be_bytes().to_vec();
            bytes.extend([7; 16]);
            read_place(&bytes)
        };
        assert_eq!(place(0).unwrap().booked_at, DateTime::UNIX_EPOCH);
        for odd in [i64::MIN, i64::MAX, 253_402_300_800_000_000] {
            assert_eq!(place(odd), None, "{odd}");
        }
        assert_eq!(read_place(&[0; 23]), None);
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
