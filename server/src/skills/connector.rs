//! The seam between the engine and providers: what a connector is asked, and what it may answer.
//!
//! What a provider says of accounts, payments and products is in [`super::facts`]. Errors never carry what a bank said about
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

pub use super::facts::*;

/// Runs the skills of one kind of provider.
///
/// No method is called while a database transaction is open. An error means that nothing took effect, so that the
/// engine may leave session and nonce as they were; a connector that cannot know whether its call took effect answers
/// [`Outcome::Pending`] and finds out in [`Connector::resume`].
#[async_trait]
pub trait Connector: Send + Sync {
    /// Hands one step's data (already checked against the manifest) to the provider.
    async fn submit(&self, submission: Submission) -> Result<Outcome, ConnectorError>;

    /// Asks again about a step that was pending. Only called with what was kept when it began to be.
    async fn resume(&self, bank_ref: &Opaque) -> Result<Verdict, ConnectorError> {
        let _ = bank_ref;
        Err(ConnectorError::BadAnswer(
            "this connector has no pending steps",
        ))
    }

    /// Decides a pending step in the provider's stead: possible in sandboxes alone. What was decided already stays so.
    async fn decide(&self, bank_ref: &Opaque, decision: Decision) -> Result<(), ConnectorError> {
        let _ = (bank_ref, decision);
        Err(ConnectorError::Forbidden)
    }

    /// Hands over a file that came with a step. The same once more is no error. A provider that wants no files takes none.
    async fn document(&self, held: Held, document: Document) -> Result<(), ConnectorError> {
        let _ = (held, document);
        Ok(())
    }

    /// Calls off at the provider what a session had under way. Calling off what is over already is a success.
    async fn stop(&self, bank_ref: &Opaque) -> Result<(), ConnectorError> {
        let _ = bank_ref;
        Ok(())
    }

    /// Finishes a redirect: redeems the code and asks the provider what was consented. Nothing in the URL but the
    /// code is believed. May be called again for a repeated return; a code already redeemed is
    /// [`ConnectorError::Rejected`], and the engine then goes on with the grant it already has.
    async fn finish(&self, returned: Return) -> Result<Returned, ConnectorError>;

    /// The products a grant points at.
    async fn products(&self, grant: &Grant) -> Result<Vec<BankProduct>, ConnectorError> {
        let _ = grant;
        Err(ConnectorError::BadAnswer("this connector has no products"))
    }

    /// The accounts a grant opens, with their balances.
    async fn accounts(&self, grant: &Grant) -> Result<Vec<BankAccount>, ConnectorError>;

    /// One page of an account's transactions, booked and pending. Pages follow each other by `next` until it is none;
    /// a connector refuses a link that leads away from its provider, or back to itself.
    async fn transactions(
        &self,
        grant: &Grant,
        account: &str,
        page: PageRequest,
    ) -> Result<Page, ConnectorError>;

    /// Ends a grant at the provider. Ending what has ended already is a success.
    async fn revoke(&self, grant: &Grant) -> Result<(), ConnectorError>;

    /// What became of a redirect whose end-user came back saying no, or did not come back. The provider is asked: what
    /// the browser says may be wrong, and a payment that was authorised counts whatever became of the browser. With
    /// `close`, what nobody decided on yet is ended, so that it cannot be agreed to any more; without, it is `None`.
    async fn settle(
        &self,
        bank_ref: &Opaque,
        close: bool,
    ) -> Result<Option<Returned>, ConnectorError> {
        let _ = bank_ref;
        Ok(close.then(|| Returned::Refused {
            reason: "access_denied".into(),
        }))
    }

    /// How far the payment of a grant is.
    async fn payment(&self, grant: &Grant) -> Result<BankPayment, ConnectorError> {
        let _ = grant;
        Err(ConnectorError::BadAnswer("this connector has no payments"))
    }

    /// Calls the payment of a grant off. Cancelling twice is no error.
    async fn cancel_payment(&self, grant: &Grant) -> Result<Cancellation, ConnectorError> {
        let _ = grant;
        Err(ConnectorError::BadAnswer("this connector has no payments"))
    }
}

/// What came of calling a payment off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancellation {
    /// It will not be executed, or not again.
    Cancelled,
    /// Executed, rejected, or about to be.
    TooLate,
}

/// One step on its way to the provider.
pub struct Submission {
    pub session_id: SessionId,
    pub skill: SkillName,
    pub step: String,
    pub data: serde_json::Value,
    /// What the connector asked to have kept last in this session, if it did.
    pub bank_ref: Option<Opaque>,
    /// How the provider finds back to this session, should it take the end-user away.
    pub return_state: ReturnState,
    pub psu: Psu,
    /// For whom the provider is asked, and until when.
    pub asker: Asker,
    /// The same for every try at this step of this session, and for no other step: what a provider tells a repeated
    /// request by.
    pub request_id: Uuid,
}

/// The app on whose behalf a provider is asked.
#[derive(Clone, Debug)]
pub struct Asker {
    /// What it is registered as here; to the provider it is a claim.
    pub name: String,
    /// Until when its terms let it keep the consent; providers are asked for no longer.
    pub until: DateTime<Utc>,
}

/// The way back from a provider's pages.
pub struct ReturnState {
    /// One-time and opaque (RFC 6749, section 10.12); the engine finds the session by its digest.
    pub state: SecretString,
    /// Our own address, `{public_url}/v1/redirects/{kind}`: never built from a request's Host.
    pub callback: String,
    /// Until when a return is of use; providers are asked for no longer.
    pub expires_at: DateTime<Utc>,
}

