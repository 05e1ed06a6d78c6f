//! A request's body on its way in, no slower than a bad connection is.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::HttpBody;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;

use super::pace::{Pace, Waiting};

/// Reason a body ended before it was complete.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the body comes too slowly")]
    Slow,
    #[error("the body broke off: {0}")]
    Broken(#[from] hyper::Error),
}

/// Returns `true` if an error while reading a body, or one of its causes, is [`BodyError::Slow`].
pub fn is_slow(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if matches!(error.downcast_ref::<BodyError>(), Some(BodyError::Slow)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// A body with a pace.
pub struct PacedBody {
    body: Incoming,
    waiting: Waiting,
    is_over: bool,
}

impl PacedBody {
    pub fn new(body: Incoming, pace: Pace) -> Self {
        Self {
            body,
            waiting: Waiting::new(pace),
            is_over: false,
        }
    }
}

impl HttpBody for PacedBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                self.waiting.moved(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.is_over = true;
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => self.waiting.poll(context).map(|()| {
                self.is_over = true;
                Some(Err(BodyError::Slow))
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
