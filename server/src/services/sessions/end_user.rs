//! The end-user of a session, as the tenant names them: the same throughout.

use app::domain::ids::SessionId;
use app::domain::problem::Code;

use super::standing::owned;
use crate::services::access::keys::Client;
use crate::services::consents::end_user::user_digest;
use crate::services::refusal::ApiError;
use crate::state::AppState;
use crate::storage::sessions::SessionRow;

/// Checks the end-user that a call about a session names, if it names one; see [`check_user`].
pub async fn check_user_of(
    state: &AppState,
    client: &Client,
    id: SessionId,
    given: Option<&str>,
) -> Result<(), ApiError> {
    if given.is_none() {
        return Ok(());
    }
    let mut tx = state.db.read().await?;
    let row = owned(&mut tx, client.tenant(), id).await?;
    let state = &state.for_tenant(&mut tx, row.tenant_id).await?;
    check_user(state, &row, given)
}

/// Refuses an end-user (`given`, as the tenant names them) who is not the one the session was opened for. A session that
/// was opened for nobody in particular takes any name, and a call may leave it out.
pub fn check_user(state: &AppState, row: &SessionRow, given: Option<&str>) -> Result<(), ApiError> {
    match (&row.tenant_user, given) {
        (Some(bound), Some(given)) if user_digest(state, row.tenant_id, given) != *bound => {
            Err(Code::InvalidTenantUserId.into())
        }
        _ => Ok(()),
    }
}
