//! What a service answers that did not do what it was asked: one error for all of them. An API call is refused with a code
//! of the catalogue and what only the service knows; a person with what the portal shows.
//!
//! `return Err(Code::InvalidNonce.into())`, or with words of one's own:
//! `Err(Refusal::new(Code::InvalidStep).says(format!("The session expects {name}.")).into())`

use std::fmt;

use app::domain::problem::Code;
use app::portal::PortalError;
use kernel::crypto::Unsealable;

use crate::state::DataKeyError;
use crate::state::passwords::HashingFailed;
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

/// Reason why a service did not do what it was asked: a refusal fit to be sent, of the kind that the asker understands, or
/// something that is our fault and for the log alone. `?` makes one of everything that can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError<R = PortalError> {
    #[error("refused: {0}")]
    Refused(R),
    #[error("database: {0}")]
    Database(#[from] DbError),
    /// An invariant does not hold.
    #[error("{0}")]
    Broken(String),
}

/// Reason why a service did not do what an API call asked.
pub type ApiError = ServiceError<Box<Refusal>>;

impl<R> ServiceError<R> {
    /// An invariant does not hold: the reason, for the log alone.
    pub fn broken(why: impl fmt::Display) -> Self {
        Self::Broken(why.to_string())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)
    }
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

impl From<PortalError> for ServiceError {
    fn from(error: PortalError) -> Self {
        Self::Refused(error)
    }
}

impl<R> From<Unsealable> for ServiceError<R> {
    fn from(error: Unsealable) -> Self {
        Self::broken(error)
    }
}

impl<R> From<HashingFailed> for ServiceError<R> {
    fn from(error: HashingFailed) -> Self {
        Self::broken(error)
    }
}

impl<R> From<DataKeyError> for ServiceError<R> {
    fn from(error: DataKeyError) -> Self {
        match error {
            DataKeyError::Database(error) => error.into(),
            DataKeyError::Unsealable(error) => error.into(),
        }
    }
}
