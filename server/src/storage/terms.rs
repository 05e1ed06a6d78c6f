//! Settings of a tenant that its sessions go by: the skills it may use and for how long, and the key of its `utx_id`s.

use app::domain::ids::TenantId;
use app::domain::skill::SkillName;

use super::{DbResult, Tx, run};

/// Duration of a tenant's consents for one skill, and the time their data is kept, in minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SkillTerms {
    pub consent_duration: i64,
    pub cache_max_data_retention: i64,
}

impl Tx {
    /// Returns a tenant's terms for a skill; `None` if the skill is not on its whitelist.
    pub async fn skill_terms(
        &mut self,
        tenant: TenantId,
        skill: &SkillName,
    ) -> DbResult<Option<SkillTerms>> {
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

    /// Sets a tenant's terms for a skill, if they still are what they were when somebody looked.
    pub async fn set_skill_terms(
        &mut self,
        tenant: TenantId,
        skill: &SkillName,
        from: SkillTerms,
        to: SkillTerms,
    ) -> DbResult<bool> {
        let rows = run!(self, |conn| {
            sqlx::query(
                "UPDATE tenant_skills SET consent_duration = $5, cache_max_data_retention = $6
                 WHERE tenant_id = $1 AND skill = $2 AND consent_duration = $3 AND cache_max_data_retention = $4",
            )
            .bind(tenant)
            .bind(skill)
            .bind(from.consent_duration)
            .bind(from.cache_max_data_retention)
            .bind(to.consent_duration)
            .bind(to.cache_max_data_retention)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }

    /// The key of a tenant's `utx_id`s, sealed, and the version of the rule they are made by.
    pub async fn sealed_utx_key(&mut self, tenant: TenantId) -> DbResult<Option<(Vec<u8>, i64)>> {
        run!(self, |conn| {
            sqlx::query_as("SELECT utx_key, utx_version FROM tenants WHERE id = $1")
                .bind(tenant)
                .fetch_optional(conn)
                .await
        })
    }
}
