//! Servicers, as operators see them.

use app::domain::ids::ServicerId;
use app::domain::servicer::{ServicerKind, ServicerStatus};
use app::portal::admin::{Admin, CreatedServicer, ServicerRow};
use app::portal::{Actor, PortalError, PortalResult, RequestSource};
use async_trait::async_trait;
use chrono::Duration;

use super::{Fake, World, ago, id, now};

#[async_trait]
impl Admin for Fake {
    async fn servicers(&self, _: &Actor, query: &str) -> PortalResult<Vec<ServicerRow>> {
        if self.0 == World::Empty || query == "xyz" {
            return Ok(Vec::new());
        }
        let servicer = |n: u128, name: String, status, owner: Option<&str>| ServicerRow {
            id: ServicerId(id(n)),
            name,
            kind: ServicerKind::Consumer,
            status,
            country: "RO".into(),
            owner: owner.map(str::to_owned),
            owner_confirmed: owner == Some("b@example.com"),
            tenants: 2,
            requests_24h: 1_302,
            created_at: ago(86_400 * 2),
        };
        Ok(vec![
            servicer(
                80,
                self.name(),
                ServicerStatus::Sandbox,
                Some("dev@example.com"),
            ),
            servicer(81, "Example Ltd".into(), ServicerStatus::Approved, None),
            servicer(
                82,
                "Example Two".into(),
                ServicerStatus::Suspended,
                Some("b@example.com"),
            ),
        ])
    }
    async fn create_servicer(
        &self,
        _: &Actor,
        _: &str,
        _: ServicerKind,
        _: &RequestSource,
    ) -> PortalResult<CreatedServicer> {
        Ok(CreatedServicer {
            id: ServicerId(id(83)),
            claim_token: "clm_7QmX2dPz9fWvK3rTnB8sLcY5hJ1gU4eA".into(),
            claim_expires_at: now() + Duration::days(7),
            sign_up_url: "http://127.0.0.1:3000/signup?servicer=x&claim=y".into(),
        })
    }
    async fn approve_servicer(
        &self,
        _: &Actor,
        _: ServicerId,
        _: &RequestSource,
    ) -> PortalResult<()> {
        Ok(())
    }
    async fn suspend_servicer(
        &self,
        _: &Actor,
        _: ServicerId,
        reason: &str,
        _: &RequestSource,
    ) -> PortalResult<()> {
        if reason.is_empty() {
            return Err(PortalError::field(
                "reason",
                "Say why: the servicer is shown this.",
            ));
        }
        Ok(())
    }
    async fn resume_servicer(
        &self,
        _: &Actor,
        _: ServicerId,
        _: &RequestSource,
    ) -> PortalResult<()> {
        Ok(())
    }
}
