//! Tenants with their links, origins and whitelist.

use app::domain::ids::{ServicerId, TenantId};
use app::domain::skill::SkillName;
use app::domain::tenant::{Environment, Origin, RedirectLink, TenantStatus};
use chrono::{DateTime, Utc};
use sqlx::QueryBuilder;

use super::{DbResult, Tx, run};
use crate::text::fold;

/// A tenant's own row.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct TenantRow {
    pub id: TenantId,
    pub servicer_id: ServicerId,
    pub name: String,
    pub environment: Environment,
    pub status: TenantStatus,
    pub created_at: DateTime<Utc>,
    /// Grows by one with each change of the settings.
    pub version: i64,
}

/// A tenant in a list, with how it is used.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct ListedTenant {
    #[sqlx(flatten)]
    pub tenant: TenantRow,
    pub skills: i64,
    pub requests_24h: i64,
    pub errors_24h: i64,
    pub last_request_at: Option<DateTime<Utc>>,
}

/// One line of a whitelist; durations in minutes.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct WhitelistRow {
    pub skill: SkillName,
    pub consent_duration: i64,
    pub cache_max_data_retention: i64,
}

impl Tx {
    /// Adds a tenant; `utx_key` is sealed.
    pub async fn add_tenant(&mut self, tenant: &TenantRow, utx_key: &[u8]) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO tenants (id, servicer_id, name, environment, status, utx_key, created_at, utx_version)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, 2)",
            )
            .bind(tenant.id)
            .bind(tenant.servicer_id)
            .bind(&tenant.name)
            .bind(tenant.environment)
            .bind(tenant.status)
            .bind(utx_key)
            .bind(tenant.created_at)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// One tenant of a servicer; a foreign one is none.
    pub async fn tenant(
        &mut self,
        servicer: ServicerId,
        id: TenantId,
    ) -> DbResult<Option<TenantRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT id, servicer_id, name, environment, status, created_at, version FROM tenants
                 WHERE servicer_id = $1 AND id = $2",
            )
            .bind(servicer)
            .bind(id)
            .fetch_optional(conn)
            .await
        })
    }

    /// The tenants of a servicer whose name or id contains `query`, the most recently used first.
    pub async fn tenants(
        &mut self,
        servicer: ServicerId,
        query: &str,
        since: DateTime<Utc>,
    ) -> DbResult<Vec<ListedTenant>> {
        let found = self.tenants_found(servicer, query).await?;
        if found.as_ref().is_some_and(Vec::is_empty) {
            return Ok(Vec::new());
        }
        run!(self, |conn| {
            let mut select = QueryBuilder::new(
                "SELECT t.id, t.servicer_id, t.name, t.environment, t.status, t.created_at, t.version,
                        (SELECT COUNT(*) FROM tenant_skills k WHERE k.tenant_id = t.id) AS skills,
                        (SELECT COUNT(*) FROM requests r WHERE r.tenant_id = t.id AND r.at > ",
            );
            select.push_bind(since).push(
                ") AS requests_24h,
                        (SELECT COUNT(*) FROM requests r
                         WHERE r.tenant_id = t.id AND r.status >= 400 AND r.at > ",
            );
            select.push_bind(since).push(
                ") AS errors_24h,
                        (SELECT r.at FROM requests r WHERE r.tenant_id = t.id ORDER BY r.at DESC LIMIT 1) AS last_request_at
                 FROM tenants t WHERE t.servicer_id = ",
            );
            select.push_bind(servicer);
            if let Some(found) = &found {
                select.push(" AND t.id IN (");
                let mut list = select.separated(", ");
                for id in found {
                    list.push_bind(*id);
                }
                select.push(")");
            }
            select.push(" ORDER BY last_request_at DESC NULLS LAST, t.id DESC LIMIT 500");
            select.build_query_as().fetch_all(conn).await
        })
    }

    /// Moves a tenant's settings on by one, if they are at `version`; says whether they were.
    pub async fn take_tenant_version(&mut self, id: TenantId, version: i64) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query("UPDATE tenants SET version = version + 1 WHERE id = $1 AND version = $2")
                .bind(id)
                .bind(version)
                .execute(conn)
                .await
                .map(|done| done.rows_affected() == 1)
        })
    }

    /// The latest changes of a tenant's settings, each with who made it; as many as are asked for, at most ten.
    pub async fn tenant_changes(
        &mut self,
        servicer: ServicerId,
        id: TenantId,
        count: i64,
    ) -> DbResult<Vec<(String, String)>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT action, actor FROM audit_log
                 WHERE servicer_id = $1 AND target = $2 AND action IN
                       ('tenant.renamed', 'tenant.links_set', 'tenant.terms_set', 'tenant.signature_terms_set')
                 ORDER BY id DESC LIMIT $3",
            )
            .bind(servicer)
            .bind(id.to_string())
            .bind(count.clamp(1, 10))
            .fetch_all(conn)
            .await
        })
    }

    /// The tenants of a servicer whose name or id holds a text; none if nothing is looked for. Names are folded here:
    /// each database has its own idea of letters.
    async fn tenants_found(
        &mut self,
        servicer: ServicerId,
        query: &str,
    ) -> DbResult<Option<Vec<TenantId>>> {
        let wanted = fold(query);
        if wanted.is_empty() {
            return Ok(None);
        }
        let all: Vec<(TenantId, String)> = run!(self, |conn| {
            sqlx::query_as("SELECT id, name FROM tenants WHERE servicer_id = $1 ORDER BY id DESC")
                .bind(servicer)
                .fetch_all(conn)
                .await
        })?;
        // Ids are written in several ways: with braces, as a URN, without dashes.
        let named = query.trim().parse::<TenantId>().ok();
        let found = all.into_iter().filter(|(id, name)| {
            Some(*id) == named || fold(name).contains(&wanted) || id.to_string().contains(&wanted)
        });
        // As many as a statement takes parameters without a thought, and far more than a page shows.
        Ok(Some(found.map(|(id, _)| id).take(5_000).collect()))
    }

    /// Gives a tenant another name.
    pub async fn rename_tenant(&mut self, id: TenantId, name: &str) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE tenants SET name = $2 WHERE id = $1")
                .bind(id)
                .bind(name)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Pauses or resumes; says whether that changed anything.
    pub async fn set_tenant_status(
        &mut self,
        id: TenantId,
        status: TenantStatus,
    ) -> DbResult<bool> {
        let rows = run!(self, |conn| {
            sqlx::query("UPDATE tenants SET status = $2 WHERE id = $1 AND status <> $2")
                .bind(id)
                .bind(status)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }

    /// The networks a tenant's server may call from, in CIDR form with a blank between two.
    pub async fn tenant_networks(&mut self, id: TenantId) -> DbResult<String> {
        run!(self, |conn| {
            sqlx::query_scalar("SELECT networks FROM tenants WHERE id = $1")
                .bind(id)
                .fetch_one(conn)
                .await
        })
    }

    /// Replaces the networks a tenant's server may call from.
    pub async fn set_tenant_networks(&mut self, id: TenantId, networks: &str) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("UPDATE tenants SET networks = $2 WHERE id = $1")
                .bind(id)
                .bind(networks)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// The redirect links of a tenant, in alphabetical order.
    pub async fn tenant_links(&mut self, id: TenantId) -> DbResult<Vec<String>> {
        let mut links: Vec<String> = run!(self, |conn| {
            sqlx::query_scalar("SELECT link FROM tenant_redirect_links WHERE tenant_id = $1")
                .bind(id)
                .fetch_all(conn)
                .await
        })?;
        // Here, for databases sort texts each by its own rules.
        links.sort_unstable();
        Ok(links)
    }

    /// The origins of a tenant, in alphabetical order.
    pub async fn tenant_origins(&mut self, id: TenantId) -> DbResult<Vec<String>> {
        let mut origins: Vec<String> = run!(self, |conn| {
            sqlx::query_scalar("SELECT origin FROM tenant_origins WHERE tenant_id = $1")
                .bind(id)
                .fetch_all(conn)
                .await
        })?;
        origins.sort_unstable();
        Ok(origins)
    }

    /// Replaces links and origins.
    pub async fn set_tenant_links(
        &mut self,
        id: TenantId,
        links: &[RedirectLink],
        origins: &[Origin],
    ) -> DbResult<()> {
        for sql in [
            "DELETE FROM tenant_redirect_links WHERE tenant_id = $1",
            "DELETE FROM tenant_origins WHERE tenant_id = $1",
        ] {
            run!(self, |conn| sqlx::query(sql)
                .bind(id)
                .execute(conn)
                .await
                .map(|_| ()))?;
        }
        let links = links.iter().map(RedirectLink::as_str);
        self.add_texts("tenant_redirect_links (tenant_id, link) ", id, links)
            .await?;
        let origins = origins.iter().map(Origin::as_str);
        self.add_texts("tenant_origins (tenant_id, origin) ", id, origins)
            .await
    }

    async fn add_texts(
        &mut self,
        table: &'static str,
        id: TenantId,
        texts: impl Iterator<Item = &str>,
    ) -> DbResult<()> {
        let texts: Vec<&str> = texts.collect();
        if texts.is_empty() {
            return Ok(());
        }
        run!(self, |conn| {
            let mut insert = QueryBuilder::new("INSERT INTO ");
            insert.push(table);
            insert.push_values(&texts, |mut row, text| {
                row.push_bind(id).push_bind((*text).to_owned());
            });
            insert.push(" ON CONFLICT DO NOTHING");
            insert.build().execute(conn).await.map(|_| ())
        })
    }

    /// The whitelist of a tenant, by name.
    pub async fn tenant_skills(&mut self, id: TenantId) -> DbResult<Vec<WhitelistRow>> {
        let mut skills: Vec<WhitelistRow> = run!(self, |conn| {
            sqlx::query_as(
                "SELECT skill, consent_duration, cache_max_data_retention FROM tenant_skills WHERE tenant_id = $1",
            )
            .bind(id)
            .fetch_all(conn)
            .await
        })?;
        skills.sort_by(|a, b| a.skill.as_str().cmp(b.skill.as_str()));
        Ok(skills)
    }

    /// Puts a skill on the whitelist; one that is there keeps its terms. Says whether that changed anything.
    pub async fn add_tenant_skill(
        &mut self,
        id: TenantId,
        skill: &WhitelistRow,
        now: DateTime<Utc>,
    ) -> DbResult<bool> {
        let rows = run!(self, |conn| {
            sqlx::query(
                "INSERT INTO tenant_skills (tenant_id, skill, consent_duration, cache_max_data_retention, created_at)
                 VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
            )
            .bind(id)
            .bind(&skill.skill)
            .bind(skill.consent_duration)
            .bind(skill.cache_max_data_retention)
            .bind(now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }

    /// Takes a skill off the whitelist; says whether it was there.
    pub async fn remove_tenant_skill(&mut self, id: TenantId, skill: &SkillName) -> DbResult<bool> {
        let rows = run!(self, |conn| {
            sqlx::query("DELETE FROM tenant_skills WHERE tenant_id = $1 AND skill = $2")
                .bind(id)
                .bind(skill)
                .execute(conn)
                .await
                .map(|done| done.rows_affected())
        })?;
        Ok(rows == 1)
    }

    /// A servicer's tenants that whitelist a skill, by name.
    pub async fn tenants_with_skill(
        &mut self,
        servicer: ServicerId,
        skill: &SkillName,
    ) -> DbResult<Vec<(TenantId, String)>> {
        let mut tenants: Vec<(TenantId, String)> = run!(self, |conn| {
            sqlx::query_as(
                "SELECT t.id, t.name FROM tenants t JOIN tenant_skills k ON k.tenant_id = t.id
                 WHERE t.servicer_id = $1 AND k.skill = $2",
            )
            .bind(servicer)
            .bind(skill)
            .fetch_all(conn)
            .await
        })?;
        tenants.sort_by_cached_key(|(id, name)| (fold(name), *id));
        Ok(tenants)
    }
}

/// A pattern that finds the text anywhere, whatever it contains.
pub fn like(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.trim().to_lowercase().chars() {
        if matches!(c, '%' | '_' | '!') {
            pattern.push('!');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}
