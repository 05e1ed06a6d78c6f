//! The request or job that a task works on: the span whose ids every line carries that is written meanwhile, and the count
//! of its statements. Work that is handed to a task of its own takes the scope along ([`spawn`]).

use std::sync::Arc;

use app::domain::ids::{SessionId, TenantId};
use kernel::db::{Tally, tallied, tallied_now};
use tokio::task::JoinHandle;
use tracing::{Instrument as _, Span};
use uuid::Uuid;

use crate::security;

/// Scope of one request or job. Cheap to clone.
#[derive(Clone)]
pub struct Scope {
    span: Span,
    /// The id of the request; `None` for a job.
    request: Option<Arc<security::Current>>,
    statements: Arc<Tally>,
}

tokio::task_local! {
    static SCOPE: Scope;
}

impl Scope {
    /// The scope of a request with this id.
    pub fn of_request(id: Uuid, span: Span) -> Self {
        Self {
            span,
            request: Some(Arc::new(security::Current::new(id))),
            statements: Arc::default(),
        }
    }

    /// The scope of a job.
    pub fn of_job(span: Span) -> Self {
        Self {
            span,
            request: None,
            statements: Arc::default(),
        }
    }

    /// Returns its span.
    pub const fn span(&self) -> &Span {
        &self.span
    }

    /// Notes the tenant that it works for, for the lines that are written from now on.
    pub fn note_tenant(&self, tenant: TenantId) {
        self.span.record("tenant", tracing::field::display(tenant));
    }

    /// Notes the session that it is about.
    pub fn note_session(&self, session: SessionId) {
        self.span
            .record("session", tracing::field::display(session));
    }

    /// Returns the statements made so far.
    pub fn statements(&self) -> &Tally {
        &self.statements
    }

    /// Does some work in this scope.
    pub async fn run<F: Future>(&self, work: F) -> F::Output {
        let work = tallied(self.statements.clone(), work.instrument(self.span.clone()));
        let work = SCOPE.scope(self.clone(), work);
        match &self.request {
            Some(request) => security::within_current(request.clone(), work).await,
            None => work.await,
        }
    }

    /// Does some work in this scope that does not wait.
    pub fn enter<R>(&self, work: impl FnOnce() -> R) -> R {
        let work = || tallied_now(self.statements.clone(), || self.span.in_scope(work));
        let work = || SCOPE.sync_scope(self.clone(), work);
        match &self.request {
            Some(request) => security::within_current_now(request.clone(), work),
            None => work(),
        }
    }
}

/// Runs some work in a task of its own, in the scope of the task that calls: it goes on when the caller hangs up, and its
/// lines and statements still belong to the request.
pub fn spawn<F>(work: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    match SCOPE.try_with(Scope::clone) {
        Ok(scope) => tokio::spawn(async move { scope.run(work).await }),
        Err(_) => tokio::spawn(work),
    }
}

/// Notes the tenant that the present job works for. A request has its tenant by its keys.
pub fn note_tenant_of_job(tenant: TenantId) {
    let note = |scope: &Scope| {
        if scope.request.is_none() {
            scope.note_tenant(tenant);
        }
    };
    SCOPE.try_with(note).ok();
}
