//! One extractor for every operation: reads the strict request, authenticates the caller, counts the call.
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

pub mod auth;

use ::json::Object;
use app::domain::key::KeyKind;
use app::domain::problem::Code;
use axum::extract::{FromRequest, Request};
use axum::http::request::Parts;
use axum::http::{Method, header};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

pub use super::credentials::ExtraCredentials;
use super::credentials::{self, PresentedCredentials};
use super::fields::FieldErrors;
use super::idempotency::Idempotency;
use super::json;
use super::paths;
use super::request_context::RequestContext;
use super::signed;
use crate::problem::Problem;
use crate::services::access::keys::{ClientProof, ConsoleGrant};
use crate::services::access::rate_limits::Budget;
use crate::services::refusal::Refusal;
use crate::state::AppState;
pub use auth::{
    AppKeyAuth, ConsentAuth, ConsentHolder, Input, NonceAuth, OptionalAuth, Scheme, ServerAuth,
};
use auth::{AuthRequest, Authenticated};

/// A request that may be served.
pub struct Call<T: Input> {
    /// Caller, as far as the operation's keys prove it.
    pub by: <T::Auth as Scheme>::By,
    /// Fields of the request, besides keys.
    pub input: T,
    /// Credentials that were sent along: whoever can check one must, though the operation does not need it.
    pub extra: ExtraCredentials,
    /// Runs the operation once for each `Idempotency-Key`.
    pub idempotency: Idempotency,
    pub context: RequestContext,
}

impl<T: Input> FromRequest<AppState> for Call<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let context = RequestContext::of(state, &parts.extensions);
        signed::note_operation(&parts, &context);
        let in_query = matches!(parts.method, Method::GET | Method::HEAD | Method::DELETE);
        let bytes;
        let mut values = if in_query {
            bytes = json::no_body(body, &context.room).await?;
            let mut values = json::query(&parts.uri)?;
            credentials::from_headers(T::Auth::CREDENTIALS, &parts, &mut values)?;
            values
        } else {
            bytes = json::body(&parts.headers, body, &context.room).await?;
            context.body.set(bytes.clone()).ok();
            json::object(&bytes)?
        };
        // Before anything is refused: a request that is wrong belongs into the log of the tenant that must mend it.
        context.claimed_in(&values);
        if !in_query {
            json::no_fields(&parts.uri, knows::<T>)?;
        }
        take_slot(state, &parts, &context)?;
        let once = Idempotency::new(&parts, &context)?;
        let grant = parts.extensions.get::<ConsoleGrant>().copied();
        let (input, mut presented) =
            read::<T>(&mut values, in_query, grant.is_some(), has_origin(&parts))?;
        let by = authenticate::<T::Auth>(state, &parts, &context, &mut presented, grant).await?;
        let tenant = by.tenant.as_ref();
        signed::prove(state, &parts, &context, tenant, Some(&bytes), by.proof).await?;
        Ok(Self {
            by: by.by,
            input,
            idempotency: once.under(presented.secret.take()),
            extra: presented.extra(),
            context,
        })
    }
}

/// Tells whether a call has a field of this name, at its top or in its filter.
pub(super) fn knows<T: Input>(name: &str) -> bool {
    let has = |schema: &RefOr<Schema>| match schema {
        RefOr::T(Schema::Object(object)) => object.properties.contains_key(name),
        _ => false,
    };
    let credentials = <T::Auth as Scheme>::CREDENTIALS;
    credentials.iter().any(|credential| credential.name == name)
        || T::schema_fields()
            .iter()
            .any(|(field, _, schema, _)| *field == name || has(schema))
}

/// A place among the calls that are worked on. Sessions, steps and tokens, which somebody waits for who cannot ask later,
/// have some to themselves.
fn take_slot(state: &AppState, parts: &Parts, context: &RequestContext) -> Result<(), Problem> {
    let turn = state
        .rate_limits
        .slots
        .take(paths::is_reading(parts.uri.path()));
    let turn = turn.ok_or_else(|| Refusal::new(Code::ServiceUnavailable).after(1))?;
    context.keep_slot(turn);
    Ok(())
}

