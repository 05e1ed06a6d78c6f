//! Tenants and their keys.

use app::domain::ids::{KeyId, ServicerId, TenantId};
use app::domain::key::KeyKind;
use app::domain::person::Permission;
use app::domain::skill::SkillName;
use app::domain::tenant::{Environment, TenantStatus};
use app::portal::tenants::{
    CreatedTenant, Creation, NewKey, NewTenant, Overview, Rotation, Tenant, TenantKey,
    TenantSummary, Tenants, TypedTerms, WhitelistedSkill,
};
use app::portal::{Actor, PortalError, PortalResult, RequestSource};
use async_trait::async_trait;
use chrono::Duration;

use super::{Fake, World, ago, id, key, now, skill_name, tenant_id};

#[async_trait]
impl Tenants for Fake {
    async fn overview(&self, _: &Actor) -> PortalResult<Overview> {
        let full = matches!(self.0, World::Full | World::Hostile);
        Ok(Overview {
            first_tenant: (self.0 != World::Empty).then(tenant_id),
            tenants: 2,
            secret_saved: true,
            first_success_at: full.then(|| ago(600)),
            first_exchange_at: full.then(|| ago(500)),
            first_data_at: full.then(|| ago(400)),
            requests_24h: if full { 1_302 } else { 0 },
            errors_24h: if full { 12 } else { 0 },
            p95_ms: full.then_some(84),
            sessions_started_24h: if full { 41 } else { 0 },
            sessions_completed_24h: if full { 38 } else { 0 },
        })
    }
    async fn tenants(&self, _: &Actor, query: &str) -> PortalResult<Vec<TenantSummary>> {
        if self.0 == World::Empty || query == "xyz" {
            return Ok(Vec::new());
        }
        let second = TenantSummary {
            id: TenantId(id(2)),
            name: "Budget app, live".into(),
            environment: Environment::Production,
            status: TenantStatus::Paused,
            skills: 0,
            requests_24h: 0,
            errors_24h: 0,
            last_request_at: None,
            created_at: ago(86_400 * 3),
        };
        Ok(vec![self.tenant_row(), second])
    }
    async fn tenant(&self, _: &Actor, id: TenantId) -> PortalResult<Tenant> {
        if id != tenant_id() {
            return Err(PortalError::NotFound);
        }
        let allowed = |name| WhitelistedSkill {
            skill: skill_name(name),
            consent_duration: 129_600,
            cache_max_data_retention: 172_800,
        };
        Ok(Tenant {
            id,
            servicer: ServicerId(self::id(80)),
            name: self.name(),
            environment: Environment::Sandbox,
            status: TenantStatus::Active,
            created_at: ago(86_400 * 40),
            version: 3,
            redirect_links: vec![
                "http://127.0.0.1:3000/console/return".into(),
                "http://127.0.0.1/return".into(),
                "myapp://return".into(),
            ],
            origins: vec!["https://app.example.com".into()],
            networks: vec!["203.0.113.0/24".into()],
            skills: vec![allowed("xyz_aisp_sbx_#1.0")],
        })
    }
    fn tenant_form(&self) -> uuid::Uuid {
        id(700)
    }
    async fn create_tenant(
        &self,
        _: &Actor,
        new: NewTenant,
        _: &RequestSource,
    ) -> PortalResult<Creation> {
        if new.form == Some(id(701)) {
            return Ok(Creation::Again(tenant_id()));
        }
        app::domain::text::name(&new.name, app::domain::tenant::LONGEST_NAME)
            .map_err(|error| PortalError::field("name", error.to_string()))?;
        if new.environment == Environment::Production {
            return Err(PortalError::Forbidden(
                "Production opens once an operator has approved your servicer.".into(),
            ));
        }
        Ok(Creation::Made(CreatedTenant {
            id: tenant_id(),
            client_secret: key(KeyKind::Secret, 1),
            client_app_key: key(KeyKind::AppKey, 2),
        }))
    }
    async fn rename_tenant(
        &self,
        actor: &Actor,
        id: TenantId,
        version: i64,
        name: &str,
        _: &RequestSource,
    ) -> PortalResult<()> {
        self.tenant(actor, id).await?;
        actor.may(Permission::ManageSandboxTenants)?;
        app::domain::text::name(name, app::domain::tenant::LONGEST_NAME)
            .map_err(|error| PortalError::field("name", error.to_string()))?;
        since(version)
    }
    async fn set_links(
        &self,
        actor: &Actor,
        id: TenantId,
        version: i64,
        (links, _): (Vec<String>, Vec<String>),
        _: &RequestSource,
    ) -> PortalResult<()> {
        self.tenant(actor, id).await?;
        if links.iter().any(|link| link.starts_with("javascript")) {
            return Err(PortalError::field(
                "redirect_links",
                "Links of this scheme cannot be used.",
            ));
        }
        since(version)
    }
    async fn set_networks(
        &self,
        _: &Actor,
        _: TenantId,
        version: i64,
        (networks, leaves_me_out): (Vec<String>, bool),
        _: &RequestSource,
    ) -> PortalResult<()> {
        if networks.is_empty() || leaves_me_out {
            return since(version);
        }
        Err(PortalError::field(
            "networks",
            "The list leaves out the address you come from now.",
        ))
    }
    async fn pause_tenant(
        &self,
        actor: &Actor,
        id: TenantId,
        _: bool,
        _: &RequestSource,
    ) -> PortalResult<()> {
        self.tenant(actor, id).await.map(drop)
    }
    async fn whitelist(
        &self,
        _: &Actor,
        _: TenantId,
        _: &str,
        _: bool,
        _: &RequestSource,
    ) -> PortalResult<()> {
        Ok(())
    }
    async fn set_terms(
        &self,
        _: &Actor,
        _: TenantId,
        _: &SkillName,
        version: i64,
        terms: TypedTerms,
        _: &RequestSource,
    ) -> PortalResult<()> {
        match app::domain::terms::CONSENT_DURATION.parse(&terms.consent_duration) {
            Ok(_) => since(version),
            Err(error) => Err(PortalError::field("consent_duration", error.to_string())),
        }
    }
    async fn keys(&self, actor: &Actor, tenant: TenantId) -> PortalResult<Vec<TenantKey>> {
        self.tenant(actor, tenant).await?;
        actor.may(Permission::ManageSandboxKeys)?;
        let made = |n: u128, kind, value: String, shown: bool| TenantKey {
            id: KeyId(id(n)),
            kind,
            tail: app::domain::key::tail(&value),
            value: shown.then_some(value),
            created_at: ago(86_400 * 40),
            created_by: "dev@example.com".into(),
            ends_at: None,
            last_used_at: Some(ago(3)),
            last_used_by: None,
            calls_24h: 98,
        };
        let old = TenantKey {
            ends_at: Some(now() + Duration::hours(21)),
            last_used_at: Some(ago(240)),
            last_used_by: Some("node-fetch/3.2".into()),
            ..made(13, KeyKind::Secret, key(KeyKind::Secret, 3), false)
        };
        let mut keys = vec![
            made(11, KeyKind::AppKey, key(KeyKind::AppKey, 2), true),
            made(12, KeyKind::Secret, key(KeyKind::Secret, 1), false),
        ];
        if self.0 != World::Started {
            keys.push(old);
        }
        Ok(keys)
    }
    async fn holds_secret(&self, _: &Actor, _: TenantId, secret: &str) -> PortalResult<()> {
        if secret == key(KeyKind::Secret, 1) {
            return Ok(());
        }
        Err(PortalError::Conflict(
            "That is no live client_secret.".into(),
        ))
    }
    async fn secret_saved(&self, _: &Actor, _: TenantId) -> PortalResult<()> {
        Ok(())
    }
    async fn rotate_key(
        &self,
        actor: &Actor,
        _: TenantId,
        kind: KeyKind,
        rotation: Rotation,
        _: &RequestSource,
    ) -> PortalResult<NewKey> {
        let overlap = rotation.overlap;
        if overlap == Duration::zero() {
            actor.fresh(now())?;
        }
        if kind == KeyKind::Secret && overlap > Duration::days(7) {
            let why = "The old client_secret may stay valid for 0 to 7 days.";
            return Err(PortalError::field("overlap", why));
        }
        Ok(NewKey {
            id: KeyId(id(14)),
            kind,
            value: key(kind, 4),
            old_ends_at: Some(now() + overlap),
        })
    }
    async fn stop_key(
        &self,
        actor: &Actor,
        tenant: TenantId,
        key: KeyId,
        _: &RequestSource,
    ) -> PortalResult<()> {
        let keys = self.keys(actor, tenant).await?;
        let found = keys.iter().any(|known| known.id == key);
        found.then_some(()).ok_or(PortalError::NotFound)
    }
}

/// The settings are at version 3.
fn since(version: i64) -> PortalResult<()> {
    if version == 3 {
        return Ok(());
    }
    let why = "Not saved: since you opened this page, somebody changed the name (b@example.com).";
    Err(PortalError::Conflict(why.into()))
}
