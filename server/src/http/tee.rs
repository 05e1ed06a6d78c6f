//! A body that is sent and, as far as the log keeps it, remembered; reports when it ends, however it ends.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use bytes::BytesMut;
use http_body::{Frame, SizeHint};

use crate::scope::Scope;

/// Bytes of the body that are kept.
const MOST: usize = 16 * 1024;

/// Reports `(beginning, whether that is all)` once, at the end or when the receiver hangs up.
pub struct Tee<F: FnOnce(Bytes, bool)> {
    body: Body,
    /// The request that the body is made for: one that is streamed asks the database while it is sent.
    scope: Scope,
    kept: Captured,
    report: Option<F>,
}

enum Captured {
    Nothing,
    /// One frame, shared with what is sent.
    One(Bytes),
    Many(BytesMut),
    /// More came than is kept.
    Cut(Bytes),
}

impl<F: FnOnce(Bytes, bool)> Tee<F> {
    pub fn new(body: Body, scope: Scope, report: F) -> Self {
        Self {
            body,
            scope,
            kept: Captured::Nothing,
            report: Some(report),
        }
    }

    fn keep(&mut self, data: &Bytes) {
        let kept = std::mem::replace(&mut self.kept, Captured::Nothing);
        self.kept = match kept {
            // A large frame would stay in memory whole if it were shared.
            Captured::Nothing if data.len() > MOST => {
                Captured::Cut(Bytes::copy_from_slice(data.get(..MOST).unwrap_or_default()))
            }
            Captured::Nothing => Captured::One(data.clone()),
            Captured::One(first) => Self::append(BytesMut::from(&first[..]), data),
            Captured::Many(many) => Self::append(many, data),
            cut @ Captured::Cut(_) => cut,
        };
    }

    fn append(mut kept: BytesMut, data: &Bytes) -> Captured {
        let room = MOST.saturating_sub(kept.len());
        kept.extend_from_slice(data.get(..room.min(data.len())).unwrap_or_default());
        if data.len() > room {
            Captured::Cut(kept.freeze())
        } else {
            Captured::Many(kept)
        }
    }

    fn end(&mut self, sent_all: bool) {
        let (bytes, whole) = match std::mem::replace(&mut self.kept, Captured::Nothing) {
            Captured::Nothing => (Bytes::new(), true),
            Captured::One(one) => (one, true),
            Captured::Many(many) => (many.freeze(), true),
            Captured::Cut(cut) => (cut, false),
        };
        if let Some(report) = self.report.take() {
            report(bytes, whole && sent_all);
        }
    }
}

impl<F: FnOnce(Bytes, bool) + Unpin> HttpBody for Tee<F> {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let body = Pin::new(&mut this.body);
        let polled = this.scope.enter(|| body.poll_frame(context));
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.keep(data);
                }
                if self.body.is_end_stream() {
                    self.end(true);
                }
            }
            Poll::Ready(None) => self.end(true),
            Poll::Ready(Some(Err(_))) => self.end(false),
            Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<F: FnOnce(Bytes, bool)> Drop for Tee<F> {
    fn drop(&mut self) {
        let all = self.body.is_end_stream();
        self.end(all);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use http_body_util::BodyExt as _;

    use super::*;

    async fn through(body: Body, read: bool) -> (Vec<u8>, (Bytes, bool)) {
        let report = Arc::new(Mutex::new(None));
        let seen = report.clone();
        let scope = Scope::of_job(tracing::Span::none());
        let tee = Tee::new(body, scope, move |bytes, whole| {
            assert!(
                seen.lock().unwrap().replace((bytes, whole)).is_none(),
                "reported twice"
            );
        });
        let sent = if read {
            tee.collect().await.unwrap().to_bytes().to_vec()
        } else {
            drop(tee);
            Vec::new()
        };
        let report = report.lock().unwrap().take().unwrap();
        (sent, report)
    }

    #[tokio::test]
    async fn what_is_sent_is_remembered_up_to_a_point() {
        let (sent, (kept, whole)) = through(Body::from("small"), true).await;
        assert_eq!(
            (sent.as_slice(), &kept[..], whole),
            (&b"small"[..], &b"small"[..], true)
        );
        let large = vec![b'x'; 100_000];
        let (sent, (kept, whole)) = through(Body::from(large.clone()), true).await;
        assert_eq!((sent.len(), kept.len(), whole), (100_000, MOST, false));
        let frames = futures_util::stream::iter(
            large
                .chunks(1000)
                .map(|c| Ok::<_, std::io::Error>(c.to_vec()))
                .collect::<Vec<_>>(),
        );
        let (sent, (kept, whole)) = through(Body::from_stream(frames), true).await;
        assert_eq!((sent.len(), kept.len(), whole), (100_000, MOST, false));
        let (_, (kept, whole)) = through(Body::from("never read"), false).await;
        assert_eq!((kept.len(), whole), (0, false));
        let (_, (_, whole)) = through(Body::empty(), false).await;
        assert!(whole);
    }
}
