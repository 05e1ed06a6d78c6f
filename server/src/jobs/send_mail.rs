//! Sending one letter. A try that fails halfway may send it twice, which a letter bears.

use serde::{Deserialize, Serialize};

use super::{Class, Job};
use crate::mail::Letter;

/// A letter on its way out.
#[derive(Serialize, Deserialize)]
pub struct SendMail(pub Letter);

impl Job for SendMail {
    const KIND: &'static str = "send_mail";
    const CLASS: Class = Class::Mail;
}
