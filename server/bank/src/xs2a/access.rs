//! Authentication of callers: a registered client, or the holder of an access token and its consent.

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kernel::crypto::sha256_hex;
use secrecy::ExposeSecret as _;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use crate::BankState;
use crate::storage::{books, consents};
use crate::xs2a_error::Xs2aError;

/// Proof that the caller is the registered third-party provider.
pub struct Tpp {
    pub client_id: String,
}

/// Proof that the caller holds a live token of a valid consent, and named that consent.
pub struct Access {
    pub consent: Uuid,
}

impl Tpp {
    /// Checks HTTP Basic credentials (RFC 6749, section 2.3.1); the same time for every wrong one.
    pub fn prove(bank: &BankState, headers: &HeaderMap) -> Result<Self, Xs2aError> {
        let given = bare(headers, "basic")
            .and_then(|coded| STANDARD.decode(coded).ok())
            .ok_or(Xs2aError::stranger())?;
        let client = &bank.client;
        let wanted = format!("{}:{}", client.id, client.secret.expose_secret());
        if bool::from(given.as_slice().ct_eq(wanted.as_bytes())) {
            Ok(Self {
                client_id: client.id.clone(),
            })
        } else {
            Err(Xs2aError::stranger())
        }
    }
}

impl FromRequestParts<BankState> for Tpp {
    type Rejection = Xs2aError;
    async fn from_request_parts(parts: &mut Parts, bank: &BankState) -> Result<Self, Xs2aError> {
        Self::prove(bank, &parts.headers)
    }
}

impl FromRequestParts<BankState> for Access {
    type Rejection = Xs2aError;
    async fn from_request_parts(parts: &mut Parts, bank: &BankState) -> Result<Self, Xs2aError> {
        let bearer = bare(&parts.headers, "bearer").ok_or(Xs2aError::token_missing())?;
        let named = parts
            .headers
            .get("consent-id")
            .and_then(|id| id.to_str().ok());
        let named = named
            .and_then(|id| Uuid::try_parse(id).ok())
            .ok_or(Xs2aError::format("Consent-ID must name a consent"))?;
        let now = bank.clock.now();
        let mut tx = bank.db.read().await?;
        let (consent, token_ends) = consents::token(&mut tx, &sha256_hex(bearer.as_bytes()))
            .await?
            .ok_or(Xs2aError::token_unknown())?;
        if consent != named {
            return Err(Xs2aError::consent_unknown());
        }
        let row = consents::find(&mut tx, consent)
            .await?
            .ok_or(Xs2aError::consent_unknown())?;
        drop(tx);
        match row.status_at(now) {
            "valid" if token_ends <= now => return Err(Xs2aError::token_expired()),
            "valid" => {}
            "expired" => return Err(Xs2aError::consent_expired()),
            _ => return Err(Xs2aError::consent_invalid()),
        }
        let username = row.username.unwrap_or_default();
        // The calendar may have moved on since the user signed in.
        books::keep_loaded(&bank.db, &username, bank.today()).await?;
        Ok(Self { consent })
    }
}

/// The credentials of an `Authorization` header of this scheme.
fn bare<'h>(headers: &'h HeaderMap, scheme: &str) -> Option<&'h str> {
    let (given, rest) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| rest.trim())
}
