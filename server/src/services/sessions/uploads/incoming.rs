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
use app::domain::upload::{MOST_PIXELS, MediaType};
use bytes::BytesMut;
use kernel::crypto::hex;
use sha2::{Digest as _, Sha256};
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::scan::{Scan, ScanResult};
use super::{AcceptedUpload, closed, settle, too_many};
use crate::aad;
use crate::jobs::forward_upload::ForwardUpload;
use crate::scope;
use crate::services::refusal::{ApiError, FieldProblem, Refusal};
use crate::services::sessions::standing::in_flight;
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
    /// The virus scanner that gets a copy, once the first byte is there; `None` if files are not scanned.
    scan: Option<Scan>,
    /// Held by whoever writes: what is thrown away is thrown away after the last write.
    writing: Arc<Mutex<()>>,
    /// `true` once a piece may have been written, which has to be removed if the file is dropped.
    begun: bool,
}

/// Data that a write needs; cheap to clone into a task of its own.
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

/// Size and digest of the file, known once its last byte was received.
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
            scan: None,
            writing: Arc::default(),
            begun: false,
        }
    }

    /// Returns the most bytes that the file may have.
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
    pub async fn take(&mut self, mut bytes: &[u8]) -> Result<(), ApiError> {
        self.size = self.size.saturating_add(bytes.len() as u64);
        if self.size > self.most {
            return Err(self.too_large());
        }
        self.hash.update(bytes);
        self.feed(bytes).await?;
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

    /// Returns the refusal of a file that has more bytes than its kind may have.
    pub fn too_large(&self) -> ApiError {
        Refusal::new(Code::BodyTooLarge)
            .says(format!(
                "A file of kind {} may have {} bytes.",
                self.writer.kind, self.most
            ))
            .into()
    }

    /// Keeps the file, now that its last byte is there, or finds that it was kept before. Goes on to its end even if
    /// the caller hangs up.
    pub async fn finish(mut self) -> Result<AcceptedUpload, ApiError> {
        let media = self.looked_at_all()?;
        let piece = self.piece(media, true)?;
        self.check_scanned().await?;
        let whole = Whole {
            size: self.size,
            sha256: hex(&std::mem::take(&mut self.hash).finalize()),
        };
        let (writer, new) = (self.writer.clone(), !self.begun);
        let guard = self.writing().await;
        let arrived = to_the_end(guard, async move { writer.keep(&piece, &whole, new).await });
        let arrived = arrived.await?;
        self.begun = false;
        Ok(arrived)
    }

    /// Sends bytes to the virus scanner, if there is one.
    async fn feed(&mut self, bytes: &[u8]) -> Result<(), ApiError> {
        let Some(scanner) = &self.writer.state.scanner else {
            return Ok(());
        };
        let fed = async {
            let scan = match &mut self.scan {
                Some(scan) => scan,
                none => none.insert(Scan::begin(scanner).await?),
            };
            scan.feed(bytes).await
        };
        fed.await.map_err(not_scanned)
    }

    /// Refuses a file in which the virus scanner found something, or about which it said nothing.
    async fn check_scanned(&mut self) -> Result<(), ApiError> {
        let Some(scan) = self.scan.take() else {
            return Ok(());
        };
        match scan.verdict().await.map_err(not_scanned)? {
            ScanResult::Clean => Ok(()),
            ScanResult::Found(signature) => {
                let session = self.session();
                tracing::warn!(%session, signature, "the virus scanner refused an upload");
                let why = "is refused by the virus scanner";
                let field = FieldProblem::new("file", Code::InvalidField, why);
                Err(Refusal::new(Code::InvalidField)
                    .says("The virus scanner found malware in the file. Nothing of it was kept.")
                    .hints("Ask the end-user for another file, made on another device.")
                    .at(vec![field])
                    .into())
            }
        }
    }

    fn looked_at(&self) -> Result<MediaType, ApiError> {
        MediaType::of(&self.buffer).ok_or_else(|| {
            let field = FieldProblem::new("file", Code::InvalidField, MediaType::TAKEN);
            Refusal::new(Code::InvalidField)
                .says("The file is neither PDF nor PNG, JPEG or WebP.")
                .at(vec![field])
                .into()
        })
    }

    /// Refuses an image whose header, in the first piece, says that opening it costs too much. Nothing is kept of it.
    fn check_pixels(&self, media: MediaType) -> Result<(), ApiError> {
        let pixels = media.pixels(&self.buffer).unwrap_or_default();
        if pixels <= MOST_PIXELS {
            return Ok(());
        }
        let why = format!("has {pixels} pixels; an image may have {MOST_PIXELS}");
        let field = FieldProblem::new("file", Code::InvalidField, why);
        Err(Refusal::new(Code::InvalidField)
            .says("The image has more than 40 megapixels.")
            .hints("Send it at a lower resolution.")
            .at(vec![field])
            .into())
    }

    /// Returns the media type of the whole file: the one found before, or else that of the bytes in the buffer.
    fn looked_at_all(&self) -> Result<MediaType, ApiError> {
        self.media.map_or_else(|| self.looked_at(), Ok)
    }

    fn piece(&self, media: MediaType, last: bool) -> Result<Piece, ApiError> {
        if self.chunks == 0 {
            self.check_pixels(media)?;
        }
        let Writer {
            state, session, id, ..
        } = &self.writer;
        let aad = aad::upload_chunk(session.tenant_id, session.id, *id, self.chunks, last);
        Ok(Piece {
            position: self.chunks,
            sealed: state.vault.seal(&state.clock, &aad, &self.buffer)?,
            media,
        })
    }

    async fn write_piece(&mut self) -> Result<(), ApiError> {
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
        if !self.begun || tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let (writer, writing) = (self.writer.clone(), self.writing.clone());
        scope::spawn(async move {
            let _guard = writing.lock_owned().await;
            if let Err(error) = writer.discard().await {
                tracing::warn!(%error, "a broken-off upload could not be thrown away; the sweep will");
            }
        });
    }
}

