//! A browser's visit: its owner, its state, and the redirect it ends with.

use axum::http::header::{COOKIE, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use cookie::{Cookie, SameSite};
use kernel::crypto::sha256_hex;
use kernel::form::pairs::PairsError;
use url::Url;
use uuid::Uuid;

use super::views;
use crate::BankState;
use crate::storage::visits::{self, VisitRow, VisitSubject};
use crate::storage::{DbError, Tx, is_busy};
use crate::xs2a_error::later;

/// The cookie that ties a visit to its browser.
pub const COOKIE_NAME: &str = "xyzbank";

/// Reason a page cannot be shown.
pub enum VisitError {
    BadRequest(&'static str),
    /// The form or the query cannot be read.
    Unreadable(PairsError),
    OtherBrowser,
    /// The visit is over; holds the address that leads back to the app, if there is one.
    Over(Option<String>),
    /// The visit is decided already: the kind that was approved, if it was, and the address of the redirect.
    Answered {
        agreed: Option<VisitSubject>,
        back: String,
    },
    Database(DbError),
}

impl From<DbError> for VisitError {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl From<PairsError> for VisitError {
    fn from(error: PairsError) -> Self {
        Self::Unreadable(error)
    }
}

impl IntoResponse for VisitError {
    fn into_response(self) -> Response {
        let (status, page) = match self {
            Self::BadRequest(why) => (StatusCode::BAD_REQUEST, views::bad_request(why)),
            Self::Unreadable(error) => (error.status(), views::unreadable(&error)),
            Self::OtherBrowser => (StatusCode::FORBIDDEN, views::other_browser()),
            Self::Over(back) => (StatusCode::GONE, views::over(back.as_deref())),
            Self::Answered { agreed, back } => (StatusCode::GONE, views::answered(agreed, &back)),
            Self::Database(error) if is_busy(&error) => {
                tracing::warn!(%error, "the sandbox bank's books are busy");
                (StatusCode::SERVICE_UNAVAILABLE, views::unavailable())
            }
            Self::Database(error) => {
                tracing::error!(%error, "a page of the sandbox bank cannot be shown");
                (StatusCode::INTERNAL_SERVER_ERROR, views::unavailable())
            }
        };
        later((status, Html(page)).into_response())
    }
}

/// Returns the redirect URL of a decided visit, or `None` if it is undecided or, once approved, the browser's cookie is
/// missing.
pub fn decided(visit: &VisitRow, headers: &HeaderMap) -> Option<String> {
    match visit.state.as_str() {
        "approved" => Some(granted(visit, &code(visit, headers)?)),
        "refused" => Some(denied(&visit.redirect_uri, &visit.client_state)),
        _ => None,
    }
}

/// Returns the visit's one code, made from the browser's own secret, or `None` without its cookie. The code is the same
/// however often the form is sent, and is stored nowhere.
pub fn code(visit: &VisitRow, headers: &HeaderMap) -> Option<String> {
    let cookie = cookie(headers, COOKIE_NAME)?;
    Some(sha256_hex(format!("code/{}/{cookie}", visit.id).as_bytes()))
}

/// The way back with a code.
pub fn granted(visit: &VisitRow, code: &str) -> String {
    with_query(
        &visit.redirect_uri,
        &[("code", code), ("state", &visit.client_state)],
    )
}

/// The way back without one.
pub fn denied(redirect_uri: &str, state: &str) -> String {
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

pub fn see_other(to: &str) -> Response {
    let location = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}

pub fn path(visit: &VisitRow) -> String {
    format!("/authorise/{}", visit.id)
}

/// Finds the visit with this id. Refuses if there is none, or if another browser began it.
pub async fn find(tx: &mut Tx, id: &str, headers: &HeaderMap) -> Result<VisitRow, VisitError> {
    let id = Uuid::try_parse(id).map_err(|_| VisitError::BadRequest("there is no such visit"))?;
    let visit = visits::find(tx, id)
        .await?
        .ok_or(VisitError::BadRequest("there is no such visit"))?;
    match cookie(headers, COOKIE_NAME) {
        Some(cookie) if sha256_hex(cookie.as_bytes()) == visit.cookie => Ok(visit),
        _ => Err(VisitError::OtherBrowser),
    }
}

/// Finds a visit as [`find`] does, and refuses it if it is decided or expired.
pub async fn open(
    bank: &BankState,
    tx: &mut Tx,
    id: &str,
    headers: &HeaderMap,
) -> Result<VisitRow, VisitError> {
    let visit = find(tx, id, headers).await?;
    let waits = matches!(visit.state.as_str(), "started" | "signed_in")
        && visit.expires_at > bank.clock.now();
    if waits {
        Ok(visit)
    } else if let Some(back) = decided(&visit, headers) {
        let agreed = (visit.state == "approved").then_some(visit.kind);
        Err(VisitError::Answered { agreed, back })
    } else {
        Err(VisitError::Over(Some(denied(
            &visit.redirect_uri,
            &visit.client_state,
        ))))
    }
}

/// Returns the value of the first cookie of a name; `None` if the browser sent none.
pub fn cookie(headers: &HeaderMap, wanted: &str) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter();
    let mut cookies = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(Cookie::split_parse)
        .flatten();
    cookies
        .find(|cookie| cookie.name() == wanted)
        .map(|cookie| cookie.value().to_owned())
}

/// Returns a cookie for a path of the bank, which lives so many seconds.
pub fn set_cookie(
    bank: &BankState,
    cookie: (&'static str, String),
    path: String,
    seconds: i64,
) -> String {
    Cookie::build(cookie)
        .path(path)
        .max_age(time::Duration::seconds(seconds))
        .same_site(SameSite::Lax)
        .http_only(true)
        .secure(bank.public_url.starts_with("https:"))
        .to_string()
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
