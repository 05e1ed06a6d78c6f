//! The authorise endpoint (RFC 6749, section 4.1.1) and the two pages behind it.

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use chrono::Duration;
use serde::Deserialize;
use url::Url;
use uuid::Uuid;

use super::views::{self, Choice};
use crate::bank::Desk;
use crate::bank::ledger::accounts::{PASSWORD, USERS};
use crate::bank::storage::authorisations::{self, AuthorisationRow, NewAuthorisation};
use crate::bank::storage::{books, consents};
use crate::crypto::sha256_hex;
use crate::storage::{DbError, Tx};

const COOKIE_NAME: &str = "xyzbank";
/// How long a visit may take.
const VISIT: Duration = Duration::minutes(15);
const CODE_LIFE: Duration = Duration::seconds(60);

/// The parameters of an authorization request; whatever is missing is empty.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Request {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    scope: String,
    state: String,
    code_challenge: String,
    code_challenge_method: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Credentials {
    username: String,
    password: String,
}

/// What keeps a page from being shown.
pub enum Trouble {
    BadRequest(&'static str),
    OtherBrowser,
    /// Over; where the app waits.
    Over(Option<String>),
    Database(DbError),
}

impl From<DbError> for Trouble {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let (status, page) = match self {
            Self::BadRequest(why) => (StatusCode::BAD_REQUEST, views::bad_request(why)),
            Self::OtherBrowser => (StatusCode::FORBIDDEN, views::other_browser()),
            Self::Over(back) => (StatusCode::GONE, views::over(back.as_deref())),
            Self::Database(error) => {
                tracing::error!(%error, "a page of the sandbox bank cannot be shown");
                (StatusCode::INTERNAL_SERVER_ERROR, views::unavailable())
            }
        };
        (status, Html(page)).into_response()
    }
}

/// `GET /authorise`: begins a visit of this browser and sends it to its own page.
pub async fn begin(
    State(desk): State<Desk>,
    Query(ask): Query<Request>,
) -> Result<Response, Trouble> {
    let consent = check(&desk, &ask)?;
    let now = desk.clock.now();
    let mut tx = desk.db.write().await?;
    let consent = consents::find(&mut tx, consent).await?;
    // An address that the consent's own client did not name is never redirected to.
    let consent = consent
        .filter(|consent| {
            consent.client_id == ask.client_id && consent.redirect_uri == ask.redirect_uri
        })
        .ok_or(Trouble::BadRequest(
            "it names no consent of its own, or another address to return to",
        ))?;
    if consent.status_at(now) != "received" {
        return Err(Trouble::Over(Some(denied(
            &consent.redirect_uri,
            &ask.state,
        ))));
    }
    let (id, cookie) = (desk.clock.id(), desk.clock.token());
    let visit = NewAuthorisation {
        id,
        consent_id: consent.id,
        cookie: &sha256_hex(cookie.as_bytes()),
        client_state: &ask.state,
        code_challenge: &ask.code_challenge,
        created_at: now,
        expires_at: (now + VISIT).min(consent.authorise_by),
    };
    authorisations::start(&mut tx, &visit).await?;
    tx.commit().await?;
    // One cookie a visit, so that two windows do not disturb each other.
    let secure = if desk.public_url.starts_with("https:") {
        "; Secure"
    } else {
        ""
    };
    let cookie = format!(
        "{COOKIE_NAME}={cookie}; Path=/authorise/{id}; HttpOnly; SameSite=Lax; Max-Age=900{secure}"
    );
    Ok((
        StatusCode::SEE_OTHER,
        [(LOCATION, format!("/authorise/{id}")), (SET_COOKIE, cookie)],
    )
        .into_response())
}

