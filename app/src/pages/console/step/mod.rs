//! A step's form, made from the JSON Schema of its data: what it asks for, how typed fields become data and data becomes
//! typed fields, and how it looks. What no control is for is asked for as JSON; whether data is right is the API's to say.

mod controls;
mod fields;
mod view;

use std::borrow::Cow;

use serde_json::Value;

pub(super) use view::controls;

use json::ReadLimits;

use crate::domain::schema::referenced;
use crate::pages::FormFields;
use controls::Control;

/// Errors in a step's data: the path of each value, and a message.
pub(super) type StepErrors = Vec<(String, String)>;

/// Values typed into a form and the errors in them, by the path of the control.
#[derive(Clone, Debug, Default)]
pub(super) struct Typed {
    pub values: FormFields,
    /// In the order of the controls.
    pub errors: StepErrors,
}

/// The whole form of a step.
pub(super) struct StepForm {
    root: Control,
}

impl StepForm {
    /// The form for a schema. Its first path is `data`, as in the API's own errors.
    pub fn of(schema: &Value) -> Self {
        Self {
            root: Control::of(schema, schema, "data", "data", true),
        }
    }

    /// The fields for a text of data; none if the form could not say the same: it then stays a text.
    pub fn fill(&self, data: &str) -> Option<FormFields> {
        let data = json::read(data.as_bytes(), ReadLimits::BODY).ok()?;
        let data = data.to_value().ok()?;
        if !self.root.is_group() {
            return None;
        }
        let mut values = Vec::new();
        fields::fill(&self.root, Some(&data), &mut values)?;
        let values = FormFields(values);
        let same = self.read(&values).is_ok_and(|read| read == data);
        same.then_some(values)
    }

    /// The data that fields say, or what is wrong with those that are asked for as JSON.
    pub fn read(&self, values: &FormFields) -> Result<Value, StepErrors> {
        let mut errors = Vec::new();
        let data = fields::read(&self.root, values, &mut errors);
        if errors.is_empty() {
            Ok(data.unwrap_or_else(|| Value::Object(serde_json::Map::new())))
        } else {
            Err(errors)
        }
    }

    /// Gives each error of the API to the control it is about: the one at its path, or the nearest around it. What is
    /// about no control comes back.
    pub fn place(&self, errors: StepErrors) -> (StepErrors, StepErrors) {
        let mut paths = Vec::new();
        self.root.paths(&mut paths);
        let (mut placed, mut left) = (Vec::new(), Vec::new());
        for (path, message) in errors {
            let around = paths.iter().filter(|known| is_at_or_in(&path, known));
            match around.max_by_key(|known| known.len()) {
                Some(control) if *control != "data" => {
                    let inner = path.strip_prefix(control.as_str()).unwrap_or_default();
                    let said = [inner.trim_start_matches('.'), message.as_str()];
                    let said = said.iter().filter(|word| !word.is_empty());
                    let said: Vec<&str> = said.copied().collect();
                    placed.push((control.clone(), said.join(": ")));
                }
                _ => left.push((path, message)),
            }
        }
        placed.sort_by_key(|(path, _)| paths.iter().position(|known| known == path));
        (placed, left)
    }
}

/// Returns `true` if a path is that of a control, or leads to something inside it.
fn is_at_or_in(path: &str, control: &str) -> bool {
    path.strip_prefix(control)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// A schema with what its `$ref` points at (within `root`), its own words before the other's.
fn resolved<'a>(schema: &'a Value, root: &'a Value) -> Cow<'a, Value> {
    let mut found = Cow::Borrowed(schema);
    // A chain of references, but no endless one.
    for _ in 0..8 {
        let Some((_, Value::Object(target))) = referenced(&found, root) else {
            break;
        };
        let mut merged = target.clone();
        if let Value::Object(own) = found.as_ref() {
            let own = own.iter().filter(|(name, _)| *name != "$ref");
            merged.extend(own.map(|(name, value)| (name.clone(), value.clone())));
        }
        found = Cow::Owned(Value::Object(merged));
    }
    found
}

#[cfg(test)]
mod tests;
