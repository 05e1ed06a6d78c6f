//! The sandbox bank: another company, "XYZ Bank", with its own listener, tables, cookie and look. It speaks the
//! Berlin Group's XS2A 1.3.12 as far as account information and payments by redirect and OAuth need (`xs2a`), shows
//! end-users a sign-in page and one to decide on (`pages`), and sells products through partners (`products`). The
//! middleware reaches it by HTTP alone, like any bank.
//!
//! What a real bank has and this one has not: client certificates (a client id and secret of this process stand in),
//! the other three approaches to strong authentication, refresh tokens, and a limit of four reads a day.

mod bodies;
mod ledger;
mod listen;
mod pages;
mod payments;
mod products;
pub mod retention;
mod storage;
mod texts;
mod xs2a;

#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::gate::Bounds;
use crate::json::coding;
use crate::storage::Db;
use ledger::Day;

/// What the bank is started with.
pub struct Settings {
    pub db: Db,
    pub clock: Clock,
    /// Port 0: any free one.
    pub listen: SocketAddr,
    /// The URL end-users reach the bank at; empty: made from the address it listens on.
    pub public_url: String,
    /// The one third-party provider it knows.
    pub client: Client,
    /// How long it takes to verify somebody whose documents are all there.
    pub verification: chrono::Duration,
}

/// How much the bank takes on.
pub struct Limits {
    pub bounds: Bounds,
    /// Pages that one source may ask for.
    pub pages_per_minute: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bounds: Bounds::default(),
            pages_per_minute: 1200,
        }
    }
}

/// A third-party provider registered with the bank.
#[derive(Clone)]
pub struct Client {
    pub id: String,
    pub secret: SecretString,
    /// What the consent page calls it.
    pub name: String,
}

/// A bank that is open.
pub struct Bank {
    /// Where third-party providers reach it: the address it really listens on.
    pub url: String,
    /// Where end-users reach it.
    pub public_url: String,
    /// Ends when the bank has closed, after the stop was given.
    pub running: JoinHandle<()>,
}

/// Why the bank cannot open.
#[derive(Debug, thiserror::Error)]
pub enum BankError {
    #[error("the sandbox bank cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
}

/// What every page and operation of the bank is handed.
#[derive(Clone)]
struct Desk(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Clock,
    client: Client,
    public_url: String,
    verification: chrono::Duration,
}

impl std::ops::Deref for Desk {
    type Target = Inner;
    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Inner {
    /// The bank's business day.
    fn today(&self) -> Day {
        Day::of(self.clock.now())
    }
}

/// Refuses whatever is packed: bodies are read as they are (RFC 9110, section 15.5.16).
async fn unpacked(request: Request, next: Next) -> Response {
    if coding(request.headers()).is_none() {
        return next.run(request).await;
    }
    let identity = [(header::ACCEPT_ENCODING, "identity")];
    (StatusCode::UNSUPPORTED_MEDIA_TYPE, identity).into_response()
}

/// Opens the doors and answers until `stop` is cancelled. The bank answers when this returns; a user's
/// books are written when they are first needed.
pub async fn serve(settings: Settings, stop: CancellationToken) -> Result<Bank, BankError> {
    serve_within(settings, Limits::default(), stop).await
}

/// The same, within other limits.
pub async fn serve_within(
    settings: Settings,
    limits: Limits,
    stop: CancellationToken,
) -> Result<Bank, BankError> {
    let Settings {
        db,
        clock,
        listen,
        public_url,
        client,
        verification,
    } = settings;
    let refused = |error| BankError::Listen(listen, error);
    let listener = TcpListener::bind(listen).await.map_err(refused)?;
    let url = format!("http://{}", listener.local_addr().map_err(refused)?);
    let public_url = match public_url.trim_end_matches('/') {
        "" => url.clone(),
        given => given.to_owned(),
    };
    let desk = Desk(Arc::new(Inner {
        db,
        clock,
        client,
        public_url: public_url.clone(),
        verification,
    }));
    let doors = Router::new()
        .merge(xs2a::router(&desk))
        .merge(pages::router(&desk, limits.pages_per_minute))
        .merge(products::router())
        .fallback(pages::not_found)
        .layer(axum::middleware::from_fn(texts::storable))
        .layer(middleware::from_fn(unpacked))
        .with_state(desk);
    let is_https = public_url.starts_with("https:");
    let running = tokio::spawn(listen::answer(
        listener,
        limits.bounds,
        is_https,
        doors,
        stop,
    ));
    Ok(Bank {
        url,
        public_url,
        running,
    })
}
