//! The filter of the request log, as an address sets it.

use super::FormFields;
use crate::domain::ids::TenantId;
use crate::portal::requests::RequestFilter;
use crate::portal::{FieldError, PortalError};

/// Methods that a call can have been made with.
const METHODS: &[&str] = &[
    "GET", "POST", "DELETE", "HEAD", "OPTIONS", "PUT", "PATCH", "TRACE", "CONNECT",
];

/// The filter of an address; or what is wrong with each of its parts, because one that is passed over would show calls that
/// were not asked for.
pub(super) fn filter(query: &FormFields) -> Result<RequestFilter, PortalError> {
    let mut reading = Reading {
        query,
        wrong: Vec::new(),
    };
    let text = |name| Some(query.get(name).trim().to_owned()).filter(|text| !text.is_empty());
    let filter = RequestFilter {
        tenant: reading.id("tenant", "This tenant ID is not valid. Choose a tenant from the list."),
        status: reading.word("status", as_status, "Choose a status, like 404 or 4xx."),
        method: reading.word("method", as_method, "Choose a method, like GET."),
        q: text("q"),
        source: reading.word(
            "source",
            as_source,
            "Choose a source: your code or the console.",
        ),
        session: reading.id("session", "The session ID in the address is not valid."),
        keys: reading
            .id("key", "The key ID in the address is not valid.")
            .into_iter()
            .collect(),
        before: reading.id(
            "before",
            "The page of the list that the address names does not exist. Start again from the first one.",
        ),
        after: reading.id(
            "after",
            "The page of the list that the address names does not exist. Start again from the first one.",
        ),
    };
    if reading.wrong.is_empty() {
        Ok(filter)
    } else {
        Err(PortalError::Refused(reading.wrong))
    }
}

/// Values of a query while they are read one by one, and what is wrong with them.
struct Reading<'a> {
    query: &'a FormFields,
    wrong: Vec<FieldError>,
}

impl Reading<'_> {
    fn id<T: std::str::FromStr>(&mut self, name: &'static str, why: &str) -> Option<T> {
        self.word(name, |text| text.parse().ok(), why)
    }

    /// A value as it is looked up; `None` if it is absent, or wrong.
    fn word<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&str) -> Option<T>,
        why: &str,
    ) -> Option<T> {
        let text = self.query.get(name).trim();
        let value = read(text);
        if value.is_none() && !text.is_empty() {
            let message = why.to_owned();
            self.wrong.push(FieldError { name, message });
        }
        value
    }
}

/// `4xx`, or a status of three digits.
fn as_status(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let digits = text.strip_suffix("xx").map(|class| format!("{class}00"));
    let status = digits.as_deref().unwrap_or(&text);
    let plain = status.len() == 3 && status.bytes().all(|b| b.is_ascii_digit());
    let known = plain && matches!(status.bytes().next(), Some(b'1'..=b'5'));
    known.then_some(text)
}

fn as_method(text: &str) -> Option<String> {
    let method = text.to_ascii_uppercase();
    METHODS.contains(&method.as_str()).then_some(method)
}

fn as_source(text: &str) -> Option<String> {
    let source = text.to_ascii_lowercase();
    matches!(source.as_str(), "api" | "console").then_some(source)
}

/// Refuses the tenant of somebody else, or of nobody: a list of its calls would be empty without a word.
pub(super) fn one_of_mine(
    filter: RequestFilter,
    names: &[(String, String)],
) -> Result<RequestFilter, PortalError> {
    let mine = |tenant: TenantId| names.iter().any(|(id, _)| *id == tenant.to_string());
    if filter.tenant.is_none_or(mine) {
        return Ok(filter);
    }
    Err(PortalError::field(
        "tenant",
        "This tenant is not one of yours.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_nothing_can_meet_is_named() {
        let read = |name: &str, value: &str| filter(&FormFields(vec![(name.into(), value.into())]));
        let id = "01a22755-58ed-7d10-ba81-9800ec74b75d";
        for (name, value) in [
            ("tenant", "junk"),
            ("session", "junk"),
            ("key", "7"),
            ("before", "junk"),
            ("after", "1"),
            ("status", "abc"),
            ("status", "600"),
            ("status", "4x"),
            ("status", "0xx"),
            ("status", "+404"),
            ("status", "-1"),
            ("method", "FETCH"),
            ("source", "browser"),
        ] {
            let Err(PortalError::Refused(wrong)) = read(name, value) else {
                panic!("{name}={value}")
            };
            assert_eq!(wrong.len(), 1, "{wrong:?}");
            assert_eq!(wrong.first().map(|wrong| wrong.name), Some(name));
        }
        assert_eq!(
            read("status", " 4XX ").unwrap().status.as_deref(),
            Some("4xx")
        );
        assert_eq!(
            read("status", "404").unwrap().status.as_deref(),
            Some("404")
        );
        assert_eq!(
            read("method", "get").unwrap().method.as_deref(),
            Some("GET")
        );
        assert_eq!(
            read("source", "API").unwrap().source.as_deref(),
            Some("api")
        );
        assert_eq!(read("key", id).unwrap().keys.len(), 1);
        assert!(read("tenant", "").unwrap().tenant.is_none());
    }
}
