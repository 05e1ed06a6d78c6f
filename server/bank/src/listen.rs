//! The bank's listener: the gate's accept loop, with the bank's own words. It is started again if it falls.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse as _, Response};
use kernel::background::{Heartbeats, Restarts, supervise};
use kernel::gate::{Bounds, Gate, GateRefusal, GatedService};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::pages::busy;

/// Time that requests in flight are given to end after the stop.
const CLOSING: Duration = Duration::from_secs(5);

/// The name of the task that accepts connections, as `/readyz` gives it.
const TASK: &str = "sandbox bank";
/// Time between two signs of life.
const BEAT: Duration = Duration::from_secs(10);

/// Makes the bank's gate.
pub(super) fn gate(bounds: Bounds, is_https: bool, doors: Router) -> Arc<Gate> {
    let building = Building {
        per_source: bounds.per_source,
        half: u32::try_from(bounds.connections / 2).unwrap_or(u32::MAX),
        is_https,
    };
    Gate::new(bounds, Arc::new(building), doors)
}

/// Terms on which the bank is kept open: where a fall is noted, and how soon it opens again.
pub(super) struct Supervision {
    pub heartbeats: Heartbeats,
    pub restarts: Restarts,
    pub stop: CancellationToken,
}

/// Answers connections until told to stop, then lets those in hand finish. An accept loop that falls is begun again at the
/// same address, with a new gate.
pub(super) async fn keep_open(
    listener: TcpListener,
    address: SocketAddr,
    gate: impl Fn() -> Arc<Gate> + Send + Sync,
    supervision: Supervision,
) {
    let Supervision {
        heartbeats,
        restarts,
        stop,
    } = supervision;
    let first = Mutex::new(Some(listener));
    let make = || {
        let bound = first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (gate, heartbeats, stop) = (gate(), heartbeats.clone(), stop.clone());
        async move {
            let listener = match bound {
                Some(listener) => listener,
                None => match TcpListener::bind(address).await {
                    Ok(listener) => listener,
                    Err(error) => {
                        tracing::error!(%address, %error, "the sandbox bank cannot listen; it is tried again");
                        return;
                    }
                },
            };
            alive(&heartbeats, gate.run(listener, stop.cancelled(), CLOSING)).await;
        }
    };
    supervise(TASK, &heartbeats, &stop, restarts, make).await;
}

/// Gives signs of life while something is done.
async fn alive<T>(heartbeats: &Heartbeats, work: impl Future<Output = T>) -> T {
    tokio::pin!(work);
    let mut beat = tokio::time::interval(BEAT);
    loop {
        tokio::select! {
            done = &mut work => return done,
            _ = beat.tick() => heartbeats.beat(TASK),
        }
    }
}

struct Building {
    per_source: u32,
    half: u32,
    is_https: bool,
}

impl GatedService for Building {
    /// The third-party provider on this very machine speaks for many users at once: half of all places are its own.
    fn connections(&self, peer: IpAddr, reached: IpAddr) -> Option<u32> {
        Some(if peer == reached {
            self.half.max(self.per_source)
        } else {
            self.per_source
        })
    }

    fn source(&self, peer: IpAddr, _headers: &HeaderMap) -> IpAddr {
        peer
    }

    fn refuse(&self, _path: &str, why: GateRefusal) -> Response {
        let status = match why {
            GateRefusal::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            GateRefusal::NoHost => StatusCode::BAD_REQUEST,
            GateRefusal::TooManyAtOnce => StatusCode::TOO_MANY_REQUESTS,
            GateRefusal::Busy => StatusCode::SERVICE_UNAVAILABLE,
        };
        let again = [(RETRY_AFTER, HeaderValue::from_static("1"))];
        (status, again, Html(busy())).into_response()
    }

    fn crowded(&self) -> Vec<u8> {
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain\r\ncontent-length: 0\r\nconnection: close\r\n\
          retry-after: 1\r\ncache-control: no-store\r\nx-content-type-options: nosniff\r\n\r\n"
            .to_vec()
    }

    fn is_https(&self) -> bool {
        self.is_https
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    /// A house that falls when its first visitor comes.
    struct Falling(Arc<AtomicBool>, Building);

    impl GatedService for Falling {
        fn connections(&self, peer: IpAddr, reached: IpAddr) -> Option<u32> {
            assert!(self.0.swap(true, Ordering::SeqCst), "the first visitor");
            self.1.connections(peer, reached)
        }

        fn source(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
            self.1.source(peer, headers)
        }

        fn refuse(&self, path: &str, why: GateRefusal) -> Response {
            self.1.refuse(path, why)
        }

        fn crowded(&self) -> Vec<u8> {
            self.1.crowded()
        }

        fn is_https(&self) -> bool {
            self.1.is_https()
        }
    }

    /// Asks once; what was answered, as far as anything was.
    async fn ask(address: SocketAddr) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address).await?;
        let request = "GET / HTTP/1.1\r\nHost: bank\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn an_accept_loop_that_falls_is_begun_again_at_the_same_address() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (fallen, stop) = (Arc::new(AtomicBool::new(false)), CancellationToken::new());
        let gate = {
            let fallen = fallen.clone();
            move || {
                let building = Building {
                    per_source: 8,
                    half: 8,
                    is_https: false,
                };
                let house = Arc::new(Falling(fallen.clone(), building));
                Gate::new(
                    Bounds::default(),
                    house,
                    Router::new().route("/", get(|| async { "open" })),
                )
            }
        };
        let at_once = Duration::from_millis(1);
        let supervision = Supervision {
            heartbeats: Heartbeats::default(),
            restarts: Restarts {
                first: at_once,
                longest: at_once,
            },
            stop: stop.clone(),
        };
        let bank = tokio::spawn(keep_open(listener, address, gate, supervision));
        let first = ask(address).await.unwrap_or_default();
        assert!(first.is_empty() && fallen.load(Ordering::SeqCst));
        let asked = async {
            loop {
                match ask(address).await {
                    Ok(answer) if answer.ends_with("open") => return,
                    _ => tokio::task::yield_now().await,
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), asked)
            .await
            .unwrap();
        stop.cancel();
        bank.await.unwrap();
    }
}
