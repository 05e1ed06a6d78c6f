//! One try of one job: run in a task of its own, with its lease renewed and its time limited.

use std::sync::atomic::Ordering;

use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::{JobKind, TryError, Worker};
use crate::scope;
use crate::storage::DbError;
use crate::storage::jobs::JobRow;

/// Outcome of a try.
pub(super) enum TryOutcome {
    Done,
    /// It is tried again while tries are left. The text is fit for a log.
    Failed(String),
    /// Trying again would not help.
    GivenUp(String),
    /// The server stops: the try does not count.
    PutBack,
    /// The lease was lost to another worker.
    Lost,
}

impl TryOutcome {
    /// Returns its name in the metrics.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed(_) => "failed",
            Self::GivenUp(_) => "given_up",
            Self::PutBack => "put_back",
            Self::Lost => "lost",
        }
    }
}

type Task = AbortOnDropHandle<Result<(), TryError>>;

impl Worker {
    /// Runs a job until it ends, its time is up, or the server stops.
    pub(super) async fn watch(
        &self,
        row: &JobRow,
        kind: &JobKind,
        cut: &CancellationToken,
    ) -> TryOutcome {
        let work = (kind.run)(self.state.clone(), row.id, row.payload.clone());
        let mut task = AbortOnDropHandle::new(scope::spawn(work));
        let limit = tokio::time::sleep(kind.limit);
        tokio::pin!(limit);
        loop {
            tokio::select! {
                ended = &mut task => return match ended {
                    Ok(Ok(())) => TryOutcome::Done,
                    Ok(Err(TryError { why, hopeless: false })) => TryOutcome::Failed(why.0),
                    Ok(Err(TryError { why, hopeless: true })) => TryOutcome::GivenUp(why.0),
                    // What a panic says may hold data; where it happened is in the log.
                    Err(_) => TryOutcome::Failed("its handler panicked".to_owned()),
                },
                () = &mut limit => {
                    self.cut_off(row, task).await;
                    let seconds = kind.limit.as_secs_f64();
                    return TryOutcome::Failed(format!("it was cut off after {seconds} s"));
                }
                () = cut.cancelled() => {
                    self.cut_off(row, task).await;
                    return TryOutcome::PutBack;
                }
                () = tokio::time::sleep(self.pace.renew) => {
                    // A database that does not answer now may do so before the lease ends.
                    if let Ok(false) = self.renew(row).await {
                        return TryOutcome::Lost;
                    }
                }
            }
        }
    }

    /// Ends a handler, and waits for its end: nobody else may begin the job while it goes on. One that never waits for
    /// anything cannot be ended; it keeps its place and its lease until the process ends.
    async fn cut_off(&self, row: &JobRow, mut task: Task) {
        task.abort();
        if tokio::time::timeout(self.pace.grace, &mut task)
            .await
            .is_ok()
        {
            return;
        }
        tracing::error!(job = %row.id, kind = row.kind, "a job cannot be cut off: it blocks its thread");
        self.stuck.fetch_add(1, Ordering::Relaxed);
        loop {
            tokio::select! {
                _ = &mut task => break,
                () = tokio::time::sleep(self.pace.renew) => { self.renew(row).await.ok(); }
            }
        }
        self.stuck.fetch_sub(1, Ordering::Relaxed);
    }

    /// Has the job for another lease, unless somebody else has it.
    async fn renew(&self, row: &JobRow) -> Result<bool, DbError> {
        let until = self.state.clock.now() + self.pace.lease;
        let mut tx = self.state.db.write().await?;
        let renewed = tx.renew_job(row.id, row.attempts, until).await?;
        tx.commit().await?;
        Ok(renewed)
    }
}
