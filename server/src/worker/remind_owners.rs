//! Once a day, tells owners of tenants whose consents end soon.

use chrono::{Days, NaiveTime};

use super::{JobError, JobHandler};
use crate::jobs::Job as _;
use crate::jobs::remind_owners::RemindOwners;
use crate::services::consents::reminders;
use crate::state::AppState;

/// The hour of the day, UTC.
const HOUR: NaiveTime = match NaiveTime::from_hms_opt(6, 0, 0) {
    Some(hour) => hour,
    None => NaiveTime::MIN,
};

#[async_trait::async_trait]
impl JobHandler for RemindOwners {
    const LIMIT: std::time::Duration = std::time::Duration::from_mins(10);
    /// It is never given up.
    const TRIES: i64 = i64::MAX;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        let sent = reminders::send(state).await;
        sent.map_err(|failure| JobError(failure.to_string()))?;
        let mut tx = state.db.write().await?;
        // This very job is still in the table; another one beside it is enough.
        if tx.count_jobs(Self::KIND).await? <= 1 {
            let tomorrow = state.clock.now().date_naive() + Days::new(1);
            let next = tomorrow.and_time(HOUR).and_utc();
            state.queue.add_at(&mut tx, self, next).await?;
            tx.commit().await?;
        }
        Ok(())
    }
}
