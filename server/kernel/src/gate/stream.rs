//! A connection's bytes: read in small pieces, written no slower than a bad connection reads, closed in two steps.
//!
//! A request that is refused before its body was read leaves bytes unread, and a socket that is closed over unread bytes
//! is reset: the other side may lose the very answer that says why (RFC 9112, section 9.6). So what still comes is read
//! for a moment and thrown away.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::head::Head;
use super::memory_pool::NoRoom;
use super::pace::{Pace, Waiting};
use super::unsent::Unsent;

/// Time the other side has to read its answer and close, once the connection is shut down for writing.
const MOMENT: Duration = Duration::from_secs(2);
/// Bytes read at once. One less than the buffer hyper begins with: one that is filled is doubled for good, and a
/// thousand connections that sent much at once would keep a thousand large buffers.
const PIECE: usize = 8 * 1024 - 1;

/// A connection.
pub struct Stream {
    tcp: TcpStream,
    reader: Waiting,
    end: Option<Pin<Box<Sleep>>>,
    head: Arc<Head>,
    unsent: Arc<Unsent>,
}

impl Stream {
    /// `pace` is how slowly the other side may read; `head` is told what is read, `unsent` when everything is sent.
    pub fn new(tcp: TcpStream, pace: Pace, head: Arc<Head>, unsent: Arc<Unsent>) -> Self {
        Self {
            tcp,
            reader: Waiting::new(pace),
            end: None,
            head,
            unsent,
        }
    }

    /// Counts a write as progress, or waits for the reader; fails with `TimedOut` if that takes too long.
    fn wrote(
        &mut self,
        polled: Poll<io::Result<usize>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        match polled {
            Poll::Ready(Ok(bytes)) => self.reader.moved(bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => {
                ready!(self.reader.poll(context));
                // What the kernel still holds for a reader who is not there is dropped with the connection.
                socket2::SockRef::from(&self.tcp)
                    .set_linger(Some(Duration::ZERO))
                    .ok();
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        polled
    }

    /// Reads until the other side closes or breaks off.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; 4 * 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.tcp).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let size = buffer.remaining().min(PIECE);
        let mut piece = ReadBuf::new(buffer.initialize_unfilled_to(size));
        ready!(Pin::new(&mut self.tcp).poll_read(context, &mut piece))?;
        let read = piece.filled().len();
        buffer.advance(read);
        self.head
            .read(read)
            .map_err(|NoRoom| io::Error::other("too many long heads are on their way"))?;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.tcp).poll_write(context, bytes);
        self.wrote(polled, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.tcp).poll_write_vectored(context, slices);
        self.wrote(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.tcp.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes when its own buffer is empty.
        self.unsent.sent();
        Pin::new(&mut self.tcp).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.end.is_none() {
            ready!(Pin::new(&mut self.tcp).poll_shutdown(context))?;
            self.end = Some(Box::pin(tokio::time::sleep(MOMENT)));
        }
        let timed_out = self
            .end
            .as_mut()
            .is_some_and(|end| end.as_mut().poll(context).is_ready());
        if timed_out {
            return Poll::Ready(Ok(()));
        }
        self.poll_drain(context).map(Ok)
    }
}
