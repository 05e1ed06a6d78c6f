//! What a service answers an API call it did not serve: a code of the catalogue with what only the service knows.
//!
//! `return Err(Code::InvalidNonce.into())`, or with words of one's own:
//! `Err(Refusal::new(Code::InvalidStep).says(format!("The session expects {name}.")).into())`

use app::domain::problem::Code;

use crate::crypto::Unsealable;
use crate::state::Locked;
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

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct FieldProblem {
    /// Where it is: `data.psu_redirect_link`, `payment_info[0].amount`.
    pub path: String,
    /// `missing_fields`, `unknown_fields`, `invalid_field` or `invalid_input`.
    pub code: &'static str,
    /// What was expected.
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

/// Why a service did not do what an API call asked.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    #[error("refused: {}", .0.code)]
    Refused(Box<Refusal>),
    #[error("database: {0}")]
    Database(#[from] DbError),
    /// Something that cannot be is so; the text is for the log alone.
    #[error("{0}")]
    Broken(String),
}

impl From<Code> for Failure {
    fn from(code: Code) -> Self {
        Refusal::new(code).into()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

impl From<Unsealable> for Failure {
    fn from(error: Unsealable) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<Locked> for Failure {
    fn from(error: Locked) -> Self {
        match error {
            Locked::Database(error) => error.into(),
            Locked::Unsealable(error) => error.into(),
        }
    }
}
