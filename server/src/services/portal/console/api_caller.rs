//! The console's way into the public API: a trait that the API's door implements and hands over at start. The console's
//! calls take the same route as everybody's, and no service knows what a router is.

use app::domain::ids::RequestId;
use async_trait::async_trait;
use bytes::Bytes;

use crate::services::access::keys::ConsoleGrant;

/// Makes calls to the API inside the process.
#[async_trait]
pub trait ApiCaller: Send + Sync {
    /// Makes a call, and reads its answer: at most `longest` bytes of body.
    async fn call(&self, call: ApiCall<'_>, longest: usize) -> Result<ApiAnswer, ApiCallError>;
}

/// A call to the API.
pub struct ApiCall<'a> {
    /// Path, with its query if there is one.
    pub path: &'a str,
    /// `None` for a GET.
    pub posted: Option<PostedBody>,
}

/// What is posted, and in whose name.
pub struct PostedBody {
    /// Value of `Content-Type`.
    pub media: String,
    pub bytes: Bytes,
    /// Stands in for the tenant's keys.
    pub grant: ConsoleGrant,
}

/// The API's answer.
pub struct ApiAnswer {
    pub status: u16,
    /// The id under which the call is in the request log.
    pub request: Option<RequestId>,
    /// The link that a redirect leads to.
    pub location: Option<String>,
    pub body: Bytes,
}

/// A call that was not made, or whose answer was not read.
#[derive(Debug, thiserror::Error)]
#[error("a call of the console to the API failed: {0}")]
pub struct ApiCallError(pub String);
