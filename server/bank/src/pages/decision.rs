//! The pages of a visit, sign-in and a decision on what the visit is about ([`consent`] or [`payment`]), and what their
//! forms do.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use chrono::Duration;
use kernel::crypto::sha256_hex;
use kernel::form::Form;
use kernel::form::pairs::PairsError;

use super::checked::{CheckedDecision, field};
use super::consent::ChosenAccounts;
use super::payment::Confirmed;
use super::views::{self, RequestingParties};
use super::visit::{self, VisitError, code, decided, denied, granted, path, see_other};
use super::{browser, consent, payment};
use crate::BankState;
use crate::ledger::accounts::{PASSWORD, USERS};
use crate::storage::visits::{self, VisitRow, VisitSubject};
use crate::storage::{books, consents, payments};

const CODE_LIFE: Duration = Duration::seconds(60);

/// `GET /authorise/{id}`: sign-in, or the decision once signed in.
pub async fn show(
    State(bank): State<BankState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, VisitError> {
    let mut tx = bank.db.read().await?;
    let visit = visit::open(&bank, &mut tx, &id, &headers).await?;
    if visit.state == "started" {
        return Ok(Html(sign_in_page(&bank, &visit, None)).into_response());
    }
    let page = match visit.kind {
        VisitSubject::Consent => consent::page(&bank, &mut tx, &visit).await?,
        VisitSubject::Payment => payment::page(&bank, &mut tx, &visit).await?,
    };
    Ok(Html(page).into_response())
}

/// `POST /authorise/{id}/sign-in`
pub async fn sign_in(
    State(bank): State<BankState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    form: Result<Form, PairsError>,
) -> Result<Response, VisitError> {
    let Form(given) = form?;
    // A test user's button: their password is printed beside it.
    let user = given.single("user")?;
    let (username, password) = (given.single("username")?, given.single("password")?);
    let mut tx = bank.db.read().await?;
    let visit = visit::open(&bank, &mut tx, &id, &headers).await?;
    drop(tx);
    let by_button = !user.is_empty();
    let name = if by_button { user } else { username.trim() };
    let known = USERS.iter().find(|user| user.username == name);
    let Some(user) = known.filter(|_| by_button || password == PASSWORD) else {
        let shown: String = name.chars().take(64).collect();
        let page = sign_in_page(&bank, &visit, Some(&shown));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response());
    };
    books::keep_loaded(&bank.db, user.username, bank.today()).await?;
    let mut tx = bank.db.write().await?;
    // Signed in already, by a form sent twice: the page behind is the same.
    visits::sign_in(&mut tx, visit.id, user.username, bank.clock.now()).await?;
    tx.commit().await?;
    Ok(see_other(&path(&visit)))
}

/// `POST /authorise/{id}/decision`
pub async fn decide(
    State(bank): State<BankState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    form: Result<Form, PairsError>,
) -> Result<Response, VisitError> {
    let fields = form?.0.0;
    let mut tx = bank.db.read().await?;
    let visit = visit::find(&mut tx, &id, &headers).await?;
    // A form sent twice, or again after going back: what was decided stands, and leads to the same place.
    if let Some(end) = decided(&visit, &headers) {
        return Ok(see_other(&end));
    }
    if visit.expires_at <= bank.clock.now() {
        return Err(VisitError::Over(Some(denied(
            &visit.redirect_uri,
            &visit.client_state,
        ))));
    }
    let decision = field(&fields, "decision");
    if decision == Some("refuse") {
        drop(tx);
        return refuse(&bank, &visit).await;
    }
    if visit.state != "signed_in" {
        return Ok(see_other(&path(&visit)));
    }
    let approves = decision == Some("approve");
    let judged = match visit.kind {
        VisitSubject::Consent => consent::judge(&bank, &mut tx, &visit, &fields, approves)
            .await?
            .map(Approval::Accounts),
        VisitSubject::Payment => payment::judge(&bank, &mut tx, &visit, &fields, approves)
            .await?
            .map(Approval::Payment),
    };
    drop(tx);
    match judged {
        CheckedDecision::Yes(yes) => approve(&bank, &visit, &headers, &yes).await,
        CheckedDecision::Again(page) => {
            Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response())
        }
    }
}

/// Content of an approval.
pub enum Approval {
    Accounts(ChosenAccounts),
    Payment(Confirmed),
}

fn sign_in_page(bank: &BankState, visit: &VisitRow, wrong: Option<&str>) -> String {
    let asks = match visit.kind {
        VisitSubject::Consent => {
            "It wants to read accounts you have with us. Sign in to see what exactly: nothing is shared before you agree."
        }
        VisitSubject::Payment => {
            "It asks for a payment from an account you have with us. Sign in to see it: nothing is paid before you agree."
        }
    };
    views::sign_in(
        &path(visit),
        &RequestingParties::of(bank, visit),
        asks,
        wrong,
    )
}

async fn approve(
    bank: &BankState,
    visit: &VisitRow,
    headers: &HeaderMap,
    yes: &Approval,
) -> Result<Response, VisitError> {
    let over = || VisitError::Over(Some(denied(&visit.redirect_uri, &visit.client_state)));
    let (now, code) = (
        bank.clock.now(),
        code(visit, headers).ok_or(VisitError::OtherBrowser)?,
    );
    let digest = sha256_hex(code.as_bytes());
    let mut tx = bank.db.write().await?;
    if !visits::approve(&mut tx, visit.id, &digest, now + CODE_LIFE, now).await? {
        drop(tx);
        return settled(bank, visit, headers).await;
    }
    let done = match yes {
        Approval::Accounts(ticked) => {
            let browser = browser::digest(headers);
            let given = (ticked, browser.as_deref());
            consent::give(bank, &mut tx, visit, given, now).await?
        }
        Approval::Payment(confirmed) => payment::authorise(&mut tx, visit, confirmed, now).await?,
    };
    if !done {
        return Err(over());
    }
    tx.commit().await?;
    Ok(see_other(&granted(visit, &code)))
}

async fn refuse(bank: &BankState, visit: &VisitRow) -> Result<Response, VisitError> {
    let now = bank.clock.now();
    let end = denied(&visit.redirect_uri, &visit.client_state);
    let mut tx = bank.db.write().await?;
    if !visits::refuse(&mut tx, visit.id, now).await? {
        return Err(VisitError::Over(Some(end)));
    }
    // Refused in this window; if another one approved first, that stands.
    let user = visit.username.as_deref();
    match visit.kind {
        VisitSubject::Consent => {
            consents::decide(&mut tx, visit.subject_id, "rejected", user, now).await?;
        }
        VisitSubject::Payment => payments::refuse(&mut tx, visit.subject_id, now).await?,
    }
    tx.commit().await?;
    Ok(see_other(&end))
}

/// Redirects to the outcome of a visit that another request decided meanwhile.
async fn settled(
    bank: &BankState,
    visit: &VisitRow,
    headers: &HeaderMap,
) -> Result<Response, VisitError> {
    let mut tx = bank.db.read().await?;
    let now = visits::find(&mut tx, visit.id)
        .await?
        .and_then(|visit| decided(&visit, headers));
    now.map(|end| see_other(&end))
        .ok_or_else(|| VisitError::Over(Some(denied(&visit.redirect_uri, &visit.client_state))))
}
