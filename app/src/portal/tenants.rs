//! Tenants: their settings, whitelist and keys.

use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};

use super::{Actor, PortalResult, RequestSource};
use crate::domain::ids::{KeyId, ServicerId, TenantId};
use crate::domain::key::KeyKind;
use crate::domain::skill::SkillName;
use crate::domain::tenant::{Environment, TenantStatus};

/// One row of the tenant list.
#[derive(Clone, Debug)]
pub struct TenantSummary {
    pub id: TenantId,
    pub name: String,
    pub environment: Environment,
    pub status: TenantStatus,
    pub skills: i64,
    pub requests_24h: i64,
    pub errors_24h: i64,
    pub last_request_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// One tenant, with everything its settings and skills tabs show.
#[derive(Clone, Debug)]
pub struct Tenant {
    pub id: TenantId,
    pub servicer: ServicerId,
    pub name: String,
    pub environment: Environment,
    pub status: TenantStatus,
    pub created_at: DateTime<Utc>,
    /// Version of the settings. A form brings it back, and is refused if they were changed meanwhile.
    pub version: i64,
    pub redirect_links: Vec<String>,
    pub origins: Vec<String>,
    /// Networks its server may call from, in CIDR form; everywhere while there is none.
    pub networks: Vec<String>,
    pub skills: Vec<WhitelistedSkill>,
}

/// A skill a tenant may use, with its two retention settings in minutes.
#[derive(Clone, Debug)]
pub struct WhitelistedSkill {
    pub skill: SkillName,
    pub consent_duration: i64,
    pub cache_max_data_retention: i64,
}

/// Terms for one skill as typed: in days, or with a unit.
#[derive(Clone, Debug)]
pub struct TypedTerms {
    pub consent_duration: String,
    pub cache_max_data_retention: String,
}

/// Fields of the form that asks for a tenant.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// The mark of the form that asks for it: one form makes one tenant, however often it is sent. `None` where
    /// nothing is ever sent again by itself.
    pub form: Option<uuid::Uuid>,
    pub name: String,
    pub environment: Environment,
    pub skills: Vec<String>,
    pub redirect_links: Vec<String>,
    pub origins: Vec<String>,
}

/// Result of a form that asks for a tenant.
#[derive(Clone, Debug)]
pub enum Creation {
    Made(CreatedTenant),
    /// The form was sent before and made this tenant then: its secret was shown with that answer.
    Again(TenantId),
}

/// A tenant just made; the secret is in here and nowhere else, once.
#[derive(Clone, Debug)]
pub struct CreatedTenant {
    pub id: TenantId,
    pub client_secret: String,
    pub client_app_key: String,
}

/// One live key of a tenant.
#[derive(Clone, Debug)]
pub struct TenantKey {
    pub id: KeyId,
    pub kind: KeyKind,
    /// The whole key: app keys only. Secrets are known by their last four characters alone.
    pub value: Option<String>,
    pub tail: String,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
    /// Set once a rotation gave it an end.
    pub ends_at: Option<DateTime<Utc>>,
    pub last_used_at: Option<DateTime<Utc>>,
    pub last_used_by: Option<String>,
    pub calls_24h: i64,
}

/// A key just made by a rotation.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub id: KeyId,
    pub kind: KeyKind,
    pub value: String,
    /// Time at which the old one stops; `None` when there is no other.
    pub old_ends_at: Option<DateTime<Utc>>,
}

/// The way to the first data, and the last day in numbers.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    pub first_tenant: Option<TenantId>,
    pub tenants: i64,
    /// `true` if somebody said, or showed by downloading it, that they kept a secret they were shown.
    pub secret_saved: bool,
    pub first_success_at: Option<DateTime<Utc>>,
    pub first_exchange_at: Option<DateTime<Utc>>,
    pub first_data_at: Option<DateTime<Utc>>,
    pub requests_24h: i64,
    pub errors_24h: i64,
    /// 95th percentile of the last 24 hours, in milliseconds.
    pub p95_ms: Option<i64>,
    pub sessions_started_24h: i64,
    pub sessions_completed_24h: i64,
}

/// The way in which a key is to be rotated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// Time for which the old key still works.
    pub overlap: Duration,
    pub replaces: Replaces,
}

