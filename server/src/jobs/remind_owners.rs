//! Once a day, tells owners of tenants whose consents end soon.

use chrono::{Days, NaiveTime};
use serde::{Deserialize, Serialize};

use super::{Class, Job, JobError};
use crate::services::consents::reminders;
use crate::state::AppState;

/// The hour of the day, UTC.
const HOUR: NaiveTime = match NaiveTime::from_hms_opt(6, 0, 0) {
    Some(hour) => hour,
    None => NaiveTime::MIN,
};

/// One day's reminders.
#[derive(Serialize, Deserialize)]
pub struct RemindOwners {}

#[async_trait::async_trait]
impl Job for RemindOwners {
    const KIND: &'static str = "remind_owners";
    const CLASS: Class = Class::Mail;
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
