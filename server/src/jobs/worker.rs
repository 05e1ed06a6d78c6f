//! Claims due jobs one after another, runs them outside any transaction, and writes down how it went.

use std::time::Duration as StdDuration;

use chrono::Duration;
use tokio_util::sync::CancellationToken;

use super::console::ForgetRun;
use super::decide_verification::DecideVerification;
use super::erase_data::EraseData;
use super::fetch_data::FetchData;
use super::follow_payment::FollowPayment;
use super::forward_upload::ForwardUpload;
use super::password_link::PasswordLink;
use super::refresh_data::{RefreshConsent, RefreshData};
use super::remind_owners::RemindOwners;
use super::resume_session::ResumeSession;
use super::revoke_grant::RevokeGrant;
use super::send_mail::SendMail;
use super::stop_session::StopSession;
use super::{Job, JobError, place};
use crate::state::AppState;
use crate::storage::DbError;
use crate::storage::jobs::JobRow;

/// How long a worker may take for one try before another takes over.
const LEASE: Duration = Duration::seconds(60);
/// The longest sleep between two looks at the table: jobs of other processes come without a wake-up.
const LONGEST_SLEEP: StdDuration = StdDuration::from_secs(1);

/// Runs until told to stop; the job in hand is finished first.
pub async fn run(state: AppState, stop: CancellationToken) {
    while !stop.is_cancelled() {
        match run_one(&state).await {
            Ok(true) => {}
            Ok(false) => sleep(&state, &stop).await,
            Err(error) => {
                tracing::error!(%error, "the job table cannot be read");
                sleep(&state, &stop).await;
            }
        }
    }
}

/// Runs the job due longest; says whether there was one.
pub async fn run_one(state: &AppState) -> Result<bool, DbError> {
    let now = state.clock.now();
    let mut tx = state.db.write().await?;
    let Some(row) = tx.claim_job(now, now + LEASE).await? else {
        return Ok(false);
    };
    tx.commit().await?;
    let outcome = dispatch(state, &row).await;
    let mut tx = state.db.write().await?;
    match outcome {
        Ok(()) => tx.finish_job(row.id, row.attempts).await?,
        Err((error, tries)) => {
            let again = (row.attempts < tries).then(|| state.clock.now() + delay(row.attempts));
            tracing::warn!(job = %row.id, kind = row.kind, attempt = row.attempts, gives_up = again.is_none(), %error, "job failed");
            tx.retry_job(row.id, row.attempts, again, state.clock.now(), &error.0)
                .await?;
        }
    }
    tx.commit().await?;
    Ok(true)
}

/// Every kind of job the server knows; add a line for a new one.
async fn dispatch(state: &AppState, row: &JobRow) -> Result<(), (JobError, i64)> {
    const KINDS: &[fn(&AppState, &JobRow) -> Option<Running>] = &[
        as_kind::<DecideVerification>,
        as_kind::<EraseData>,
        as_kind::<FetchData>,
        as_kind::<FollowPayment>,
        as_kind::<ForgetRun>,
        as_kind::<ForwardUpload>,
        as_kind::<PasswordLink>,
        as_kind::<RefreshConsent>,
        as_kind::<RefreshData>,
        as_kind::<RemindOwners>,
        as_kind::<ResumeSession>,
        as_kind::<RevokeGrant>,
        as_kind::<SendMail>,
        as_kind::<StopSession>,
    ];
    for kind in KINDS {
        if let Some(running) = kind(state, row) {
            return running.await;
        }
    }
    Err((
        JobError(format!("no handler for jobs of kind {}", row.kind)),
        1,
    ))
}

type Running = std::pin::Pin<Box<dyn Future<Output = Result<(), (JobError, i64)>> + Send>>;

/// Runs a row as a job of kind `J`, if it is one.
fn as_kind<J: Job + 'static>(state: &AppState, row: &JobRow) -> Option<Running> {
    if row.kind != J::KIND {
        return None;
    }
    let state = state.clone();
    let opened = state.vault.open(&place(row.id), &row.payload);
    Some(Box::pin(async move {
        let plain = opened.map_err(|error| (JobError(error.to_string()), 1))?;
        let job: J =
            serde_json::from_slice(&plain).map_err(|error| (JobError(error.to_string()), 1))?;
        job.run(&state).await.map_err(|error| (error, J::TRIES))
    }))
}

/// 5 s, 10 s, 20 s ... up to an hour.
fn delay(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts.clamp(1, 11) - 1).unwrap_or(0);
    Duration::seconds((5_i64 << doublings).min(3600))
}

async fn sleep(state: &AppState, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = state.queue.wake.notified() => {}
        () = tokio::time::sleep(LONGEST_SLEEP) => {}
    }
}
