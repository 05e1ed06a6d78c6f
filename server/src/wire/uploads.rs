//! What an upload answers.

use serde::Serialize;
use uuid::Uuid;

use crate::services::uploads::Arrived;

/// A file that is kept. The same kind and content sent again gets the same answer.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Uploaded {
    pub upload_id: Uuid,
    pub kind: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the file, in lower-case hexadecimal.
    pub sha256: String,
    /// Where the session stands now: the last required file of a last step makes it `SESSION_COMPLETED`.
    #[schema(value_type = String)]
    pub status: &'static str,
}

impl From<Arrived> for Uploaded {
    fn from(arrived: Arrived) -> Self {
        Self {
            upload_id: arrived.upload_id.0,
            kind: arrived.kind,
            size: arrived.size,
            sha256: arrived.sha256,
            status: arrived.status.as_str(),
        }
    }
}
