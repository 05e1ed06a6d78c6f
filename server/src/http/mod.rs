//! What every call passes through, whichever door it came to: reading, proving, counting, noting, answering.

pub mod api_layer;
pub mod call;
pub mod cors;
pub mod credentials;
pub mod describe;
pub mod fields;
pub mod form;
pub mod json;
pub mod notes;
pub mod once;
pub mod proxies;
pub mod security_headers;
pub mod serve;
pub mod signed;
pub mod tagged;
pub mod tee;
pub mod url_secrets;
#[cfg(test)]
mod tests;
