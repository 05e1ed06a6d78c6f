//! How long a claim holds.

use chrono::Duration;

/// Time for which a claim holds on a step, a poll, a fetch, or a request with an `Idempotency-Key`. If the process that
/// made it dies, others wait no longer than this. It is longer than any one call to a provider may take; a fetch renews it.
pub const LEASE: Duration = Duration::seconds(60);
