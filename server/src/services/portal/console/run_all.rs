//! *Run all*: every call that is left of a run, one after the other, the sandbox bank's pages among them. Nothing is
//! skipped: what is called here is what the same run calls step by step.

use app::domain::console::RunStage;
use app::domain::ids::{RunId, SessionId};
use app::domain::session::SessionStatus;
use app::links;
use app::portal::console::{File, NextCall, Run, RunAction};
use app::portal::{Actor, PortalError};
use url::Url;

use super::api_caller::ApiCall;
use super::execute::LARGEST;
use crate::services::portal::Services;
use crate::services::refusal::ServiceError;
use crate::skills::sandbox::visitor::Visitor;

/// More calls than any skill's session needs: a run that goes round in circles is left where it is.
const MOST_CALLS: usize = 40;

impl Services {
    /// Makes every call that is left, as far as a run goes by itself.
    pub(super) async fn walk(&self, actor: &Actor, run: RunId) -> Result<(), ServiceError> {
        for _ in 0..MOST_CALLS {
            let before = self.show_run(actor, run).await?;
            match &before.next {
                NextCall::Done | NextCall::DeadEnd(_) | NextCall::Pending { .. } => return Ok(()),
                NextCall::Bank => {
                    if !self.visit_bank(actor, &before).await? {
                        return Ok(());
                    }
                    continue;
                }
                NextCall::Uploads { wanted, .. } => {
                    let missing = wanted.iter().find(|file| file.required && !file.sent);
                    let Some(missing) = missing else {
                        return Ok(());
                    };
                    let act = RunAction::Upload {
                        kind: &missing.kind,
                        file: File::Sample,
                    };
                    self.advance_run(actor, run, before.calls.len(), act)
                        .await?;
                }
                _ => {
                    let act = RunAction::Next(None);
                    self.advance_run(actor, run, before.calls.len(), act)
                        .await?;
                }
            }
            if !went_on(&before, &self.show_run(actor, run).await?) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Walks the sandbox bank's pages, then follows the bank's redirect as a browser would. Returns `false` where the
    /// run has to wait for the end-user: it stands at another provider's pages, or the return is still being worked on.
    async fn visit_bank(&self, actor: &Actor, run: &Run) -> Result<bool, ServiceError> {
        let (Some(bank), Some(link)) = (&self.state.sandbox_bank, &run.bank_url) else {
            return Ok(false);
        };
        if !self.is_of_bank(bank, link) {
            return Ok(false);
        }
        let visitor = Visitor::new(bank, &self.state.metrics).map_err(ServiceError::broken)?;
        let Ok(returned_to) = visitor.agree(link).await else {
            return Err(PortalError::Conflict(
                "The sandbox bank did not let its test user through. Open its page and go on by hand.".into(),
            )
            .into());
        };
        let Some(end) = self.follow(&returned_to).await? else {
            return Ok(false);
        };
        let given = |name: &str| {
            let mut pairs = end.query_pairs();
            pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
        };
        let session = given("session_id").and_then(|id| id.parse::<SessionId>().ok());
        let Some(session) = session else {
            return Ok(false);
        };
        let (token, error) = (given("temp_token"), given("error"));
        self.take_bank_return(actor, session, token.as_deref(), error.as_deref())
            .await?;
        Ok(true)
    }

    /// Returns `true` if a link leads to the sandbox bank, compared by the origin it shows to browsers.
    fn is_of_bank(&self, reached: &str, link: &str) -> bool {
        let shown = &self.state.config.sandbox.bank_public_url;
        let shown = if shown.is_empty() { reached } else { shown };
        let origin = |text: &str| Url::parse(text).ok().map(|url| url.origin());
        origin(link).is_some() && origin(link) == origin(shown)
    }

    /// Follows the bank's redirect to the API. Returns the console's return link with its query, or
    /// `None` if the redirect led elsewhere.
    async fn follow(&self, back: &str) -> Result<Option<Url>, ServiceError> {
        let api = self.api.as_ref();
        let api = api.ok_or_else(|| ServiceError::broken("the console has no way into the API"))?;
        let Some(path) = back.strip_prefix(&*self.state.public_url) else {
            return Ok(None);
        };
        let visit = ApiCall { path, posted: None };
        let answer = api.call(visit, LARGEST).await;
        let answer = answer.map_err(ServiceError::broken)?;
        let link = answer.location;
        let console = format!("{}{}", self.state.public_url, links::CONSOLE_RETURN);
        let link = link.filter(|link| link.starts_with(&console));
        Ok(link.and_then(|link| Url::parse(&link).ok()))
    }

    /// Returns `true` unless the run's session still waits for the provider's decision.
    pub(super) async fn is_decided(&self, actor: &Actor, run: RunId) -> Result<bool, ServiceError> {
        let servicer = actor
            .may(app::domain::person::Permission::UseConsole)?
            .servicer;
        let mut tx = self.state.db.read().await?;
        let row = self.find(&mut tx, servicer, run).await?;
        let (RunStage::Pending, Some(session)) = (row.next_call, row.session_id) else {
            return Ok(true);
        };
        let session = tx.session(session).await?;
        Ok(session.is_none_or(|session| session.status != SessionStatus::Pending))
    }
}

/// Returns `true` if a call took a run further: it was made, and was not refused.
fn went_on(before: &Run, after: &Run) -> bool {
    let made = after.calls.len() > before.calls.len();
    made && after.calls.last().is_some_and(|call| call.status < 300)
}
