//! Offline verifications of the sandbox: sessions that wait for somebody's decision, which a person may give here.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Actor, PortalResult, RequestSource};
use crate::domain::ids::{RunId, SessionId, TenantId};
use crate::domain::session::Decision;
use crate::domain::skill::SkillName;

/// One sandbox session that waits.
#[derive(Clone, Debug)]
pub struct Verification {
    pub session: SessionId,
    /// The console's run that opened it, if one did.
    pub run: Option<RunId>,
    pub tenant: TenantId,
    pub tenant_name: String,
    pub skill: SkillName,
    /// The step that is verified.
    pub step: String,
    pub since: DateTime<Utc>,
}

#[async_trait]
pub trait Verifications: Send + Sync {
    /// Returns the sessions that wait in the sandbox of the actor's servicer, the longest waiting first, at most 100.
    async fn verifications(&self, actor: &Actor) -> PortalResult<Vec<Verification>>;
    /// Decides in the provider's stead. The session goes on within a second or so; what was decided meanwhile stays so.
    async fn decide(
        &self,
        actor: &Actor,
        session: SessionId,
        decision: Decision,
        source: &RequestSource,
    ) -> PortalResult<()>;
}
