//! Accounts and balances, read from the cache under one consent.

use app::domain::ids::{AccountId, BalanceId};
use app::domain::skill::SkillName;
use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::consents::Credentials;
use super::data::{self, AccountDetails, BalanceDetails, Fresh, Readable};
use super::keys::Client;
use super::refusal::Failure;
use crate::crypto::named_uuid;
use crate::state::AppState;
pub use crate::storage::accounts::{BalanceFilter, IdPage};

/// One account, opened.
pub struct Account {
    pub id: AccountId,
    /// The provider behind the skill.
    pub servicer_id: Uuid,
    pub servicer_name: String,
    /// When the middleware stored it.
    pub fetched_at: DateTime<Utc>,
    pub details: AccountDetails,
}

/// One balance, opened.
pub struct Balance {
    pub id: BalanceId,
    pub account_id: AccountId,
    pub fetched_at: DateTime<Utc>,
    pub details: BalanceDetails,
}

/// A list with how fresh it is and where the next page begins.
pub struct Listing<T, C> {
    pub items: Vec<T>,
    pub next: Option<C>,
    pub fresh: Fresh,
}

/// Every account of a consent, in the bank's order.
pub async fn list(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
) -> Result<Listing<Account, AccountId>, Failure> {
    let readable = data::readable(state, client, credentials).await?;
    let Readable { consent, .. } = &readable;
    let mut tx = state.db.read().await?;
    let rows = tx.accounts(consent.id).await?;
    let state = &state.for_tenant(&mut tx, consent.tenant_id).await?;
    drop(tx);
    let (servicer_id, servicer_name) = provider(state, &consent.skill);
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        let place = data::account_place(consent.id, &row.bank_key);
        items.push(Account {
            id: row.id,
            servicer_id,
            servicer_name: servicer_name.clone(),
            fetched_at: row.fetched_at,
            details: data::open(state, &place, &row.sealed)?,
        });
    }
    Ok(Listing {
        items,
        next: None,
        fresh: readable.fresh,
    })
}

/// The balances of a consent that a filter lets through, at most `limit` of those after a place.
pub async fn balances(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
    filter: &BalanceFilter,
    page: IdPage<BalanceId>,
) -> Result<Listing<Balance, BalanceId>, Failure> {
    let readable = data::readable(state, client, credentials).await?;
    let mut tx = state.db.read().await?;
    let one_more = IdPage {
        limit: page.limit.saturating_add(1),
        ..page
    };
    let mut rows = tx.balances(readable.consent.id, filter, one_more).await?;
    let tenant = readable.consent.tenant_id;
    let state = &state.for_tenant(&mut tx, tenant).await?;
    drop(tx);
    let limit = usize::try_from(page.limit).unwrap_or(usize::MAX);
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = if more {
        rows.last().map(|row| row.id)
    } else {
        None
    };
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        let place = data::balance_place(row.account_id, &row.balance_type, &row.currency);
        items.push(Balance {
            id: row.id,
            account_id: row.account_id,
            fetched_at: row.fetched_at,
            details: data::open(state, &place, &row.sealed)?,
        });
    }
    Ok(Listing {
        items,
        next,
        fresh: readable.fresh,
    })
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
