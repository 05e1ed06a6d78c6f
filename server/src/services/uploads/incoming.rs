//! A file while it comes in: hashed, measured and sealed piece by piece, never held as a whole.
//!
//! Each full piece is written in a transaction of its own; the last one with the statement that makes the file stored.
//! Whatever ends a file before that, an error or a caller that hangs up, drops it, and dropping it takes its pieces
//! along. After a crash the sweep does.

use std::sync::Arc;

use app::domain::ids::{SessionId, UploadId};
use app::domain::problem::Code;
use app::domain::session::SessionStatus;
use app::domain::skill::{SkillStep, UploadRule};
use app::domain::upload::MediaType;
use bytes::BytesMut;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::stored::chunk_place;
use super::{Arrived, closed, settle, too_many};
use crate::jobs::forward_upload::ForwardUpload;
use crate::services::refusal::{Failure, FieldProblem, Refusal};
use crate::services::sessions::in_flight;
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::sessions::SessionRow;
use crate::storage::steps::StepRow;
use crate::storage::uploads::NewUpload;

/// Bytes of a piece: few enough to hold many, many enough that a commit for each does not matter.
pub const CHUNK: usize = 128 * 1024;
/// Files of one step that come in together.
const AT_ONCE: i64 = 16;

/// A file on its way in.
pub struct Incoming {
    writer: Writer,
    buffer: BytesMut,
    hash: Sha256,
    size: u64,
    /// Pieces written so far.
    chunks: i64,
    media: Option<MediaType>,
    most: u64,
    /// Held by whoever writes: what is thrown away is thrown away after the last write.
    writing: Arc<Mutex<()>>,
    /// Whether something may have been written that nobody needs.
    begun: bool,
}

/// What a write needs to know; cheap to clone into a task of its own.
#[derive(Clone)]
struct Writer {
    state: AppState,
    id: UploadId,
    session: Arc<SessionRow>,
    step: Arc<StepRow>,
    takes: Arc<SkillStep>,
    kind: String,
}

/// One piece, sealed for its place.
struct Piece {
    position: i64,
    sealed: Vec<u8>,
    media: MediaType,
}

/// What is known once the last byte is there.
struct Whole {
    size: u64,
    sha256: String,
}

impl Incoming {
    pub(super) fn new(
        state: &AppState,
        session: SessionRow,
        step: StepRow,
        takes: &SkillStep,
        rule: &UploadRule,
    ) -> Self {
        Self {
            writer: Writer {
                state: state.clone(),
                id: UploadId(state.clock.id()),
                session: Arc::new(session),
                step: Arc::new(step),
                takes: Arc::new(takes.clone()),
                kind: rule.kind.clone(),
            },
            buffer: BytesMut::new(),
            hash: Sha256::new(),
            size: 0,
            chunks: 0,
            media: None,
            most: rule.max_bytes,
            writing: Arc::default(),
            begun: false,
        }
    }

    /// How many bytes the file may have.
    pub fn most(&self) -> u64 {
        self.most
    }

    /// The session it belongs to.
    pub fn session(&self) -> SessionId {
        self.writer.session.id
    }

    #[cfg(test)]
    pub(super) fn id(&self) -> UploadId {
        self.writer.id
    }

    /// Takes the next bytes of the file.
    pub async fn take(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        if self.size > self.most {
            return Err(self.too_large());
        }
        self.hash.update(bytes);
        while !bytes.is_empty() {
            // A full piece waits for one more byte: the last one is sealed as the last.
            if self.buffer.len() >= CHUNK {
                self.write_piece().await?;
            }
            let room = CHUNK.saturating_sub(self.buffer.len());
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
            if self.media.is_none() && self.buffer.len() >= MediaType::HEAD {
                self.media = Some(self.looked_at()?);
            }
        }
        Ok(())
    }

    /// The refusal of a file that has more bytes than its kind may.
    pub fn too_large(&self) -> Failure {
        Refusal::new(Code::BodyTooLarge)
            .says(format!(
                "A file of kind {} may have {} bytes.",
                self.writer.kind, self.most
            ))
            .into()
    }

    /// Keeps the file, now that its last byte is there, or finds that it was kept before. Goes on to its end even if
    /// the caller hangs up.
    pub async fn finish(mut self) -> Result<Arrived, Failure> {
        let media = self.looked_at_all()?;
        let piece = self.piece(media, true)?;
        let whole = Whole {
            size: self.size,
            sha256: hex(std::mem::take(&mut self.hash)),
        };
        let (writer, new) = (self.writer.clone(), !self.begun);
        let guard = self.writing().await;
        let arrived = to_the_end(guard, async move { writer.keep(&piece, &whole, new).await });
        let arrived = arrived.await?;
        self.begun = false;
        Ok(arrived)
    }

    fn looked_at(&self) -> Result<MediaType, Failure> {
        MediaType::of(&self.buffer).ok_or_else(|| {
            let field = FieldProblem::new("file", Code::InvalidField, MediaType::TAKEN);
            Refusal::new(Code::InvalidField)
                .says("The file is neither PDF nor PNG, JPEG or WebP.")
                .at(vec![field])
                .into()
        })
    }

    /// The same when no more bytes will come.
    fn looked_at_all(&self) -> Result<MediaType, Failure> {
        self.media.map_or_else(|| self.looked_at(), Ok)
    }

