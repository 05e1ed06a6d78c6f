//! The sandbox bank next door to a test: on a port of its own, over a database of its own beside the state's, and by the
//! state's clock.

use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

use crate::skills::Registry;
use crate::skills::sandbox::{SandboxBank, connectors};
use crate::state::AppState;
use crate::storage::testing::bank_beside;

/// A bank that is open until it is closed.
#[derive(Clone)]
pub struct NextDoor {
    stop: CancellationToken,
    bank: Arc<Mutex<Option<bank::Bank>>>,
    /// The bank's own database.
    pub db: bank::Db,
}

/// Opens the bank, and publishes the shipped skills to a state: they reach it by HTTP.
pub async fn open(state: AppState) -> (AppState, NextDoor) {
    let stop = CancellationToken::new();
    let secret = state.clock.token();
    let db = bank_beside(&state.db).await;
    let settings = bank::Settings {
        db: db.clone(),
        clock: state.clock.clone(),
        listen: "127.0.0.1:0".parse().unwrap(),
        public_url: String::new(),
        verification: chrono::Duration::seconds(5),
        pulse: kernel::background::Pulse::default(),
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
    let connectors = connectors(&reached, &state.clock, &state.metrics).unwrap();
    let registry = Registry::with(Registry::shipped().unwrap(), connectors).unwrap();
    let bank = Arc::new(Mutex::new(Some(bank)));
    let state = state.with_skills(registry).with_sandbox_bank(&reached.url);
    (state, NextDoor { stop, bank, db })
}

impl NextDoor {
    /// Closes the bank, for the night or for good.
    pub async fn close(&self) {
        self.stop.cancel();
        let bank = self.bank.lock().unwrap().take();
        if let Some(bank) = bank {
            bank.running.await.unwrap();
        }
    }
}
