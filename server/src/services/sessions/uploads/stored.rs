//! Files read again, for whoever forwards them to a provider: one piece in memory at a time.

use app::domain::ids::{SessionId, UploadId};
use app::domain::problem::Code;
use app::domain::upload::MediaType;
use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt as _};

use crate::aad;
use crate::services::refusal::{ApiError, Refusal};
use crate::state::AppState;
use crate::storage::sessions::SessionRow;

/// A stored file and the way to its bytes.
pub struct StoredFile {
    pub kind: String,
    pub media_type: MediaType,
    /// Bytes in all.
    pub size: u64,
    /// Ends with an error if a piece is missing, altered or out of place: what came before is then not the file.
    pub bytes: BoxStream<'static, Result<Bytes, ApiError>>,
}

/// Opens a file of a session. No transaction stays open between two pieces.
pub async fn open(
    state: &AppState,
    session: SessionId,
    upload: UploadId,
) -> Result<StoredFile, ApiError> {
    let mut tx = state.db.read().await?;
    let row = tx.upload(upload).await?;
    let row = row.filter(|row| row.session_id == session);
    let unknown = || Refusal::new(Code::NotFound).says("The session has no such upload.");
    let row = row.ok_or_else(unknown)?;
    let session = tx.session(session).await?.ok_or_else(unknown)?;
    let reader = Reader {
        state: state.for_tenant(&mut tx, session.tenant_id).await?,
        session,
        id: upload,
        left: row.size,
        position: 0,
    };
    Ok(StoredFile {
        kind: row.kind,
        media_type: row.media_type,
        size: u64::try_from(row.size).unwrap_or_default(),
        bytes: stream::try_unfold(Some(reader), next).boxed(),
    })
}

struct Reader {
    state: AppState,
    session: SessionRow,
    id: UploadId,
    left: i64,
    position: i64,
}

/// The next piece and the reader for what follows it.
async fn next(reader: Option<Reader>) -> Result<Option<(Bytes, Option<Reader>)>, ApiError> {
    let Some(mut reader) = reader else {
        return Ok(None);
    };
    let (bytes, last) = reader.piece().await?;
    reader.left -= i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    reader.position += 1;
    if last && reader.left != 0 {
        return Err(ApiError::broken("an upload has not the size it had"));
    }
    Ok(Some((bytes, (!last).then_some(reader))))
}

impl Reader {
    /// One piece, and whether it is the last.
    async fn piece(&self) -> Result<(Bytes, bool), ApiError> {
        let mut tx = self.state.db.read().await?;
        let sealed = tx.upload_chunk(self.id, self.position).await?;
        drop(tx);
        let sealed = sealed.ok_or_else(|| ApiError::broken("an upload lacks a piece"))?;
        let aad = |last| {
            let session = &self.session;
            aad::upload_chunk(session.tenant_id, session.id, self.id, self.position, last)
        };
        let vault = &self.state.vault;
        let (mut plain, last) = match vault.open(&aad(false), &sealed) {
            Ok(plain) => (plain, false),
            Err(_) => (vault.open(&aad(true), &sealed)?, true),
        };
        Ok((std::mem::take(&mut *plain).into(), last))
    }
}
