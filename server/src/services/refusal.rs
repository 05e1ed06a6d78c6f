//! What a service answers an API call it did not serve: a code of the catalogue with what only the service knows.
//!
//! `return Err(Code::InvalidNonce.into())`, or with words of one's own:
//! `Err(Refusal::new(Code::InvalidStep).says(format!("The session expects {name}.")).into())`

use app::domain::problem::Code;
use kernel::crypto::Unsealable;

use crate::state::DataKeyError;
use crate::storage::DbError;

/// A refusal fit to be sent: nothing in it may be secret, internal, or about an end-user.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub code: Code,
    /// Instead of the catalogue's cause.
    pub message: Option<String>,
    /// Instead of the catalogue's fix.
    pub hint: Option<String>,
    pub fields: Vec<FieldProblem>,
    /// Seconds after which the same request is worth sending again.
    pub retry_after: Option<u64>,
}

/// Problem with one field of a request.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FieldProblem {
    /// Path of the field: `data.psu_redirect_link`, `payment_info[0].amount`.
    pub path: String,
    /// `missing_fields`, `unknown_fields`, `invalid_field` or `invalid_input`.
    pub code: &'static str,
    /// Expectation that the field does not meet, as a phrase that follows its path.
    pub message: String,
}

impl FieldProblem {
    pub fn new(path: impl Into<String>, code: Code, message: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            code: code.as_str(),
            message: message.into(),
        }
    }
}

impl Refusal {
    pub fn new(code: Code) -> Self {
        Self {
            code,
            message: None,
            hint: None,
            fields: Vec::new(),
            retry_after: None,
        }
    }

    /// Says what happened in better words than the catalogue's.
    #[must_use]
    pub fn says(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// Says what to do in better words than the catalogue's.
    #[must_use]
    pub fn hints(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Points at fields.
    #[must_use]
    pub fn at(mut self, fields: Vec<FieldProblem>) -> Self {
        self.fields = fields;
        self
    }

    /// Tells when to come back.
    #[must_use]
    pub fn after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

/// Reason why a service did not do what an API call asked.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("refused: {}", .0.code)]
    Refused(Box<Refusal>),
    #[error("database: {0}")]
    Database(#[from] DbError),
    /// An invariant does not hold; the text is for the log alone.
    #[error("{0}")]
    Broken(String),
}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Refusal::new(code).into()
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<Unsealable> for ApiError {
    fn from(error: Unsealable) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<DataKeyError> for ApiError {
    fn from(error: DataKeyError) -> Self {
        match error {
            DataKeyError::Database(error) => error.into(),
            DataKeyError::Unsealable(error) => error.into(),
        }
    }
}
