//! Contracts, and the products they open: one a contract, however often it is signed.

use app::domain::json::PlainValue;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Partner;
use super::applications::{self, Own, is_nobody};
use super::problem::No;
use crate::bank::Desk;
use crate::bank::ledger::Day;
use crate::bank::storage::applications::{self as stored, ProductRow};
use crate::json::{Json, Unread};
use crate::storage::Tx;

/// A signature.
#[derive(Deserialize)]
pub struct Signature {
    accepted: bool,
    /// Which submission this is: documents that are still to come name it.
    part: Uuid,
    /// Who signs, where nobody was verified before; looked at, and not kept.
    #[serde(default)]
    person: PlainValue,
}

/// `PUT /applications/{id}/contract`
pub async fn sign(
    State(desk): State<Desk>,
    partner: Partner,
    Path(id): Path<String>,
    signature: Result<Json<Signature>, Unread>,
) -> Result<Json<Value>, No> {
    let Json(signature) = signature.map_err(|_| No::Unfit("malformed"))?;
    if !signature.accepted {
        return Err(No::Unfit("not_accepted"));
    }
    let mut tx = desk.db.write().await?;
    let before = applications::own(&mut tx, &partner, &id).await?;
    let verified = before.wanted.is_verified_first();
    if !verified && is_nobody(&signature.person) {
        return Err(No::Unfit("nobody_applies"));
    }
    let from = if verified { "offered" } else { "draft" };
    let now = desk.clock.now();
    if stored::move_on(&mut tx, before.row.id, from, ("signed", None), now).await? {
        let product = ProductRow {
            id: desk.clock.id(),
            application_id: before.row.id,
            client_id: partner.client_id.clone(),
            reference: reference(&desk),
            part: (!verified).then_some(signature.part),
            opened_on: desk.today().0,
            shared: true,
        };
        stored::add_product(&mut tx, &product).await?;
    } else if applications::own(&mut tx, &partner, &id).await?.row.status != "signed" {
        // Looked at again: of many signatures at once those that waited find what the first one did.
        return Err(No::OutOfTurn);
    }
    let product = stored::product_of(&mut tx, before.row.id).await?;
    let product = product.ok_or(No::Server)?;
    let body = shown(&mut tx, &partner, product).await?;
    tx.commit().await?;
    Ok(Json(body))
}

/// `GET /products/{id}`
pub async fn read(
    State(desk): State<Desk>,
    partner: Partner,
    Path(id): Path<Uuid>,
) -> Result<Json<Value>, No> {
    let mut tx = desk.db.read().await?;
    Ok(Json(shown(&mut tx, &partner, id).await?))
}

/// `DELETE /products/{id}/access`: the product stands, and this partner no longer sees it.
pub async fn forget(
    State(desk): State<Desk>,
    partner: Partner,
    Path(id): Path<Uuid>,
) -> Result<StatusCode, No> {
    let mut tx = desk.db.write().await?;
    stored::stop_sharing(&mut tx, id, &partner.client_id).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A product as a partner sees it that may.
async fn shown(tx: &mut Tx, partner: &Partner, id: Uuid) -> Result<Value, No> {
    let row = stored::product(tx, id).await?;
    let row = row.filter(|row| row.client_id == partner.client_id && row.shared);
    let row = row.ok_or(No::Unknown)?;
    let Own { row: of, wanted } =
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

fn reference(desk: &Desk) -> String {
    let number = u64::from_be_bytes(desk.clock.random()) % 10_000_000_000;
    format!("XYZ-{number:010}")
}
