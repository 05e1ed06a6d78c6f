//! Following a payment at its bank until nothing can happen to it any more: the end-user may close the browser, and the
//! bank executes it on its own day.

use app::domain::ids::PaymentId;
use serde::{Deserialize, Serialize};

use super::{Class, Job};

/// The payment to look at.
#[derive(Serialize, Deserialize)]
pub struct FollowPayment {
    pub payment: PaymentId,
}

impl Job for FollowPayment {
    const KIND: &'static str = "follow_payment";
    const CLASS: Class = Class::Payments;
}