/// Returns the refusal of a file that the virus scanner gave no answer to.
fn not_scanned(error: std::io::Error) -> ApiError {
    tracing::error!(%error, "an upload could not be scanned: is clamd running?");
    Refusal::new(Code::ServiceUnavailable)
        .says("The file could not be scanned for malware just now. Nothing of it was kept.")
        .hints("Send it again in a few seconds.")
        .after(5)
        .into()
}

/// Runs a write to its end whatever becomes of the caller, with the right to write in hand.
async fn to_the_end<T: Send + 'static>(
    guard: OwnedMutexGuard<()>,
    work: impl Future<Output = Result<T, ApiError>> + Send + 'static,
) -> Result<T, ApiError> {
    let task = scope::spawn(async move {
        let done = work.await;
        drop(guard);
        done
    });
    task.await.unwrap_or_else(|error| {
        Err(ApiError::Broken(format!(
            "an upload's write broke off: {error}"
        )))
    })
}

impl Writer {
    /// Writes one piece, after the row it belongs to if that is new.
    async fn add(&self, tx: &mut Tx, piece: &Piece, new: bool) -> Result<(), ApiError> {
        // By the real time: the sweep throws away what rested, whoever sent it.
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
    async fn keep(
        &self,
        piece: &Piece,
        whole: &Whole,
        new: bool,
    ) -> Result<AcceptedUpload, ApiError> {
        let state = &self.state;
        let content = state.vault.digest(&state.pepper, "upload", &whole.sha256)?;
        let (session, step) = (self.session.id, &*self.step);
        let now = state.now_of(self.session.tenant_id);
        let mut tx = state.db.write().await?;
        let held = tx.hold_for_upload(session, step.position, now).await?;
        let row = tx.session(session).await?;
        let row = row.ok_or_else(|| ApiError::broken("an upload's session is gone"))?;
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
            return Err(ApiError::broken("an upload's row does not receive"));
        }
        let status = settle(state, &mut tx, session).await?;
        let forward = ForwardUpload {
            session,
            upload: self.id,
        };
        state.queue.add(&mut tx, &forward).await?;
        tx.commit().await?;
        Ok(self.arrived(self.id, whole, status))
    }

    fn arrived(&self, upload_id: UploadId, whole: &Whole, status: SessionStatus) -> AcceptedUpload {
        AcceptedUpload {
            upload_id,
            kind: self.kind.clone(),
            size: whole.size,
            sha256: whole.sha256.clone(),
            status,
        }
    }

    async fn discard(&self) -> Result<(), ApiError> {
        let mut tx = self.state.db.write().await?;
        tx.discard_upload(self.id).await?;
        Ok(tx.commit().await?)
    }
}
