//! The authorise endpoint (RFC 6749, section 4.1.1): an app's request becomes a visit of this browser.

use axum::extract::State;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use chrono::{DateTime, Duration, Utc};
use kernel::crypto::sha256_hex;
use kernel::form::Query;
use kernel::form::pairs::{Pairs, PairsError};
use uuid::Uuid;

use super::browser;
use super::visit::{COOKIE_NAME, VisitError, denied, set_cookie};
use crate::BankState;
use crate::storage::Tx;
use crate::storage::visits::{self, NewVisit, VisitSubject};
use crate::storage::{consents, payments};

/// Lifetime of a visit.
const VISIT: Duration = Duration::minutes(15);

/// The parameters of an authorization request, each at most once (RFC 6749, section 3.1); whatever is missing is empty.
struct Request<'q> {
    response_type: &'q str,
    client_id: &'q str,
    redirect_uri: &'q str,
    scope: &'q str,
    state: &'q str,
    code_challenge: &'q str,
    code_challenge_method: &'q str,
}

impl<'q> Request<'q> {
    fn read(query: &'q Pairs) -> Result<Self, PairsError> {
        Ok(Self {
            response_type: query.single("response_type")?,
            client_id: query.single("client_id")?,
            redirect_uri: query.single("redirect_uri")?,
            scope: query.single("scope")?,
            state: query.single("state")?,
            code_challenge: query.single("code_challenge")?,
            code_challenge_method: query.single("code_challenge_method")?,
        })
    }
}

/// `GET /authorise`: begins a visit of this browser and sends it to its own page.
pub async fn begin(
    State(bank): State<BankState>,
    headers: HeaderMap,
    query: Result<Query, PairsError>,
) -> Result<Response, VisitError> {
    let Query(query) = query?;
    let ask = Request::read(&query)?;
    let (kind, subject) = check(&bank, &ask)?;
    let now = bank.clock.now();
    let mut tx = bank.db.write().await?;
    let subject = find_subject(&mut tx, kind, subject, now).await?;
    // An address that the subject's own client did not name is never redirected to.
    let subject = subject
        .filter(|subject| {
            subject.client_id == ask.client_id && subject.redirect_uri == ask.redirect_uri
        })
        .ok_or(VisitError::BadRequest(
            "it names nothing of its own to agree to, or another address to return to",
        ))?;
    if !subject.waits {
        return Err(VisitError::Over(Some(denied(
            &subject.redirect_uri,
            ask.state,
        ))));
    }
    let (id, cookie) = (bank.clock.id(), bank.clock.token());
    let visit = NewVisit {
        id,
        kind,
        subject_id: subject.id,
        redirect_uri: &subject.redirect_uri,
        cookie: &sha256_hex(cookie.as_bytes()),
        client_state: ask.state,
        code_challenge: ask.code_challenge,
        created_at: now,
        expires_at: (now + VISIT).min(subject.authorise_by),
        brand: subject.brand.as_deref(),
    };
    visits::start(&mut tx, &visit).await?;
    tx.commit().await?;
    // One cookie a visit, so that two windows do not disturb each other.
    let cookie = set_cookie(
        &bank,
        (COOKIE_NAME, cookie),
        format!("/authorise/{id}"),
        900,
    );
    let mut response = (
        StatusCode::SEE_OTHER,
        [(LOCATION, format!("/authorise/{id}")), (SET_COOKIE, cookie)],
    )
        .into_response();
    // Another one for the browser itself, by which it finds what was agreed to in it.
    if browser::digest(&headers).is_none()
        && let Ok(cookie) = HeaderValue::try_from(browser::fresh(&bank))
    {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Consent or payment that a visit is about.
struct Subject {
    id: Uuid,
    client_id: String,
    redirect_uri: String,
    authorise_by: DateTime<Utc>,
    brand: Option<String>,
    /// `true` if it is not decided yet and may still be authorised.
    waits: bool,
}

async fn find_subject(
    tx: &mut Tx,
    kind: VisitSubject,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Option<Subject>, VisitError> {
    Ok(match kind {
        VisitSubject::Consent => consents::find(tx, id).await?.map(|row| Subject {
            id,
            waits: row.status_at(now) == "received",
            client_id: row.client_id,
            redirect_uri: row.redirect_uri,
            authorise_by: row.authorise_by,
            brand: row.brand,
        }),
        VisitSubject::Payment => payments::find(tx, id).await?.map(|row| Subject {
            id,
            waits: row.waits(now),
            client_id: row.client_id,
            redirect_uri: row.redirect_uri,
            authorise_by: row.authorise_by,
            brand: row.brand,
        }),
    })
}

fn check(bank: &BankState, ask: &Request<'_>) -> Result<(VisitSubject, Uuid), VisitError> {
    let bad = |why| Err(VisitError::BadRequest(why));
    if ask.response_type != "code" {
        return bad("response_type is not code");
    }
    if ask.client_id != bank.client.id {
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
        "AIS" => Some(VisitSubject::Consent),
        "PIS" => Some(VisitSubject::Payment),
        _ => None,
    });
    match (kind, scope.map(|(_, id)| Uuid::try_parse(id))) {
        (Some(kind), Some(Ok(subject))) => Ok((kind, subject)),
        _ => bad("the scope names no consent and no payment"),
    }
}