/// What providers may be told about the end-user at the other end (Berlin Group `PSU-*` headers).
#[derive(Clone, Default)]
pub struct Psu {
    pub ip: Option<std::net::IpAddr>,
    pub user_agent: Option<String>,
}

/// What came of a step.
pub enum Outcome {
    /// Accepted; the next one is `step`. `data` goes to the caller.
    Next {
        step: String,
        data: serde_json::Value,
        bank_ref: Option<Opaque>,
    },
    /// The end-user's browser must go to `url` and will come back to [`ReturnState::callback`].
    Redirect {
        /// Absolute; fetched with GET.
        url: String,
        /// What [`Connector::finish`] needs: consent id, PKCE verifier.
        bank_ref: Opaque,
    },
    /// The provider decides later.
    Pending {
        poll_after: Duration,
        /// An object; `poll_after` is added to it.
        data: serde_json::Value,
        bank_ref: Opaque,
    },
    /// The last step, done without a redirect.
    Done {
        granted: Granted,
        data: serde_json::Value,
    },
}

/// What a connector knows a session by.
pub enum Held {
    /// What it asked to have kept last.
    Underway(Opaque),
    /// What the session ended with.
    Granted(Grant),
}

/// A file on its way to the provider, read while it is sent.
pub struct Document {
    /// The [`Submission::request_id`] of the step it belongs to.
    pub key: Uuid,
    /// As the step's manifest calls it.
    pub kind: String,
    pub media_type: &'static str,
    /// Bytes in all.
    pub size: u64,
    /// Ends with an error where the rest cannot be read: what came before is then not the file.
    pub bytes: BoxStream<'static, io::Result<Bytes>>,
}

/// What a provider says of a step that it was to verify. Reasons are words of the connector's, never free text.
pub enum Verdict {
    /// Nothing yet.
    Pending { poll_after: Duration },
    /// Verified; the session goes on with `step`.
    Next {
        step: String,
        data: serde_json::Value,
        bank_ref: Option<Opaque>,
    },
    /// Verified, and that was the last step.
    Done {
        granted: Granted,
        data: serde_json::Value,
    },
    /// Not as submitted: the same step may be tried again.
    Refused { reason: String },
    /// No, for good: the session is over.
    Failed { reason: String },
}

/// A browser that came back from the provider.
pub struct Return {
    /// The one-time code (RFC 6749, section 4.1.2).
    pub code: SecretString,
    pub state: SecretString,
    /// The same address as was sent in the submission (RFC 6749, section 4.1.3).
    pub callback: String,
    pub bank_ref: Opaque,
}

/// What the provider says was consented.
pub enum Returned {
    /// Consented, and the session is complete.
    Granted(Granted),
    /// The same, and the code is none that the provider knows: whoever came back with it need not be who consented.
    Settled(Granted),
    /// Consented; the session goes on with `step`, which may lead to the provider's pages again.
    Next {
        step: String,
        data: serde_json::Value,
        bank_ref: Option<Opaque>,
    },
    /// Consented; the provider verifies it before the session can go on.
    Pending {
        poll_after: Duration,
        bank_ref: Opaque,
    },
    /// Not consented, or no longer: the session may try again.
    Refused { reason: String },
}

/// A consent that stands.
pub struct Granted {
    pub grant: Grant,
    /// When the provider ends it by itself; it may be earlier than was asked for.
    pub valid_until: Option<DateTime<Utc>>,
}

/// What opens the end-user's data at the provider: consent id and token. Sealed by the engine wherever it is kept.
#[derive(Clone)]
pub struct Grant(pub Opaque);

/// A connector's own bytes, which only it can read. No `Debug`: they hold secrets. Wiped when dropped.
#[derive(Clone)]
pub struct Opaque(Zeroizing<Vec<u8>>);

impl Opaque {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// For the vault, and for the connector that made them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Any value of the connector's, as JSON.
    pub fn of<T: serde::Serialize>(value: &T) -> Result<Self, ConnectorError> {
        serde_json::to_vec(value)
            .map(Self::new)
            .map_err(|_| ConnectorError::BadAnswer("cannot be kept"))
    }

    /// The value back.
    pub fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, ConnectorError> {
        serde_json::from_slice(&self.0)
            .map_err(|_| ConnectorError::BadAnswer("what was kept is of another connector"))
    }
}

/// Why a provider did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectorError {
    #[error("the provider cannot be reached")]
    Unreachable,
    #[error("the provider did not answer in time")]
    Timeout,
    #[error("the provider refuses further calls for now")]
    TooManyRequests { retry_after: Option<Duration> },
    /// The grant is dead at the provider: only a new consent helps.
    #[error("the provider no longer accepts this consent")]
    Unauthorized,
    #[error("the provider does not let us do this")]
    Forbidden,
    /// The provider understood and said no. `code` is its own word (`tppMessages`), never its free text.
    #[error("the provider refused: {code}")]
    Rejected { code: String },
    /// An answer that is not in the provider's language; says which part.
    #[error("the provider's answer cannot be read: {0}")]
    BadAnswer(&'static str),
}

impl ConnectorError {
    /// The documented error code.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreachable => "external_api_connection_error",
            Self::Timeout => "external_api_timeout",
            Self::TooManyRequests { .. } => "external_api_too_many_requests",
            Self::Unauthorized => "external_api_unauthorized",
            Self::Forbidden => "external_api_forbidden",
            Self::Rejected { .. } => "external_api_rejected",
            Self::BadAnswer(_) => "external_api_invalid_answer",
        }
    }

    /// Whether the same call may succeed later without anybody's doing.
    pub const fn is_passing(&self) -> bool {
        matches!(
            self,
            Self::Unreachable | Self::Timeout | Self::TooManyRequests { .. } | Self::BadAnswer(_)
        )
    }
}
