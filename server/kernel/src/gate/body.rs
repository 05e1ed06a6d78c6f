//! A request's body on its way in: no slower than a bad connection is, and within the memory that all who are not
//! authenticated yet share.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::BoxError;
use axum::body::{Body, HttpBody};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt as _;
use tokio::sync::futures::OwnedNotified;

use super::memory_pool::{FIRST, MemoryShare, NoRoom, UNFINISHED};
use super::pace::{Pace, Waiting};

/// Reason a body ended before it was complete.
#[derive(Debug, thiserror::Error)]
enum BodyError {
    #[error("the body comes too slowly")]
    Slow,
    #[error("others need the memory that the body waits in")]
    Full,
    #[error("the body broke off: {0}")]
    Broken(#[source] BoxError),
}

/// Reason a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyReadError {
    TooLarge,
    TooSlow,
    /// It broke off before its end.
    Broken,
    /// Too many bodies are being read.
    Full,
}

impl BodyReadError {
    /// Returns the reason behind an error of a [`PacedBody`], however deep it is wrapped; any other is `Broken`.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let mut cause = Some(error);
        while let Some(error) = cause {
            match error.downcast_ref::<BodyError>() {
                Some(BodyError::Slow) => return Self::TooSlow,
                Some(BodyError::Full) => return Self::Full,
                Some(BodyError::Broken(_)) => return Self::Broken,
                None => cause = error.source(),
            }
        }
        Self::Broken
    }
}

/// A body with a pace. While more of it is waited for, its request is counted in its share of the memory: all that the
/// server holds for it, not the bytes alone. Whoever sends one byte and stops would else cost ten times what is counted.
pub struct PacedBody<B> {
    body: B,
    waiting: Waiting,
    share: MemoryShare,
    /// Bytes that are taken from the share while more is waited for.
    beside: usize,
    is_counted: bool,
    gone: Option<Pin<Box<OwnedNotified>>>,
    is_over: bool,
}

impl<B> PacedBody<B> {
    /// `head` is the size of the request's head in bytes, which is held as long as the request is.
    pub fn new(body: B, pace: Pace, share: MemoryShare, head: usize) -> Self {
        Self {
            body,
            waiting: Waiting::new(pace),
            share,
            beside: UNFINISHED + head,
            is_counted: false,
            gone: None,
            is_over: false,
        }
    }

    /// While nothing comes: counts the request, and is ready once the wait is too long or the memory is somebody else's.
    fn poll_wait(&mut self, context: &mut Context<'_>) -> Poll<BodyError> {
        if !self.is_counted {
            if self.share.take(self.beside) == Err(NoRoom) {
                return Poll::Ready(BodyError::Full);
            }
            self.is_counted = true;
        }
        if self.share.poll_gone(&mut self.gone, context).is_ready() {
            return Poll::Ready(BodyError::Full);
        }
        self.waiting.poll(context).map(|()| BodyError::Slow)
    }
}

impl<B> Drop for PacedBody<B> {
    fn drop(&mut self) {
        if self.is_counted {
            self.share.give_back(self.beside);
        }
    }
}

