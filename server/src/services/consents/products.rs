//! Products that a session led to: asked of the provider, and kept sealed so that a provider that is away for a while
//! takes nothing from anybody.

use app::domain::ids::ProductId;
use app::domain::problem::Code;
use app::domain::product::{ProductKind, ProductStatus, ProductTerms};
use app::domain::skill::SkillType;
use chrono::{DateTime, Duration, SubsecRound as _, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::accounts::{Listing, provider};
use super::data::{Freshness, ServedFrom};
use super::grants;
use super::lifecycle::{self, Credentials};
use super::provider_access::provider_refusal;
use super::sealed;
use crate::aad;
use crate::services::access::keys::Client;
use crate::services::refusal::ApiError;
use crate::skills::{BankProduct, ConnectorError};
use crate::state::AppState;
use crate::storage::consents::ConsentRow;
use crate::storage::products::ProductRow;

/// Time for which the provider's answer is used without asking again.
const FRESH: Duration = Duration::seconds(30);

/// One product, opened.
pub struct OpenedProduct {
    pub id: ProductId,
    /// The provider behind the skill.
    pub servicer_id: Uuid,
    pub servicer_name: String,
    /// Time the provider was asked.
    pub fetched_at: DateTime<Utc>,
    pub details: ProductDetails,
}

/// Details of a product that are stored sealed.
#[derive(Serialize, Deserialize)]
pub struct ProductDetails {
    pub kind: ProductKind,
    pub status: ProductStatus,
    pub name: String,
    pub reference: Option<String>,
    pub terms: ProductTerms,
}

/// The products that a consent points at.
pub async fn list(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
) -> Result<Listing<OpenedProduct, ProductId>, ApiError> {
    let mut tx = state.db.read().await?;
    let consent = lifecycle::authorise(state, &mut tx, client, credentials).await?;
    lifecycle::require_user(&consent, credentials)?;
    lifecycle::require_kind(state, &consent, SkillType::Marketplace)?;
    drop(tx);
    let now = state.now_of(consent.tenant_id);
    let kept = consent.fetched_at.filter(|at| *at + FRESH > now);
    let (as_of, served_from) = match kept {
        Some(at) => (at, ServedFrom::Cache),
        None => refreshed(state, &consent).await?,
    };
    let mut tx = state.db.read().await?;
    let rows = tx.products(consent.id).await?;
    let state = &state.for_tenant(&mut tx, consent.tenant_id).await?;
    drop(tx);
    let (servicer_id, servicer_name) = provider(state, &consent.skill);
    let (mut items, mut lost) = (Vec::with_capacity(rows.len()), 0);
    for row in rows {
        let Ok(details) =
            sealed::open(state, &aad::product(consent.id, &row.bank_key), &row.sealed)
        else {
            tracing::error!(consent = %consent.id, product = %row.id, "a stored product does not open: it was altered, or sealed under a key that is lost");
            lost += 1;
            continue;
        };
        items.push(OpenedProduct {
            id: row.id,
            servicer_id,
            servicer_name: servicer_name.clone(),
            fetched_at: row.fetched_at,
            details,
        });
    }
    let fresh = Freshness {
        as_of,
        served_from,
        budget: None,
        suspect: false,
        unreadable: lost,
    };
    Ok(Listing::of(items, None, fresh, Vec::new()))
}

/// Asks the provider. The stored products are used where it cannot be asked just now.
async fn refreshed(
    state: &AppState,
    consent: &ConsentRow,
) -> Result<(DateTime<Utc>, ServedFrom), ApiError> {
    let state = &state.for_tenant_alone(consent.tenant_id).await?;
    let (connector, grant) = grants::open_access(state, consent)?;
    let error = match connector.products(&grant).await {
        Ok(products) => return store(state, consent, &products).await,
        Err(error) => error,
    };
    match consent.fetched_at.filter(|_| error.is_passing()) {
        Some(at) => Ok((at, ServedFrom::Cache)),
        None => Err(refused(consent, &error)),
    }
}

fn refused(consent: &ConsentRow, error: &ConnectorError) -> ApiError {
    provider_refusal(&consent.skill, error).into()
}

async fn store(
    state: &AppState,
    consent: &ConsentRow,
    products: &[BankProduct],
) -> Result<(DateTime<Utc>, ServedFrom), ApiError> {
    let now = state.now_of(consent.tenant_id).trunc_subsecs(0);
    let mut tx = state.db.write().await?;
    // A consent that ended meanwhile keeps nothing any more.
    if !tx.mark_fetched(consent.id, now).await? {
        return Err(Code::InactiveCredentials.into());
    }
    for (at, product) in products.iter().enumerate() {
        let known_by = format!("{}/{}", consent.id, product.id);
        let bank_key = state.vault.digest(&state.pepper, "product", &known_by)?;
        tx.rename_product(consent.id, &bank_key).await?;
        let details = ProductDetails {
            kind: product.kind,
            status: product.status,
            name: product.name.clone(),
            reference: product.reference.clone(),
            terms: product.terms.clone(),
        };
        tx.put_product(&ProductRow {
            id: ProductId(state.clock.id()),
            consent_id: consent.id,
            sealed: sealed::seal(state, &aad::product(consent.id, &bank_key), &details)?,
            bank_key,
            place: i64::try_from(at).unwrap_or(i64::MAX),
            fetched_at: now,
        })
        .await?;
    }
    tx.drop_products(consent.id, now).await?;
    tx.commit().await?;
    Ok((now, ServedFrom::Bank))
}

#[cfg(test)]
mod tests;
