//! The seam between the engine and providers: what a connector is asked, and what it may answer.
//!
//! What a provider says of accounts, payments and products is in [`super::provider_data`]. Errors never carry what a bank said about
//! an end-user, only what kind of refusal it was.

use std::io;
use std::time::Duration;

use app::domain::ids::SessionId;
use app::domain::session::Decision;
use app::domain::skill::SkillName;
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::stream::BoxStream;
use secrecy::SecretString;
use uuid::Uuid;
use zeroize::Zeroizing;

pub use super::provider_data::*;

/// Runs the skills of one kind of provider.
///
/// No method is called while a database transaction is open. An error means that nothing took effect, so that the
/// engine may leave session and nonce as they were; a connector that cannot know whether its call took effect answers
/// [`Next::Pending`] and finds out in [`Connector::resume`].
#[async_trait]
pub trait Connector: Send + Sync {
    /// Hands one step's data (already checked against the manifest) to the provider.
    async fn submit(&self, submission: Submission) -> Result<Next, ConnectorError>;

    /// Asks again about a step that was pending. Called only with the `bank_ref` of [`Next::Pending`].
    async fn resume(&self, bank_ref: &Opaque) -> Result<VerificationOutcome, ConnectorError> {
        let _ = bank_ref;
        Err(ConnectorError::BadAnswer(
            "this connector has no pending steps",
        ))
    }

    /// Decides a pending step in the provider's stead, which only a sandbox allows. A decision made before stands.
    async fn decide(&self, bank_ref: &Opaque, decision: Decision) -> Result<(), ConnectorError> {
        let _ = (bank_ref, decision);
        Err(ConnectorError::Forbidden)
    }

    /// Sends a file that came with a step. Sending the same file again is no error. A provider that takes no files
    /// ignores it.
    async fn document(
        &self,
        held: ConnectorState,
        document: Document,
    ) -> Result<(), ConnectorError> {
        let _ = (held, document);
        Ok(())
    }

    /// Cancels at the provider what a session had under way. Cancelling what is over already is a success.
    async fn stop(&self, bank_ref: &Opaque) -> Result<(), ConnectorError> {
        let _ = bank_ref;
        Ok(())
    }

    /// Finishes a redirect: redeems the code and asks the provider what was consented. Nothing in the URL but the
    /// code is believed. May be called again for a repeated return; a code already redeemed is
    /// [`ConnectorError::Rejected`], and the engine then goes on with the grant it already has.
    async fn finish(&self, returned: ProviderCallback) -> Result<ConsentOutcome, ConnectorError>;

    /// Returns the products that a grant gives access to.
    async fn products(&self, grant: &Grant) -> Result<Vec<BankProduct>, ConnectorError> {
        let _ = grant;
        Err(ConnectorError::BadAnswer("this connector has no products"))
    }

    /// Returns the accounts that a grant gives access to, with their balances.
    async fn accounts(&self, grant: &Grant) -> Result<Vec<BankAccount>, ConnectorError>;

    /// Returns one page of an account's transactions, booked and pending. `next` leads to the following page and is
    /// `None` on the last one; a connector refuses a link that leads away from its provider. Whether links lead in circles
    /// is seen by the engine.
    async fn transactions(
        &self,
        grant: &Grant,
        account: &str,
        page: PageRequest,
    ) -> Result<BankTransactionPage, ConnectorError>;

    /// Ends a grant at the provider. Ending what has ended already is a success.
    async fn revoke(&self, grant: &Grant) -> Result<(), ConnectorError>;

    /// Asks the provider for the result of a redirect whose end-user returned with a refusal, or did not return. What
    /// the browser says may be wrong, and an authorised payment counts whatever became of the browser. If nothing is
    /// decided yet, the authorisation is ended with `close`, so that it can no longer be given; without `close`, `None`
    /// is returned.
    async fn settle(
        &self,
        bank_ref: &Opaque,
        close: bool,
    ) -> Result<Option<ConsentOutcome>, ConnectorError> {
        let _ = bank_ref;
        Ok(close.then(|| ConsentOutcome::Refused {
            reason: "access_denied".into(),
        }))
    }

    /// Returns the payment of a grant, with its present status.
    async fn payment(&self, grant: &Grant) -> Result<BankPayment, ConnectorError> {
        let _ = grant;
        Err(ConnectorError::BadAnswer("this connector has no payments"))
    }

