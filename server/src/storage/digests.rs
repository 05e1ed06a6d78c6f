//! Digests renewed under a new pepper, each only if it still is what it was.

use app::domain::ids::{CredentialsId, KeyId};
use kernel::crypto::Digest;
use uuid::Uuid;

use super::{DbResult, Tx, run};

/// Owner of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DigestOwner {
    Key(KeyId),
    AccessToken(CredentialsId),
    TenantUser(CredentialsId),
    /// A portal session, named by its handle.
    PortalSession(Uuid),
}

impl Tx {
    /// Puts `to` in the place of `from`, the digest of the same secret under another pepper.
    pub async fn renew_digest(
        &mut self,
        whose: DigestOwner,
        from: &Digest,
        to: &Digest,
    ) -> DbResult<()> {
        let (statement, id) = match whose {
            DigestOwner::Key(id) => (
                "UPDATE tenant_keys SET digest = $3 WHERE id = $1 AND digest = $2",
                id.0,
            ),
            DigestOwner::AccessToken(id) => (
                "UPDATE consents SET access_token = $3 WHERE id = $1 AND access_token = $2",
                id.0,
            ),
            DigestOwner::TenantUser(id) => (
                "UPDATE consents SET tenant_user = $3 WHERE id = $1 AND tenant_user = $2",
                id.0,
            ),
            DigestOwner::PortalSession(handle) => (
                "UPDATE portal_sessions SET digest = $3 WHERE handle = $1 AND digest = $2",
                handle,
            ),
        };
        run!(self, |conn| {
            sqlx::query(statement)
                .bind(id)
                .bind(from)
                .bind(to)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }
}