/// Takes everything declared out of the request; whatever is wrong is one answer.
fn read<T: Input>(
    values: &mut Object<'_>,
    in_query: bool,
    granted: bool,
    from_browser: bool,
) -> Result<(T, PresentedCredentials), Problem> {
    let (input, presented, wrong) = take::<T>(values, in_query, granted, from_browser);
    match (input, wrong.problem()) {
        (Some(input), None) => Ok((input, presented)),
        (_, Some(problem)) => Err(problem),
        (None, None) => Err(Problem::new(Code::InternalServerError)),
    }
}

/// Takes everything declared out of the request, and returns what is wrong with it instead of an answer. The input is
/// `None` if a field of it is wrong.
pub(super) fn take<T: Input>(
    values: &mut Object<'_>,
    in_query: bool,
    granted: bool,
    from_browser: bool,
) -> (Option<T>, PresentedCredentials, FieldErrors) {
    let mut wrong = FieldErrors::default();
    let input = T::take(values, "", in_query, &mut wrong);
    let presented = PresentedCredentials::take(
        T::Auth::CREDENTIALS,
        values,
        in_query,
        (granted, from_browser),
        &mut wrong,
    );
    wrong.unknown(values, "");
    (input, presented, wrong)
}

/// Authenticates the caller, checks the origin, counts the call and notes who it was.
pub(super) async fn authenticate<K: Scheme>(
    state: &AppState,
    parts: &Parts,
    context: &RequestContext,
    presented: &mut PresentedCredentials,
    grant: Option<ConsoleGrant>,
) -> Result<Authenticated<K::By>, Problem> {
    let mut tx = state.db.read().await?;
    let authenticated = K::authenticate(&mut AuthRequest {
        state,
        tx: &mut tx,
        presented,
        grant,
    })
    .await?;
    if let Some(proof) = authenticated.proof {
        context.proof.set(proof).ok();
    }
    let budget = match (&authenticated.tenant, authenticated.proof) {
        // Counted at the entry.
        (None, _) => None,
        (Some(named), Some(ClientProof::Key(_, KeyKind::Secret))) => {
            Some(Budget::Server(named.tenant()))
        }
        (Some(named), _) => Some(Budget::Browser(named.tenant(), context.source)),
    };
    if let Some(named) = &authenticated.tenant {
        context.note_tenant(named.tenant());
        // A secret comes from a server, whatever the operation: it may open sessions, too.
        let with_secret = matches!(
            authenticated.proof,
            Some(ClientProof::Key(_, KeyKind::Secret))
        );
        let is_server = !K::BROWSER || with_secret;
        if named.is_signed_only() && is_server && grant.is_none() && !signed::is_signed(parts) {
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
    if let (Some(named), Some(ClientProof::Key(_, KeyKind::Secret))) =
        (&authenticated.tenant, authenticated.proof)
        && !named.lets_in(context.ip)
    {
        return Err(Refusal::new(Code::IpNotAllowed)
            .says(format!(
                "Calls with this tenant's client_secret are not allowed from {}.",
                context.ip
            ))
            .into());
    }
    match authenticated.proof {
        Some(ClientProof::Key(key, _)) => {
            context.key.set(key).ok();
            context.room.release();
            state.key_use.note(key, context.at, context.source);
        }
        Some(ClientProof::Console(run)) => drop(context.run.set(run)),
        None => {}
    }
    drop(tx);
    let Some(budget) = budget else {
        return Ok(authenticated);
    };
    let left = state.rate_limits.spend(budget, state.clock.now()).await?;
    context.rate_limit.set(left).ok();
    match left.wait {
        Some(wait) => Err(Refusal::new(Code::TooManyRequests)
            .after(wait.into())
            .into()),
        None => Ok(authenticated),
    }
}

pub(super) fn has_origin(parts: &Parts) -> bool {
    parts.headers.contains_key(header::ORIGIN)
}
