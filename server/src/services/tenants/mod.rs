//! Tenants for the people of their servicer: what the seam promises, each act with its audit row in one transaction.

pub mod change;
pub mod create;
pub mod erasure;
pub mod overview;
pub mod settings;
pub mod signature_terms;
pub mod terms;
#[cfg(test)]
mod tests;

pub use change::Change;
pub use create::{Ready, create_in, may_see};

use app::domain::ids::{KeyId, TenantId};
use app::domain::key::KeyKind;
use app::domain::person::Permission;
use app::domain::skill::SkillName;
use app::domain::tenant::Environment;
use app::portal::tenants::*;
use app::portal::{Actor, Answered, Source, Trouble};
use async_trait::async_trait;
use chrono::Duration;
use secrecy::SecretString;

use super::Services;
use super::keys::rotation;
use super::trouble::{Stop, answered};
use crate::storage::Tx;
use crate::storage::tenants::TenantRow as Row;

/// What changing a tenant of an environment needs.
pub(super) fn tenants_permission(environment: Environment) -> Permission {
    match environment {
        Environment::Sandbox => Permission::ManageSandboxTenants,
        Environment::Production => Permission::ManageProductionTenants,
    }
}

/// What seeing and changing keys of an environment needs.
pub(super) fn keys_permission(environment: Environment) -> Permission {
    match environment {
        Environment::Sandbox => Permission::ManageSandboxKeys,
        Environment::Production => Permission::ManageProductionKeys,
    }
}

/// A tenant of the actor's own servicer; a foreign one looks like a missing one.
pub(super) async fn own(tx: &mut Tx, actor: &Actor, id: TenantId) -> Result<Row, Stop> {
    let servicer = actor.may(Permission::ReadTenants)?.servicer;
    Ok(tx.tenant(servicer, id).await?.ok_or(Trouble::NotFound)?)
}

#[async_trait]
impl Tenants for Services {
    async fn overview(&self, actor: &Actor) -> Answered<Overview> {
        answered(self, overview::overview(&self.state, actor).await)
    }

    async fn tenants(&self, actor: &Actor, query: &str) -> Answered<Vec<TenantRow>> {
        answered(self, overview::list(&self.state, actor, query).await)
    }

    async fn tenant(&self, actor: &Actor, id: TenantId) -> Answered<Tenant> {
        answered(self, settings::tenant(&self.state, actor, id).await)
    }

    fn tenant_form(&self) -> uuid::Uuid {
        self.state.clock.id()
    }

    async fn create_tenant(
        &self,
        actor: &Actor,
        new: NewTenant,
        source: &Source,
    ) -> Answered<Creation> {
        answered(self, create::create(&self.state, actor, &new, source).await)
    }

    async fn rename_tenant(
        &self,
        actor: &Actor,
        id: TenantId,
        version: i64,
        name: &str,
        source: &Source,
    ) -> Answered<()> {
        let done = async {
            let change = Change::begin(&self.state, actor, id, source).await?;
            settings::rename(change, version, name).await
        };
        answered(self, done.await)
    }

    async fn set_links(
        &self,
        actor: &Actor,
        id: TenantId,
        version: i64,
        (redirect_links, origins): (Vec<String>, Vec<String>),
        source: &Source,
    ) -> Answered<()> {
        let done = async {
            let change = Change::begin(&self.state, actor, id, source).await?;
            settings::set_links(change, version, &redirect_links, &origins).await
        };
        answered(self, done.await)
    }

    async fn set_networks(
        &self,
        actor: &Actor,
        id: TenantId,
        version: i64,
        (networks, leaves_me_out): (Vec<String>, bool),
        source: &Source,
    ) -> Answered<()> {
        let own = source.ip.clone();
        let done = async {
            let change = Change::begin(&self.state, actor, id, source).await?;
            let shuns = (!leaves_me_out).then_some(&*own);
            settings::set_networks(change, version, &networks, shuns).await
        };
        answered(self, done.await)
    }

    async fn pause_tenant(
        &self,
        actor: &Actor,
        id: TenantId,
        paused: bool,
        source: &Source,
    ) -> Answered<()> {
        let done = async {
            let change = Change::begin(&self.state, actor, id, source).await?;
            settings::pause(change, paused).await
        };
        answered(self, done.await)
    }

    async fn whitelist(
        &self,
        actor: &Actor,
        id: TenantId,
        skill: &str,
        on: bool,
        source: &Source,
    ) -> Answered<()> {
        let done = async {
            let change = Change::begin(&self.state, actor, id, source).await?;
            settings::whitelist(change, skill, on).await
        };
        answered(self, done.await)
    }

    async fn set_terms(
        &self,
        actor: &Actor,
        id: TenantId,
        skill: &SkillName,
        version: i64,
        terms: TypedTerms,
        source: &Source,
    ) -> Answered<()> {
        let done = async {
            let change = Change::begin(&self.state, actor, id, source).await?;
            terms::set(change, version, skill, &terms).await
        };
        answered(self, done.await)
    }

    async fn keys(&self, actor: &Actor, id: TenantId) -> Answered<Vec<Key>> {
        answered(self, rotation::list(&self.state, actor, id).await)
    }

    async fn holds_secret(&self, actor: &Actor, id: TenantId, client_secret: &str) -> Answered<()> {
        let text = SecretString::from(client_secret.to_owned());
        answered(
            self,
            rotation::holds_secret(&self.state, actor, id, &text).await,
        )
    }

    async fn secret_saved(&self, actor: &Actor, id: TenantId) -> Answered<()> {
        answered(self, rotation::secret_saved(&self.state, actor, id).await)
    }

    async fn rotate_key(
        &self,
        actor: &Actor,
        id: TenantId,
        kind: KeyKind,
        overlap: Duration,
        source: &Source,
    ) -> Answered<NewKey> {
        let done = async {
            let change = Change::of_keys(&self.state, actor, id, source).await?;
            rotation::rotate(change, kind, overlap).await
        };
        answered(self, done.await)
    }

    async fn stop_key(
        &self,
        actor: &Actor,
        id: TenantId,
        key: KeyId,
        source: &Source,
    ) -> Answered<()> {
        let done = async {
            let change = Change::of_keys(&self.state, actor, id, source).await?;
            rotation::stop(change, key).await
        };
        answered(self, done.await)
    }
}
