//! A large answer on its way out, and what it holds until it is gone.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::counts::CountSlot;
use super::memory_pool::MemoryShare;
use super::unsent::Unsent;

/// Bytes handed on at once.
const PIECE: usize = 16 * 1024;

/// A body that gives back its slot when it has been handed over or is dropped, and its memory when it has been sent.
///
/// It is handed on in small copies: what waits in the connection is little, and what waits here is counted.
pub struct GuardedBody {
    body: Body,
    /// Rest of the last frame, still to be handed on.
    rest: Bytes,
    room: Option<MemoryShare>,
    _turn: Option<CountSlot>,
    unsent: Arc<Unsent>,
}

impl GuardedBody {
    /// `unsent` is told of the room when the whole answer is in the hands of its connection.
    pub fn new(
        body: Body,
        room: Option<MemoryShare>,
        turn: Option<CountSlot>,
        unsent: Arc<Unsent>,
    ) -> Self {
        Self {
            body,
            rest: Bytes::new(),
            room,
            _turn: turn,
            unsent,
        }
    }

    fn piece(&mut self) -> Frame<Bytes> {
        let piece = self.rest.split_to(PIECE.min(self.rest.len()));
        Frame::data(Bytes::copy_from_slice(&piece))
    }
}

impl Drop for GuardedBody {
    fn drop(&mut self) {
        if let Some(room) = self.room.take() {
            self.unsent.keep(room);
        }
    }
}

impl HttpBody for GuardedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if !self.rest.is_empty() {
            return Poll::Ready(Some(Ok(self.piece())));
        }
        let polled = Pin::new(&mut self.body).poll_frame(context);
        let Poll::Ready(Some(Ok(frame))) = polled else {
            return polled;
        };
        match frame.into_data() {
            Ok(data) if data.len() > PIECE => {
                self.rest = data;
                Poll::Ready(Some(Ok(self.piece())))
            }
            Ok(data) => Poll::Ready(Some(Ok(Frame::data(data)))),
            Err(frame) => Poll::Ready(Some(Ok(frame))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (rest, hint) = (self.rest.len() as u64, self.body.size_hint());
        let mut whole = SizeHint::new();
        whole.set_lower(hint.lower().saturating_add(rest));
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper.saturating_add(rest));
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_large_answer_leaves_whole_in_small_pieces() {
        let text: Vec<u8> = (0..100_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        let mut body = GuardedBody::new(Body::from(text.clone()), None, None, Arc::default());
        let (mut sent, mut pieces) = (Vec::new(), 0);
        assert_eq!(body.size_hint().exact(), Some(100_000));
        while let Some(frame) = body.frame().await {
            let data = frame.unwrap().into_data().unwrap();
            assert!(data.len() <= PIECE);
            sent.extend_from_slice(&data);
            pieces += 1;
            assert_eq!(body.size_hint().exact(), Some(100_000 - sent.len() as u64));
        }
        assert!(sent == text && pieces == 7 && body.is_end_stream());
    }
}
