//! One-time things on their way out: made here, kept as a digest beside a sealed copy, so that the same one can be
//! handed out again until it is used.

use app::domain::ids::{SessionId, TenantId};
use app::domain::session::Follows;
use app::domain::tenant::Environment;
use chrono::{DateTime, Duration, Utc};

use super::refusal::Failure;
use crate::crypto::Digest;
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::nonces::NonceRow;
use crate::storage::sessions::SessionRow;
use crate::storage::temp_tokens::TempTokenRow;

/// How long a nonce lives, from when it is first handed out (`api.md`, section 2).
pub const NONCE_LIFE: Duration = Duration::minutes(30);
/// How long a production `temp_token` lives; the sandbox's is a setting.
const TEMP_TOKEN_LIFE: Duration = Duration::seconds(60);
/// How many tokens one return may bring, however often it is repeated (`api.md`, section 2).
const MOST_TOKENS: usize = 5;
/// How long after its first token a return may bring another.
const REPEATABLE: Duration = Duration::minutes(10);

/// A secret just made, with the end of its life if that has begun.
pub struct Issued {
    pub text: String,
    pub expires_at: Option<DateTime<Utc>>,
}

/// When a thing's life begins.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// With the answer being made.
    Now,
    /// When it is first asked for, or when what it waits for has come.
    Later,
}

impl Life {
    /// When the life of a session's `temp_token` begins, by what still follows.
    pub fn at(follows: Follows) -> Self {
        if follows == Follows::Uploads {
            Self::Later
        } else {
            Self::Now
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

/// How long a `temp_token` of this environment lives.
pub fn temp_token_life(state: &AppState, environment: Environment) -> Duration {
    match environment {
        Environment::Production => TEMP_TOKEN_LIFE,
        Environment::Sandbox => Duration::seconds(state.config.sandbox.temp_token_seconds),
    }
}

/// Issues the nonce of a session's step.
pub async fn nonce(
    state: &AppState,
    tx: &mut Tx,
    session: SessionId,
    position: i64,
    life: Life,
) -> Result<Issued, Failure> {
    let now = state.clock.now();
    let text = state.clock.token();
    let place = nonce_place(session, position);
    let row = NonceRow {
        digest: nonce_digest(state, &text),
        session_id: session,
        position,
        sealed: state.vault.seal(&state.clock, &place, text.as_bytes())?,
        created_at: now,
        expires_at: (life == Life::Now).then(|| now + NONCE_LIFE),
        used_at: None,
    };
    tx.insert_nonce(&row).await?;
    Ok(Issued {
        text,
        expires_at: row.expires_at,
    })
}

/// The unused nonce of a session's step, its life starting now at the latest; `None` when used or run out.
pub async fn nonce_again(
    state: &AppState,
    tx: &mut Tx,
    session: SessionId,
    position: i64,
) -> Result<Option<Issued>, Failure> {
    let now = state.clock.now();
    let row = tx
        .deliver_nonce(session, position, now + NONCE_LIFE)
        .await?;
    let live = row.filter(|row| row.expires_at.is_some_and(|end| end > now));
    live.map(|row| {
        open(
            state,
            &nonce_place(session, position),
            &row.sealed,
            row.expires_at,
        )
    })
    .transpose()
}

/// Issues a `temp_token` of a completed session.
pub async fn temp_token(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
    life: Life,
) -> Result<Issued, Failure> {
    let now = state.clock.now();
    let text = state.clock.token();
    let place = token_place(session.tenant_id, session.id);
    let ends = now + temp_token_life(state, session.skill.environment());
    let row = TempTokenRow {
        digest: temp_token_digest(state, &text),
        session_id: session.id,
        tenant_id: session.tenant_id,
        sealed: state.vault.seal(&state.clock, &place, text.as_bytes())?,
        created_at: now,
        expires_at: (life == Life::Now).then_some(ends),
        exchanged_at: None,
        died_at: None,
        exchange_mark: None,
    };
    tx.insert_temp_token(&row).await?;
    Ok(Issued {
        text,
        expires_at: row.expires_at,
    })
}

/// A session's unexchanged `temp_token`, its life starting now at the latest; `None` when exchanged or run out.
pub async fn temp_token_again(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
) -> Result<Option<Issued>, Failure> {
    let now = state.clock.now();
    let ends = now + temp_token_life(state, session.skill.environment());
    let row = tx.deliver_temp_token(session.id, ends).await?;
    let live = row.filter(|row| row.expires_at.is_some_and(|end| end > now));
    let place = token_place(session.tenant_id, session.id);
    live.map(|row| open(state, &place, &row.sealed, row.expires_at))
        .transpose()
}

/// A `temp_token` for a repeated return: the first one while nobody got it, else one of its own beside those handed out
/// before, which live on. `None` when one was exchanged, or the return was repeated too often or too late. The
/// transaction holds the session.
pub async fn temp_token_repeated(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
) -> Result<Option<Issued>, Failure> {
    let tokens = tx.temp_tokens_of(session.id).await?;
    if tokens.iter().any(|token| !token.is_alive()) {
        return Ok(None);
    }
    let life = temp_token_life(state, session.skill.environment());
    let Some(first_ends) = tokens.iter().filter_map(|token| token.expires_at).min() else {
        return temp_token_again(state, tx, session).await;
    };
    let late = state.clock.now() - (first_ends - life) > REPEATABLE;
    if late || tokens.len() >= MOST_TOKENS {
        return Ok(None);
    }
    temp_token(state, tx, session, Life::Now).await.map(Some)
}

/// The `temp_token` of a session that lacks uploads: its life does not begin by being asked for.
pub async fn temp_token_waiting(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
) -> Result<Option<Issued>, Failure> {
    let place = token_place(session.tenant_id, session.id);
    let row = tx.living_temp_token(session.id).await?;
    row.map(|row| open(state, &place, &row.sealed, row.expires_at))
        .transpose()
}

fn open(
    state: &AppState,
    place: &str,
    sealed: &[u8],
    expires_at: Option<DateTime<Utc>>,
) -> Result<Issued, Failure> {
    let plain = state.vault.open(place, sealed)?;
    Ok(Issued {
        text: String::from_utf8_lossy(&plain).into_owned(),
        expires_at,
    })
}

fn nonce_place(session: SessionId, position: i64) -> String {
    format!("nonces.sealed/{session}/{position}")
}

fn token_place(tenant: TenantId, session: SessionId) -> String {
    format!("temp_tokens.sealed/{tenant}/{session}")
}
