//! A form's bytes on their way to the parser: in small pieces, one for each time it asks, no more of them than are
//! allowed so far, and no slower than a bad connection is.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::gate::{BodyReadError, MemoryShare};
use axum::body::{Body, Bytes, HttpBody as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::Stream;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, Sleep};

pub use crate::gate::Pace;

/// Bytes in one piece.
const PIECE: usize = 16 * 1024;
/// Bytes that a form may have besides its file: fields, heads of parts, boundaries.
const FRAMING: u64 = 64 * 1024;

/// Bound on the bytes of a form that may be read so far.
pub struct Allowance {
    taken: AtomicU64,
    most: AtomicU64,
    /// Memory of unauthenticated requests, in which the form is counted until it is allowed more.
    share: MemoryShare,
    /// First bytes of the body, at most [`HEAD`].
    head: Mutex<Vec<u8>>,
}

/// Bytes of the beginning that are kept: more than a boundary and its line end.
const HEAD: usize = 256;

/// Reason the bytes of a form end before the form does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormBodyError {
    #[error("the form has more bytes than it may")]
    TooLarge,
    #[error("the form's bytes come too slowly")]
    TooSlow,
    #[error("the form's bytes end before the form does")]
    Short,
    #[error("others need the memory that the form waits in")]
    Full,
}

impl Allowance {
    /// Allows what comes before a file. `share` is where it is counted, as long as nobody knows who sends it.
    pub fn new(share: MemoryShare) -> Self {
        Self {
            taken: AtomicU64::new(0),
            most: AtomicU64::new(FRAMING),
            share,
            head: Mutex::new(Vec::new()),
        }
    }

    /// Allows so many bytes more, and what frames them; answers how many that makes in all.
    pub fn raise(&self, by: u64) -> u64 {
        let most = self.taken.load(Ordering::Relaxed).saturating_add(by);
        let most = most.saturating_add(FRAMING);
        self.most.store(most, Ordering::Relaxed);
        most
    }

    /// Tells whether the first boundary ends its line with a line feed alone.
    pub fn begins_with_bare_lines(&self, boundary: &str) -> bool {
        let line = format!("--{boundary}\n");
        let head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        head.windows(line.len()).any(|part| part == line.as_bytes())
    }

    fn see(&self, piece: &[u8]) {
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        let room = HEAD.saturating_sub(head.len());
        head.extend(piece.iter().take(room));
    }

    fn take(&self, bytes: usize) -> Result<u64, FormBodyError> {
        let bytes = bytes as u64;
        let taken = self
            .taken
            .fetch_add(bytes, Ordering::Relaxed)
            .saturating_add(bytes);
        let most = self.most.load(Ordering::Relaxed);
        if taken > most {
            return Err(FormBodyError::TooLarge);
        }
        if most == FRAMING {
            let room = self
                .share
                .take(usize::try_from(bytes).unwrap_or(usize::MAX));
            room.map_err(|_| FormBodyError::Full)?;
        }
        Ok(taken)
    }
}

/// A body that two read, one after the other: the parser as far as it likes, then whoever wants the digest of it all.
/// Never contended.
#[derive(Clone)]
pub struct SharedBody(Arc<Mutex<Inner>>);

struct Inner {
    body: Body,
    /// Digest of what was read so far; `None` if the body is not signed.
    digest: Option<Sha256>,
}

impl SharedBody {
    pub fn new(body: Body, signed: bool) -> Self {
        let digest = signed.then(Sha256::new);
        Self(Arc::new(Mutex::new(Inner { body, digest })))
    }

    /// The next frame with bytes in it; `None` at the end.
    fn poll_bytes(&self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, FormBodyError>>> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match Pin::new(&mut inner.body).poll_frame(context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) if !data.is_empty() => {
                        if let Some(digest) = &mut inner.digest {
                            digest.update(&data);
                        }
                        return Poll::Ready(Some(Ok(data)));
                    }
                    // Trailers say nothing here.
                    _ => {}
                },
                Poll::Ready(Some(Err(error))) => {
                    let cut = match BodyReadError::of(&error) {
                        BodyReadError::TooSlow => FormBodyError::TooSlow,
                        BodyReadError::Full => FormBodyError::Full,
                        BodyReadError::TooLarge | BodyReadError::Broken => FormBodyError::Short,
                    };
                    return Poll::Ready(Some(Err(cut)));
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Reads on to the end, within what is allowed, and gives the digest of all that was read: SHA-256 in base64.
    pub async fn digest_to_end(&self, allowance: &Allowance) -> Result<String, FormBodyError> {
        let rest = async {
            while let Some(bytes) = std::future::poll_fn(|context| self.poll_bytes(context)).await {
                allowance.take(bytes?.len())?;
            }
            Ok(())
        };
        let patience = Pace::BODY.patience;
        tokio::time::timeout(patience, rest)
            .await
            .map_err(|_| FormBodyError::TooSlow)??;
        let inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let digest = inner.digest.clone().unwrap_or_default();
        Ok(STANDARD.encode(digest.finalize()))
    }
}

/// The bytes of a form.
pub struct FormBody {
    body: SharedBody,
    /// Rest of the last frame, still to be given to the parser.
    frame: Bytes,
    allowance: Arc<Allowance>,
    pace: Pace,
    received: u64,
    waited: Duration,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    /// A piece was just given: the parser looks at it before there is another.
    given: bool,
}

impl FormBody {
    pub fn new(body: SharedBody, allowance: Arc<Allowance>, pace: Pace) -> Self {
        Self {
            body,
            frame: Bytes::new(),
            allowance,
            pace,
            received: 0,
            waited: Duration::ZERO,
            waiting: None,
            given: false,
        }
    }

    /// Waits while nothing comes; ready once that takes longer than the pace allows.
    fn wait(&mut self, context: &mut Context<'_>) -> Poll<FormBodyError> {
        let left = self.pace.left(self.received, self.waited);
        let (_, sleep) = self
            .waiting
            .get_or_insert_with(|| (Instant::now(), Box::pin(tokio::time::sleep(left))));
        sleep
            .as_mut()
            .poll(context)
            .map(|()| FormBodyError::TooSlow)
    }
}

impl Stream for FormBody {
    type Item = Result<Bytes, FormBodyError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if std::mem::take(&mut this.given) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if this.frame.is_empty() {
            match this.body.poll_bytes(context) {
                Poll::Ready(Some(Ok(frame))) => this.frame = frame,
                Poll::Ready(Some(Err(cut))) => return Poll::Ready(Some(Err(cut))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return this.wait(context).map(|cut| Some(Err(cut))),
            }
            if let Some((since, _)) = this.waiting.take() {
                this.waited += since.elapsed();
            }
        }
        let piece = this.frame.split_to(PIECE.min(this.frame.len()));
        if this.received < HEAD as u64 {
            this.allowance.see(&piece);
        }
        this.received += piece.len() as u64;
        this.given = true;
        Poll::Ready(Some(this.allowance.take(piece.len()).map(|_| piece)))
    }
}
