//! The sandbox bank: another company, "XYZ Bank", with its own listener, database, cookie and look. It speaks the
//! Berlin Group's XS2A 1.3.12 as far as account information and payments by redirect and OAuth need (`xs2a`), shows
//! end-users a sign-in page and one to decide on (`pages`), and sells products through partners (`products`). The
//! middleware reaches it by HTTP alone, like any bank. It depends on the kernel and the reader of JSON, and knows no word of
//! the product whose sandbox it stands in.
//!
//! What a real bank has and this one has not: client certificates (a client id and secret of this process stand in),
//! the other three approaches to strong authentication, refresh tokens, and a limit of four reads a day.

mod bodies;
pub mod inventory;
mod ledger;
mod listen;
mod pages;
mod payments;
mod products;
pub mod records;
pub mod retention;
mod storage;
mod texts;
mod xs2a;
mod xs2a_error;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use kernel::background::{Heartbeats, Restarts};
use kernel::clock::Clock;
use kernel::gate::Bounds;
use kernel::json::coding;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use self::ledger::Day;
pub use self::storage::{Db, SCHEMA, TakeOverError, newest_schema, owner};

/// Settings that the bank is started with.
pub struct Settings {
    pub db: Db,
    pub clock: Clock,
    /// Port 0: any free one.
    pub listen: SocketAddr,
    /// The URL end-users reach the bank at; empty: made from the address it listens on.
    pub public_url: String,
    /// The one third-party provider it knows.
    pub client: RegisteredTpp,
    /// Time the bank takes to verify an applicant once all their documents are there.
    pub verification: chrono::Duration,
    /// Receives the accept loop's signs of life.
    pub heartbeats: Heartbeats,
}

/// Limits on connections and on page requests.
pub struct BankLimits {
    pub bounds: Bounds,
    /// Pages that one source may request per minute.
    pub pages_per_minute: u32,
}

impl Default for BankLimits {
    fn default() -> Self {
        Self {
            bounds: Bounds::default(),
            pages_per_minute: 1200,
        }
    }
}

/// A third-party provider registered with the bank.
#[derive(Clone)]
pub struct RegisteredTpp {
    pub id: String,
    pub secret: SecretString,
    /// Name of the provider on the consent page.
    pub name: String,
}

/// A bank that is open.
pub struct Bank {
    /// URL that third-party providers reach it at: the address it really listens on.
    pub url: String,
    /// URL that end-users reach it at.
    pub public_url: String,
    /// Ends when the bank has closed, after the stop was given.
    pub running: JoinHandle<()>,
}

/// Error of starting the bank.
#[derive(Debug, thiserror::Error)]
pub enum BankError {
    #[error("the sandbox bank cannot listen on {0}: {1}")]
    Listen(SocketAddr, std::io::Error),
}

/// Shared state of the bank, handed to every page and operation.
#[derive(Clone)]
struct BankState(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Clock,
    client: RegisteredTpp,
    public_url: String,
    verification: chrono::Duration,
}

impl std::ops::Deref for BankState {
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

/// Opens the listener and answers until `stop` is cancelled. The bank answers when this returns; a user's
/// books are written when they are first needed.
pub async fn serve(settings: Settings, stop: CancellationToken) -> Result<Bank, BankError> {
    serve_within(settings, BankLimits::default(), stop).await
}

/// Starts the bank as [`serve`] does, with the given limits.
pub async fn serve_within(
    settings: Settings,
    limits: BankLimits,
    stop: CancellationToken,
) -> Result<Bank, BankError> {
    let Settings {
        db,
        clock,
        listen,
        public_url,
        client,
        verification,
        heartbeats,
    } = settings;
    let refused = |error| BankError::Listen(listen, error);
    let listener = TcpListener::bind(listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let url = format!("http://{address}");
    let public_url = match public_url.trim_end_matches('/') {
        "" => url.clone(),
        given => given.to_owned(),
    };
    let bank = BankState(Arc::new(Inner {
        db,
        clock,
        client,
        public_url: public_url.clone(),
        verification,
    }));
    let doors = Router::new()
        .merge(xs2a::router(&bank))
        .merge(pages::router(&bank, limits.pages_per_minute))
        .merge(products::router())
        .fallback(pages::not_found)
        .layer(axum::middleware::from_fn(texts::storable))
        .layer(middleware::from_fn(unpacked))
        .with_state(bank);
    let is_https = public_url.starts_with("https:");
    let gate = move || listen::gate(limits.bounds.clone(), is_https, doors.clone());
    let supervision = listen::Supervision {
        heartbeats,
        restarts: Restarts::default(),
        stop,
    };
    let running = tokio::spawn(listen::keep_open(listener, address, gate, supervision));
    Ok(Bank {
        url,
        public_url,
        running,
    })
}