    /// Cancels the payment of a grant. Cancelling it twice is no error.
    async fn cancel_payment(&self, grant: &Grant) -> Result<Cancellation, ConnectorError> {
        let _ = grant;
        Err(ConnectorError::BadAnswer("this connector has no payments"))
    }
}

/// Result of cancelling a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancellation {
    /// The payment will not be executed, or not again.
    Cancelled,
    /// The payment is executed, rejected, or about to be.
    TooLate,
}

/// One step on its way to the provider.
pub struct Submission {
    pub session_id: SessionId,
    pub skill: SkillName,
    pub step: String,
    pub data: serde_json::Value,
    /// State that the connector last asked to have kept in this session; `None` if it asked for none.
    pub bank_ref: Option<Opaque>,
    /// Redirect target of this session, if the provider redirects the end-user.
    pub return_state: RedirectTarget,
    pub psu: Psu,
    /// App on whose behalf the provider is asked, and the end of its terms.
    pub asker: RequestingApp,
    /// Idempotency key towards the provider: the same for every try at this step of this session, and for no other
    /// step.
    pub request_id: Uuid,
}

/// The app on whose behalf a provider is asked.
#[derive(Clone, Debug)]
pub struct RequestingApp {
    /// Name it is registered under here; to the provider it is an unverified claim.
    pub name: String,
    /// The time it is for the app: in the sandbox its clock may be ahead.
    pub now: DateTime<Utc>,
    /// Time until which its terms let it keep the consent; providers are asked for no longer.
    pub until: DateTime<Utc>,
}

/// Target of the redirect from a provider's pages.
pub struct RedirectTarget {
    /// One-time opaque value (RFC 6749, section 10.12); the engine finds the session by its digest.
    pub state: SecretString,
    /// The callback address, `{public_url}/v1/redirects/{kind}`: never built from a request's Host.
    pub callback: String,
    /// Time until which a return is of use; providers are asked for no longer.
    pub expires_at: DateTime<Utc>,
}

/// Data about the end-user that providers may be told (Berlin Group `PSU-*` headers).
#[derive(Clone, Default)]
pub struct Psu {
    pub ip: Option<std::net::IpAddr>,
    pub user_agent: Option<String>,
}

/// Continuation of a session after a success: of a step, of a consent or of a verification.
pub enum Next {
    /// The session goes on with the step `name`, which may lead to the provider's pages again.
    Step {
        name: String,
        /// A JSON object for the caller, or null for none.
        data: serde_json::Value,
        bank_ref: Option<Opaque>,
    },
    /// The end-user's browser must go to `url` and will come back to [`RedirectTarget::callback`]. In answer to a submitted
    /// step alone: nothing else says where to come back to.
    Redirect {
        /// Absolute URL, fetched with GET.
        url: String,
        /// State that [`Connector::finish`] needs: consent id, PKCE verifier.
        bank_ref: Opaque,
    },
    /// The provider decides later: it is asked with [`Connector::resume`].
    Pending {
        poll_after: Duration,
        /// A JSON object, to which the engine adds `poll_after`, or null.
        data: serde_json::Value,
        bank_ref: Opaque,
    },
    /// That was the last step.
    Done {
        granted: Granted,
        /// A JSON object for the caller, or null for none.
        data: serde_json::Value,
    },
}

impl Next {
    /// Ends the session with a grant and nothing to say besides.
    pub const fn done(granted: Granted) -> Self {
        let data = serde_json::Value::Null;
        Self::Done { granted, data }
    }

    /// Returns the data that the connector asked to have kept; `None` if it asked for none.
    pub const fn bank_ref(&self) -> Option<&Opaque> {
        match self {
            Self::Step { bank_ref, .. } => bank_ref.as_ref(),
            Self::Redirect { bank_ref, .. } | Self::Pending { bank_ref, .. } => Some(bank_ref),
            Self::Done { .. } => None,
        }
    }
}

/// State by which a connector recognises a session.
pub enum ConnectorState {
    /// State that the connector last asked to have kept, in a session that is not complete.
    InProgress(Opaque),
    /// Grant that the session ended with.
    Granted(Grant),
}

