//! The right to change one tenant, held while it is changed. [`Change::begin`] alone makes one, and every act on a tenant
//! takes one: it asks for the role's permission and, where production hangs on it, for fresh proof.

use app::domain::ids::TenantId;
use app::domain::person::Permission;
use app::domain::tenant::Environment;
use app::portal::{Actor, PortalError, RequestSource};
use serde_json::Value;

use super::{keys_permission, may_see, own, tenants_permission};
use crate::security::SecurityEvent;
use crate::services::portal::outcome::audit_entry;
use crate::services::refusal::ServiceError;
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::tenants::TenantRow;

/// One act on one tenant by somebody who may do it: the transaction it happens in, and who acts.
pub struct Change<'a> {
    pub state: &'a AppState,
    pub tx: Tx,
    tenant: TenantRow,
    actor: &'a Actor,
    source: &'a RequestSource,
}

impl<'a> Change<'a> {
    /// Begins an act on a tenant's settings, skills or terms.
    pub async fn begin(
        state: &'a AppState,
        actor: &'a Actor,
        id: TenantId,
        source: &'a RequestSource,
    ) -> Result<Self, ServiceError> {
        Self::with(state, actor, id, source, tenants_permission).await
    }

    /// Begins an act on a tenant's keys.
    pub async fn of_keys(
        state: &'a AppState,
        actor: &'a Actor,
        id: TenantId,
        source: &'a RequestSource,
    ) -> Result<Self, ServiceError> {
        Self::with(state, actor, id, source, keys_permission).await
    }

    async fn with(
        state: &'a AppState,
        actor: &'a Actor,
        id: TenantId,
        source: &'a RequestSource,
        permission: fn(Environment) -> Permission,
    ) -> Result<Self, ServiceError> {
        let mut tx = state.db.write().await?;
        let tenant = own(&mut tx, actor, id).await?;
        actor.may(permission(tenant.environment))?;
        if tenant.environment == Environment::Production {
            actor.fresh(state.clock.now())?;
        }
        Ok(Self {
            state,
            tx,
            tenant,
            actor,
            source,
        })
    }

    /// Returns the tenant as it was when the act began.
    pub const fn tenant(&self) -> &TenantRow {
        &self.tenant
    }

    /// Returns the address of who acts.
    pub fn by(&self) -> &str {
        self.actor.email.as_str()
    }

    /// Refuses whoever acts a skill that is not published, unless they are an operator.
    pub fn may_see(&self, skill: &str) -> Result<(), PortalError> {
        may_see(self.state, self.actor, skill)
    }

    /// Goes on only if nobody changed the settings since they were `version`; then they are one further. One conditional
    /// statement, so that of many at once one goes on.
    pub async fn since(&mut self, version: i64) -> Result<(), ServiceError> {
        let id = self.tenant.id;
        if self.tx.take_tenant_version(id, version).await? {
            return Ok(());
        }
        let behind = self.tenant.version.saturating_sub(version);
        let servicer = self.tenant.servicer_id;
        let changes = self.tx.tenant_changes(servicer, id, behind).await?;
        let what: Vec<String> = changes
            .iter()
            .map(|(action, by)| format!("{} ({by})", changed(action)))
            .collect();
        let what = if what.is_empty() {
            "the settings".to_owned()
        } else {
            what.join(", ")
        };
        Err(PortalError::Conflict(format!(
            "Not saved: since you opened this page, somebody changed {what}. What is stored now is shown beside your changes. \
             Save again to replace it."
        ))
        .into())
    }

    /// Writes the act down and commits it.
    pub async fn finish(
        mut self,
        action: SecurityEvent,
        detail: Value,
    ) -> Result<(), ServiceError> {
        let id = self.tenant.id;
        self.audit(action, id, detail).await?;
        Ok(self.tx.commit().await?)
    }

    /// Writes an act on something of the tenant's down.
    pub async fn audit(
        &mut self,
        action: SecurityEvent,
        target: impl ToString,
        detail: Value,
    ) -> Result<(), ServiceError> {
        let mut row = audit_entry(self.state, self.actor, self.source, action, target, detail);
        row.tenant = Some(self.tenant.id);
        Ok(self.tx.audit(&row).await?)
    }
}

/// The words for a change of settings in the audit log.
fn changed(action: &str) -> &'static str {
    match action {
        "tenant.renamed" => "the name",
        "tenant.links_set" => "redirect links and origins",
        "tenant.networks_set" => "the networks of its server",
        "tenant.terms_set" => "a skill's terms",
        "tenant.signature_terms_set" => "signing",
        _ => "the settings",
    }
}
