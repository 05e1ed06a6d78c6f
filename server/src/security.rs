//! What the log tells of security: every try to authenticate, every refusal, every limit that was hit and every act that the
//! audit log holds is one event of the target `security`, with its time in UTC, who did it, for which tenant, in which request.
//!
//! Acts are told when their transaction is committed ([`crate::storage::Tx::audit`]); the outcome of a request is told by the
//! line of the request itself (`http/record`, `portal/log`); a password or link that is wrong is told where it is checked.

use std::fmt;
use std::sync::{Arc, OnceLock};

use app::domain::ids::{KeyId, PersonId, RunId, TenantId};
use app::domain::problem::{Code, ProblemType};
use uuid::Uuid;

/// The target of the log lines that are told here: a filter `security=info` keeps them whatever else is left out.
pub const TARGET: &str = "security";

/// Writes the list of events once: the enum and its texts come from the same lines.
macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)+) => {
        /// A kind of event. What is an act has the name that the audit log gives it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum SecurityEvent { $($(#[$doc])* $variant,)+ }

        impl SecurityEvent {
            /// Returns the name in the log.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

events! {
    /// Keys, a nonce or a run of the console were good.
    AuthenticationSucceeded = "authentication.succeeded",
    /// Keys, a signature, a nonce, a token, a password or a link were not.
    AuthenticationFailed = "authentication.failed",
    /// Somebody known asked for what they may not do, or a page of another site asked in their name.
    AuthorisationRefused = "authorisation.refused",
    /// More was asked than a budget allows, or somebody who guesses has to wait.
    LimitHit = "limit.hit",
    /// A secret came in a URL, where proxies and browsers keep it.
    SecretInUrl = "secret.in_url",
    AdminBegan = "admin.began",
    AdminCreated = "admin.created",
    ConsentRevoked = "consent.revoked",
    ConsoleRunStarted = "console_run.started",
    DatabaseMoved = "database.moved",
    EmailVerified = "email.verified",
    JobDropped = "job.dropped",
    JobRetried = "job.retried",
    KeyRotated = "key.rotated",
    KeyStopped = "key.stopped",
    PasswordChanged = "password.changed",
    PasswordReset = "password.reset",
    PersonEnded = "person.ended",
    PersonJoined = "person.joined",
    PersonProved = "person.proved",
    PersonSignedIn = "person.signed_in",
    PersonTookOver = "person.took_over",
    SecretsActivated = "secrets.activated",
    SecretsAdded = "secrets.added",
    SecretsDropped = "secrets.dropped",
    SecretsRewrapped = "secrets.rewrapped",
    ServicerApproved = "servicer.approved",
    ServicerCreated = "servicer.created",
    ServicerExported = "servicer.exported",
    ServicerRegistered = "servicer.registered",
    ServicerResumed = "servicer.resumed",
    ServicerSuspended = "servicer.suspended",
    SessionEnded = "session.ended",
    SigningKeyAdded = "signing_key.added",
    SigningKeyStopped = "signing_key.stopped",
    TenantCreated = "tenant.created",
    TenantErased = "tenant.erased",
    TenantLinksSet = "tenant.links_set",
    TenantNetworksSet = "tenant.networks_set",
    TenantPaused = "tenant.paused",
    TenantRenamed = "tenant.renamed",
    TenantResumed = "tenant.resumed",
    TenantSignatureTermsSet = "tenant.signature_terms_set",
    TenantSkillAdded = "tenant.skill_added",
    TenantSkillRemoved = "tenant.skill_removed",
    TenantTermsSet = "tenant.terms_set",
    VerificationDecided = "verification.decided",
}

/// Who did it. The audit log has the address of a person; the log has the id alone.
#[derive(Clone, Copy, Debug)]
pub enum EventActor {
    Key(KeyId),
    /// A run of the sandbox console.
    Run(RunId),
    /// Whoever shows the nonce of an open session: an app in a browser, as a rule.
    Nonce,
    Person(PersonId),
    /// The operator's command line.
    Operator,
    /// The server itself, on its schedule or for safety.
    Server,
    Stranger,
}

impl fmt::Display for EventActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(id) => write!(f, "key:{id}"),
            Self::Run(id) => write!(f, "console_run:{id}"),
            Self::Nonce => f.write_str("nonce"),
            Self::Person(id) => write!(f, "person:{id}"),
            Self::Operator => f.write_str("operator"),
            Self::Server => f.write_str("server"),
            Self::Stranger => f.write_str("stranger"),
        }
    }
}

/// The request, or the command, that a task works on.
pub struct Current {
    id: Uuid,
    person: OnceLock<PersonId>,
}

impl Current {
    /// The request or command of this id.
    pub const fn new(id: Uuid) -> Self {
        Self {
            id,
            person: OnceLock::new(),
        }
    }
}

tokio::task_local! {
    static CURRENT: Arc<Current>;
}

/// Does some work as the command of this id: what is told meanwhile carries it.
pub async fn within<F: Future>(id: Uuid, work: F) -> F::Output {
    within_current(Arc::new(Current::new(id)), work).await
}

/// Does some work as this request: what is told meanwhile carries its id.
pub async fn within_current<F: Future>(current: Arc<Current>, work: F) -> F::Output {
    CURRENT.scope(current, work).await
}

/// Does what [`within_current`] does, for work that does not wait.
pub fn within_current_now<R>(current: Arc<Current>, work: impl FnOnce() -> R) -> R {
    CURRENT.sync_scope(current, work)
}

/// Notes who sends the request.
pub fn note_person(person: PersonId) {
    CURRENT
        .try_with(|current| current.person.set(person).ok())
        .ok();
}

/// Returns who sends the request, as far as it is known.
pub fn who() -> EventActor {
    let person = CURRENT.try_with(|current| current.person.get().copied());
    person
        .ok()
        .flatten()
        .map_or(EventActor::Stranger, EventActor::Person)
}

/// Tells one event. `source` is the network address it came from, if it came from one.
pub fn tell(event: SecurityEvent, who: EventActor, tenant: Option<TenantId>, source: &str) {
    tell_of(event, who, tenant, source, "");
}

/// Tells one event about something: `object` is its id.
pub fn tell_of(
    event: SecurityEvent,
    who: EventActor,
    tenant: Option<TenantId>,
    source: &str,
    object: &str,
) {
    let request_id = CURRENT.try_with(|current| current.id).ok();
    tracing::info!(
        target: TARGET,
        event = event.as_str(),
        actor = %who,
        tenant = tenant.map(tracing::field::display),
        request_id = request_id.map(tracing::field::display),
        source = (!source.is_empty()).then_some(source),
        object = (!object.is_empty()).then_some(object),
        "event"
    );
}

/// Returns what the answer to an API call means for security, if anything. `proved`: keys were good, or a nonce was and the
/// call went on. A call that both proved itself and was refused is one event, the refusal: its actor says that it was proved.
pub fn outcome(code: Option<Code>, proved: bool) -> Option<SecurityEvent> {
    let refused = code.and_then(|code| match (code, code.entry().kind) {
        (Code::TooManyRequests, _) => Some(SecurityEvent::LimitHit),
        (Code::UnauthorizedTenant, _) | (_, ProblemType::Forbidden) => {
            Some(SecurityEvent::AuthorisationRefused)
        }
        // A bank's return shows a one-time `state` and `code`.
        (Code::TppRedirectError, _) | (_, ProblemType::Unauthorized) => {
            Some(SecurityEvent::AuthenticationFailed)
        }
        _ => None,
    });
    refused.or_else(|| proved.then_some(SecurityEvent::AuthenticationSucceeded))
}
