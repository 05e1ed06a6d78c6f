//! What an upload answers.

use serde::Serialize;
use uuid::Uuid;

use crate::services::sessions::uploads::AcceptedUpload;

/// A file that is kept. The same kind and content sent again gets the same answer.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Uploaded {
    pub upload_id: Uuid,
    pub kind: String,
    /// Size of the file, in bytes.
    pub size: u64,
    /// SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: String,
    /// Status of the session after the upload: the last required file of a last step makes it `SESSION_COMPLETED`.
    #[schema(value_type = String)]
    pub status: &'static str,
}

impl From<AcceptedUpload> for Uploaded {
    fn from(arrived: AcceptedUpload) -> Self {
        Self {
            upload_id: arrived.upload_id.0,
            kind: arrived.kind,
            size: arrived.size,
            sha256: arrived.sha256,
            status: arrived.status.as_str(),
        }
    }
}
