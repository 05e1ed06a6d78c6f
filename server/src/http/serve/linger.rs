//! The end of a connection: what the other side still sends is read for a moment and thrown away.
//!
//! A request that is refused before its body was read leaves bytes unread, and a socket that is closed over unread bytes
//! is reset: the other side may lose the very answer that says why (RFC 9112, section 9.6).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// How long the other side has to read its answer and close.
const MOMENT: Duration = Duration::from_secs(2);

/// A connection that is closed in two steps.
pub struct Linger {
    stream: TcpStream,
    end: Option<Pin<Box<Sleep>>>,
}

impl Linger {
    pub fn new(stream: TcpStream) -> Self {
        Self { stream, end: None }
    }

    /// Reads until the other side closes or breaks off.
    fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [0; 8 * 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
    }
}

impl AsyncRead for Linger {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Linger {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.end.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
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
