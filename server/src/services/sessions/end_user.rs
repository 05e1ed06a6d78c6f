//! The end-user of a session, as the tenant names them: the same throughout.

use app::domain::ids::SessionId;

use super::standing::owned;
use crate::services::access::keys::Client;
use crate::services::consents::end_user::check_user;
use crate::services::refusal::ApiError;
use crate::state::AppState;

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
    check_user(state, row.tenant_id, row.tenant_user.as_ref(), given).map(|_| ())
}
