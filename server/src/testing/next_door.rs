//! The sandbox bank next door to a test: on a port of its own, over a database of its own beside the product's, and by the
//! test's clock. And a browser that walks the bank's pages.

use std::sync::{Arc, Mutex};

use kernel::clock::Clock;
use reqwest::header::{LOCATION, SET_COOKIE};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::skills::Registry;
use crate::skills::sandbox::{SandboxBank, connectors};
use crate::state::AppState;
use crate::storage::Db;
use crate::storage::testing::bank_beside;

/// A bank that is open until it is closed.
#[derive(Clone)]
pub struct NextDoor {
    stop: CancellationToken,
    bank: Arc<Mutex<Option<bank::Bank>>>,
    /// Address of the bank, and credentials of the client that it knows.
    pub reached: SandboxBank,
    /// The bank's own database.
    pub db: bank::Db,
}

impl NextDoor {
    /// Opens the bank.
    pub async fn open(product: &Db, clock: &Clock) -> Self {
        let stop = CancellationToken::new();
        let secret = clock.token();
        let db = bank_beside(product).await;
        let settings = bank::Settings {
            db: db.clone(),
            clock: clock.clone(),
            listen: "127.0.0.1:0".parse().unwrap(),
            public_url: String::new(),
            verification: chrono::Duration::seconds(5),
            heartbeats: kernel::background::Heartbeats::default(),
            client: bank::RegisteredTpp {
                id: "tpp".into(),
                secret: secret.clone().into(),
                name: "Tessera".into(),
            },
        };
        let bank = bank::serve(settings, stop.clone()).await.unwrap();
        let reached = SandboxBank {
            url: bank.url.clone(),
            client_id: "tpp".into(),
            client_secret: secret.into(),
        };
        let bank = Arc::new(Mutex::new(Some(bank)));
        Self {
            stop,
            bank,
            reached,
            db,
        }
    }

    /// Publishes the shipped skills to a state: they reach this bank by HTTP.
    pub fn publish(&self, state: AppState) -> AppState {
        let connectors = connectors(&self.reached, &state.clock, &state.metrics).unwrap();
        let registry = Registry::with(Registry::shipped().unwrap(), connectors).unwrap();
        let url = &self.reached.url;
        state.with_skills(registry).with_sandbox_bank(url)
    }

    /// Closes the bank, for the night or for good.
    pub async fn close(&self) {
        self.stop.cancel();
        let bank = self.bank.lock().unwrap().take();
        if let Some(bank) = bank {
            bank.running.await.unwrap();
        }
    }
}

/// Returns a browser's way to the bank, which follows no redirect by itself.
pub fn http() -> reqwest::Client {
    let http = reqwest::Client::builder().no_proxy();
    http.redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// Walks the bank's pages as a user of it, and decides; returns the address that the browser is sent to.
pub async fn walk(url: &str, username: &str, decision: &[(&str, &str)]) -> Url {
    let http = http();
    let begun = http.get(url).send().await.unwrap();
    let header =
        |response: &reqwest::Response, name| response.headers()[name].to_str().unwrap().to_owned();
    let cookie = header(&begun, SET_COOKIE);
    let cookie = cookie.split(';').next().unwrap();
    let page = Url::parse(url).unwrap();
    let page = page.join(&header(&begun, LOCATION)).unwrap();
    let form = |name: &str, fields: &[(&str, &str)]| {
        let request = http.post(format!("{page}/{name}"));
        request.header("cookie", cookie).form(fields).send()
    };
    let who = [("username", username), ("password", "sandbox")];
    form("sign-in", &who).await.unwrap();
    let end = form("decision", decision).await.unwrap();
    Url::parse(&header(&end, LOCATION)).unwrap()
}
