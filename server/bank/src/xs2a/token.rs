//! The token endpoint: a one-time code and the verifier only its asker knows, for an access token
//! (RFC 6749, section 4.1.3; RFC 7636, section 4.6).

use axum::extract::State;
use axum::http::header::WWW_AUTHENTICATE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::crypto::sha256_hex;
use kernel::form::Form;
use kernel::form::pairs::{Pairs, PairsError};
use kernel::json::Json;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::access::Tpp;
use crate::BankState;
use crate::storage::visits::VisitSubject;
use crate::storage::{DbError, is_busy};
use crate::storage::{consents, visits};
use crate::xs2a_error::later;

/// The parameters of a token request, each once (RFC 6749, section 3.2).
struct TokenRequest<'f> {
    grant_type: &'f str,
    code: &'f str,
    redirect_uri: &'f str,
    code_verifier: &'f str,
}

impl<'f> TokenRequest<'f> {
    fn read(form: &'f Pairs) -> Result<Self, TokenError> {
        let given = |name| {
            let value = form.single(name).map_err(|_| TokenError::InvalidRequest)?;
            if value.is_empty() {
                return Err(TokenError::InvalidRequest);
            }
            Ok(value)
        };
        Ok(Self {
            grant_type: given("grant_type")?,
            code: given("code")?,
            redirect_uri: given("redirect_uri")?,
            code_verifier: given("code_verifier")?,
        })
    }
}

/// RFC 6749, section 5.2.
pub enum TokenError {
    InvalidClient,
    InvalidRequest,
    UnsupportedGrantType,
    InvalidGrant,
    Unavailable,
    Server,
}

impl From<DbError> for TokenError {
    fn from(error: DbError) -> Self {
        if is_busy(&error) {
            tracing::warn!(%error, "the sandbox bank's books are busy");
            return Self::Unavailable;
        }
        tracing::error!(%error, "the sandbox bank cannot redeem a code");
        Self::Server
    }
}

impl IntoResponse for TokenError {
    fn into_response(self) -> Response {
        let (status, error) = match self {
            Self::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::InvalidRequest => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            Self::InvalidGrant => (StatusCode::BAD_REQUEST, "invalid_grant"),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
            Self::Server => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        };
        let answer = (status, Json(json!({ "error": error })));
        if status == StatusCode::UNAUTHORIZED {
            ([(WWW_AUTHENTICATE, "Basic realm=\"XYZ Bank\"")], answer).into_response()
        } else {
            later(answer.into_response())
        }
    }
}

/// `POST /token`. A code works once, within its minute, for the address it was sent to and the verifier behind its
/// challenge. A second use is refused and takes nothing away: browsers repeat requests by themselves.
pub async fn redeem(
    State(bank): State<BankState>,
    headers: HeaderMap,
    form: Result<Form, PairsError>,
) -> Result<Response, TokenError> {
    Tpp::prove(&bank, &headers).map_err(|_| TokenError::InvalidClient)?;
    let Form(form) = form.map_err(|_| TokenError::InvalidRequest)?;
    let ask = TokenRequest::read(&form)?;
    if ask.grant_type != "authorization_code" {
        return Err(TokenError::UnsupportedGrantType);
    }
    let now = bank.clock.now();
    let mut tx = bank.db.write().await?;
    let redeemed = visits::redeem(
        &mut tx,
        &sha256_hex(ask.code.as_bytes()),
        ask.redirect_uri,
        now,
    )
    .await?
    .ok_or(TokenError::InvalidGrant)?;
    // Leaving without commit gives the code back to whoever has the right verifier.
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(ask.code_verifier.as_bytes()));
    if !bool::from(
        challenge
            .as_bytes()
            .ct_eq(redeemed.code_challenge.as_bytes()),
    ) {
        return Err(TokenError::InvalidGrant);
    }
    let token = bank.clock.token();
    let ends = match redeemed.kind {
        VisitSubject::Consent => {
            let consent = consents::find(&mut tx, redeemed.subject_id).await?;
            let consent = consent
                .filter(|consent| consent.status_at(now) == "valid")
                .ok_or(TokenError::InvalidGrant)?;
            let digest = sha256_hex(token.as_bytes());
            consents::add_token(&mut tx, &digest, consent.id, consent.expires_at).await?;
            consent.expires_at
        }
        // RFC 6749 wants a token in the answer; payments are asked about as the client, and this one opens nothing.
        VisitSubject::Payment => now,
    };
    tx.commit().await?;
    let answer = json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": (ends - now).num_seconds(),
        "scope": format!("{}:{}", redeemed.kind.scope(), redeemed.subject_id),
    });
    Ok(Json(answer).into_response())
}
