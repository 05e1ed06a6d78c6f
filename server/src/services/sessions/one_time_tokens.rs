//! One-time tokens, nonces and `temp_token`s: made here, kept as a digest beside a sealed copy, so that the same one can be
//! handed out again until it is used.

use app::domain::session::Follows;
use app::domain::tenant::Environment;
use chrono::{DateTime, Duration, Utc};
use kernel::crypto::Digest;

use crate::aad;
use crate::services::refusal::ApiError;
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::nonces::NonceRow;
use crate::storage::sessions::SessionRow;
use crate::storage::temp_tokens::TempTokenRow;

/// Lifetime of a nonce, from when it is first handed out (docs/API.md, "Nonces").
pub const NONCE_LIFE: Duration = Duration::minutes(30);
/// Most tokens that one return may bring, however often it is repeated (docs/API.md, "Redirects").
const MOST_TOKENS: usize = 5;
/// Time after its first token within which a return may bring another.
const REPEATABLE: Duration = Duration::minutes(10);

/// A secret just made, with the end of its life if that has begun.
pub struct IssuedToken {
    pub text: String,
    pub expires_at: Option<DateTime<Utc>>,
}

/// Start of the lifetime of a nonce or token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TtlStart {
    /// With the answer being made.
    OnIssue,
    /// At the first time it is handed out, or when the uploads it waits for are complete.
    OnDelivery,
}

impl TtlStart {
    /// Returns the start of the lifetime of a session's `temp_token`, by what still follows.
    pub fn at(follows: Follows) -> Self {
        if follows == Follows::Uploads {
            Self::OnDelivery
        } else {
            Self::OnIssue
        }
    }
}

/// The digest a nonce is known by.
pub fn nonce_digest(state: &AppState, nonce: &str) -> Digest {
    state.pepper.digest("nonce", nonce)
}

/// The digest a `temp_token` is known by.
pub fn temp_token_digest(state: &AppState, token: &str) -> Digest {
    state.pepper.digest("temp_token", token)
}

/// Returns the lifetime of a `temp_token` in this environment.
pub fn temp_token_ttl(state: &AppState, environment: Environment) -> Duration {
    Duration::seconds(match environment {
        Environment::Production => state.config.limits.temp_token_seconds,
        Environment::Sandbox => state.config.sandbox.temp_token_seconds,
    })
}

/// Issues the nonce of a session's step.
pub async fn issue_nonce(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
    position: i64,
    ttl: TtlStart,
) -> Result<IssuedToken, ApiError> {
    let now = state.now_of(session.tenant_id);
    let text = state.clock.token();
    let aad = aad::nonce(session.id, position);
    let row = NonceRow {
        digest: nonce_digest(state, &text),
        session_id: session.id,
        position,
        sealed: state.vault.seal(&state.clock, &aad, text.as_bytes())?,
        created_at: now,
        expires_at: (ttl == TtlStart::OnIssue).then(|| now + NONCE_LIFE),
        used_at: None,
    };
    tx.insert_nonce(&row).await?;
    Ok(IssuedToken {
        text,
        expires_at: row.expires_at,
    })
}

/// The unused nonce of a session's step, its life starting now at the latest; `None` when used or run out.
pub async fn redeliver_nonce(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
    position: i64,
) -> Result<Option<IssuedToken>, ApiError> {
    let now = state.now_of(session.tenant_id);
    let row = tx
        .deliver_nonce(session.id, position, now + NONCE_LIFE)
        .await?;
    let live = row.filter(|row| row.expires_at.is_some_and(|end| end > now));
    live.map(|row| {
        open(
            state,
            &aad::nonce(session.id, position),
            &row.sealed,
            row.expires_at,
        )
    })
    .transpose()
}

/// Issues a `temp_token` of a completed session.
pub async fn issue_temp_token(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
    ttl: TtlStart,
) -> Result<IssuedToken, ApiError> {
    let now = state.now_of(session.tenant_id);
    let text = state.clock.token();
    let aad = aad::temp_token(session.tenant_id, session.id);
    let ends = now + temp_token_ttl(state, session.skill.environment());
    let row = TempTokenRow {
        digest: temp_token_digest(state, &text),
        session_id: session.id,
        tenant_id: session.tenant_id,
        sealed: state.vault.seal(&state.clock, &aad, text.as_bytes())?,
        created_at: now,
        expires_at: (ttl == TtlStart::OnIssue).then_some(ends),
        exchanged_at: None,
        died_at: None,
        exchange_mark: None,
    };
    tx.insert_temp_token(&row).await?;
    Ok(IssuedToken {
        text,
        expires_at: row.expires_at,
    })
}

/// A session's unexchanged `temp_token`, its life starting now at the latest; `None` when exchanged or run out.
pub async fn redeliver_temp_token(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
) -> Result<Option<IssuedToken>, ApiError> {
    let now = state.now_of(session.tenant_id);
    let ends = now + temp_token_ttl(state, session.skill.environment());
    let row = tx.deliver_temp_token(session.id, ends).await?;
    let live = row.filter(|row| row.expires_at.is_some_and(|end| end > now));
    let aad = aad::temp_token(session.tenant_id, session.id);
    live.map(|row| open(state, &aad, &row.sealed, row.expires_at))
        .transpose()
}

/// A `temp_token` for a repeated return: the first one while nobody got it, else one of its own beside those handed out
/// before, which live on. `None` when one was exchanged, or the return was repeated too often or too late. The
/// transaction holds the session.
pub async fn reissue_temp_token(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
) -> Result<Option<IssuedToken>, ApiError> {
    let tokens = tx.temp_tokens_of(session.id).await?;
    if tokens.iter().any(|token| !token.is_alive()) {
        return Ok(None);
    }
    let ttl = temp_token_ttl(state, session.skill.environment());
    let Some(first_ends) = tokens.iter().filter_map(|token| token.expires_at).min() else {
        return redeliver_temp_token(state, tx, session).await;
    };
    let late = state.now_of(session.tenant_id) - (first_ends - ttl) > REPEATABLE;
    if late || tokens.len() >= MOST_TOKENS {
        return Ok(None);
    }
    issue_temp_token(state, tx, session, TtlStart::OnIssue)
        .await
        .map(Some)
}

/// The `temp_token` of a session that lacks uploads: its life does not begin by being asked for.
pub async fn undelivered_temp_token(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
) -> Result<Option<IssuedToken>, ApiError> {
    let aad = aad::temp_token(session.tenant_id, session.id);
    let row = tx.living_temp_token(session.id).await?;
    row.map(|row| open(state, &aad, &row.sealed, row.expires_at))
        .transpose()
}

fn open(
    state: &AppState,
    aad: &str,
    sealed: &[u8],
    expires_at: Option<DateTime<Utc>>,
) -> Result<IssuedToken, ApiError> {
    let plain = state.vault.open(aad, sealed)?;
    Ok(IssuedToken {
        text: String::from_utf8_lossy(&plain).into_owned(),
        expires_at,
    })
}
