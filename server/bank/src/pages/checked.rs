//! A decision form, judged.

/// Result of judging a decision form: what was approved, or the page again.
pub enum CheckedDecision<T> {
    Yes(T),
    /// The form is shown again; holds the page, which says what is wrong.
    Again(String),
}

impl<T> CheckedDecision<T> {
    /// Returns the decision with what was approved as another type.
    pub fn map<U>(self, to: impl FnOnce(T) -> U) -> CheckedDecision<U> {
        match self {
            Self::Yes(approved) => CheckedDecision::Yes(to(approved)),
            Self::Again(page) => CheckedDecision::Again(page),
        }
    }
}

/// The first value of a form's field.
pub fn field<'f>(fields: &'f [(String, String)], name: &str) -> Option<&'f str> {
    let found = fields.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value.as_str())
}
