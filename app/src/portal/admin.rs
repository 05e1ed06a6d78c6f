//! What operators of the middleware may do: list, create, approve and suspend servicers.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Actor, PortalResult, RequestSource};
use crate::domain::ids::ServicerId;
use crate::domain::servicer::{ServicerKind, ServicerStatus};

/// One servicer in the operators' list.
#[derive(Clone, Debug)]
pub struct ServicerRow {
    pub id: ServicerId,
    pub name: String,
    pub kind: ServicerKind,
    pub status: ServicerStatus,
    pub country: String,
    pub owner: Option<String>,
    /// `true` if an owner has confirmed their address. A servicer whose owners have not cannot be approved.
    pub owner_confirmed: bool,
    pub tenants: i64,
    pub requests_24h: i64,
    pub created_at: DateTime<Utc>,
}

/// A servicer just made by an operator, with the one-time token its first developer needs.
#[derive(Clone, Debug)]
pub struct CreatedServicer {
    pub id: ServicerId,
    pub claim_token: String,
    pub claim_expires_at: DateTime<Utc>,
    pub sign_up_url: String,
}

#[async_trait]
pub trait Admin: Send + Sync {
    async fn servicers(&self, actor: &Actor, query: &str) -> PortalResult<Vec<ServicerRow>>;
    async fn create_servicer(
        &self,
        actor: &Actor,
        name: &str,
        kind: ServicerKind,
        source: &RequestSource,
    ) -> PortalResult<CreatedServicer>;
    /// Opens production to a servicer.
    async fn approve_servicer(
        &self,
        actor: &Actor,
        id: ServicerId,
        source: &RequestSource,
    ) -> PortalResult<()>;
    /// Stops all calls of a servicer, with a reason it is shown; `resume` undoes it.
    async fn suspend_servicer(
        &self,
        actor: &Actor,
        id: ServicerId,
        reason: &str,
        source: &RequestSource,
    ) -> PortalResult<()>;
    async fn resume_servicer(
        &self,
        actor: &Actor,
        id: ServicerId,
        source: &RequestSource,
    ) -> PortalResult<()>;
}