/// A file on its way to the provider, read while it is sent.
pub struct Document {
    /// The [`Submission::request_id`] of the step it belongs to.
    pub key: Uuid,
    /// Kind of document, by its name in the step's manifest.
    pub kind: String,
    pub media_type: &'static str,
    /// Size in bytes.
    pub size: u64,
    /// Content of the file. Ends with an error if the rest cannot be read: the bytes before it are then not the file.
    pub bytes: BoxStream<'static, io::Result<Bytes>>,
}

/// Provider's decision on a step that it verifies. Reasons are codes of the connector's, never free text.
pub enum VerificationOutcome {
    Undecided {
        poll_after: Duration,
    },
    Verified(Next),
    /// Refused as submitted: the same step may be tried again.
    Refused {
        reason: String,
    },
    /// Refused for good: the session is over.
    Failed {
        reason: String,
    },
}

/// A browser that came back from the provider.
pub struct ProviderCallback {
    /// The one-time code (RFC 6749, section 4.1.2).
    pub code: SecretString,
    pub state: SecretString,
    /// Callback address, equal to the one sent in the submission (RFC 6749, section 4.1.3).
    pub callback: String,
    pub bank_ref: Opaque,
}

/// Consent as the provider reports it after a redirect.
pub enum ConsentOutcome {
    /// Consented, by whoever returned with the code.
    Consented(Next),
    /// Consented, but the provider does not know the code: whoever returned with it need not be who consented.
    Settled(Next),
    /// Not consented, or no longer: the session may try again.
    Refused { reason: String },
}

/// A consent that was given.
pub struct Granted {
    pub grant: Grant,
    /// Time the provider ends it by itself, which may be earlier than was asked for; `None` if the provider names none.
    pub valid_until: Option<DateTime<Utc>>,
}

/// Credentials for the end-user's data at the provider: consent id and token. Sealed by the engine wherever it is kept.
#[derive(Clone)]
pub struct Grant(pub Opaque);

/// A connector's own bytes, which only it can read. No `Debug`: they hold secrets. Wiped when dropped.
#[derive(Clone)]
pub struct Opaque(Zeroizing<Vec<u8>>);

impl Opaque {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns the bytes, for the vault and for the connector that made them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Serialises a value of the connector's as JSON.
    pub fn of<T: serde::Serialize>(value: &T) -> Result<Self, ConnectorError> {
        serde_json::to_vec(value)
            .map(Self::new)
            .map_err(|_| ConnectorError::BadAnswer("cannot be kept"))
    }

    /// Deserialises the value. Fails if another connector wrote the bytes.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, ConnectorError> {
        serde_json::from_slice(&self.0)
            .map_err(|_| ConnectorError::BadAnswer("what was kept is of another connector"))
    }
}

/// Error of a call to a provider.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectorError {
    #[error("the provider cannot be reached")]
    Unreachable,
    #[error("the provider did not answer in time")]
    Timeout,
    /// It said so itself (503).
    #[error("the provider is out of service for now")]
    Unavailable { retry_after: Option<Duration> },
    #[error("the provider refuses further calls for now")]
    TooManyRequests { retry_after: Option<Duration> },
    /// The grant is no longer valid at the provider: only a new consent helps.
    #[error("the provider no longer accepts this consent")]
    Unauthorized,
    #[error("the provider does not let us do this")]
    Forbidden,
    /// The provider understood the call and refused it. `code` is its own code (`tppMessages`), never its free text.
    #[error("the provider refused: {code}")]
    Rejected { code: String },
    /// The answer does not conform to the provider's interface; says which part.
    #[error("the provider's answer cannot be read: {0}")]
    BadAnswer(&'static str),
}

impl ConnectorError {
    /// Returns the documented error code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable => "external_api_connection_error",
            Self::Timeout => "external_api_timeout",
            Self::Unavailable { .. } => "external_api_unavailable",
            Self::TooManyRequests { .. } => "external_api_too_many_requests",
            Self::Unauthorized => "external_api_unauthorized",
            Self::Forbidden => "external_api_forbidden",
            Self::Rejected { .. } => "external_api_rejected",
            Self::BadAnswer(_) => "external_api_invalid_answer",
        }
    }

    /// Returns `true` if the same call may succeed later without a change on either side.
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Unreachable
                | Self::Timeout
                | Self::Unavailable { .. }
                | Self::TooManyRequests { .. }
                | Self::BadAnswer(_)
        )
    }
}
