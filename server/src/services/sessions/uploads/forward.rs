//! Files on their way from here to the provider, piece by piece: neither a file nor a transaction is held meanwhile.

use std::io;

use app::domain::ids::{SessionId, UploadId};
use app::domain::session::SessionStatus;
use futures_util::stream::StreamExt as _;

use super::stored;
use crate::services::consents::grants;
use crate::services::consents::provider_access::{connector, open_ref};
use crate::services::refusal::ApiError;
use crate::services::sessions::standing::{request_id, status_at};
use crate::skills::{ConnectorState, Document};
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::sessions::SessionRow;

/// Hands a stored file to the connector of its session. A session that ended without result, or was erased, needs none;
/// an error means that it has to be done again.
pub async fn forward(
    state: &AppState,
    session: SessionId,
    upload: UploadId,
) -> Result<(), ApiError> {
    let mut tx = state.db.read().await?;
    let row = tx.session(session).await?;
    let file = tx.upload(upload).await?;
    let (Some(session), Some(file)) = (row, file) else {
        return Ok(());
    };
    let state = &state.for_tenant(&mut tx, session.tenant_id).await?;
    let status = status_at(&session, state.now_of(session.tenant_id));
    let wanted = !status.is_final() || status == SessionStatus::Completed;
    let held = held(state, &mut tx, &session).await?.filter(|_| wanted);
    let step = tx.step(file.step_id).await?;
    drop(tx);
    let (Some(held), Some(step)) = (held, step) else {
        return Ok(());
    };
    let connector = connector(state, &session.skill)?;
    let opened = stored::open(state, session.id, upload).await?;
    let bytes = opened.bytes;
    let document = Document {
        key: request_id(session.id, step.position),
        kind: opened.kind,
        media_type: opened.media_type.as_str(),
        size: opened.size,
        bytes: bytes
            .map(|piece| piece.map_err(|failure| io::Error::other(failure.to_string())))
            .boxed(),
    };
    match connector.document(held, document).await {
        Err(error) if error.is_passing() => Err(ApiError::broken(error)),
        Err(error) => {
            tracing::warn!(skill = %session.skill, %error, "a provider did not take a file");
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Returns what the connector knows the session by: the data it asked to have kept, or the grant of its consent; `None`
/// if there is neither.
async fn held(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
) -> Result<Option<ConnectorState>, ApiError> {
    if let Some(bank_ref) = open_ref(state, session)? {
        return Ok(Some(ConnectorState::InProgress(bank_ref)));
    }
    let Some(consent) = tx.consent_of(session.id).await? else {
        return Ok(None);
    };
    Ok(grants::open(state, &consent)?.map(ConnectorState::Granted))
}
