//! A counter for tests: a tenant that sells the sandbox bank's deposits and cards, with the bank next door.

use app::domain::ids::{SessionId, StepId};
use app::domain::problem::Code;
use app::domain::session::SessionStatus;
use serde_json::{Value, json};

use super::{World, state, step};
use crate::services::consents::Credentials;
use crate::services::consents::products::{self, OpenedProduct};
use crate::services::refusal::ApiError;
use crate::services::sessions::steps::NewStep;
use crate::services::sessions::uploads::UploadRequest;
use crate::services::sessions::{SessionProof, SessionState};
use crate::storage::Db;

pub const DEPOSIT: &str = "xyz_sbx_#3.0";
pub const CARD: &str = "xyz_card_sbx_#1.0";
/// Kinds of the files that the bank requires of an applicant.
pub const DOCUMENTS: [&str; 2] = ["id_document", "selfie"];

/// A world beside the bank.
pub struct Counter {
    pub world: World,
}

/// A session on its way.
pub struct Walk {
    pub session: SessionId,
    skill: &'static str,
    /// The next step's, or the one used last.
    nonce: String,
    /// Nonce that the last step was submitted with: its files are sent with it.
    used: String,
}

impl Counter {
    pub async fn open(db: Db) -> Self {
        let world = World::builder(state(db)).beside_bank().build().await;
        Self { world }
    }

    pub async fn begin(&self, skill: &'static str) -> Walk {
        let opened = self.world.client.open(skill).await;
        Walk {
            session: opened.session_id,
            skill,
            nonce: opened.nonce,
            used: String::new(),
        }
    }

    /// Submits a step, and goes on as an app would that got no answer: submits the same again, waits where it is told
    /// to, and asks the session what came of it.
    pub async fn insist(&self, walk: &mut Walk, step: &str) -> SessionState {
        walk.used.clone_from(&walk.nonce);
        for _ in 0..3 {
            let next = walk.step(step);
            match self
                .world
                .client
                .submit(walk.session, &walk.nonce, next)
                .await
            {
                Ok(_) => return self.standing(walk).await,
                Err(ApiError::Refused(refusal)) => match refusal.code {
                    Code::StepInFlight => self.world.advance(61),
                    Code::InvalidNonce | Code::SessionEnded => return self.standing(walk).await,
                    other => panic!("{other}"),
                },
                Err(other) => panic!("{other}"),
            }
        }
        panic!("an app would have given up")
    }

    /// Returns the session's state, asked for with the nonce used last.
    pub async fn standing(&self, walk: &mut Walk) -> SessionState {
        let proof = SessionProof::Nonce(&walk.nonce);
        let standing = self.world.client.standing_by(walk.session, proof).await;
        if let Some(nonce) = &standing.nonce {
            walk.nonce.clone_from(nonce);
        }
        standing
    }

    /// Sends files of a step, which ask the bank for something, and lets them reach it.
    pub async fn send(&self, walk: &Walk, step: StepId, kinds: &[&str], wish: &str) {
        for kind in kinds {
            let new = UploadRequest {
                session_id: None,
                step_id: step,
                nonce: walk.used.clone().into(),
                kind: (*kind).into(),
                tenant_user_id: None,
            };
            let file = format!("%PDF-1.7\n{kind} of {step}: {wish}");
            let sent = self.world.client.upload(new, file.as_bytes()).await;
            sent.unwrap();
        }
        self.world.work().await;
    }

    /// Applies for a deposit and says who applies, with documents that leave the decision to a person.
    pub async fn waiting(&self) -> Walk {
        let mut walk = self.begin(DEPOSIT).await;
        self.insist(&mut walk, "product_form").await;
        self.wait_again(&mut walk).await;
        walk
    }

    /// Says who applies, with documents that leave the decision to a person.
    pub async fn wait_again(&self, walk: &mut Walk) {
        let standing = self.insist(walk, "kyc").await;
        assert_eq!(standing.status, SessionStatus::Pending);
        let step = standing.step_id.unwrap();
        self.send(walk, step, &DOCUMENTS, "SANDBOX:WAIT").await;
    }

    /// Returns the products that a pair reads.
    pub async fn products(&self, pair: &Credentials) -> Vec<OpenedProduct> {
        let listed = products::list(&self.world.state, &self.world.client, pair).await;
        listed.unwrap().items
    }

    /// Returns every application at the bank: its status, and the number of products it led to.
    pub async fn at_bank(&self) -> Vec<(String, i64)> {
        bank::records::applications(&self.world.bank().db)
            .await
            .unwrap()
    }
}

impl Walk {
    /// A step as it is submitted next, with data that fits.
    pub fn step(&self, name: &str) -> NewStep {
        NewStep {
            session_id: self.session,
            nonce: self.nonce.clone().into(),
            ..step(self.skill, name, self.data(name))
        }
    }

    fn data(&self, step: &str) -> Value {
        let mut person =
            json!({ "first_name": "Ana", "last_name": "Example", "date_of_birth": "1990-05-17" });
        match step {
            "product_form" => json!({ "value": "100000", "currency": "EUR", "period": "12" }),
            "card_form" => json!({ "limit": "5000", "currency": "RON" }),
            "kyc" if self.skill == CARD => {
                person["accept"] = true.into();
                person
            }
            "kyc" => person,
            _ => json!({ "accept": true }),
        }
    }
}
