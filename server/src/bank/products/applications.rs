//! Applications, from the first form to the offer.

use app::domain::json::PlainValue;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use chrono::Duration;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::Partner;
use super::offer::{DOCUMENTS, Wanted};
use super::problem::No;
use crate::bank::Desk;
use crate::bank::storage::applications::{self, ApplicationRow};
use crate::json::{Json, Unread};
use crate::storage::Tx;

/// How long the bank waits for documents before it asks again.
const DOCUMENTS_WITHIN: Duration = Duration::days(1);

/// An application of the caller's own, with what was wanted.
pub(super) struct Own {
    pub row: ApplicationRow,
    pub wanted: Wanted,
}

/// An application of this partner's; somebody else's is an unknown one.
pub(super) async fn own(tx: &mut Tx, partner: &Partner, id: &str) -> Result<Own, No> {
    let id = Uuid::try_parse(id).map_err(|_| No::Unknown)?;
    let row = applications::find(tx, id).await?;
    let row = row.filter(|row| row.client_id == partner.client_id);
    let row = row.ok_or(No::Unknown)?;
    let wanted = serde_json::from_str(&row.terms).map_err(|_| No::Server)?;
    Ok(Own { row, wanted })
}

/// `PUT /applications/{id}`: until somebody is named in it, an application can be changed.
pub async fn apply(
    State(desk): State<Desk>,
    partner: Partner,
    Path(id): Path<String>,
    wanted: Result<Json<Wanted>, Unread>,
) -> Result<Json<Value>, No> {
    let Json(wanted) = wanted.map_err(|_| No::Unfit("malformed"))?;
    wanted.check()?;
    let id = Uuid::try_parse(&id).map_err(|_| No::Unfit("id_is_no_uuid"))?;
    let terms = serde_json::to_string(&wanted).map_err(|_| No::Server)?;
    let now = desk.clock.now();
    let mut tx = desk.db.write().await?;
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
        return Err(No::OutOfTurn);
    }
    settled(&desk, tx, &partner, &id).await
}

/// `GET /applications/{id}`
pub async fn read(
    State(desk): State<Desk>,
    partner: Partner,
    Path(id): Path<String>,
) -> Result<Json<Value>, No> {
    let mut tx = desk.db.read().await?;
    let own = own(&mut tx, &partner, &id).await?;
    if let Some((status, reason)) = due(&desk, &mut tx, &own).await? {
        drop(tx);
        tx = desk.db.write().await?;
        settle(&desk, &mut tx, &own.row, status, reason).await?;
    }
    settled(&desk, tx, &partner, &id).await
}

/// `DELETE /applications/{id}`: takes it back, if it has led to nothing yet.
pub async fn withdraw(
    State(desk): State<Desk>,
    partner: Partner,
    Path(id): Path<String>,
) -> Result<StatusCode, No> {
    let mut tx = desk.db.write().await?;
    let own = own(&mut tx, &partner, &id).await?;
    applications::withdraw(&mut tx, own.row.id, desk.clock.now()).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who applies: looked at, and not kept.
#[derive(Deserialize)]
pub struct Person {
    person: PlainValue,
}

/// Tells whether nothing is said of a person.
pub(super) fn is_nobody(person: &PlainValue) -> bool {
    person.0.as_object().is_none_or(Map::is_empty)
}

/// `PUT /applications/{id}/verifications/{part}`
pub async fn verify(
    State(desk): State<Desk>,
    partner: Partner,
    Path((id, part)): Path<(String, Uuid)>,
    person: Result<Json<Person>, Unread>,
) -> Result<Json<Value>, No> {
    let Json(Person { person }) = person.map_err(|_| No::Unfit("malformed"))?;
    if is_nobody(&person) {
        return Err(No::Unfit("nobody_applies"));
    }
    let mut tx = desk.db.write().await?;
    let before = own(&mut tx, &partner, &id).await?;
    if !before.wanted.is_verified_first() {
        return Err(No::OutOfTurn);
    }
    let begun = applications::verify(&mut tx, before.row.id, part, desk.clock.now()).await?;
    if !begun && own(&mut tx, &partner, &id).await?.row.verification != Some(part) {
        return Err(No::OutOfTurn);
    }
    settled(&desk, tx, &partner, &id).await
}

/// Where the money comes from.
#[derive(Deserialize)]
pub struct Funds {
    source: String,
}

/// `PUT /applications/{id}/source-of-funds`
pub async fn source_of_funds(
    State(desk): State<Desk>,
    partner: Partner,
    Path(id): Path<String>,
    funds: Result<Json<Funds>, Unread>,
) -> Result<Json<Value>, No> {
    let Json(Funds { source }) = funds.map_err(|_| No::Unfit("malformed"))?;
    if source.is_empty() {
        return Err(No::Unfit("no_source"));
    }
    let mut tx = desk.db.write().await?;
    let before = own(&mut tx, &partner, &id).await?;
    let now = desk.clock.now();
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
            return Err(No::OutOfTurn);
        }
    }
    settled(&desk, tx, &partner, &id).await
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Approve,
    AskAgain,
    Reject,
}

#[derive(Deserialize)]
pub struct Decision {
    decision: Verdict,
}

/// `POST /applications/{id}/decision`: what was decided already stays so.
pub async fn decide(
    State(desk): State<Desk>,
    partner: Partner,
    Path(id): Path<String>,
    decision: Result<Json<Decision>, Unread>,
) -> Result<Json<Value>, No> {
    let Json(Decision { decision }) = decision.map_err(|_| No::Unfit("malformed"))?;
    let mut tx = desk.db.write().await?;
    let before = own(&mut tx, &partner, &id).await?;
    let (status, reason) = match decision {
        Verdict::Approve => (approved(&before.wanted), None),
        Verdict::AskAgain => ("ask_again", Some("document_unreadable")),
        Verdict::Reject => ("rejected", Some("rejected_by_bank")),
    };
    settle(&desk, &mut tx, &before.row, status, reason).await?;
    settled(&desk, tx, &partner, &id).await
}

/// What follows an approval.
fn approved(wanted: &Wanted) -> &'static str {
    if wanted.needs_source_of_funds() {
        "source_of_funds"
    } else {
        "offered"
    }
}

async fn settle(
    desk: &Desk,
    tx: &mut Tx,
    row: &ApplicationRow,
    status: &'static str,
    reason: Option<&'static str>,
) -> Result<(), No> {
    let now = desk.clock.now();
    applications::move_on(tx, row.id, "verifying", (status, reason), now).await?;
    Ok(())
}

/// Commits what was done to an application, and shows it as it is then.
async fn settled(desk: &Desk, mut tx: Tx, partner: &Partner, id: &str) -> Result<Json<Value>, No> {
    let own = own(&mut tx, partner, id).await?;
    let body = shown(desk, &mut tx, &own).await?;
    tx.commit().await?;
    Ok(Json(body))
}

/// What the bank decides by itself now, if anything: by what the documents ask for, and in favour where they are silent.
async fn due(
    desk: &Desk,
    tx: &mut Tx,
    own: &Own,
) -> Result<Option<(&'static str, Option<&'static str>)>, No> {
    let now = desk.clock.now();
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
) -> Result<Vec<(String, Option<String>)>, No> {
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
async fn shown(desk: &Desk, tx: &mut Tx, own: &Own) -> Result<Value, No> {
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
        "offer": own.wanted.terms(desk.today().date()),
        "productId": product,
    }))
}
