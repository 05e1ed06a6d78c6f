//! An end-user as their tenant names them: known by a digest alone.

use app::domain::ids::TenantId;
use app::domain::problem::Code;
use kernel::crypto::Digest;

use crate::services::refusal::{ApiError, FieldProblem, Refusal};
use crate::state::AppState;

/// The digest under which a tenant's end-user is known: not even their opaque id is kept.
pub fn user_digest(state: &AppState, tenant: TenantId, tenant_user_id: &str) -> Digest {
    let scoped = format!("{tenant}/{tenant_user_id}");
    state.pepper.digest("tenant_user", &scoped)
}

/// Refuses an end-user (`given`, as the tenant names them) who is not the one (`bound`) that a session or its consent is
/// for. One that is for nobody in particular takes any name, and a call may leave the name out.
///
/// Returns the digest of the name if there is one on both sides.
///
/// # Errors
/// `invalid_tenant_user_id`.
pub fn check_user(
    state: &AppState,
    tenant: TenantId,
    bound: Option<&Digest>,
    given: Option<&str>,
) -> Result<Option<Digest>, ApiError> {
    let (Some(bound), Some(given)) = (bound, given) else {
        return Ok(None);
    };
    let given = user_digest(state, tenant, given);
    if given == *bound {
        Ok(Some(given))
    } else {
        Err(Code::InvalidTenantUserId.into())
    }
}

/// Refuses a call that leaves out the end-user whom the session named.
///
/// # Errors
/// `missing_fields`.
pub fn require_user(bound: Option<&Digest>, given: Option<&str>) -> Result<(), ApiError> {
    if bound.is_none() || given.is_some() {
        return Ok(());
    }
    let field = FieldProblem::new(
        "tenant_user_id",
        Code::MissingFields,
        "is required: the session was opened with it",
    );
    Err(Refusal::new(Code::MissingFields)
        .says("Missing: tenant_user_id.")
        .at(vec![field])
        .into())
}
