//! A card desk for tests: a skill whose steps want files, a provider that agrees to everything, and one tenant.

use std::sync::Arc;

use app::domain::ids::{SessionId, StepId};
use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use super::{AcceptedUpload, UploadRequest};
use crate::config::Config;
use crate::services::refusal::ApiError;
use crate::services::sessions::callbacks::AuthorizationResponse;
use crate::services::sessions::steps::StepResult;
use crate::skills::*;
use crate::storage::Db;
use crate::testing::{LINK, World, state_with, step};

pub const CARD: &str = "abc_card_sbx_#1.0";
/// A skill of one step, with a redirect and two required files.
pub const SIGN: &str = "abc_sbx_#1.0";
/// Most bytes that a selfie may have.
pub const SELFIE: usize = 300_000;

/// A world whose skills want files of the end-user.
pub struct CardDesk {
    pub world: World,
    clerk: Arc<Clerk>,
}

impl CardDesk {
    pub async fn new(db: Db) -> Self {
        Self::with(db, Config::default()).await
    }

    pub async fn with(db: Db, config: Config) -> Self {
        let clerk = Arc::new(Clerk::default());
        let connectors = Connectors::from([("clerk".to_owned(), clerk.clone() as _)]);
        let manifests = serde_json::from_value(manifests()).unwrap();
        let registry = Registry::with(manifests, connectors).unwrap();
        let world = World::builder(state_with(db, config)).skills(registry);
        Self {
            world: world.build().await,
            clerk,
        }
    }

    /// Another tenant at the same desk.
    pub async fn beside(&self) -> Self {
        Self {
            world: self.world.beside().await,
            clerk: self.clerk.clone(),
        }
    }

    pub async fn submit(
        &self,
        session: SessionId,
        nonce: &str,
        name: &str,
    ) -> Result<StepResult, ApiError> {
        let step = match name {
            "sign" => step(SIGN, name, json!({ "psu_redirect_link": LINK })),
            _ => step(CARD, name, json!({})),
        };
        self.world.client.submit(session, nonce, step).await
    }

    /// A session whose first step was accepted.
    pub async fn at_first(&self) -> Accepted {
        let opened = self.world.client.open(CARD).await;
        let taken = self
            .submit(opened.session_id, &opened.nonce, "personal")
            .await;
        Accepted::new(opened.session_id, opened.nonce, taken.unwrap())
    }

    /// A session whose last step was accepted, its files outstanding.
    pub async fn at_last(&self) -> Accepted {
        let first = self.at_first().await;
        self.send(&first, "id_front", &png(1_000, 1)).await.unwrap();
        let nonce = first.next_nonce.unwrap();
        let taken = self.submit(first.session, &nonce, "confirm").await;
        Accepted::new(first.session, nonce, taken.unwrap())
    }

    pub fn upload(&self, step: &Accepted, kind: &str) -> UploadRequest {
        UploadRequest {
            session_id: None,
            step_id: step.step,
            nonce: step.nonce.clone().into(),
            kind: kind.into(),
            tenant_user_id: None,
        }
    }

    /// Sends a whole file of a step.
    pub async fn send(
        &self,
        step: &Accepted,
        kind: &str,
        bytes: &[u8],
    ) -> Result<AcceptedUpload, ApiError> {
        let new = self.upload(step, kind);
        self.world.client.upload(new, bytes).await
    }

    /// Comes back from the provider's pages; answers the link the end-user is sent to.
    pub async fn come_back(&self) -> String {
        let arrival = AuthorizationResponse {
            state: self.clerk.sent.lock().unwrap().clone().into(),
            code: Some("code-1".to_owned().into()),
            refused: false,
        };
        self.world.arrive(arrival).await.unwrap()
    }

    /// Rows of both tables.
    pub async fn rows(&self) -> (i64, i64) {
        let mut tx = self.world.state.db.read().await.unwrap();
        tx.count_uploads().await
    }

