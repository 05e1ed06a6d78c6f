//! The two pages of a visit, sign-in and consent, and what their forms do.

use axum::Form;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use chrono::Duration;
use serde::Deserialize;

use super::views::{self, Choice};
use super::visit::{self, Trouble, code, decided, denied, granted, path, see_other};
use crate::bank::Desk;
use crate::bank::ledger::accounts::{PASSWORD, USERS};
use crate::bank::storage::authorisations::{self, AuthorisationRow};
use crate::bank::storage::{books, consents};
use crate::crypto::sha256_hex;
use crate::storage::Tx;

const CODE_LIFE: Duration = Duration::seconds(60);

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Credentials {
    username: String,
    password: String,
}

/// `GET /authorise/{id}`: sign-in, or the accounts once signed in.
pub async fn show(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Trouble> {
    let mut tx = desk.db.read().await?;
    let visit = visit::open(&desk, &mut tx, &id, &headers).await?;
    if visit.state == "started" {
        return Ok(Html(views::sign_in(&path(&visit), &desk.client.name, None)).into_response());
    }
    let choices = choices(&desk, &mut tx, &visit, &[]).await?;
    Ok(Html(consent_page(&desk, &visit, &choices, None)).into_response())
}

/// `POST /authorise/{id}/sign-in`
pub async fn sign_in(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(given): Form<Credentials>,
) -> Result<Response, Trouble> {
    let mut tx = desk.db.read().await?;
    let visit = visit::open(&desk, &mut tx, &id, &headers).await?;
    drop(tx);
    let name = given.username.trim();
    let known = USERS.iter().find(|user| user.username == name);
    let Some(user) = known.filter(|_| given.password == PASSWORD) else {
        let shown: String = name.chars().take(64).collect();
        let page = views::sign_in(&path(&visit), &desk.client.name, Some(&shown));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response());
    };
    books::keep_loaded(&desk.db, user.username, desk.today()).await?;
    let mut tx = desk.db.write().await?;
    // Signed in already, by a form sent twice: the page behind is the same.
    authorisations::sign_in(&mut tx, visit.id, user.username, desk.clock.now()).await?;
    tx.commit().await?;
    Ok(see_other(&path(&visit)))
}

/// `POST /authorise/{id}/decision`
pub async fn decide(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    headers: HeaderMap,
    Form(fields): Form<Vec<(String, String)>>,
) -> Result<Response, Trouble> {
    let mut tx = desk.db.read().await?;
    let visit = visit::find(&mut tx, &id, &headers).await?;
    // A form sent twice, or again after going back: what was decided stands, and leads to the same place.
    if let Some(end) = decided(&visit, &headers) {
        return Ok(see_other(&end));
    }
    if visit.expires_at <= desk.clock.now() {
        return Err(Trouble::Over(Some(denied(
            &visit.redirect_uri,
            &visit.client_state,
        ))));
    }
    let answer = Answer::of(&fields);
    if answer.decision == Some("refuse") {
        drop(tx);
        return refuse(&desk, &visit).await;
    }
    if visit.state != "signed_in" {
        return Ok(see_other(&path(&visit)));
    }
    let choices = choices(&desk, &mut tx, &visit, &answer.accounts).await?;
    drop(tx);
    // Only what is on the page can be ticked.
    let ticked: Vec<i64> = choices
        .iter()
        .filter(|choice| choice.ticked)
        .map(|choice| choice.id)
        .collect();
    let error = match answer.decision {
        Some("approve") if ticked.is_empty() => "Tick at least one account, or choose Refuse.",
        Some("approve") => return approve(&desk, &visit, &headers, &ticked).await,
        _ => "Choose Agree or Refuse.",
    };
    let page = consent_page(&desk, &visit, &choices, Some(error));
    Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response())
}

/// The fields of the consent form.
struct Answer<'f> {
    decision: Option<&'f str>,
    accounts: Vec<i64>,
}

impl<'f> Answer<'f> {
    fn of(fields: &'f [(String, String)]) -> Self {
        let decision = fields.iter().find(|(key, _)| key == "decision");
        let accounts = fields.iter().filter(|(key, _)| key == "accounts");
        Self {
            decision: decision.map(|(_, value)| value.as_str()),
            accounts: accounts.filter_map(|(_, id)| id.parse().ok()).collect(),
        }
    }
}

