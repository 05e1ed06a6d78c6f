//! From typed fields to data, and back.

use json::{Number, ReadLimits};
use serde_json::{Map, Value};

use super::StepErrors;
use super::controls::{Control, ControlKind};
use crate::pages::FormFields;

/// The fields that say `value`; none where a control cannot.
pub(super) fn fill(
    part: &Control,
    value: Option<&Value>,
    fields: &mut Vec<(String, String)>,
) -> Option<()> {
    let Some(value) = value else {
        return Some(());
    };
    let text = match (&part.kind, value) {
        (ControlKind::Group(parts), Value::Object(object)) => {
            let mut parts = parts.iter();
            return parts.try_for_each(|part| fill(part, object.get(&part.key), fields));
        }
        (ControlKind::One(part), Value::Array(items)) => return fill(part, items.first(), fields),
        (ControlKind::Tick(ticked), value) => (ticked == value).then(|| "on".to_owned())?,
        (ControlKind::Switch, Value::Bool(on)) => {
            if !on {
                return Some(());
            }
            "on".to_owned()
        }
        (ControlKind::Json, value) => serde_json::to_string_pretty(value).ok()?,
        (ControlKind::Group(_) | ControlKind::One(_) | ControlKind::Switch, _) => return None,
        (_, Value::String(text)) => text.clone(),
        (ControlKind::Choice(_) | ControlKind::Number, value) => value.to_string(),
        (ControlKind::Text(_) | ControlKind::Date, _) => return None,
    };
    fields.push((part.path.clone(), text));
    Some(())
}

/// The value that the fields say; none if nothing was typed. What is no JSON where JSON is asked for is an error.
pub(super) fn read(part: &Control, fields: &FormFields, errors: &mut StepErrors) -> Option<Value> {
    let text = fields.get(&part.path);
    match &part.kind {
        ControlKind::Group(parts) => group(part, parts, fields, errors),
        ControlKind::One(one) => {
            let item = read(one, fields, errors).filter(|item| part.required || !is_empty(item));
            item.map(|item| Value::Array(vec![item]))
        }
        ControlKind::Tick(value) => (text == "on").then(|| value.clone()),
        ControlKind::Switch => Some(Value::Bool(text == "on")),
        _ if text.trim().is_empty() => None,
        ControlKind::Choice(values) => {
            let known = values.iter().find(|value| option(value) == text);
            Some(known.cloned().unwrap_or_else(|| text.into()))
        }
        // What is no number is sent as it was typed: the API says what is wrong with it.
        ControlKind::Number => Some(number(text).unwrap_or_else(|| text.into())),
        ControlKind::Json => any(part, text, errors),
        ControlKind::Text(_) | ControlKind::Date => Some(text.into()),
    }
}

/// An object that need not be there is not, if nothing of it was typed.
fn group(
    part: &Control,
    parts: &[Control],
    fields: &FormFields,
    errors: &mut StepErrors,
) -> Option<Value> {
    let mut object = Map::new();
    for part in parts {
        if let Some(value) = read(part, fields, errors) {
            object.insert(part.key.clone(), value);
        }
    }
    (part.required || !object.is_empty()).then_some(Value::Object(object))
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some_and(Map::is_empty)
}

fn number(text: &str) -> Option<Value> {
    let number = Number::parse(text.trim())?;
    number.to_exact().map(Value::Number)
}

fn any(part: &Control, text: &str, errors: &mut StepErrors) -> Option<Value> {
    let message = match json::read(text.as_bytes(), ReadLimits::BODY) {
        Ok(value) => match value.to_value() {
            Ok(value) => return Some(value),
            Err(inexact) => format!("{inexact}."),
        },
        Err(json::Fault {
            why, line, column, ..
        }) => format!("This is not JSON yet: line {line}, column {column}: {why}."),
    };
    errors.push((part.path.clone(), message));
    None
}

/// A choice as its option's value: a text as it is, anything else as JSON.
pub(super) fn option(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}
