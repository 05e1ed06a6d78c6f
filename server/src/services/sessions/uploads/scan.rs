//! A look into a file by a virus scanner, while the file comes in: the INSTREAM command of clamd (clamd(8), "COMMANDS").
//!
//! The pieces of the file go to clamd as they come, each after its length, and a length of zero ends them; clamd answers in
//! one line. Whatever goes wrong on the way is no verdict: the file is refused.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::config::Scanner;

/// Time that clamd has to accept a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// Time that clamd has to take a piece, and to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest answer that is read, in bytes.
const LONGEST_ANSWER: u64 = 1024;

trait Connection: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Connection for T {}

/// A file on its way into clamd.
pub struct Scan(Box<dyn Connection>);

/// The answer of clamd.
#[derive(Debug, PartialEq, Eq)]
pub enum ScanResult {
    Clean,
    /// Name of the signature that matched: ASCII letters, digits and `. _ -` alone.
    Found(String),
}

impl Scan {
    /// Begins a file.
    ///
    /// # Errors
    /// If clamd cannot be reached within two seconds.
    pub async fn begin(scanner: &Scanner) -> io::Result<Self> {
        let connect = async {
            let connection: Box<dyn Connection> = match scanner {
                Scanner::Tcp(address) => Box::new(TcpStream::connect(address).await?),
                Scanner::Unix(path) => Box::new(UnixStream::connect(path).await?),
            };
            Ok(connection)
        };
        let mut scan = Self(within(CONNECT, connect).await?);
        within(PATIENCE, scan.0.write_all(b"zINSTREAM\0")).await?;
        Ok(scan)
    }

    /// Sends the next bytes of the file.
    ///
    /// # Errors
    /// If clamd takes them too slowly or hangs up, as it does when a file is longer than its `StreamMaxLength`.
    pub async fn feed(&mut self, bytes: &[u8]) -> io::Result<()> {
        // A length of zero would be the end.
        if bytes.is_empty() {
            return Ok(());
        }
        let length = u32::try_from(bytes.len()).map_err(io::Error::other)?;
        let send = async {
            self.0.write_all(&length.to_be_bytes()).await?;
            self.0.write_all(bytes).await
        };
        within(PATIENCE, send).await
    }

    /// Ends the file and waits for the answer.
    ///
    /// # Errors
    /// If clamd does not answer in time, or with neither of the two answers.
    pub async fn verdict(mut self) -> io::Result<ScanResult> {
        let ask = async {
            self.0.write_all(&0_u32.to_be_bytes()).await?;
            let mut answer = Vec::new();
            self.0.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
            Ok(answer)
        };
        let answer = within(PATIENCE, ask).await?;
        let answer = String::from_utf8_lossy(&answer);
        let line = answer.trim_end_matches(['\0', '\n']);
        match line.strip_prefix("stream: ") {
            Some("OK") => Ok(ScanResult::Clean),
            Some(found) if found.ends_with(" FOUND") => {
                Ok(ScanResult::Found(name(found.trim_end_matches(" FOUND"))))
            }
            _ => Err(io::Error::other(format!("clamd answered {}", name(line)))),
        }
    }
}

/// Returns a text of clamd with nothing in it that could harm a log.
fn name(text: &str) -> String {
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    text.chars().filter(fits).take(64).collect()
}

async fn within<T>(time: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(time, work)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
