//! An end-user as their tenant names them: known by a digest alone.

use app::domain::ids::TenantId;
use kernel::crypto::Digest;

use crate::state::AppState;

/// The digest under which a tenant's end-user is known: not even their opaque id is kept.
pub fn user_digest(state: &AppState, tenant: TenantId, tenant_user_id: &str) -> Digest {
    let scoped = format!("{tenant}/{tenant_user_id}");
    state.pepper.digest("tenant_user", &scoped)
}
