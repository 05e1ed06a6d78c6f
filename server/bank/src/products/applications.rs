//! Applications, from the first form to the offer.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use chrono::Duration;
use json::PlainValue;
use kernel::json::{Json, JsonBodyError};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Partner;
use super::offer::{DOCUMENTS, RequestedProduct};
use super::problem::ProductError;
use crate::BankState;
use crate::storage::Tx;
use crate::storage::applications::{self, ApplicationRow};

/// Time the bank waits for documents before it asks again.
const DOCUMENTS_WITHIN: Duration = Duration::days(1);

/// An application of the calling partner, and the product it asks for.
pub(super) struct OwnApplication {
    pub row: ApplicationRow,
    pub wanted: RequestedProduct,
}

/// Finds an application of this partner; one of another partner is unknown.
pub(super) async fn own(
    tx: &mut Tx,
    partner: &Partner,
    id: &str,
) -> Result<OwnApplication, ProductError> {
    let id = Uuid::try_parse(id).map_err(|_| ProductError::Unknown)?;
    let row = applications::find(tx, id).await?;
    let row = row.filter(|row| row.client_id == partner.client_id);
    let row = row.ok_or(ProductError::Unknown)?;
    let wanted = serde_json::from_str(&row.terms).map_err(|_| ProductError::Server)?;
    Ok(OwnApplication { row, wanted })
}

/// `PUT /applications/{id}`: until somebody is named in it, an application can be changed.
pub async fn apply(
    State(bank): State<BankState>,
    partner: Partner,
    Path(id): Path<String>,
    wanted: Result<Json<RequestedProduct>, JsonBodyError>,
) -> Result<Json<Value>, ProductError> {
    let Json(wanted) = wanted.map_err(|_| ProductError::Unfit("malformed"))?;
    wanted.check()?;
    let id = Uuid::try_parse(&id).map_err(|_| ProductError::Unfit("id_is_no_uuid"))?;
    let terms = serde_json::to_string(&wanted).map_err(|_| ProductError::Server)?;
    let now = bank.clock.now();
    let mut tx = bank.db.write().await?;
    let row = ApplicationRow {
        id,
        client_id: partner.client_id.clone(),
        kind: wanted.kind().into(),
        status: "draft".into(),
        terms,
        verification: None,
        decide_at: None,
        reason: None,
        created_at: now,
        changed_at: now,
    };
    applications::put(&mut tx, &row).await?;
    let id = id.to_string();
    if own(&mut tx, &partner, &id).await?.wanted != wanted {
        return Err(ProductError::OutOfTurn);
    }
    settled(&bank, tx, &partner, &id).await
}

/// `GET /applications/{id}`
pub async fn read(
    State(bank): State<BankState>,
    partner: Partner,
    Path(id): Path<String>,
) -> Result<Json<Value>, ProductError> {
    let mut tx = bank.db.read().await?;
    let own = own(&mut tx, &partner, &id).await?;
    if let Some((status, reason)) = due(&bank, &mut tx, &own).await? {
        drop(tx);
        tx = bank.db.write().await?;
        settle(&bank, &mut tx, &own.row, status, reason).await?;
    }
    settled(&bank, tx, &partner, &id).await
}