/// The key that a rotation replaces. A form names it, so that of one form sent several times at once a single key comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaces {
    /// Whichever is live.
    Any,
    /// None: none was live.
    Nothing,
    Key(KeyId),
}

impl From<Duration> for Rotation {
    fn from(overlap: Duration) -> Self {
        Self {
            overlap,
            replaces: Replaces::Any,
        }
    }
}

#[async_trait]
pub trait Tenants: Send + Sync {
    async fn overview(&self, actor: &Actor) -> PortalResult<Overview>;
    /// Tenants of the actor's servicer, the most recently used first; `query` matches name and id.
    async fn tenants(&self, actor: &Actor, query: &str) -> PortalResult<Vec<TenantSummary>>;
    async fn tenant(&self, actor: &Actor, id: TenantId) -> PortalResult<Tenant>;
    /// A fresh mark for a form that asks for a tenant.
    fn tenant_form(&self) -> uuid::Uuid;
    async fn create_tenant(
        &self,
        actor: &Actor,
        new: NewTenant,
        source: &RequestSource,
    ) -> PortalResult<Creation>;
    async fn rename_tenant(
        &self,
        actor: &Actor,
        id: TenantId,
        version: i64,
        name: &str,
        source: &RequestSource,
    ) -> PortalResult<()>;
    /// Replaces both lists, redirect links and origins; a link that cannot be registered refuses the whole.
    async fn set_links(
        &self,
        actor: &Actor,
        id: TenantId,
        version: i64,
        links_and_origins: (Vec<String>, Vec<String>),
        source: &RequestSource,
    ) -> PortalResult<()>;
    /// Replaces the networks that calls with the `client_secret` may come from; one on each line as typed. A list that
    /// leaves out the address it is saved from is refused, unless the second says that this is meant.
    async fn set_networks(
        &self,
        actor: &Actor,
        id: TenantId,
        version: i64,
        networks: (Vec<String>, bool),
        source: &RequestSource,
    ) -> PortalResult<()>;
    async fn pause_tenant(
        &self,
        actor: &Actor,
        id: TenantId,
        paused: bool,
        source: &RequestSource,
    ) -> PortalResult<()>;
    /// Adds a skill of the tenant's own environment to its whitelist, or takes it off.
    async fn whitelist(
        &self,
        actor: &Actor,
        id: TenantId,
        skill: &str,
        on: bool,
        source: &RequestSource,
    ) -> PortalResult<()>;
    /// Sets the terms of a skill on the whitelist, for the consents given from then on.
    async fn set_terms(
        &self,
        actor: &Actor,
        id: TenantId,
        skill: &SkillName,
        version: i64,
        terms: TypedTerms,
        source: &RequestSource,
    ) -> PortalResult<()>;
    /// The live keys: app keys with their value, secrets by their tail; newest first within a kind.
    async fn keys(&self, actor: &Actor, id: TenantId) -> PortalResult<Vec<TenantKey>>;
    /// Checks that a text is a live `client_secret` of the tenant: proof that the asker holds it. Anything else is a
    /// [`PortalError::Conflict`](super::Trouble).
    async fn holds_secret(
        &self,
        actor: &Actor,
        id: TenantId,
        client_secret: &str,
    ) -> PortalResult<()>;
    /// Notes that the asker has kept the tenant's newest secret.
    async fn secret_saved(&self, actor: &Actor, id: TenantId) -> PortalResult<()>;
    /// Makes a new key beside the old one, which ends after the overlap (secret 0 to 7 days, app key 0 to 180).
    /// At most two live: a third is a [`PortalError::Conflict`](super::Trouble), and so is the rotation of a key that another
    /// replaced meanwhile.
    async fn rotate_key(
        &self,
        actor: &Actor,
        id: TenantId,
        kind: KeyKind,
        rotation: Rotation,
        source: &RequestSource,
    ) -> PortalResult<NewKey>;
    /// "Leaked: stop now": refused everywhere within a second.
    async fn stop_key(
        &self,
        actor: &Actor,
        id: TenantId,
        key: KeyId,
        source: &RequestSource,
    ) -> PortalResult<()>;
}
