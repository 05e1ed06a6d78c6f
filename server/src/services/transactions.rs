//! Transactions, read from the cache under one consent, newest first (booking date, then id).

use app::domain::ids::{CredentialsId, TransactionId};
use app::domain::money::Bound;
use app::domain::problem::Code;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::DateTime;
use uuid::Uuid;

use super::consents::Credentials;
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

/// What a caller may filter by; all that is given must hold.
#[derive(Default)]
pub struct Wanted {
    pub filter: TransactionFilter,
    pub amount: AmountBounds,
    pub merchant: Option<String>,
    /// No provider tells locations or tags: asking for one finds nothing.
    pub location: Option<String>,
    pub tag: Option<String>,
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

    /// The place that `after` names: a cursor, or the id of the last transaction that was seen.
    pub async fn place(&self, after: &str) -> Result<Newest, Failure> {
        if let Some(place) = read_cursor(after) {
            return Ok(place);
        }
        let place = match after.parse::<TransactionId>() {
            Ok(id) => {
                let mut tx = self.state.db.read().await?;
                tx.transaction_place(self.readable.consent.id, id).await?
            }
            Err(_) => None,
        };
        place.ok_or_else(|| {
            let expected = "must be a next_cursor, or the id of a transaction of this consent";
            let field = FieldProblem::new("after", Code::InvalidField, expected);
            Refusal::new(Code::InvalidField).at(vec![field]).into()
        })
    }
}

/// A transaction with its details.
pub fn opened(state: &AppState, row: TransactionRow) -> Result<Transaction, Failure> {
    let place = data::transaction_place(row.consent_id, &row.utx);
    let details = data::open(state, &place, &row.sealed)?;
    Ok(Transaction { row, details })
}

/// An opaque cursor: 24 bytes, of use under the same consent only.
pub fn write_cursor(place: Newest) -> String {
    let mut bytes = place.booked_at.timestamp_micros().to_be_bytes().to_vec();
    bytes.extend(place.id.0.as_bytes());
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place that an opaque cursor names.
pub fn read_cursor(text: &str) -> Option<Newest> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (at, id) = bytes.split_at_checked(8)?;
    let micros = i64::from_be_bytes(at.try_into().ok()?);
    Some(Newest {
        booked_at: DateTime::from_timestamp_micros(micros)?,
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
    let key = |name: String| data::merchant_key(state, consent, &name);
    Ok(Some(TransactionFilter {
        merchant: wanted.merchant.map(key).transpose()?,
        amount,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_nothing_else_is_one() {
        let place = Newest {
            booked_at: "2026-01-03T00:00:00Z".parse().unwrap(),
            id: TransactionId(Uuid::from_u128(7)),
        };
        assert_eq!(read_cursor(&write_cursor(place)), Some(place));
        for text in [
            "",
            "x",
            "AAAA",
            "0190163d-8694-739b-aea5-966c26f8ad91",
            "💶",
        ] {
            assert_eq!(read_cursor(text), None, "{text}");
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
