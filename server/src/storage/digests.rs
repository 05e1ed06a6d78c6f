//! Digests renewed under a new pepper, each only if it still is what it was.

use app::domain::ids::{CredentialsId, KeyId};
use uuid::Uuid;

use super::{Stored, Tx, run};
use crate::crypto::Digest;

/// Whose digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    Key(KeyId),
    AccessToken(CredentialsId),
    TenantUser(CredentialsId),
    /// By the session's handle.
    PortalSession(Uuid),
}

impl Tx {
    /// Puts `to` in the place of `from`, the digest of the same secret under another pepper.
    pub async fn renew_digest(&mut self, whose: Whose, from: &Digest, to: &Digest) -> Stored<()> {
        let (statement, id) = match whose {
            Whose::Key(id) => (
                "UPDATE tenant_keys SET digest = $3 WHERE id = $1 AND digest = $2",
                id.0,
            ),
            Whose::AccessToken(id) => (
                "UPDATE consents SET access_token = $3 WHERE id = $1 AND access_token = $2",
                id.0,
            ),
            Whose::TenantUser(id) => (
                "UPDATE consents SET tenant_user = $3 WHERE id = $1 AND tenant_user = $2",
                id.0,
            ),
            Whose::PortalSession(handle) => (
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
