//! Where `tower-sessions` keeps its sessions: in our own table, because sessions are a feature here. A row is found by
//! the digest of the cookie, people see theirs as devices, and whoever may end one ends it for every process at once.

use app::domain::ids::{PersonId, ServicerId};
use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};
use kernel::crypto::Digest;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};

use crate::state::AppState;
use crate::storage::DbError;
use crate::storage::portal_sessions::PortalSessionRow;

pub const PERSON: &str = "person";
pub const USER_AGENT: &str = "user_agent";
pub const IP: &str = "ip";
const SERVICER: &str = "servicer";
const HANDLE: &str = "handle";
const CREATED_AT: &str = "created_at";
const PROVED_AT: &str = "proved_at";

/// A session ends so long after it began, however busy it is.
const LONGEST: Duration = Duration::hours(12);

/// The table behind the cookie.
#[derive(Clone)]
pub struct Store(AppState);

impl Store {
    pub fn new(state: AppState) -> Self {
        Self(state)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store")
    }
}

/// Returns the digest of a session's cookie, by which its row is found.
pub fn digest(state: &AppState, id: &Id) -> Digest {
    state.pepper.digest("portal_session", &id.to_string())
}

#[async_trait]
impl SessionStore for Store {
    /// Adds a session under a new id. One whose id is changed keeps its handle, its age and its proof.
    async fn create(&self, record: &mut Record) -> Result<()> {
        let state = &self.0;
        record.id = Id(i128::from_le_bytes(state.clock.random()));
        let now = state.clock.now();
        let created_at: DateTime<Utc> = kept(record, CREATED_AT).unwrap_or(now);
        let row = PortalSessionRow {
            handle: kept(record, HANDLE).unwrap_or_else(|| state.clock.id()),
            person_id: kept::<PersonId>(record, PERSON),
            servicer_id: kept::<ServicerId>(record, SERVICER),
            data: "{}".to_owned(),
            user_agent: kept(record, USER_AGENT).unwrap_or_default(),
            ip: kept(record, IP).unwrap_or_default(),
            created_at,
            seen_at: now,
            proved_at: Some(kept(record, PROVED_AT).unwrap_or(now)),
            expires_at: created_at + LONGEST,
        };
        let mut tx = state.db.write().await.map_err(backend)?;
        tx.add_portal_session(&digest(state, &record.id), &row)
            .await
            .map_err(backend)?;
        tx.commit().await.map_err(backend)
    }

    /// Everything a session keeps has a column of its own and is written where it changes.
    async fn save(&self, _: &Record) -> Result<()> {
        Ok(())
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let state = &self.0;
        let now = state.clock.now();
        let mut tx = state.db.read().await.map_err(backend)?;
        let row = tx
            .portal_session(&digest(state, id), now)
            .await
            .map_err(backend)?;
        Ok(row.map(|row| record(*id, row)))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let state = &self.0;
        let mut tx = state.db.write().await.map_err(backend)?;
        tx.end_portal_session(&digest(state, id))
            .await
            .map_err(backend)?;
        tx.commit().await.map_err(backend)
    }
}

/// A row as `tower-sessions` carries it from one id to the next.
fn record(id: Id, row: PortalSessionRow) -> Record {
    let entry = |key: &str, value: Value| (key.to_owned(), value);
    Record {
        id,
        data: [
            entry(PERSON, json!(row.person_id)),
            entry(SERVICER, json!(row.servicer_id)),
            entry(USER_AGENT, json!(row.user_agent)),
            entry(IP, json!(row.ip)),
            entry(HANDLE, json!(row.handle)),
            entry(CREATED_AT, json!(row.created_at)),
            entry(PROVED_AT, json!(row.proved_at)),
        ]
        .into(),
        expiry_date: time::OffsetDateTime::from_unix_timestamp(row.expires_at.timestamp())
            .unwrap_or(time::OffsetDateTime::UNIX_EPOCH),
    }
}

fn kept<T: DeserializeOwned>(record: &Record, key: &str) -> Option<T> {
    serde_json::from_value(record.data.get(key)?.clone()).ok()
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn backend(error: DbError) -> Error {
    Error::Backend(error.to_string())
}
