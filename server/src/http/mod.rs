//! What every call passes through, whichever door it came to: reading, proving, counting, noting, answering.

pub mod api_layer;
pub mod call;
pub mod compress;
pub mod cors;
pub mod credentials;
pub mod describe;
pub mod encoding;
pub mod fields;
pub mod form;
pub mod json;
pub mod notes;
pub mod notice;
pub mod once;
pub mod paths;
pub mod proxies;
pub mod record;
pub mod security_headers;
pub mod serve;
pub mod signed;
pub mod slips;
pub mod tagged;
pub mod tee;
#[cfg(test)]
mod tests;
pub mod url_secrets;