fn check(desk: &Desk, ask: &Request) -> Result<Uuid, Trouble> {
    let bad = |why| Err(Trouble::BadRequest(why));
    if ask.response_type != "code" {
        return bad("response_type is not code");
    }
    if ask.client_id != desk.client.id {
        return bad("the client is not registered");
    }
    if ask.code_challenge_method != "S256" || ask.code_challenge.len() != 43 {
        return bad("there is no S256 code_challenge");
    }
    if ask.state.is_empty() || ask.state.len() > 512 {
        return bad("there is no state");
    }
    match ask.scope.strip_prefix("AIS:").map(Uuid::try_parse) {
        Some(Ok(consent)) => Ok(consent),
        _ => bad("the scope names no consent"),
    }
}

/// `GET /authorise/{id}`: sign-in, or the accounts once signed in.
pub async fn show(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Trouble> {
    let mut tx = desk.db.read().await?;
    let visit = open_visit(&desk, &mut tx, &id, &headers).await?;
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
    let visit = open_visit(&desk, &mut tx, &id, &headers).await?;
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
    let visit = visit(&mut tx, &id, &headers).await?;
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

fn decided(visit: &AuthorisationRow, headers: &HeaderMap) -> Option<String> {
    match visit.state.as_str() {
        "approved" => Some(granted(visit, &code(visit, headers)?)),
        "refused" => Some(denied(&visit.redirect_uri, &visit.client_state)),
        _ => None,
    }
}

/// The visit's one code, made from the browser's own secret: the same however often the form is sent, and nowhere stored.
fn code(visit: &AuthorisationRow, headers: &HeaderMap) -> Option<String> {
    let cookie = cookie(headers)?;
    Some(sha256_hex(format!("code/{}/{cookie}", visit.id).as_bytes()))
}

fn granted(visit: &AuthorisationRow, code: &str) -> String {
    with_query(
        &visit.redirect_uri,
        &[("code", code), ("state", &visit.client_state)],
    )
}

fn denied(redirect_uri: &str, state: &str) -> String {
    with_query(
        redirect_uri,
        &[("error", "access_denied"), ("state", state)],
    )
}

fn with_query(uri: &str, pairs: &[(&str, &str)]) -> String {
    let Ok(mut url) = Url::parse(uri) else {
        return uri.to_owned();
    };
    url.query_pairs_mut().extend_pairs(pairs);
    url.into()
}

fn see_other(to: &str) -> Response {
    let location = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}

fn path(visit: &AuthorisationRow) -> String {
    format!("/authorise/{}", visit.id)
}

/// The visit of an address, if this browser began it.
async fn visit(tx: &mut Tx, id: &str, headers: &HeaderMap) -> Result<AuthorisationRow, Trouble> {
    let id = Uuid::try_parse(id).map_err(|_| Trouble::BadRequest("there is no such visit"))?;
    let visit = authorisations::find(tx, id)
        .await?
        .ok_or(Trouble::BadRequest("there is no such visit"))?;
    match cookie(headers) {
        Some(cookie) if sha256_hex(cookie.as_bytes()) == visit.cookie => Ok(visit),
        _ => Err(Trouble::OtherBrowser),
    }
}

/// The same, if it still waits for something.
async fn open_visit(
    desk: &Desk,
    tx: &mut Tx,
    id: &str,
    headers: &HeaderMap,
) -> Result<AuthorisationRow, Trouble> {
    let visit = visit(tx, id, headers).await?;
    let waits = matches!(visit.state.as_str(), "started" | "signed_in")
        && visit.expires_at > desk.clock.now();
    if waits {
        Ok(visit)
    } else {
        Err(Trouble::Over(Some(denied(
            &visit.redirect_uri,
            &visit.client_state,
        ))))
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    pairs
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE_NAME).then_some(value))
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

    #[test]
    fn the_way_back_keeps_what_the_address_had() {
        let end = with_query(
            "http://127.0.0.1:1/cb?x=1",
            &[("code", "a b"), ("state", "s&t")],
        );
        assert_eq!(end, "http://127.0.0.1:1/cb?x=1&code=a+b&state=s%26t");
    }
}