    /// Waits until nothing is left of what was sent: it is thrown away beside the answer.
    pub async fn left(&self, rows: (i64, i64)) {
        for _ in 0..500 {
            if self.rows().await == rows {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(self.rows().await, rows);
    }
}

/// A step that was accepted, and what authorises its files.
#[derive(Clone)]
pub struct Accepted {
    pub session: SessionId,
    pub step: StepId,
    pub nonce: String,
    pub next_nonce: Option<String>,
    pub temp_token: Option<String>,
    pub status: &'static str,
}

impl Accepted {
    pub fn new(session: SessionId, nonce: String, taken: StepResult) -> Self {
        Self {
            session,
            step: taken.step_id,
            nonce,
            next_nonce: taken.nonce,
            temp_token: taken.temp_token,
            status: taken.status.as_str(),
        }
    }
}

/// A picture as far as its first bytes tell, of so many bytes, different for each seed and not to be compressed.
pub fn png(bytes: usize, seed: u64) -> Vec<u8> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while file.len() < bytes {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        file.extend_from_slice(&state.to_le_bytes());
    }
    file.truncate(bytes);
    file
}

fn manifests() -> Value {
    let nothing = json!({ "type": "object", "additionalProperties": false });
    let link = json!({ "type": "object", "additionalProperties": false, "required": ["psu_redirect_link"],
                       "properties": { "psu_redirect_link": { "type": "string" } } });
    let file =
        |kind: &str, required: bool| json!({ "kind": kind, "title": kind, "required": required });
    let selfie =
        json!({ "kind": "selfie", "title": "Selfie", "required": true, "max_bytes": SELFIE });
    json!([
        {
            "names": [CARD], "title": "Cards", "provider": { "code": "abc", "name": "ABC" }, "type": "marketplace",
            "connector": "clerk", "session_minutes": 60, "data_contract": "A card.",
            "steps": [
                { "name": "personal", "title": "Who", "schema": nothing, "example": {},
                  "uploads": [file("id_front", true), file("id_back", false)] },
                { "name": "confirm", "title": "Confirm", "last": true, "schema": nothing, "example": {},
                  "uploads": [selfie, file("letter", false)], "max_uploads": 3 }
            ]
        },
        {
            "names": [SIGN], "title": "Signature", "provider": { "code": "abc", "name": "ABC" }, "type": "marketplace",
            "connector": "clerk", "session_minutes": 60, "data_contract": "A contract.",
            "steps": [{ "name": "sign", "title": "Sign", "redirect": true, "last": true, "schema": link,
                        "example": { "psu_redirect_link": LINK }, "uploads": [file("contract", true), file("annex", true)] }]
        }
    ])
}

/// Agrees to everything.
#[derive(Default)]
struct Clerk {
    /// `state` of the last redirect.
    sent: std::sync::Mutex<String>,
}

#[async_trait]
impl Connector for Clerk {
    async fn submit(&self, submission: Submission) -> Result<Next, ConnectorError> {
        Ok(match submission.step.as_str() {
            "personal" => Next::Step {
                name: "confirm".into(),
                data: json!({}),
                bank_ref: None,
            },
            "confirm" => Next::Done {
                granted: granted(),
                data: json!({}),
            },
            _ => {
                let state = submission.return_state.state.expose_secret();
                state.clone_into(&mut self.sent.lock().unwrap());
                Next::Redirect {
                    url: "https://abc.example.com/sign".into(),
                    bank_ref: Opaque::new(b"ref".to_vec()),
                }
            }
        })
    }

    async fn finish(&self, _: ProviderCallback) -> Result<ConsentOutcome, ConnectorError> {
        Ok(ConsentOutcome::Consented(Next::done(granted())))
    }

    async fn accounts(&self, _: &Grant) -> Result<Vec<BankAccount>, ConnectorError> {
        Ok(Vec::new())
    }

    async fn transactions(
        &self,
        _: &Grant,
        _: &str,
        _: PageRequest,
    ) -> Result<BankTransactionPage, ConnectorError> {
        Err(ConnectorError::Forbidden)
    }

    async fn revoke(&self, _: &Grant) -> Result<(), ConnectorError> {
        Ok(())
    }
}

fn granted() -> Granted {
    Granted {
        grant: Grant(Opaque::new(b"grant".to_vec())),
        valid_until: None,
    }
}