    fn piece(&self, media: MediaType, last: bool) -> Result<Piece, Failure> {
        let Writer {
            state, session, id, ..
        } = &self.writer;
        let place = chunk_place(session, *id, self.chunks, last);
        Ok(Piece {
            position: self.chunks,
            sealed: state.vault.seal(&state.clock, &place, &self.buffer)?,
            media,
        })
    }

    async fn write_piece(&mut self) -> Result<(), Failure> {
        let piece = self.piece(self.looked_at_all()?, false)?;
        let (writer, new) = (self.writer.clone(), !self.begun);
        let guard = self.writing().await;
        self.begun = true;
        to_the_end(guard, async move {
            let mut tx = writer.state.db.write().await?;
            writer.add(&mut tx, &piece, new).await?;
            Ok(tx.commit().await?)
        })
        .await?;
        self.chunks += 1;
        self.buffer.clear();
        Ok(())
    }

    async fn writing(&self) -> OwnedMutexGuard<()> {
        self.writing.clone().lock_owned().await
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let runtime = tokio::runtime::Handle::try_current();
        let (true, Ok(runtime)) = (self.begun, runtime) else {
            return;
        };
        let (writer, writing) = (self.writer.clone(), self.writing.clone());
        runtime.spawn(async move {
            let _guard = writing.lock_owned().await;
            if let Err(error) = writer.discard().await {
                tracing::warn!(%error, "a broken-off upload could not be thrown away; the sweep will");
            }
        });
    }
}

/// Runs a write to its end whatever becomes of the caller, with the right to write in hand.
async fn to_the_end<T: Send + 'static>(
    guard: OwnedMutexGuard<()>,
    work: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    let task = tokio::spawn(async move {
        let done = work.await;
        drop(guard);
        done
    });
    task.await.unwrap_or_else(|error| {
        Err(Failure::Broken(format!(
            "an upload's write broke off: {error}"
        )))
    })
}

impl Writer {
    /// Writes one piece, after the row it belongs to if that is new.
    async fn add(&self, tx: &mut Tx, piece: &Piece, new: bool) -> Result<(), Failure> {
        let now = self.state.clock.now();
        if new {
            let row = NewUpload {
                id: self.id,
                session_id: self.session.id,
                step_id: self.step.id,
                kind: self.kind.clone(),
                media_type: piece.media,
                now,
            };
            if !tx.begin_upload(&row, AT_ONCE).await? {
                return Err(Refusal::new(Code::TooManyRequests)
                    .says("Too many files of this step are coming in at once.")
                    .after(1)
                    .into());
            }
        }
        let added = tx
            .add_upload_chunk(self.id, piece.position, &piece.sealed, now)
            .await?;
        if added {
            return Ok(());
        }
        // It rested so long that the sweep took it for abandoned.
        Err(Code::RequestTimeout.into())
    }

    /// The last piece, and what a whole file means: all of it in one transaction, with the session held.
    async fn keep(&self, piece: &Piece, whole: &Whole, new: bool) -> Result<Arrived, Failure> {
        let state = &self.state;
        let content = state.vault.digest(&state.pepper, "upload", &whole.sha256)?;
        let (session, step) = (self.session.id, &*self.step);
        let now = state.clock.now();
        let mut tx = state.db.write().await?;
        let held = tx.hold_for_upload(session, step.position, now).await?;
        let row = tx.session(session).await?;
        let row = row.ok_or_else(|| Failure::Broken("an upload's session is gone".into()))?;
        let closed = closed(&row, step, now);
        let done = matches!(closed, Some((SessionStatus::Completed, _)));
        let kept = tx.uploads_of(step.id).await?;
        let mut same = kept
            .iter()
            .filter(|row| row.kind == self.kind && row.content == content);
        if let Some(first) = same.next().filter(|_| held || done) {
            tx.discard_upload(self.id).await?;
            tx.commit().await?;
            return Ok(self.arrived(first.id, whole, row.status));
        }
        if !held {
            let refusal = closed.map_or_else(in_flight, |(_, refusal)| refusal);
            return Err(refusal.into());
        }
        if kept.len() >= self.takes.max_uploads as usize {
            return Err(too_many(&self.takes).into());
        }
        self.add(&mut tx, piece, new).await?;
        let size = i64::try_from(whole.size).unwrap_or(i64::MAX);
        if !tx.store_upload(self.id, size, &content).await? {
            return Err(Failure::Broken("an upload's row does not receive".into()));
        }
        let status = settle(state, &mut tx, session).await?;
        let forward = ForwardUpload {
            session,
            upload: self.id,
        };
        state.queue.add(&mut tx, &forward).await?;
        tx.commit().await?;
        state.queue.wake();
        Ok(self.arrived(self.id, whole, status))
    }

    fn arrived(&self, upload_id: UploadId, whole: &Whole, status: SessionStatus) -> Arrived {
        Arrived {
            upload_id,
            kind: self.kind.clone(),
            size: whole.size,
            sha256: whole.sha256.clone(),
            status,
        }
    }

    async fn discard(&self) -> Result<(), Failure> {
        let mut tx = self.state.db.write().await?;
        tx.discard_upload(self.id).await?;
        Ok(tx.commit().await?)
    }
}

fn hex(hash: Sha256) -> String {
    let bytes = hash.finalize();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
