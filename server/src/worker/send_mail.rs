//! Sends one letter.

use super::{JobError, JobHandler};
use crate::jobs::send_mail::SendMail;
use crate::state::AppState;

#[async_trait::async_trait]
impl JobHandler for SendMail {
    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        state
            .mailer
            .send(&self.0)
            .await
            .map_err(|error| JobError(error.to_string()))
    }
}
