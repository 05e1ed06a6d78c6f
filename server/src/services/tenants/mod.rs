//! Tenants for the people of their servicer: what the seam promises, each act with its audit row in one transaction.

pub mod create;
pub mod erasure;
pub mod overview;
pub mod settings;
pub mod signature_terms;
pub mod terms;
#[cfg(test)]
mod tests;

pub use create::{Ready, create_in};

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
        name: &str,
        source: &Source,
    ) -> Answered<()> {
        answered(
            self,
            settings::rename(&self.state, actor, id, name, source).await,
        )
    }

    async fn set_links(
        &self,
        actor: &Actor,
        id: TenantId,
        redirect_links: Vec<String>,
        origins: Vec<String>,
        source: &Source,
    ) -> Answered<()> {
        let set = settings::set_links(&self.state, actor, id, &redirect_links, &origins, source);
        answered(self, set.await)
    }

    async fn pause_tenant(
        &self,
        actor: &Actor,
        id: TenantId,
        paused: bool,
        source: &Source,
    ) -> Answered<()> {
        answered(
            self,
            settings::pause(&self.state, actor, id, paused, source).await,
        )
    }

    async fn whitelist(
        &self,
        actor: &Actor,
        id: TenantId,
        skill: &str,
        on: bool,
        source: &Source,
    ) -> Answered<()> {
        answered(
            self,
            settings::whitelist(&self.state, actor, id, skill, on, source).await,
        )
    }

    async fn set_terms(
        &self,
        actor: &Actor,
        id: TenantId,
        skill: &SkillName,
        terms: TypedTerms,
        source: &Source,
    ) -> Answered<()> {
        let set = terms::set(&self.state, actor, id, skill, &terms, source);
        answered(self, set.await)
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

    async fn rotate_key(
        &self,
        actor: &Actor,
        id: TenantId,
        kind: KeyKind,
        overlap: Duration,
        source: &Source,
    ) -> Answered<NewKey> {
        answered(
            self,
            rotation::rotate(&self.state, actor, id, kind, overlap, source).await,
        )
    }

    async fn stop_key(
        &self,
        actor: &Actor,
        id: TenantId,
        key: KeyId,
        source: &Source,
    ) -> Answered<()> {
        answered(
            self,
            rotation::stop(&self.state, actor, id, key, source).await,
        )
    }
}
