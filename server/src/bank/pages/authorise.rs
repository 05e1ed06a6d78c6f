//! The authorise endpoint (RFC 6749, section 4.1.1): an app's request becomes a visit of this browser.

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::response::{IntoResponse as _, Response};
use chrono::Duration;
use serde::Deserialize;
use uuid::Uuid;

use super::visit::{COOKIE_NAME, Trouble, denied};
use crate::bank::Desk;
use crate::bank::storage::authorisations::{self, NewAuthorisation};
use crate::bank::storage::consents;
use crate::crypto::sha256_hex;

/// How long a visit may take.
const VISIT: Duration = Duration::minutes(15);

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
