//! Accounts and balances, read from the cache under one consent.

use app::domain::ids::{AccountId, BalanceId, CredentialsId};
use app::domain::problem::Code;
use app::domain::skill::SkillName;
use chrono::{DateTime, Utc};
use kernel::crypto::named_uuid;
use uuid::Uuid;

use super::cursors::{self, Cursor};
use super::data::{self, Freshness, ReadableConsent, UnreadableCount};
use super::lifecycle::Credentials;
use super::sealed::{self, StoredAccountDetails, StoredBalanceDetails};
use crate::aad;
use crate::services::access::keys::Client;
use crate::services::refusal::{ApiError, FieldProblem, Refusal};
use crate::state::AppState;
pub use crate::storage::accounts::BalanceFilter;
use crate::storage::accounts::IdPage;
use crate::storage::paging::{Paged, one_more};

/// One account, opened.
pub struct OpenedAccount {
    pub id: AccountId,
    /// The provider behind the skill.
    pub servicer_id: Uuid,
    pub servicer_name: String,
    /// Time the middleware stored it.
    pub fetched_at: DateTime<Utc>,
    pub details: StoredAccountDetails,
}

/// One balance, opened.
pub struct OpenedBalance {
    pub id: BalanceId,
    pub account_id: AccountId,
    pub fetched_at: DateTime<Utc>,
    pub details: StoredBalanceDetails,
}

/// A list with its freshness and the position where the next page begins; `next` is `None` on the last page.
pub struct Listing<T, C> {
    pub items: Vec<T>,
    pub next: Option<C>,
    pub fresh: Freshness,
    /// Rows that are there and do not open, counted; they are none of the items.
    pub lost: Vec<UnreadableCount>,
}

impl<T, C> Listing<T, C> {
    /// A list without rows that do not open, which `lost` counts.
    pub fn of(
        items: Vec<T>,
        next: Option<C>,
        fresh: Freshness,
        lost: Vec<UnreadableCount>,
    ) -> Self {
        let count: i64 = lost.iter().map(|it| it.count).sum();
        let fresh = Freshness {
            unreadable: fresh.unreadable.saturating_add(count),
            ..fresh
        };
        Self {
            items,
            next,
            fresh,
            lost,
        }
    }
}

/// Every account of a consent, in the bank's order.
pub async fn list(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
) -> Result<Listing<OpenedAccount, AccountId>, ApiError> {
    let readable = data::readable(state, client, credentials).await?;
    let ReadableConsent { consent, .. } = &readable;
    let mut tx = state.db.read().await?;
    let rows = tx.accounts(consent.id).await?;
    let state = &state.for_tenant(&mut tx, consent.tenant_id).await?;
    drop(tx);
    let (servicer_id, servicer_name) = provider(state, &consent.skill);
    let (mut items, mut lost) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        let aad = aad::account(consent.id, &row.bank_key);
        let Ok(details) = sealed::open(state, &aad, &row.sealed) else {
            lost.push(row.id);
            continue;
        };
        items.push(OpenedAccount {
            id: row.id,
            servicer_id,
            servicer_name: servicer_name.clone(),
            fetched_at: row.fetched_at,
            details,
        });
    }
    let lost = data::lost(consent.id, &lost);
    Ok(Listing::of(items, None, readable.fresh, lost))
}

/// Refuses a filter for an account that is none of the consent's: it could find nothing. Somebody else's account is like
/// one that is not there.
pub async fn require_own(
    state: &AppState,
    consent: CredentialsId,
    account: AccountId,
    field: String,
) -> Result<(), ApiError> {
    if state
        .db
        .read()
        .await?
        .is_account_of(consent, account)
        .await?
    {
        return Ok(());
    }
    let says = format!("Wrong: {field}.");
    let expected = "is no account of this consent: read /v1/accounts for those that are";
    let field = FieldProblem::new(field, Code::InvalidField, expected);
    Err(Refusal::new(Code::InvalidField)
        .says(says)
        .at(vec![field])
        .into())
}

/// Filter and page of balances that a caller asks for.
pub struct BalanceQuery<'a> {
    pub filter: &'a BalanceFilter,
    /// Prefix of the filter's field names in the request, for error messages.
    pub under: &'static str,
    /// A cursor, or the id of the last balance that was seen.
    pub after: Option<&'a str>,
    pub limit: i64,
}

/// The balances of a consent that a filter lets through, at most `limit` of those after a position.
pub async fn balances(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
    wanted: BalanceQuery<'_>,
) -> Result<Listing<OpenedBalance, String>, ApiError> {
    let readable = data::readable(state, client, credentials).await?;
    let consent = readable.consent.id;
    let filter = wanted.filter;
    if let Some(account) = filter.account_id {
        let field = format!("{}account_id", wanted.under);
        require_own(state, consent, account, field).await?;
    }
    let state = &state.for_tenant_alone(readable.consent.tenant_id).await?;
    let after = match wanted.after {
        Some(after) => Some(balance_position(state, consent, after).await?),
        None => None,
    };
    let mut tx = state.db.read().await?;
    let page = IdPage {
        limit: one_more(wanted.limit),
        after,
    };
    let rows = tx.balances(consent, filter, page).await?;
    drop(tx);
    let page = Paged::from_rows(rows, wanted.limit);
    let next = page.last_of_more().map(|row| {
        let list = Cursor::Balances(consent);
        cursors::write(state, list, row.id.0.as_bytes())
    });
    let next = next.transpose()?;
    let (mut items, mut lost) = (Vec::with_capacity(page.rows.len()), Vec::new());
    for row in page.rows {
        let aad = aad::balance(row.account_id, &row.balance_type, &row.currency);
        let Ok(details) = sealed::open(state, &aad, &row.sealed) else {
            lost.push(row.account_id);
            continue;
        };
        items.push(OpenedBalance {
            id: row.id,
            account_id: row.account_id,
            fetched_at: row.fetched_at,
            details,
        });
    }
    let lost = data::lost(consent, &lost);
    Ok(Listing::of(items, next, readable.fresh, lost))
}

/// The balance that `after` names.
async fn balance_position(
    state: &AppState,
    consent: CredentialsId,
    after: &str,
) -> Result<BalanceId, ApiError> {
    let sealed = cursors::read(state, Cursor::Balances(consent), after);
    if let Some(id) = sealed.and_then(|bytes| Uuid::from_slice(&bytes).ok()) {
        return Ok(BalanceId(id));
    }
    if let Ok(id) = after.parse()
        && state.db.read().await?.is_balance_of(consent, id).await?
    {
        return Ok(id);
    }
    let expected = "must be a next_cursor of this list, or the id of a balance of this consent";
    let field = FieldProblem::new("after", Code::InvalidField, expected);
    Err(Refusal::new(Code::InvalidField)
        .says("Wrong: after.")
        .at(vec![field])
        .into())
}

/// The provider of a skill: an id that is the same everywhere, made from its code (RFC 9562, version 8).
pub fn provider(state: &AppState, skill: &SkillName) -> (Uuid, String) {
    let skill = state.skills.get(skill);
    let provider = skill.map(|skill| &skill.manifest.provider);
    let code = provider.map_or("", |provider| provider.code.as_str());
    let name = provider.map_or_else(String::new, |provider| provider.name.clone());
    (provider_id(code), name)
}

fn provider_id(code: &str) -> Uuid {
    named_uuid(&format!("provider/{code}"))
}
