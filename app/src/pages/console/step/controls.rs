//! What a schema asks for, as controls.

use serde_json::Value;

use super::resolved;

/// Deepest nesting of objects that is shown as fieldsets: deeper ones are asked for as JSON.
const DEEPEST: usize = 8;

/// One control, or a group of them.
#[derive(Clone, Debug)]
pub(super) struct Control {
    /// Path of its value: `data.payment_info[0].debtor.name`. The control's name and id.
    pub path: String,
    /// Its key in the object around it.
    pub key: String,
    pub title: String,
    pub about: Option<String>,
    pub required: bool,
    pub kind: ControlKind,
}

/// Kind of a control.
#[derive(Clone, Debug)]
pub(super) enum ControlKind {
    /// A line of text, and the `inputmode` that suits it.
    Text(Option<&'static str>),
    /// A number that is a number in JSON, too.
    Number,
    /// A day, as ISO 8601 writes it.
    Date,
    Choice(Vec<Value>),
    /// A box to tick: ticked it is this value, else nothing.
    Tick(Value),
    /// A box to tick: ticked it is true, else false.
    Switch,
    /// An object.
    Group(Vec<Control>),
    /// An array that has exactly one entry.
    One(Box<Control>),
    /// Anything else.
    Json,
}

impl Control {
    /// The control for a schema within `root`.
    pub fn of(schema: &Value, root: &Value, path: &str, key: &str, required: bool) -> Self {
        let schema = resolved(schema, root);
        let word = |name: &str| schema.get(name).and_then(Value::as_str).map(str::to_owned);
        Self {
            title: word("title").unwrap_or_else(|| spoken(key)),
            about: word("description"),
            kind: kind(&schema, root, path, required),
            path: path.to_owned(),
            key: key.to_owned(),
            required,
        }
    }

    pub fn is_group(&self) -> bool {
        matches!(self.kind, ControlKind::Group(_))
    }

    /// Every path that errors can be shown at, in order.
    pub fn paths(&self, paths: &mut Vec<String>) {
        paths.push(self.path.clone());
        match &self.kind {
            ControlKind::Group(parts) => parts.iter().for_each(|part| part.paths(paths)),
            ControlKind::One(part) => part.paths(paths),
            _ => {}
        }
    }
}

fn kind(schema: &Value, root: &Value, path: &str, required: bool) -> ControlKind {
    if let Some(value) = schema.get("const") {
        return ControlKind::Tick(value.clone());
    }
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return ControlKind::Choice(values.clone());
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") if is(schema, "format", "date") => ControlKind::Date,
        Some("string") => ControlKind::Text(keyboard(schema)),
        Some("integer" | "number") => ControlKind::Number,
        Some("boolean") if required => ControlKind::Switch,
        Some("boolean") => ControlKind::Choice(vec![true.into(), false.into()]),
        Some("object") => group(schema, root, path),
        Some("array") => one(schema, root, path),
        _ => ControlKind::Json,
    }
}

fn group(schema: &Value, root: &Value, path: &str) -> ControlKind {
    let properties = schema.get("properties").and_then(Value::as_object);
    let Some(properties) = properties.filter(|_| path.split('.').count() <= DEEPEST) else {
        return ControlKind::Json;
    };
    let required = schema.get("required").and_then(Value::as_array);
    let required: Vec<&str> = required
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let parts = properties.iter().filter(|(_, part)| **part != false);
    let parts = parts.map(|(key, part)| {
        let must = required.contains(&key.as_str());
        Control::of(part, root, &format!("{path}.{key}"), key, must)
    });
    ControlKind::Group(parts.collect())
}

/// An array of exactly one object is shown as that object.
fn one(schema: &Value, root: &Value, path: &str) -> ControlKind {
    let entries = |name: &str| schema.get(name).and_then(Value::as_u64);
    let (Some(1), Some(1), Some(items)) = (
        entries("minItems"),
        entries("maxItems"),
        schema.get("items"),
    ) else {
        return ControlKind::Json;
    };
    let part = Control::of(items, root, &format!("{path}[0]"), "", true);
    if part.is_group() {
        ControlKind::One(Box::new(part))
    } else {
        ControlKind::Json
    }
}

fn is(schema: &Value, name: &str, word: &str) -> bool {
    schema.get(name).and_then(Value::as_str) == Some(word)
}

/// Returns the `inputmode` for a text, by which a phone chooses its keyboard: numeric ones where the pattern allows
/// digits, but no letters, slashes, colons or blanks. `None` for the usual keyboard.
fn keyboard(schema: &Value) -> Option<&'static str> {
    if is(schema, "format", "email") {
        return Some("email");
    }
    let pattern = schema.get("pattern")?.as_str()?.replace("\\d", "0");
    let digits = pattern.contains(|letter: char| letter.is_ascii_digit());
    let other = |letter: char| letter.is_ascii_alphabetic() || "/: ".contains(letter);
    if !digits || pattern.contains(other) {
        return None;
    }
    Some(if pattern.contains("[+]") {
        "tel"
    } else {
        "decimal"
    })
}

/// `debtor_account` as people say it: Debtor account; what is short for something in capitals.
fn spoken(key: &str) -> String {
    const SHORT: [&str; 4] = ["bic", "iban", "id", "psu"];
    let words = key.split('_').enumerate().map(|(place, word)| {
        let mut word = word.to_owned();
        if SHORT.contains(&word.as_str()) {
            word.make_ascii_uppercase();
        } else if let Some(first) = word.get_mut(..1).filter(|_| place == 0) {
            first.make_ascii_uppercase();
        }
        word
    });
    words.collect::<Vec<_>>().join(" ")
}
