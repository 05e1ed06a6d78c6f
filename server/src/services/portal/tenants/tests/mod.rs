//! Tenants' rules on both databases.

mod acts;
mod create;
mod fresh;
mod keys;
mod overview;
mod settings;
mod versions;

use app::domain::ids::{KeyId, SigningKeyId};
use app::domain::key::KeyKind;
use app::domain::person::Role;
use app::domain::servicer::ServicerStatus;
use app::domain::skill::SkillName;
use app::domain::tenant::{Environment, TenantStatus};
use app::portal::PortalError;
use app::portal::tenants::{Creation, NewTenant, Tenants as _};
use chrono::Duration;

use super::*;
use crate::storage::Db;
use crate::testing::{World, source};

fn production() -> NewTenant {
    NewTenant {
        form: None,
        name: "Live".into(),
        environment: Environment::Production,
        skills: Vec::new(),
        redirect_links: vec!["https://app.example.com/return".into()],
        origins: Vec::new(),
    }
}

/// The tenant of a form that was sent for the first time.
fn made(creation: Creation) -> CreatedTenant {
    match creation {
        Creation::Made(made) => made,
        Creation::Again(id) => panic!("{id} was made before"),
    }
}

/// Returns the version of the tenant's settings.
async fn version(world: &World) -> i64 {
    let tenant = world
        .services
        .tenant(&world.owner, world.client.tenant())
        .await;
    tenant.unwrap().version
}

async fn live(world: &World, kind: KeyKind) -> Vec<TenantKey> {
    let keys = world
        .services
        .keys(&world.owner, world.client.tenant())
        .await
        .unwrap();
    keys.into_iter().filter(|key| key.kind == kind).collect()
}

/// A skill that no act of the tests takes off the whitelist.
fn kept_skill() -> SkillName {
    SkillName::parse("xyz_ro_aisp_sbx_#1.0").unwrap()
}

fn terms(consent_duration: &str, cache_max_data_retention: &str) -> TypedTerms {
    TypedTerms {
        consent_duration: consent_duration.to_owned(),
        cache_max_data_retention: cache_max_data_retention.to_owned(),
    }
}
