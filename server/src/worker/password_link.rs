//! Mails a password link to an address, if it has an account.

use super::{JobError, JobHandler};
use crate::jobs::password_link::SendPasswordLink;
use crate::services::portal::people::links;
use crate::state::AppState;

#[async_trait::async_trait]
impl JobHandler for SendPasswordLink {
    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        links::mail_password_link(state, &self.email_key)
            .await
            .map_err(|stop| JobError(format!("{stop:?}")))
    }
}
