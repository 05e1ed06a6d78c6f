//! One extractor for every operation: reads the strict request, proves the keys, counts the call.
//!
//! ```ignore
//! /// Opens a session. `call.by` is the [`Client`] that was proved, `call.input` what was asked.
//! async fn create(State(state): State<AppState>, call: Call<CreateSession>) -> Result<Json<SessionOpened>, Problem> {
//!     Ok(Json(sessions::create(&state, &call.by, call.input).await?))
//! }
//! ```
//!
//! A `POST` carries fields and keys in its JSON body; a `GET` or `DELETE` carries fields in its query and keys in
//! headers. Everything missing, unknown or wrong, keys included, is one answer.

pub mod keys;

use app::domain::json::Object;
use app::domain::key::KeyKind;
use app::domain::problem::Code;
use axum::extract::{FromRequest, Request};
use axum::http::request::Parts;
use axum::http::{Method, header};
use secrecy::SecretString;

use super::credentials::{self, Presented};
use super::fields::{Input, Wrong};
use super::json;
use super::notes::Notes;
use super::once::Once;
use super::signed;
use crate::problem::Problem;
use crate::services::keys::{ConsoleGrant, Proof};
use crate::services::limits::Budget;
use crate::services::refusal::Refusal;
use crate::state::AppState;
pub use keys::{Anyone, App, Credential, Data, DataKeys, Keys, Nonce, Server};
use keys::{Asked, Proved};

/// A request that may be served.
pub struct Call<T: Input> {
    /// Who calls, as far as the operation's keys prove it.
    pub by: <T::Keys as Keys>::By,
    /// What is asked, besides keys.
    pub input: T,
    /// Credentials that were sent along: whoever can check one must, though the operation does not need it.
    pub also: Also,
    /// Runs the operation once for each `Idempotency-Key`.
    pub once: Once,
    pub notes: Notes,
}

/// Credentials of the same side that an operation accepts without needing them.
#[derive(Default)]
pub struct Also {
    pub credentials_id: Option<String>,
    pub access_token: Option<SecretString>,
    pub tenant_user_id: Option<String>,
}

impl<T: Input> FromRequest<AppState> for Call<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let notes = Notes::of(state, &parts.extensions);
        signed::note_operation(&parts, &notes);
        let in_query = matches!(parts.method, Method::GET | Method::HEAD | Method::DELETE);
        let bytes;
        let mut values = if in_query {
            let mut values = json::query(&parts.uri)?;
            credentials::from_headers::<T::Keys>(&parts, &mut values)?;
            values
        } else {
            bytes = json::body(&parts.headers, body, &notes.room).await?;
            notes.body.set(bytes.clone()).ok();
            json::object(&bytes)?
        };
        // Before anything is refused: a request that is wrong belongs into the log of the tenant that must mend it.
        notes.claimed_in(&values);
        take_turn(state, &parts, &notes)?;
        let once = Once::new(&parts, &notes)?;
        let grant = parts.extensions.get::<ConsoleGrant>().copied();
        let (input, mut presented) =
            read::<T>(&mut values, in_query, grant.is_some(), has_origin(&parts))?;
        let by = prove::<T::Keys>(state, &parts, &notes, &mut presented, grant).await?;
        let body = notes.body.get().map_or(&[][..], |body| body);
        signed::prove(
            state,
            &parts,
            &notes,
            by.tenant.as_ref(),
            Some(body),
            by.proof,
        )
        .await?;
        Ok(Self {
            by: by.by,
            input,
            once: once.under(presented.secret.take()),
            also: presented.also(),
            notes,
        })
    }
}

/// A place among the calls that are worked on. Sessions, steps and tokens, which somebody waits for who cannot ask later,
/// have some to themselves.
fn take_turn(state: &AppState, parts: &Parts, notes: &Notes) -> Result<(), Problem> {
    let noun = parts.uri.path().split('/').nth(2).unwrap_or_default();
    let is_reading = !matches!(noun, "sessions" | "steps" | "token" | "tokens");
    let turn = state.limits.turns.take(is_reading);
    let turn = turn.ok_or_else(|| Refusal::new(Code::ServiceUnavailable).after(1))?;
    notes.keep_turn(turn);
    Ok(())
}

