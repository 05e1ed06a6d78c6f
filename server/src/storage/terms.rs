//! What a tenant set up that its sessions go by: the skills it may use and for how long, and the key of its `utx_id`s.

use app::domain::ids::TenantId;
use app::domain::skill::SkillName;

use super::{Stored, Tx, run};

/// How long a tenant's consents for one skill last, and how long what they gave is kept; minutes.
#[derive(Clone, Copy, Debug, sqlx::FromRow)]
pub struct SkillTerms {
    pub consent_duration: i64,
    pub cache_max_data_retention: i64,
}

impl Tx {
    /// A tenant's terms for a skill; `None` if the skill is not on its whitelist.
    pub async fn skill_terms(
        &mut self,
        tenant: TenantId,
        skill: &SkillName,
    ) -> Stored<Option<SkillTerms>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT consent_duration, cache_max_data_retention FROM tenant_skills
                 WHERE tenant_id = $1 AND skill = $2",
            )
            .bind(tenant)
            .bind(skill)
            .fetch_optional(conn)
            .await
        })
    }

    /// The key of a tenant's `utx_id`s, sealed.
    pub async fn sealed_utx_key(&mut self, tenant: TenantId) -> Stored<Option<Vec<u8>>> {
        run!(self, |conn| {
            sqlx::query_scalar("SELECT utx_key FROM tenants WHERE id = $1")
                .bind(tenant)
                .fetch_optional(conn)
                .await
        })
    }
}
