//! Sends one letter. A try that fails halfway may send it twice, which a letter bears.

use serde::{Deserialize, Serialize};

use super::{Class, Job, JobError};
use crate::mail::Letter;
use crate::state::AppState;

/// A letter on its way out.
#[derive(Serialize, Deserialize)]
pub struct SendMail(pub Letter);

#[async_trait::async_trait]
impl Job for SendMail {
    const KIND: &'static str = "send_mail";
    const CLASS: Class = Class::Mail;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        state
            .mailer
            .send(&self.0)
            .await
            .map_err(|error| JobError(error.to_string()))
    }
}