/// Takes everything declared out of the request; whatever is wrong is one answer.
fn read<T: Input>(
    values: &mut Object<'_>,
    in_query: bool,
    granted: bool,
    from_browser: bool,
) -> Result<(T, Presented), Problem> {
    let (input, presented, wrong) = take::<T>(values, in_query, granted, from_browser);
    match (input, wrong.problem()) {
        (Some(input), None) => Ok((input, presented)),
        (_, Some(problem)) => Err(problem),
        (None, None) => Err(Problem::new(Code::InternalServerError)),
    }
}

/// The same, before an answer is made of what is wrong.
pub(super) fn take<T: Input>(
    values: &mut Object<'_>,
    in_query: bool,
    granted: bool,
    from_browser: bool,
) -> (Option<T>, Presented, Wrong) {
    let mut wrong = Wrong::default();
    let input = T::take(values, "", in_query, &mut wrong);
    let presented = Presented::take::<T::Keys>(values, in_query, granted, from_browser, &mut wrong);
    wrong.unknown(values, "");
    (input, presented, wrong)
}

/// Proves the keys, checks the origin, counts the call and notes who it was.
pub(super) async fn prove<K: Keys>(
    state: &AppState,
    parts: &Parts,
    notes: &Notes,
    presented: &mut Presented,
    grant: Option<ConsoleGrant>,
) -> Result<Proved<K::By>, Problem> {
    let mut tx = state.db.read().await?;
    let proved = K::prove(&mut Asked {
        state,
        tx: &mut tx,
        presented,
        grant,
    })
    .await?;
    let budget = match (&proved.tenant, proved.proof) {
        // Counted at the entry.
        (None, _) => None,
        (Some(named), Some(Proof::Key(_, KeyKind::Secret))) => Some(Budget::Server(named.tenant())),
        (Some(named), _) => Some(Budget::Browser(named.tenant(), notes.source)),
    };
    if let Some(named) = &proved.tenant {
        notes.tenant.set(named.tenant()).ok();
        if named.is_signed_only() && !K::BROWSER && grant.is_none() && !signed::is_signed(parts) {
            return Err(Problem::new(Code::SignatureRequired));
        }
        let origin = parts.headers.get(header::ORIGIN).filter(|_| K::BROWSER);
        if let Some(origin) = origin {
            let origin = origin.to_str().unwrap_or_default();
            if !tx.has_origin(named.tenant(), origin).await? {
                return Err(Problem::new(Code::OriginNotAllowed));
            }
        }
    }
    if let (Some(named), Some(Proof::Key(_, KeyKind::Secret))) = (&proved.tenant, proved.proof)
        && !named.lets_in(notes.ip)
    {
        return Err(Refusal::new(Code::IpNotAllowed)
            .says(format!(
                "Calls with this tenant's client_secret are not allowed from {}.",
                notes.ip
            ))
            .into());
    }
    match proved.proof {
        Some(Proof::Key(key, _)) => {
            notes.key.set(key).ok();
            notes.room.release();
            state.key_use.note(key, notes.at, notes.source);
        }
        Some(Proof::Console(run)) => drop(notes.run.set(run)),
        None => {}
    }
    drop(tx);
    let Some(budget) = budget else {
        return Ok(proved);
    };
    let left = state.limits.spend(budget, state.clock.now()).await?;
    notes.left.set(left).ok();
    match left.wait {
        Some(wait) => Err(Refusal::new(Code::TooManyRequests)
            .after(wait.into())
            .into()),
        None => Ok(proved),
    }
}

pub(super) fn has_origin(parts: &Parts) -> bool {
    parts.headers.contains_key(header::ORIGIN)
}
