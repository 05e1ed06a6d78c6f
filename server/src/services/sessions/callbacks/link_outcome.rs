//! The tenant's own link, with the outcome of a callback in its query.

use app::domain::problem::Code;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::aad;
use crate::services::refusal::{ApiError, Refusal};
use crate::services::sessions::standing::open_state;
use crate::state::AppState;
use crate::storage::callbacks::CallbackRow;
use crate::storage::sessions::SessionRow;

/// Unreserved characters stay (RFC 3986, section 2.3).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// `error` and `error_code` of an end-user who said no.
pub(super) const DENIED: (&str, &str) = ("access_denied", "access_denied");
/// `error_code`, without an `error`, of a callback after its session came to its good end.
const ALREADY_COMPLETED: &str = "already_completed";

/// Outcome of a callback that is put into the query of the tenant's link. The names it adds are those of `RESERVED` in
/// `domain::tenant`.
pub(super) enum LinkOutcome {
    Token(String),
    /// The session goes on: with this nonce, if its next step is the app's to submit.
    Continues(Option<String>),
    /// The session was completed before, and there is nothing left to hand out.
    AlreadyCompleted,
    Error {
        error: &'static str,
        code: &'static str,
        /// Nonce of the step that may be tried again; `None` if the session is over.
        nonce: Option<String>,
    },
}

impl LinkOutcome {
    pub(super) fn error(
        (error, code): (&'static str, &'static str),
        nonce: Option<String>,
    ) -> Self {
        Self::Error { error, code, nonce }
    }

    /// The session can no longer complete; the code says why.
    pub(super) fn ended(why: Code) -> Self {
        Self::error(("expired", why.as_str()), None)
    }
}

/// Returns the tenant's link with the outcome, and the session's `state`, in its query.
pub(super) fn link_with_outcome(
    state: &AppState,
    callback: &CallbackRow,
    session: &SessionRow,
    outcome: LinkOutcome,
) -> Result<String, ApiError> {
    let plain = state.vault.open(
        &aad::redirect_link(callback.session_id, callback.position),
        &callback.link,
    )?;
    let link = String::from_utf8_lossy(&plain).into_owned();
    if link.is_empty() {
        return Err(Refusal::new(Code::TppRedirectError)
            .says("The step named no link to go back to.")
            .into());
    }
    let id = session.id.to_string();
    let own = open_state(state, session)?;
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    match &outcome {
        LinkOutcome::Token(token) => pairs.push(("temp_token", token)),
        LinkOutcome::Continues(nonce) => {
            pairs.extend(nonce.as_deref().map(|nonce| ("nonce", nonce)));
        }
        LinkOutcome::AlreadyCompleted => pairs.push(("error_code", ALREADY_COMPLETED)),
        LinkOutcome::Error { error, code, nonce } => {
            pairs.extend([("error", *error), ("error_code", *code)]);
            pairs.extend(nonce.as_deref().map(|nonce| ("nonce", nonce)));
        }
    }
    pairs.push(("session_id", &id));
    pairs.extend(own.as_deref().map(|own| ("state", own)));
    Ok(with_query(&link, &pairs))
}

/// Adds to a link's query; links have no fragment.
fn with_query(link: &str, pairs: &[(&str, &str)]) -> String {
    let mut link = link.to_owned();
    let mut separator = if link.contains('?') { '&' } else { '?' };
    for (name, value) in pairs {
        if !link.ends_with(['?', '&']) {
            link.push(separator);
        }
        link.push_str(name);
        link.push('=');
        link.extend(utf8_percent_encode(value, QUERY));
        separator = '&';
    }
    link
}

#[cfg(test)]
mod tests {
    use super::with_query;

    #[test]
    fn what_is_added_to_a_link_leaves_the_rest_as_it_was() {
        let pairs = [("temp_token", "a-b_c"), ("state", "x&y=1 z")];
        let added = "temp_token=a-b_c&state=x%26y%3D1%20z";
        for (link, joined) in [
            ("myapp://return", "myapp://return?"),
            (
                "https://app.example.com/return?x=1",
                "https://app.example.com/return?x=1&",
            ),
            (
                "https://app.example.com/return?x=%20a%2Bb&Y=&&=c",
                "https://app.example.com/return?x=%20a%2Bb&Y=&&=c&",
            ),
            (
                "https://app.example.com/return?",
                "https://app.example.com/return?",
            ),
            ("com.example.app:/oauth", "com.example.app:/oauth?"),
        ] {
            assert_eq!(with_query(link, &pairs), format!("{joined}{added}"));
        }
    }
}
