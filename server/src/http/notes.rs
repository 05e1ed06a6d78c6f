//! What is learnt about one call on its way through, for the logs and the headers of its answer.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Instant;

use app::domain::ids::{KeyId, RequestId, RunId, SessionId, TenantId};
use app::domain::json::{Json, Object};
use axum::body::Bytes;
use axum::http::Extensions;
use chrono::{DateTime, Utc};

pub use crate::gate::Peer;
use crate::gate::Room;
use crate::services::limits::turns::Turn;
use crate::services::limits::{Entered, Left, Source};
use crate::state::AppState;

/// Lies in the request's extensions; each thing is noted once, by the first who knows it.
#[derive(Clone)]
pub struct Notes(Arc<Inner>);

pub struct Inner {
    /// The request's own id: `X-Request-Id`.
    pub id: RequestId,
    pub at: DateTime<Utc>,
    pub started: Instant,
    /// The whole address; budgets and logs have its [`Source`].
    pub ip: IpAddr,
    pub source: Source,
    pub tenant: OnceLock<TenantId>,
    /// The tenant the call names, proved or not.
    pub claimed: OnceLock<TenantId>,
    pub key: OnceLock<KeyId>,
    /// Set when the console makes the call.
    pub run: OnceLock<RunId>,
    pub session: OnceLock<SessionId>,
    /// The request's body, as far as it was read.
    pub body: OnceLock<Bytes>,
    /// What is held in memory of the body, until it is known who sent it.
    pub room: Room,
    /// What the call cost at the entry, before anything of it was read.
    pub entered: OnceLock<Entered>,
    /// The call's place among those that are worked on.
    turn: Mutex<Option<Turn>>,
    pub left: OnceLock<Left>,
    /// The operation's path as the API documents it, where it is not that of the route.
    pub operation: OnceLock<String>,
    /// The digest of the body that an accepted signature promises.
    pub signed_digest: OnceLock<String>,
}

impl std::ops::Deref for Notes {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Notes {
    /// Notes for a call that begins now.
    pub fn begin(state: &AppState, extensions: &Extensions) -> Self {
        let peer = extensions
            .get::<Peer>()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0);
        Self(Arc::new(Inner {
            id: RequestId(state.clock.id()),
            at: state.clock.now(),
            started: Instant::now(),
            ip: peer.to_canonical(),
            source: Source::from(peer),
            tenant: OnceLock::new(),
            claimed: OnceLock::new(),
            key: OnceLock::new(),
            run: OnceLock::new(),
            session: OnceLock::new(),
            body: OnceLock::new(),
            room: extensions.get::<Room>().cloned().unwrap_or_default(),
            entered: OnceLock::new(),
            turn: Mutex::new(None),
            left: OnceLock::new(),
            operation: OnceLock::new(),
            signed_digest: OnceLock::new(),
        }))
    }

    /// Keeps a place until the call has been worked on. The time in which its body comes or its answer is read is
    /// nobody's work.
    pub fn keep_turn(&self, turn: Turn) {
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
        let named = values.get("client_id").and_then(Json::as_str);
        if let Some(claimed) = named.and_then(|id| id.parse().ok()) {
            self.claimed.set(claimed).ok();
        }
    }

    /// The notes of this request: those begun by the outermost layer.
    pub fn of(state: &AppState, extensions: &Extensions) -> Self {
        extensions
            .get::<Self>()
            .cloned()
            .unwrap_or_else(|| Self::begin(state, extensions))
    }
}
