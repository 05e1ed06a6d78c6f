//! Headers that say who calls and what for, sent more than once. Servers, proxies and libraries differ in which of two
//! values they believe (RFC 9110, section 5.3), so two that differ are refused and none is chosen.

use app::domain::problem::Code;
use axum::http::HeaderMap;

use crate::services::refusal::{FieldProblem, Refusal};

/// Each, as the documentation writes it.
const ONCE: [&str; 7] = [
    "Authorization",
    "Idempotency-Key",
    "X-Client-Id",
    "X-Client-Secret",
    "X-Credentials-Id",
    "X-Access-Token",
    "X-Tenant-User-Id",
];

/// Refuses a head that gives one of them two values.
pub fn check(headers: &HeaderMap) -> Result<(), Refusal> {
    let twice: Vec<&str> = ONCE
        .into_iter()
        .filter(|name| {
            let mut values = headers.get_all(*name).iter();
            let first = values.next();
            values.any(|value| Some(value) != first)
        })
        .collect();
    if twice.is_empty() {
        return Ok(());
    }
    let message = format!(
        "Sent more than once, with different values: {}.",
        twice.join(", ")
    );
    let field = |name| FieldProblem::new(name, Code::InvalidField, "is sent more than once");
    Err(Refusal::new(Code::InvalidField)
        .says(message)
        .hints("Send each header once: which of two values counts would be anybody's guess.")
        .at(twice.into_iter().map(field).collect()))
}
