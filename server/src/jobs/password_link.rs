//! Mails a password link to an address, if it has an account. Whether it has is found out here and not in the request
//! that asked, so that the answer to that request takes the same time for every address.

use serde::{Deserialize, Serialize};

use super::{Class, Job, JobError};
use crate::services::portal::people::links;
use crate::state::AppState;

/// An address somebody said is theirs, as its key.
#[derive(Serialize, Deserialize)]
pub struct SendPasswordLink {
    pub email_key: String,
}

#[async_trait::async_trait]
impl Job for SendPasswordLink {
    const KIND: &'static str = "password_link";
    const CLASS: Class = Class::Mail;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        links::mail_password_link(state, &self.email_key)
            .await
            .map_err(|stop| JobError(format!("{stop:?}")))
    }
}
