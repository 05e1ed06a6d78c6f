//! The authorise endpoint (RFC 6749, section 4.1.1) and the pages behind it: sign-in, then a decision on what the visit is
//! about ([`consent`] or [`payment`]).

use axum::Form;
use axum::extract::{Path, Query, State};
use axum::http::header::{COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use chrono::{DateTime, Duration, Utc};
use serde::Deserialize;
use url::Url;
use uuid::Uuid;

use super::consent::Ticked;
use super::payment::Confirmed;
use super::{consent, payment, views};
use crate::bank::Desk;
use crate::bank::ledger::accounts::{PASSWORD, USERS};
use crate::bank::storage::visits::{self, Kind, NewVisit, VisitRow};
use crate::bank::storage::{books, consents, payments};
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
    let (kind, subject) = check(&desk, &ask)?;
    let now = desk.clock.now();
    let mut tx = desk.db.write().await?;
    let subject = find_subject(&mut tx, kind, subject, now).await?;
    // An address that the subject's own client did not name is never redirected to.
    let subject = subject
        .filter(|subject| {
            subject.client_id == ask.client_id && subject.redirect_uri == ask.redirect_uri
        })
        .ok_or(Trouble::BadRequest(
            "it names nothing of its own to agree to, or another address to return to",
        ))?;
    if !subject.waits {
        return Err(Trouble::Over(Some(denied(
            &subject.redirect_uri,
            &ask.state,
        ))));
    }
    let (id, cookie) = (desk.clock.id(), desk.clock.token());
    let visit = NewVisit {
        id,
        kind,
        subject_id: subject.id,
        redirect_uri: &subject.redirect_uri,
        cookie: &sha256_hex(cookie.as_bytes()),
        client_state: &ask.state,
        code_challenge: &ask.code_challenge,
        created_at: now,
        expires_at: (now + VISIT).min(subject.authorise_by),
    };
    visits::start(&mut tx, &visit).await?;
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

/// What a visit is to be about.
struct Subject {
    id: Uuid,
    client_id: String,
    redirect_uri: String,
    authorise_by: DateTime<Utc>,
    /// Whether nobody has decided on it yet.
    waits: bool,
}

async fn find_subject(
    tx: &mut Tx,
    kind: Kind,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Subject>, Trouble> {
    Ok(match kind {
        Kind::Consent => consents::find(tx, id).await?.map(|row| Subject {
            id,
            waits: row.status_at(now) == "received",
            client_id: row.client_id,
            redirect_uri: row.redirect_uri,
            authorise_by: row.authorise_by,
        }),
        Kind::Payment => payments::find(tx, id).await?.map(|row| Subject {
            id,
            waits: row.waits(now),
            client_id: row.client_id,
            redirect_uri: row.redirect_uri,
            authorise_by: row.authorise_by,
        }),
    })
}

fn check(desk: &Desk, ask: &Request) -> Result<(Kind, Uuid), Trouble> {
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
    let scope = ask.scope.split_once(':');
    let kind = scope.and_then(|(word, _)| match word {
        "AIS" => Some(Kind::Consent),
        "PIS" => Some(Kind::Payment),
        _ => None,
    });
    match (kind, scope.map(|(_, id)| Uuid::try_parse(id))) {
        (Some(kind), Some(Ok(subject))) => Ok((kind, subject)),
        _ => bad("the scope names no consent and no payment"),
    }
}

/// `GET /authorise/{id}`: sign-in, or the decision once signed in.
pub async fn show(
    State(desk): State<Desk>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Trouble> {
    let mut tx = desk.db.read().await?;
    let visit = open_visit(&desk, &mut tx, &id, &headers).await?;
    if visit.state == "started" {
        return Ok(Html(sign_in_page(&desk, &visit, None)).into_response());
    }
    let page = match visit.kind {
        Kind::Consent => consent::page(&desk, &mut tx, &visit).await?,
        Kind::Payment => payment::page(&desk, &mut tx, &visit).await?,
    };
    Ok(Html(page).into_response())
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
        let page = sign_in_page(&desk, &visit, Some(&shown));
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response());
    };
    books::keep_loaded(&desk.db, user.username, desk.today()).await?;
    let mut tx = desk.db.write().await?;
    // Signed in already, by a form sent twice: the page behind is the same.
    visits::sign_in(&mut tx, visit.id, user.username, desk.clock.now()).await?;
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
    let decision = field(&fields, "decision");
    if decision == Some("refuse") {
        drop(tx);
        return refuse(&desk, &visit).await;
    }
    if visit.state != "signed_in" {
        return Ok(see_other(&path(&visit)));
    }
    let approves = decision == Some("approve");
    let judged = match visit.kind {
        Kind::Consent => consent::judge(&desk, &mut tx, &visit, &fields, approves).await?,
        Kind::Payment => payment::judge(&desk, &mut tx, &visit, &fields, approves).await?,
    };
    drop(tx);
    match judged {
        Judged::Yes(yes) => approve(&desk, &visit, &headers, &yes).await,
        Judged::Again(page) => Ok((StatusCode::UNPROCESSABLE_ENTITY, Html(page)).into_response()),
    }
}

/// What came of a decision form.
pub enum Judged {
    Yes(Yes),
    /// The form again, saying what is wrong with it.
    Again(String),
}

/// What the end-user agrees to.
pub enum Yes {
    Accounts(Ticked),
    Payment(Confirmed),
}

/// The first value of a form's field.
pub fn field<'f>(fields: &'f [(String, String)], name: &str) -> Option<&'f str> {
    let found = fields.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}