/// `DELETE /applications/{id}`: takes it back, if it has led to nothing yet.
pub async fn withdraw(
    State(bank): State<BankState>,
    partner: Partner,
    Path(id): Path<String>,
) -> Result<StatusCode, ProductError> {
    let mut tx = bank.db.write().await?;
    let own = own(&mut tx, &partner, &id).await?;
    applications::withdraw(&mut tx, own.row.id, bank.clock.now()).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Body of a verification: the applicant. Checked to be there, and not stored.
#[derive(Deserialize)]
pub struct Person {
    person: PlainValue,
}

/// Returns `true` if nothing is said of a person.
pub(super) fn is_nobody(person: &PlainValue) -> bool {
    person.0.as_object().is_none_or(Map::is_empty)
}

/// `PUT /applications/{id}/verifications/{part}`
pub async fn verify(
    State(bank): State<BankState>,
    partner: Partner,
    Path((id, part)): Path<(String, Uuid)>,
    person: Result<Json<Person>, JsonBodyError>,
) -> Result<Json<Value>, ProductError> {
    let Json(Person { person }) = person.map_err(|_| ProductError::Unfit("malformed"))?;
    if is_nobody(&person) {
        return Err(ProductError::Unfit("nobody_applies"));
    }
    let mut tx = bank.db.write().await?;
    let before = own(&mut tx, &partner, &id).await?;
    if !before.wanted.is_verified_first() {
        return Err(ProductError::OutOfTurn);
    }
    let begun = applications::verify(&mut tx, before.row.id, part, bank.clock.now()).await?;
    if !begun && own(&mut tx, &partner, &id).await?.row.verification != Some(part) {
        return Err(ProductError::OutOfTurn);
    }
    settled(&bank, tx, &partner, &id).await
}

/// Body that names the source of an applicant's funds.
#[derive(Deserialize)]
pub struct Funds {
    source: String,
}

/// `PUT /applications/{id}/source-of-funds`
pub async fn source_of_funds(
    State(bank): State<BankState>,
    partner: Partner,
    Path(id): Path<String>,
    funds: Result<Json<Funds>, JsonBodyError>,
) -> Result<Json<Value>, ProductError> {
    let Json(Funds { source }) = funds.map_err(|_| ProductError::Unfit("malformed"))?;
    if source.is_empty() {
        return Err(ProductError::Unfit("no_source"));
    }
    let mut tx = bank.db.write().await?;
    let before = own(&mut tx, &partner, &id).await?;
    let now = bank.clock.now();
    let moved = applications::move_on(
        &mut tx,
        before.row.id,
        "source_of_funds",
        ("offered", None),
        now,
    )
    .await?;
    if !moved {
        // Moved on already, perhaps in this very moment, by a repetition of this call.
        let own = own(&mut tx, &partner, &id).await?;
        if !matches!(own.row.status.as_str(), "offered" | "signed") {
            return Err(ProductError::OutOfTurn);
        }
    }
    settled(&bank, tx, &partner, &id).await
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplicationVerdict {
    Approve,
    AskAgain,
    Reject,
}

#[derive(Deserialize)]
pub struct Decision {
    decision: ApplicationVerdict,
}

/// `POST /applications/{id}/decision`: what was decided already stays so.
pub async fn decide(
    State(bank): State<BankState>,
    partner: Partner,
    Path(id): Path<String>,
    decision: Result<Json<Decision>, JsonBodyError>,
) -> Result<Json<Value>, ProductError> {
    let Json(Decision { decision }) = decision.map_err(|_| ProductError::Unfit("malformed"))?;
    let mut tx = bank.db.write().await?;
    let before = own(&mut tx, &partner, &id).await?;
    let (status, reason) = match decision {
        ApplicationVerdict::Approve => (approved(&before.wanted), None),
        ApplicationVerdict::AskAgain => ("ask_again", Some("document_unreadable")),
        ApplicationVerdict::Reject => ("rejected", Some("rejected_by_bank")),
    };
    settle(&bank, &mut tx, &before.row, status, reason).await?;
    settled(&bank, tx, &partner, &id).await
}

/// Returns the status that follows an approval.
fn approved(wanted: &RequestedProduct) -> &'static str {
    if wanted.needs_source_of_funds() {
        "source_of_funds"
    } else {
        "offered"
    }
}

async fn settle(
    bank: &BankState,
    tx: &mut Tx,
    row: &ApplicationRow,
    status: &'static str,
    reason: Option<&'static str>,
) -> Result<(), ProductError> {
    let now = bank.clock.now();
    applications::move_on(tx, row.id, "verifying", (status, reason), now).await?;
    Ok(())
}

/// Commits what was done to an application, and shows it as it is then.
async fn settled(
    bank: &BankState,
    mut tx: Tx,
    partner: &Partner,
    id: &str,
) -> Result<Json<Value>, ProductError> {
    let own = own(&mut tx, partner, id).await?;
    let body = application_view(bank, &mut tx, &own).await?;
    tx.commit().await?;
    Ok(Json(body))
}

/// Returns the status and reason that the bank decides on by itself now, or `None` if nothing is due. The documents'
/// wishes decide; without one, the application is approved.
async fn due(
    bank: &BankState,
    tx: &mut Tx,
    own: &OwnApplication,
) -> Result<Option<(&'static str, Option<&'static str>)>, ProductError> {
    let now = bank.clock.now();
    let row = &own.row;
    if row.status != "verifying" {
        return Ok(None);
    }
    let documents = documents(tx, row).await?;
    if !missing(&documents).is_empty() {
        let late = row.changed_at + DOCUMENTS_WITHIN <= now;
        return Ok(late.then_some(("ask_again", Some("documents_missing"))));
    }
    if row.decide_at.is_none_or(|at| at > now) {
        return Ok(None);
    }
    let asked = |wish: &str| documents.iter().any(|(_, of)| of.as_deref() == Some(wish));
    Ok(Some(if asked("reject") {
        ("rejected", Some("document_rejected"))
    } else if asked("ask_again") {
        ("ask_again", Some("document_unreadable"))
    } else {
        (approved(&own.wanted), None)
    }))
}

/// The documents of the verification under way: kind and wish.
pub(super) async fn documents(
    tx: &mut Tx,
    row: &ApplicationRow,
) -> Result<Vec<(String, Option<String>)>, ProductError> {
    match row.verification {
        Some(part) => Ok(applications::documents(tx, row.id, part).await?),
        None => Ok(Vec::new()),
    }
}

/// The kinds of documents still to come.
pub(super) fn missing(there: &[(String, Option<String>)]) -> Vec<&'static str> {
    let needed = DOCUMENTS.into_iter();
    needed
        .filter(|kind| !there.iter().any(|(of, _)| of == kind))
        .collect()
}

/// An application as the partner sees it.
async fn application_view(
    bank: &BankState,
    tx: &mut Tx,
    own: &OwnApplication,
) -> Result<Value, ProductError> {
    let there = documents(tx, &own.row).await?;
    let missing = if own.row.status == "verifying" {
        missing(&there)
    } else {
        Vec::new()
    };
    let product = applications::product_of(tx, own.row.id).await?;
    Ok(json!({
        "id": own.row.id,
        "product": own.wanted.kind(),
        "status": own.row.status,
        "reason": own.row.reason,
        "missingDocuments": missing,
        "offer": own.wanted.terms(bank.today().date()),
        "productId": product,
    }))
}
