//! Follows a payment at its bank until nothing can happen to it any more.

use super::{JobError, JobHandler};
use crate::jobs::follow_payment::FollowPayment;
use crate::services::refusal::ApiError;
use crate::services::sessions::payments;
use crate::state::AppState;

#[async_trait::async_trait]
impl JobHandler for FollowPayment {
    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        match payments::poll(state, self.payment).await {
            // A bank that is down: the next look is in the table already.
            Ok(()) | Err(ApiError::Refused(_)) => Ok(()),
            Err(failure) => Err(JobError(failure.to_string())),
        }
    }
}
