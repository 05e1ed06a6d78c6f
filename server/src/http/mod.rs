//! What every call passes through, whichever door it came to: reading, proving, counting, noting, answering.

pub mod accept;
pub mod api_layer;
pub mod call;
pub mod compress;
pub mod cors;
pub mod credentials;
pub mod describe;
pub mod encoding;
pub mod fields;
pub mod form;
pub mod idempotency;
pub mod json;
pub mod metrics;
pub mod notice;
pub mod path_text;
pub mod paths;
pub mod proxies;
pub mod record;
pub mod repeated;
pub mod request_context;
pub mod request_head;
pub mod security_headers;
pub mod serve;
pub mod signed;
pub mod slips;
pub mod tagged;
pub mod tee;
#[cfg(test)]
mod tests;
pub mod url_secrets;