impl<B> HttpBody for PacedBody<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.is_over {
            return Poll::Ready(None);
        }
        let error = match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                self.waiting.moved(frame.data_ref().map_or(0, Bytes::len));
                return Poll::Ready(Some(Ok(frame)));
            }
            Poll::Ready(Some(Err(error))) => BodyError::Broken(error.into()),
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => std::task::ready!(self.poll_wait(context)),
        };
        self.is_over = true;
        Poll::Ready(Some(Err(error.into())))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over || self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl MemoryShare {
    /// Reads a body whole, within `most` bytes and what room there is.
    pub async fn whole(&self, mut body: Body, most: usize) -> Result<Bytes, BodyReadError> {
        // Copied out of the frames: a frame of one byte can hold on to a buffer of thousands.
        let mut bytes: Vec<u8> = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| BodyReadError::of(&error))?;
            let Ok(data) = frame.into_data() else {
                continue;
            };
            let needed = bytes.len() + data.len();
            if needed > most {
                return Err(BodyReadError::TooLarge);
            }
            if needed > bytes.capacity() {
                let grown = needed
                    .max(bytes.capacity() * 2)
                    .clamp(FIRST, most.max(FIRST));
                self.take(grown - bytes.capacity())
                    .map_err(|NoRoom| BodyReadError::Full)?;
                bytes.reserve_exact(grown - bytes.len());
            }
            bytes.extend_from_slice(&data);
        }
        Ok(bytes.into())
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use futures_util::StreamExt as _;
    use futures_util::stream;

    use super::super::memory_pool::{ALONE, MemoryPool};
    use super::super::source::SourceAddress;
    use super::*;

    const MIB: usize = 1 << 20;

    fn source(n: u8) -> SourceAddress {
        SourceAddress::from(IpAddr::from([192, 0, 2, n]))
    }

    /// A request's body that begins with so many bytes and never ends.
    fn endless(bytes: usize, share: &MemoryShare) -> Body {
        let begun = stream::iter([Ok::<_, std::io::Error>(vec![b'x'; bytes])]);
        let body = Body::from_stream(begun.chain(stream::pending()));
        Body::new(PacedBody::new(body, Pace::BODY, share.clone(), 1000))
    }

    async fn until(held: impl Fn() -> bool) {
        while !held() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn whoever_loses_the_room_is_told_while_reading() {
        let rooms = MemoryPool::new(2 * MIB);
        let slow = rooms.room(source(1));
        let body = endless(300_000, &slow);
        let reading = tokio::spawn(async move { slow.whole(body, MIB).await });
        until(|| rooms.held() > 300_000).await;
        let others: Vec<MemoryShare> = (2..10).map(|n| rooms.room(source(n))).collect();
        for room in &others {
            room.take(ALONE).unwrap();
        }
        assert_eq!(reading.await.unwrap(), Err(BodyReadError::Full));
    }

    #[tokio::test]
    async fn a_request_is_counted_while_it_waits_for_its_body_and_not_after() {
        let rooms = MemoryPool::new(2 * MIB);
        let counted = UNFINISHED + 1000;
        let share = rooms.room(source(1));
        let reading = tokio::spawn({
            let body = endless(1, &share);
            let share = share.clone();
            async move { share.whole(body, MIB).await }
        });
        until(|| rooms.held() == FIRST + counted).await;
        // A body that is there already costs what it holds.
        let quick = rooms.room(source(2));
        let body = PacedBody::new(Body::from("abc"), Pace::BODY, quick.clone(), 1000);
        assert_eq!(quick.whole(Body::new(body), MIB).await.unwrap(), "abc");
        assert_eq!(rooms.held(), FIRST + counted + FIRST);
        reading.abort();
        assert!(reading.await.unwrap_err().is_cancelled());
        assert_eq!(
            rooms.held(),
            FIRST + FIRST,
            "the share itself is still held"
        );
        drop(share);
        assert_eq!(rooms.held(), FIRST);
    }

    #[tokio::test]
    async fn of_a_crowd_that_sends_nothing_only_so_many_may_wait() {
        let rooms = MemoryPool::for_bodies(2 * MIB);
        let crowd: Vec<_> = (0..100)
            .map(|n| {
                let share = Arc::new(rooms.room(source(n)));
                let body = endless(0, &share);
                tokio::spawn(async move { share.whole(body, MIB).await })
            })
            .collect();
        let most = 2 * MIB / (UNFINISHED + 1000);
        let mut told = 0;
        for reading in crowd.into_iter().take(100 - most) {
            assert_eq!(reading.await.unwrap(), Err(BodyReadError::Full));
            told += 1;
        }
        assert_eq!(told, 100 - most, "the oldest made room for the others");
        assert!(rooms.held() <= 2 * MIB);
    }

    #[tokio::test]
    async fn a_body_of_single_bytes_costs_no_more_than_it_holds() {
        let rooms = MemoryPool::new(2 * MIB);
        let room = rooms.room(source(1));
        let bytes = (0..100_000).map(|_| Ok::<_, std::io::Error>(vec![b'x']));
        let body = Body::from_stream(futures_util::stream::iter(bytes));
        assert_eq!(room.whole(body, ALONE).await.unwrap().len(), 100_000);
        assert!(rooms.held() <= 128 * 1024, "{}", rooms.held());
        let large = Body::from(vec![b'x'; ALONE + 1]);
        assert_eq!(room.whole(large, ALONE).await, Err(BodyReadError::TooLarge));
    }
}
