//! A form being shown: what was typed, and what is wrong with it.

use super::{FormFields, Page};
use crate::portal::{FieldError, PortalError};
use crate::ui::FormField;

/// Contents of a form: values and errors. Cheap to make: one per page.
#[derive(Clone, Debug, Default)]
pub struct Form {
    values: FormFields,
    errors: Vec<FieldError>,
}

impl Form {
    /// A form nobody has sent yet, with these values preselected.
    pub fn fresh(values: &[(&str, impl AsRef<str>)]) -> Self {
        Self {
            values: FormFields(
                values
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), value.as_ref().to_owned()))
                    .collect(),
            ),
            errors: Vec::new(),
        }
    }

    /// A form that was taken, shown again as it was typed.
    pub fn typed(values: FormFields) -> Self {
        let errors = Vec::new();
        Self { values, errors }
    }

    /// A refused form: as it was typed, with what needs mending. Trouble of another kind is passed on.
    pub fn refused(values: FormFields, error: PortalError) -> Result<Self, PortalError> {
        match error {
            PortalError::Refused(errors) => Ok(Self { values, errors }),
            PortalError::Conflict(message) => Ok(Self {
                values,
                errors: vec![FieldError { name: "", message }],
            }),
            other => Err(other),
        }
    }

    /// One control of the form.
    pub fn entry(&self, name: &'static str) -> FormField {
        FormField {
            name: name.into(),
            value: self.values.get(name).to_owned(),
            error: self.error(name),
            first_error: self.errors.first().is_some_and(|first| first.name == name),
        }
    }

    /// Every value of a control that may have several.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.values.all(name)
    }

    /// For the summary above the form. `known` are the form's own controls: what is wrong with anything else belongs
    /// to the form as a whole, so that no refusal is ever silent.
    pub fn errors(&self, known: &[&str]) -> Vec<FormField> {
        self.errors
            .iter()
            .map(|error| FormField {
                name: if known.contains(&error.name) {
                    error.name.into()
                } else {
                    "".into()
                },
                error: Some(error.message.clone()),
                ..FormField::default()
            })
            .collect()
    }

    /// Shows a page about this form with the status that is true: 422 if it was refused.
    pub fn status(&self, page: Page) -> Page {
        if self.errors.is_empty() {
            page
        } else {
            page.status(422)
        }
    }

    /// Returns `true` if the form was refused: the passwords that were typed into it are gone.
    pub const fn was_refused(&self) -> bool {
        !self.errors.is_empty()
    }

    fn error(&self, name: &str) -> Option<String> {
        self.errors
            .iter()
            .find(|error| error.name == name)
            .map(|error| error.message.clone())
    }
}
