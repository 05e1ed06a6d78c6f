//! Mailing a password link to an address, if it has an account. Whether it has is found out by the job and not in the
//! request that asked, so that the answer to that request takes the same time for every address.

use serde::{Deserialize, Serialize};

use super::{Class, Job};

/// An address somebody said is theirs, as its key.
#[derive(Serialize, Deserialize)]
pub struct SendPasswordLink {
    pub email_key: String,
}

impl Job for SendPasswordLink {
    const KIND: &'static str = "password_link";
    const CLASS: Class = Class::Mail;
}
