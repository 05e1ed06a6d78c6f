//! Contracts, and the products they open: one a contract, however often it is signed.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use json::PlainValue;
use kernel::json::{Json, JsonBodyError};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Partner;
use super::applications::{self, OwnApplication, is_nobody};
use super::problem::ProductError;
use crate::BankState;
use crate::ledger::Day;
use crate::storage::Tx;
use crate::storage::applications::{self as stored, BankProductRow};

/// A signature.
#[derive(Deserialize)]
pub struct Signature {
    accepted: bool,
    /// Id of this submission; documents that are still to come name it.
    part: Uuid,
    /// The signer, where nobody was verified before. Checked to be there, and not stored.
    #[serde(default)]
    person: PlainValue,
}

/// `PUT /applications/{id}/contract`
pub async fn sign(
    State(bank): State<BankState>,
    partner: Partner,
    Path(id): Path<String>,
    signature: Result<Json<Signature>, JsonBodyError>,
) -> Result<Json<Value>, ProductError> {
    let Json(signature) = signature.map_err(|_| ProductError::Unfit("malformed"))?;
    if !signature.accepted {
        return Err(ProductError::Unfit("not_accepted"));
    }
    let mut tx = bank.db.write().await?;
    let before = applications::own(&mut tx, &partner, &id).await?;
    let verified = before.wanted.is_verified_first();
    if !verified && is_nobody(&signature.person) {
        return Err(ProductError::Unfit("nobody_applies"));
    }
    let from = if verified { "offered" } else { "draft" };
    let now = bank.clock.now();
    if stored::move_on(&mut tx, before.row.id, from, ("signed", None), now).await? {
        let product = BankProductRow {
            id: bank.clock.id(),
            application_id: before.row.id,
            client_id: partner.client_id.clone(),
            reference: reference(&bank),
            part: (!verified).then_some(signature.part),
            opened_on: bank.today().0,
            shared: true,
        };
        stored::add_product(&mut tx, &product).await?;
    } else if applications::own(&mut tx, &partner, &id).await?.row.status != "signed" {
        // Looked at again: of many signatures at once those that waited find what the first one did.
        return Err(ProductError::OutOfTurn);
    }
    let product = stored::product_of(&mut tx, before.row.id).await?;
    let product = product.ok_or(ProductError::Server)?;
    let body = product_view(&mut tx, &partner, product).await?;
    tx.commit().await?;
    Ok(Json(body))
}

/// `GET /products/{id}`
pub async fn read(
    State(bank): State<BankState>,
    partner: Partner,
    Path(id): Path<Uuid>,
) -> Result<Json<Value>, ProductError> {
    let mut tx = bank.db.read().await?;
    Ok(Json(product_view(&mut tx, &partner, id).await?))
}

/// `DELETE /products/{id}/access`: the product stands, and this partner no longer sees it.
pub async fn forget(
    State(bank): State<BankState>,
    partner: Partner,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, ProductError> {
    let mut tx = bank.db.write().await?;
    stored::stop_sharing(&mut tx, id, &partner.client_id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A product as a partner sees it that may.
async fn product_view(tx: &mut Tx, partner: &Partner, id: Uuid) -> Result<Value, ProductError> {
    let row = stored::product(tx, id).await?;
    let row = row.filter(|row| row.client_id == partner.client_id && row.shared);
    let row = row.ok_or(ProductError::Unknown)?;
    let OwnApplication { row: of, wanted } =
        applications::own(tx, partner, &row.application_id.to_string()).await?;
    let waits = match row.part {
        Some(part) => {
            let there = stored::documents(tx, of.id, part).await?;
            !applications::missing(&there).is_empty()
        }
        None => false,
    };
    Ok(json!({
        "id": row.id,
        "kind": wanted.kind(),
        "name": wanted.name(),
        "reference": row.reference,
        "status": if waits { "awaiting_documents" } else { "active" },
        "terms": wanted.terms(Day(row.opened_on).date()),
    }))
}

fn reference(bank: &BankState) -> String {
    let number = u64::from_be_bytes(bank.clock.random()) % 10_000_000_000;
    format!("XYZ-{number:010}")
}
