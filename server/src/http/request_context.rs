//! Context of one call: the facts learnt on its way through, for the logs and the headers of its answer.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use app::domain::ids::{KeyId, RequestId, RunId, SessionId, TenantId};
use axum::body::Bytes;
use axum::http::Extensions;
use chrono::{DateTime, Utc};
use json::{JsonValue, Object};
use kernel::gate::MemoryShare;
use tracing::Span;
use tracing::field::Empty;
use uuid::Uuid;

use super::request_head::RequestHead;
use crate::scope::Scope;
use crate::services::access::keys::ClientProof;
use crate::services::access::rate_limits::{EntryCount, RateLimitState, SourceAddress};
use crate::state::AppState;
use crate::state::rate_limits::concurrency::CallSlot;
pub use kernel::gate::Peer;

/// Facts about one call, kept in the request's extensions. Each is set once, by the first code that knows it.
#[derive(Clone)]
pub struct RequestContext(Arc<ContextFields>);

pub struct ContextFields {
    /// The request's own id: `X-Request-Id`.
    pub id: RequestId,
    /// Its span and its statements.
    pub scope: Scope,
    pub at: DateTime<Utc>,
    pub started: Instant,
    /// The whole address; budgets and logs have its [`SourceAddress`].
    pub ip: IpAddr,
    pub source: SourceAddress,
    pub tenant: OnceLock<TenantId>,
    /// The tenant the call names, proved or not.
    pub claimed: OnceLock<TenantId>,
    /// What the keys proved, for the log: set as soon as they did, whatever the call is refused for after that.
    pub proof: OnceLock<ClientProof>,
    /// The key of a call that was let in.
    pub key: OnceLock<KeyId>,
    /// Set when the console makes the call.
    pub run: OnceLock<RunId>,
    pub session: OnceLock<SessionId>,
    /// The request's body, as far as it was read.
    pub body: OnceLock<Bytes>,
    /// Memory that the body holds, counted until the sender is authenticated.
    pub room: MemoryShare,
    /// Charge of the call at its entry, before anything of it was read.
    pub entered: OnceLock<EntryCount>,
    /// The call's place among those that are worked on.
    turn: Mutex<Option<CallSlot>>,
    pub rate_limit: OnceLock<RateLimitState>,
    /// The operation's path as the API documents it, where it is not that of the route.
    pub operation: OnceLock<String>,
    /// Set when a secret came in the URL: it should be rotated.
    pub secret_in_url: OnceLock<()>,
    /// The digest of the body that an accepted signature promises.
    pub signed_digest: OnceLock<String>,
}

impl std::ops::Deref for RequestContext {
    type Target = ContextFields;
    fn deref(&self) -> &ContextFields {
        &self.0
    }
}

impl RequestContext {
    /// Notes for a call that begins now; `head` gives its span a name.
    pub fn begin(state: &AppState, extensions: &Extensions, head: Option<&RequestHead>) -> Self {
        let peer = extensions
            .get::<Peer>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
        let id = state.clock.id();
        let scope = Scope::of_request(id, span(id, head));
        Self(Arc::new(ContextFields {
            id: RequestId(id),
            scope,
            at: state.clock.now(),
            started: Instant::now(),
            ip: peer.to_canonical(),
            source: SourceAddress::from(peer),
            tenant: OnceLock::new(),
            claimed: OnceLock::new(),
            proof: OnceLock::new(),
            key: OnceLock::new(),
            run: OnceLock::new(),
            session: OnceLock::new(),
            body: OnceLock::new(),
            room: extensions.get::<MemoryShare>().cloned().unwrap_or_default(),
            entered: OnceLock::new(),
            turn: Mutex::new(None),
            rate_limit: OnceLock::new(),
            operation: OnceLock::new(),
            secret_in_url: OnceLock::new(),
            signed_digest: OnceLock::new(),
        }))
    }

    /// Keeps the call's place until it has been worked on. Receiving the body and sending the answer take no place.
    pub fn keep_slot(&self, turn: CallSlot) {
        *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = Some(turn);
    }

    /// Gives the place back.
    pub fn end_turn(&self) {
        drop(
            self.turn
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take(),
        );
    }

    /// Notes the tenant that a request's fields name, before anything is refused: a request that is wrong belongs into
    /// the log of the tenant that must mend it.
    pub fn claimed_in(&self, values: &Object<'_>) {
        let named = values.get("client_id").and_then(JsonValue::as_str);
        if let Some(claimed) = named.and_then(|id| id.parse().ok()) {
            self.claimed.set(claimed).ok();
        }
    }

    /// The notes of this request: those begun by the outermost layer.
    pub fn of(state: &AppState, extensions: &Extensions) -> Self {
        extensions
            .get::<Self>()
            .cloned()
            .unwrap_or_else(|| Self::begin(state, extensions, None))
    }

    /// Notes the tenant that the call proved to be of.
    pub fn note_tenant(&self, tenant: TenantId) {
        self.tenant.set(tenant).ok();
        self.scope.note_tenant(tenant);
    }

    /// Notes the session that the call is about.
    pub fn note_session(&self, session: SessionId) {
        self.session.set(session).ok();
        self.scope.note_session(session);
    }
}

/// Makes the span of a call. Its level keeps it whatever the log leaves out, because each line within it carries its ids;
/// the attributes are those of OpenTelemetry's semantic conventions for HTTP servers.
fn span(id: Uuid, head: Option<&RequestHead>) -> Span {
    let method = head.map_or("", |head| head.method.as_str());
    let route = head.map_or("", RequestHead::route);
    tracing::error_span!(
        target: "request",
        "request",
        request_id = %id,
        tenant = Empty,
        session = Empty,
        otel.name = format_args!("{method} {route}"),
        otel.kind = "server",
        http.request.method = method,
        http.route = route,
        http.response.status_code = Empty,
        error.type = Empty,
    )
}
