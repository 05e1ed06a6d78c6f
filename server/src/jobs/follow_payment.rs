//! Follows a payment at its bank until nothing can happen to it any more: the end-user may close the browser, and the
//! bank executes it on its own day.

use app::domain::ids::PaymentId;
use serde::{Deserialize, Serialize};

use super::{Class, Job, JobError};
use crate::services::refusal::ApiError;
use crate::services::sessions::payments;
use crate::state::AppState;

/// The payment to look at.
#[derive(Serialize, Deserialize)]
pub struct FollowPayment {
    pub payment: PaymentId,
}

#[async_trait::async_trait]
impl Job for FollowPayment {
    const KIND: &'static str = "follow_payment";
    const CLASS: Class = Class::Payments;

    async fn run(&self, state: &AppState) -> Result<(), JobError> {
        match payments::poll(state, self.payment).await {
            // A bank that is down: the next look is in the table already.
            Ok(()) | Err(ApiError::Refused(_)) => Ok(()),
            Err(failure) => Err(JobError(failure.to_string())),
        }
    }
}
