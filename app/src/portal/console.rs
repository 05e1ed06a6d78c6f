//! The sandbox console: a run is a list of real API calls, made by the server with a short-lived, sandbox-only grant.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Actor, PortalResult, RequestSource};
use crate::domain::console::{Offer, RunStage};
use crate::domain::ids::{RequestId, RunId, SessionId, TenantId};
use crate::domain::skill::{SkillName, SkillType};

/// One run, whole: enough to draw its flow, its calls and what can be done next.
#[derive(Clone, Debug)]
pub struct Run {
    pub id: RunId,
    pub tenant: TenantId,
    pub tenant_name: String,
    pub skill: SkillName,
    /// Purpose of the skill, which decides what is read after the exchange. `None` for a skill that is no longer
    /// published.
    pub kind: Option<SkillType>,
    /// The skill's steps, in the order in which a session without branches takes them.
    pub steps: Vec<StepName>,
    pub started_at: DateTime<Utc>,
    pub calls: Vec<ConsoleCall>,
    pub nonces: Vec<NonceUse>,
    pub session: Option<SessionId>,
    pub session_status: Option<String>,
    /// URL of the bank's page, while the end-user has to visit it.
    pub bank_url: Option<String>,
    /// Set between the bank's return and the exchange; masked to its ends.
    pub temp_token: Option<String>,
    pub temp_token_expires_at: Option<DateTime<Utc>>,
    pub credentials_id: Option<String>,
    pub next: NextCall,
    /// Calls that may be made besides the next one.
    pub offers: Vec<Offer>,
    /// Every file that was sent, in order.
    pub files: Vec<SentFile>,
    /// Time at which what the run holds (tokens, nonces, bodies) is forgotten, or was.
    pub forget_at: DateTime<Utc>,
    /// Reason the bank or user did not agree, if the return stated one.
    pub refusal: Option<String>,
    /// Reason the provider wants the step that comes next once more.
    pub reason: Option<String>,
}

/// One call of a run: an ordinary entry of the request log with source `console`.
#[derive(Clone, Debug)]
pub struct ConsoleCall {
    pub request: RequestId,
    pub at: DateTime<Utc>,
    pub title: String,
    pub method: String,
    pub path: String,
    pub status: u16,
    pub latency_ms: f64,
    /// Pretty-printed; secrets replaced by `$TESSERA_CLIENT_SECRET` and the like.
    pub request_body: String,
    pub response_body: String,
    /// `true` if the call may run in a browser or app, `false` if on a server only.
    pub browser_safe: bool,
}

/// A nonce as the console draws it: where it was made and where it was used, as indexes into the calls.
#[derive(Clone, Debug)]
pub struct NonceUse {
    pub label: String,
    /// First and last characters only.
    pub masked: String,
    pub made_by: usize,
    pub used_by: Option<usize>,
    pub expires_at: DateTime<Utc>,
}

/// Next call or event of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NextCall {
    OpenSession,
    /// Submit this step; `data` is the example of the manifest with the console's return link, or what was typed last.
    Step {
        name: String,
        title: String,
        /// JSON Schema (draft 2020-12) of `data`.
        schema: Value,
        data: String,
    },
    /// Send the files of the step submitted last, in any order.
    Uploads {
        step: String,
        wanted: Vec<WantedFile>,
    },
    /// The end-user goes to the bank.
    Bank,
    /// The provider verifies: ask again, not before `poll_after` seconds.
    Pending {
        poll_after: u32,
    },
    /// Ask the session what comes next: it answers with a fresh nonce or `temp_token`.
    Ask,
    Exchange,
    Accounts,
    Transactions,
    Payment,
    Products,
    Done,
    /// Nothing more can be done in this run; says why. A new run with the same data is one click away.
    DeadEnd(String),
}

/// A step of the run's skill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepName {
    pub name: String,
    pub title: String,
    /// `true` if the end-user's browser may be sent to the provider after it.
    pub redirects: bool,
    /// `true` if the provider may verify it offline: the session is then pending for a while.
    pub waits: bool,
}

/// A file that the step submitted last takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WantedFile {
    pub kind: String,
    pub title: String,
    pub required: bool,
    /// Bytes.
    pub max_bytes: u64,
    /// `true` if a file of this kind was sent.
    pub sent: bool,
}

/// A file that the API took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentFile {
    pub step: String,
    pub kind: String,
    pub upload_id: String,
    /// Bytes.
    pub size: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

/// Action of a person in a run.
#[derive(Clone, Copy, Debug)]
pub enum RunAction<'a> {
    /// Makes the call that comes next. The text overrides a step's data (JSON); it is ignored by other calls.
    Next(Option<&'a str>),
    /// Sends a file of the step submitted last.
    Upload { kind: &'a str, file: File<'a> },
    /// Makes one of the calls offered besides.
    Offered(Offer),
}

/// A file to be sent.
#[derive(Clone, Copy, Debug)]
pub enum File<'a> {
    /// A small document of the console's own.
    Sample,
    /// One that the person chose: its name on their machine, and its bytes.
    Chosen { name: &'a str, bytes: &'a [u8] },
}

/// One row of the list of runs.
#[derive(Clone, Debug)]
pub struct RunSummary {
    pub id: RunId,
    pub tenant_name: String,
    pub skill: SkillName,
    pub started_at: DateTime<Utc>,
    pub stage: RunStage,
    pub calls: i64,
}

#[async_trait]
pub trait Console: Send + Sync {
    /// The last runs of the actor's servicer.
    async fn runs(&self, actor: &Actor) -> PortalResult<Vec<RunSummary>>;
    /// Prepares a run of a whitelisted skill on a sandbox tenant; makes no call yet.
    async fn new_run(
        &self,
        actor: &Actor,
        tenant: TenantId,
        skill: &str,
        source: &RequestSource,
    ) -> PortalResult<RunId>;
    async fn run(&self, actor: &Actor, run: RunId) -> PortalResult<Run>;
    /// Makes a call, if the run still stands where the asker saw it: `at` is the number of calls that were
    /// shown. A form sent twice therefore calls once; the second sending changes nothing and is no error.
    async fn advance(
        &self,
        actor: &Actor,
        run: RunId,
        at: usize,
        act: RunAction<'_>,
        source: &RequestSource,
    ) -> PortalResult<()>;
    /// Makes every call that is left, sample files sent and the sandbox bank's pages walked as a test user who agrees,
    /// until the run is done, waits for a provider's decision, or a call is refused. Each is an ordinary call.
    async fn run_all(&self, actor: &Actor, run: RunId, source: &RequestSource) -> PortalResult<()>;
    /// Returns `false` while the run waits for a provider's decision, `true` otherwise; makes no call.
    async fn decided(&self, actor: &Actor, run: RunId) -> PortalResult<bool>;
    /// Prepares a new run of the same tenant and skill that keeps the step data typed in this one.
    async fn repeat(
        &self,
        actor: &Actor,
        run: RunId,
        source: &RequestSource,
    ) -> PortalResult<RunId>;
    /// Takes what came back on the console's return link into the run it belongs to, and says which.
    /// `temp_token` is kept sealed; the page answers with a 303 to a clean URL.
    async fn bank_return(
        &self,
        actor: &Actor,
        session: SessionId,
        temp_token: Option<&str>,
        error: Option<&str>,
    ) -> PortalResult<RunId>;
}
