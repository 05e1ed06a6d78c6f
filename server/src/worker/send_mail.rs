//! Sends one letter.

use super::{JobError, JobHandler};
use crate::jobs::send_mail::SendMail;
use crate::state::AppState;

#[async_trait::async_trait]
impl JobHandler for SendMail {
    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        let sent = state.mailer.send(&self.0).await;
        state
            .metrics
            .count_mail(if sent.is_ok() { "sent" } else { "failed" });
        sent.map_err(|error| JobError(error.to_string()))
    }
}
