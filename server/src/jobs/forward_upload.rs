//! Handing a file that came with a step on to the provider.

use app::domain::ids::{SessionId, UploadId};
use serde::{Deserialize, Serialize};

use super::{Class, Job};

/// One file of a session.
#[derive(Serialize, Deserialize)]
pub struct ForwardUpload {
    pub session: SessionId,
    pub upload: UploadId,
}

impl Job for ForwardUpload {
    const KIND: &'static str = "forward_upload";
    const CLASS: Class = Class::Sessions;
}