fn sign_in_page(desk: &Desk, visit: &VisitRow, wrong: Option<&str>) -> String {
    let asks = match visit.kind {
        Kind::Consent => {
            "asks to read accounts you have with us. Sign in to see what it wants; nothing is shared before you agree."
        }
        Kind::Payment => {
            "asks for a payment from an account you have with us. Sign in to see it; nothing is paid before you agree."
        }
    };
    views::sign_in(&path(visit), &desk.client.name, asks, wrong)
}

async fn approve(
    desk: &Desk,
    visit: &VisitRow,
    headers: &HeaderMap,
    yes: &Yes,
) -> Result<Response, Trouble> {
    let over = || Trouble::Over(Some(denied(&visit.redirect_uri, &visit.client_state)));
    let (now, code) = (
        desk.clock.now(),
        code(visit, headers).ok_or(Trouble::OtherBrowser)?,
    );
    let digest = sha256_hex(code.as_bytes());
    let mut tx = desk.db.write().await?;
    if !visits::approve(&mut tx, visit.id, &digest, now + CODE_LIFE, now).await? {
        drop(tx);
        return settled(desk, visit, headers).await;
    }
    let done = match yes {
        Yes::Accounts(ticked) => consent::give(desk, &mut tx, visit, ticked, now).await?,
        Yes::Payment(confirmed) => payment::authorise(&mut tx, visit, confirmed, now).await?,
    };
    if !done {
        return Err(over());
    }
    tx.commit().await?;
    Ok(see_other(&granted(visit, &code)))
}

async fn refuse(desk: &Desk, visit: &VisitRow) -> Result<Response, Trouble> {
    let now = desk.clock.now();
    let end = denied(&visit.redirect_uri, &visit.client_state);
    let mut tx = desk.db.write().await?;
    if !visits::refuse(&mut tx, visit.id, now).await? {
        return Err(Trouble::Over(Some(end)));
    }
    // Refused in this window; if another one approved first, that stands.
    let user = visit.username.as_deref();
    match visit.kind {
        Kind::Consent => {
            consents::decide(&mut tx, visit.subject_id, "rejected", user, now).await?;
        }
        Kind::Payment => payments::refuse(&mut tx, visit.subject_id, now).await?,
    }
    tx.commit().await?;
    Ok(see_other(&end))
}

/// Where a visit ended that another request decided meanwhile.
async fn settled(desk: &Desk, visit: &VisitRow, headers: &HeaderMap) -> Result<Response, Trouble> {
    let mut tx = desk.db.read().await?;
    let now = visits::find(&mut tx, visit.id)
        .await?
        .and_then(|visit| decided(&visit, headers));
    now.map(|end| see_other(&end))
        .ok_or_else(|| Trouble::Over(Some(denied(&visit.redirect_uri, &visit.client_state))))
}

fn decided(visit: &VisitRow, headers: &HeaderMap) -> Option<String> {
    match visit.state.as_str() {
        "approved" => Some(granted(visit, &code(visit, headers)?)),
        "refused" => Some(denied(&visit.redirect_uri, &visit.client_state)),
        _ => None,
    }
}

/// The visit's one code, made from the browser's own secret: the same however often the form is sent, and nowhere stored.
fn code(visit: &VisitRow, headers: &HeaderMap) -> Option<String> {
    let cookie = cookie(headers)?;
    Some(sha256_hex(format!("code/{}/{cookie}", visit.id).as_bytes()))
}

fn granted(visit: &VisitRow, code: &str) -> String {
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

pub fn path(visit: &VisitRow) -> String {
    format!("/authorise/{}", visit.id)
}

/// The visit of an address, if this browser began it.
async fn visit(tx: &mut Tx, id: &str, headers: &HeaderMap) -> Result<VisitRow, Trouble> {
    let id = Uuid::try_parse(id).map_err(|_| Trouble::BadRequest("there is no such visit"))?;
    let visit = visits::find(tx, id)
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
) -> Result<VisitRow, Trouble> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_keeps_what_the_address_had() {
        let end = with_query(
            "http://127.0.0.1:1/cb?x=1",
            &[("code", "a b"), ("state", "s&t")],
        );
        assert_eq!(end, "http://127.0.0.1:1/cb?x=1&code=a+b&state=s%26t");
    }
}
