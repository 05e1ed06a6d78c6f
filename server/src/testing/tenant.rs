//! A tenant's server as an object: it opens sessions, submits steps, sends files and exchanges tokens.

use std::ops::Deref;

use app::domain::ids::{ServicerId, SessionId};
use app::domain::key::KeyKind;
use app::domain::problem::Code;
use app::domain::servicer::{LegalForm, ServicerKind};
use secrecy::SecretString;
use serde_json::Value;

use crate::services::access::keys::{self, Client, PresentedKey};
use crate::services::consents::Credentials;
use crate::services::portal::tenants::{CheckedTenant, create_in};
use crate::services::refusal::ApiError;
use crate::services::sessions::steps::{self, NewStep, StepResult};
use crate::services::sessions::tokens::{self, Exchange, Exchanged};
use crate::services::sessions::uploads::{self, AcceptedUpload, Incoming, UploadRequest};
use crate::services::sessions::{self, NewSession, OpenedSession, SessionProof, SessionState};
use crate::skills::Psu;
use crate::state::AppState;
use crate::storage::servicers::NewServicer;

/// A sandbox tenant's server, which proved itself with its secret. It stands wherever a service asks for a [`Client`].
#[derive(Clone)]
pub struct TenantClient {
    state: AppState,
    proven: Client,
    /// The tenant's `client_secret`.
    pub secret: String,
    /// The tenant's `client_app_key`.
    pub app_key: String,
}

impl Deref for TenantClient {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.proven
    }
}

impl TenantClient {
    /// Makes a servicer with a sandbox tenant, as a servicer starts with: it may use every sandbox skill.
    pub async fn register(state: &AppState) -> Self {
        let servicer = ServicerId(state.clock.id());
        let mut tx = state.db.write().await.unwrap();
        tx.add_servicer(&NewServicer {
            id: servicer,
            name: "Example Ltd".into(),
            kind: ServicerKind::Consumer,
            legal_form: LegalForm::Company,
            country: "RO".into(),
            created_at: state.clock.now(),
        })
        .await
        .unwrap();
        let ready = CheckedTenant::starter(state, "Example app");
        let made = create_in(&mut tx, state, servicer, &ready, "owner@example.com")
            .await
            .unwrap();
        let given = PresentedKey {
            kind: KeyKind::Secret,
            text: &made.client_secret.clone().into(),
        };
        let proven = keys::verify(state, &mut tx, &made.id.to_string(), given)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        Self {
            state: state.clone(),
            proven,
            secret: made.client_secret,
            app_key: made.client_app_key,
        }
    }

    /// Returns what the server proved itself as, to be kept.
    pub fn proven(&self) -> Client {
        self.proven.clone()
    }

    pub async fn open(&self, skill: &str) -> OpenedSession {
        sessions::create(&self.state, self, new_session(skill))
            .await
            .unwrap()
    }

    /// Submits a step as the end-user's device does: with the session's nonce, and no key.
    pub async fn submit(
        &self,
        session: SessionId,
        nonce: &str,
        step: NewStep,
    ) -> Result<StepResult, ApiError> {
        let step = NewStep {
            session_id: session,
            nonce: nonce.to_owned().into(),
            ..step
        };
        steps::submit(&self.state, &self.named(), step).await
    }

    /// Begins to send a file, as the end-user's device does.
    pub async fn begin_upload(&self, new: UploadRequest) -> Result<Incoming, ApiError> {
        uploads::begin(&self.state, &self.named(), new).await
    }

    /// Sends a whole file, in pieces of an odd size.
    pub async fn upload(
        &self,
        new: UploadRequest,
        bytes: &[u8],
    ) -> Result<AcceptedUpload, ApiError> {
        let mut incoming = self.begin_upload(new).await?;
        for piece in bytes.chunks(10_007) {
            incoming.take(piece).await?;
        }
        incoming.finish().await
    }

    pub async fn exchange(&self, token: &str) -> Result<Exchanged, ApiError> {
        let exchange = Exchange {
            temp_token: token.to_owned().into(),
            code_verifier: None,
            tenant_user_id: None,
            pair: None,
        };
        tokens::exchange(&self.state, self, exchange).await
    }

    /// Exchanges a token that is good; returns the pair to read with.
    pub async fn redeem(&self, token: &str) -> Credentials {
        pair(self.exchange(token).await.unwrap())
    }

    /// Returns the state of a session, as the tenant's server is told.
    pub async fn standing(&self, session: SessionId) -> SessionState {
        self.standing_by(session, SessionProof::Secret).await
    }

    /// Returns the state of a session, as it is told to whoever proves themselves so.
    pub async fn standing_by(&self, session: SessionId, proof: SessionProof<'_>) -> SessionState {
        sessions::get(&self.state, self, session, proof)
            .await
            .unwrap()
    }
}

pub fn pair(exchanged: Exchanged) -> Credentials {
    Credentials {
        id: exchanged.credentials_id,
        access_token: exchanged.access_token,
        tenant_user_id: None,
    }
}

pub fn new_session(skill: &str) -> NewSession {
    NewSession {
        skill: skill.into(),
        tenant_user_id: None,
        code_challenge: None,
        state: None,
    }
}

/// Returns a step without session and nonce: [`TenantClient::submit`] adds them.
pub fn step(skill: &str, name: &str, data: Value) -> NewStep {
    NewStep {
        session_id: SessionId(uuid::Uuid::nil()),
        nonce: SecretString::default(),
        skill: skill.into(),
        step: name.into(),
        data: data.as_object().unwrap().clone(),
        tenant_user_id: None,
        psu: Psu::default(),
    }
}

/// Returns the code of a refusal.
pub fn code<T>(result: Result<T, ApiError>) -> Code {
    match result {
        Ok(_) => panic!("was not refused"),
        Err(ApiError::Refused(refusal)) => refusal.code,
        Err(other) => panic!("{other}"),
    }
}

/// Returns a parameter of a link's query.
pub fn query(link: &str, name: &str) -> Option<String> {
    let (_, query) = link.split_once('?')?;
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}