async fn approve(
    desk: &Desk,
    visit: &AuthorisationRow,
    headers: &HeaderMap,
    ticked: &[i64],
) -> Result<Response, Trouble> {
    let over = || Trouble::Over(Some(denied(&visit.redirect_uri, &visit.client_state)));
    let (now, code) = (
        desk.clock.now(),
        code(visit, headers).ok_or(Trouble::OtherBrowser)?,
    );
    let digest = sha256_hex(code.as_bytes());
    let mut tx = desk.db.write().await?;
    if !authorisations::approve(&mut tx, visit.id, &digest, now + CODE_LIFE, now).await? {
        drop(tx);
        return settled(desk, visit, headers).await;
    }
    if !consents::decide(
        &mut tx,
        visit.consent_id,
        "valid",
        visit.username.as_deref(),
        now,
    )
    .await?
    {
        return Err(over());
    }
    for account in ticked {
        consents::tick(&mut tx, visit.consent_id, desk.clock.id(), *account).await?;
    }
    tx.commit().await?;
    Ok(see_other(&granted(visit, &code)))
}

async fn refuse(desk: &Desk, visit: &AuthorisationRow) -> Result<Response, Trouble> {
    let now = desk.clock.now();
    let end = denied(&visit.redirect_uri, &visit.client_state);
    let mut tx = desk.db.write().await?;
    if !authorisations::refuse(&mut tx, visit.id, now).await? {
        return Err(Trouble::Over(Some(end)));
    }
    // Refused in this window; if another one approved first, that stands.
    consents::decide(
        &mut tx,
        visit.consent_id,
        "rejected",
        visit.username.as_deref(),
        now,
    )
    .await?;
    tx.commit().await?;
    Ok(see_other(&end))
}

/// Where a visit ended that another request decided meanwhile.
async fn settled(
    desk: &Desk,
    visit: &AuthorisationRow,
    headers: &HeaderMap,
) -> Result<Response, Trouble> {
    let mut tx = desk.db.read().await?;
    let now = authorisations::find(&mut tx, visit.id)
        .await?
        .and_then(|visit| decided(&visit, headers));
    now.map(|end| see_other(&end))
        .ok_or_else(|| Trouble::Over(Some(denied(&visit.redirect_uri, &visit.client_state))))
}

async fn choices(
    desk: &Desk,
    tx: &mut Tx,
    visit: &AuthorisationRow,
    ticked: &[i64],
) -> Result<Vec<Choice>, Trouble> {
    let mut choices = Vec::new();
    for account in books::accounts_of(tx, visit.username.as_deref().unwrap_or_default()).await? {
        let booked = books::holdings(tx, account.id, desk.today()).await?.booked;
        choices.push(Choice {
            id: account.id,
            ticked: ticked.contains(&account.id),
            name: account.name,
            iban: grouped(&account.iban),
            balance: thousands(booked),
            currency: account.currency,
            overdrawn: booked < 0,
        });
    }
    Ok(choices)
}

fn consent_page(
    desk: &Desk,
    visit: &AuthorisationRow,
    choices: &[Choice],
    error: Option<&str>,
) -> String {
    let path = path(visit);
    if choices.is_empty() {
        return views::no_accounts(&path, &desk.client.name);
    }
    let last_day = visit
        .consent_expires_at
        .date_naive()
        .pred_opt()
        .unwrap_or_default();
    views::consent(&path, &desk.client.name, last_day, choices, error)
}

/// `RO49 XYZB 0000 ...`
fn grouped(iban: &str) -> String {
    let letters: Vec<char> = iban.chars().collect();
    let groups: Vec<String> = letters
        .chunks(4)
        .map(|group| group.iter().collect())
        .collect();
    groups.join(" ")
}

/// `−12,345.67`, with a real minus sign.
fn thousands(minor: i64) -> String {
    let (whole, cents) = (minor.unsigned_abs() / 100, minor.unsigned_abs() % 100);
    let digits: Vec<char> = whole.to_string().chars().rev().collect();
    let groups: Vec<String> = digits
        .chunks(3)
        .map(|group| group.iter().collect())
        .collect();
    let whole: String = groups.join(",").chars().rev().collect();
    let sign = if minor < 0 { "\u{2212}" } else { "" };
    format!("{sign}{whole}.{cents:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_for_people() {
        assert_eq!(thousands(-123_456_789), "\u{2212}1,234,567.89");
        assert_eq!(thousands(5), "0.05");
        assert_eq!(grouped("RO49XYZB0000"), "RO49 XYZB 0000");
    }
}
