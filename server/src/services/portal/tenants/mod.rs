//! Tenants for the people of their servicer: the portal's trait, each act with its audit row in one transaction.

pub mod change;
pub mod create;
pub mod erasure;
pub mod keys;
pub mod overview;
pub mod settings;
pub mod signature_terms;
pub mod terms;
#[cfg(test)]
mod tests;

pub use change::Change;
pub use create::{CheckedTenant, TenantCreation, create_in, may_see};

use app::domain::ids::{KeyId, TenantId};
use app::domain::key::KeyKind;
use app::domain::person::Permission;
use app::domain::skill::SkillName;
use app::domain::tenant::Environment;
use app::portal::tenants::*;
use app::portal::{Actor, PortalError, PortalResult, RequestSource};
use async_trait::async_trait;
use secrecy::SecretString;

use super::Services;
use super::outcome::portal_result;
use crate::services::refusal::ServiceError;
use crate::storage::Tx;
use crate::storage::tenants::TenantRow as Row;

/// Returns the permission that changing a tenant of an environment requires.
pub(in crate::services) fn tenants_permission(environment: Environment) -> Permission {
    match environment {
        Environment::Sandbox => Permission::ManageSandboxTenants,
        Environment::Production => Permission::ManageProductionTenants,
    }
}

/// Returns the permission that seeing and changing keys of an environment requires.
pub(in crate::services) fn keys_permission(environment: Environment) -> Permission {
    match environment {
        Environment::Sandbox => Permission::ManageSandboxKeys,
        Environment::Production => Permission::ManageProductionKeys,
    }
}

/// A tenant of the actor's own servicer; a foreign one looks like a missing one.
pub(in crate::services) async fn own(
    tx: &mut Tx,
    actor: &Actor,
    id: TenantId,
) -> Result<Row, ServiceError> {
    let servicer = actor.may(Permission::ReadTenants)?.servicer;
    Ok(tx
        .tenant(servicer, id)
        .await?
        .ok_or(PortalError::NotFound)?)
}

#[async_trait]
impl Tenants for Services {
    async fn overview(&self, actor: &Actor) -> PortalResult<Overview> {
        portal_result(self, overview::overview(&self.state, actor).await)
    }

    async fn tenants(&self, actor: &Actor, query: &str) -> PortalResult<Vec<TenantSummary>> {
        portal_result(self, overview::list(&self.state, actor, query).await)
    }

    async fn tenant(&self, actor: &Actor, id: TenantId) -> PortalResult<Tenant> {
        portal_result(self, settings::tenant(&self.state, actor, id).await)
    }

    fn tenant_form(&self) -> uuid::Uuid {
        self.state.clock.id()
    }

    async fn create_tenant(
        &self,
        actor: &Actor,
        new: NewTenant,
        source: &RequestSource,
    ) -> PortalResult<Creation> {
        let created = async {
            let making = TenantCreation::begin(&self.state, actor, new.environment)?;
            create::create(&self.state, making, &new, source).await
        };
        portal_result(self, created.await)
    }

    async fn rename_tenant(
        &self,
        actor: &Actor,
        id: TenantId,
        version: i64,
        name: &str,
        source: &RequestSource,
    ) -> PortalResult<()> {
        let done = async {
            let change = Change::begin(&self.state, actor, id, source).await?;
            settings::rename(change, version, name).await
        };
        portal_result(self, done.await)
    }

    async fn set_links(
        &self,
        actor: &Actor,
        id: TenantId,
        version: i64,
        (redirect_links, origins): (Vec<String>, Vec<String>),
        source: &RequestSource,
    ) -> PortalResult<()> {
        let done = async {
            let change = Change::begin(&self.state, actor, id, source).await?;
            settings::set_links(change, version, &redirect_links, &origins).await
        };
        portal_result(self, done.await)
    }

    async fn set_networks(
        &self,
        actor: &Actor,
        id: TenantId,
        version: i64,
        (networks, leaves_me_out): (Vec<String>, bool),
        source: &RequestSource,
    ) -> PortalResult<()> {
        let own = source.ip.clone();
        let done = async {
            let change = Change::begin(&self.state, actor, id, source).await?;
            let shuns = (!leaves_me_out).then_some(&*own);
            settings::set_networks(change, version, &networks, shuns).await
        };
        portal_result(self, done.await)
    }

    async fn pause_tenant(
        &self,
        actor: &Actor,
        id: TenantId,
        paused: bool,
        source: &RequestSource,
    ) -> PortalResult<()> {
        let done = async {
            let change = Change::begin(&self.state, actor, id, source).await?;
            settings::pause(change, paused).await
        };
        portal_result(self, done.await)
    }

    async fn whitelist(
        &self,
        actor: &Actor,
        id: TenantId,
        skill: &str,
        on: bool,
        source: &RequestSource,
    ) -> PortalResult<()> {
        let done = async {
            let change = Change::begin(&self.state, actor, id, source).await?;
            settings::whitelist(change, skill, on).await
        };
        portal_result(self, done.await)
    }

    async fn set_terms(
        &self,
        actor: &Actor,
        id: TenantId,
        skill: &SkillName,
        version: i64,
        terms: TypedTerms,
        source: &RequestSource,
    ) -> PortalResult<()> {
        let done = async {
            let change = Change::begin(&self.state, actor, id, source).await?;
            terms::set(change, version, skill, &terms).await
        };
        portal_result(self, done.await)
    }

    async fn keys(&self, actor: &Actor, id: TenantId) -> PortalResult<Vec<TenantKey>> {
        portal_result(self, keys::list(&self.state, actor, id).await)
    }

    async fn holds_secret(
        &self,
        actor: &Actor,
        id: TenantId,
        client_secret: &str,
    ) -> PortalResult<()> {
        let text = SecretString::from(client_secret.to_owned());
        portal_result(
            self,
            keys::holds_secret(&self.state, actor, id, &text).await,
        )
    }

    async fn secret_saved(&self, actor: &Actor, id: TenantId) -> PortalResult<()> {
        portal_result(self, keys::secret_saved(&self.state, actor, id).await)
    }

    async fn rotate_key(
        &self,
        actor: &Actor,
        id: TenantId,
        kind: KeyKind,
        rotation: Rotation,
        source: &RequestSource,
    ) -> PortalResult<NewKey> {
        let done = async {
            let change = Change::of_keys(&self.state, actor, id, source).await?;
            keys::rotate(change, kind, rotation).await
        };
        portal_result(self, done.await)
    }

    async fn stop_key(
        &self,
        actor: &Actor,
        id: TenantId,
        key: KeyId,
        source: &RequestSource,
    ) -> PortalResult<()> {
        let done = async {
            let change = Change::of_keys(&self.state, actor, id, source).await?;
            keys::stop(change, key).await
        };
        portal_result(self, done.await)
    }
}
