//! The types a field can have.

use app::domain::currency::Currency;
use app::domain::ids::{
    AccountId, BalanceId, CredentialsId, ProductId, SessionId, StepId, TransactionId,
};
use app::domain::moment::{Moment, NoMoment};
use app::domain::problem::Code;
use json::{JsonValue, Number};
use kernel::nul::storable;
use secrecy::SecretString;
use serde_json::{Map, Value};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{KnownFormat, RefOr};

use super::{Field, FieldPath, object, schema_of, schema_of_pattern, text_field};
use crate::services::refusal::FieldProblem;
use crate::text::fold;

/// The longest text a field takes, in bytes.
const MAX_TEXT: usize = 16 * 1024;

impl Field for String {
    fn read(value: JsonValue<'_>, at: &mut FieldPath<'_>) -> Option<Self> {
        match value {
            JsonValue::Text(text) if text.len() > MAX_TEXT => at.invalid("is too long"),
            JsonValue::Text(text) if !storable(&text) => {
                at.invalid("must not contain NUL characters")
            }
            JsonValue::Text(text) => Some(text.into_owned()),
            other => at.invalid(format!("must be a string, not {}", other.kind())),
        }
    }
    fn schema() -> RefOr<Schema> {
        schema_of(Type::String, None)
    }
}

/// A text of 1 to `MAX` characters.
pub struct Text<const MAX: usize>(pub String);

impl<const MAX: usize> Field for Text<MAX> {
    fn read(value: JsonValue<'_>, at: &mut FieldPath<'_>) -> Option<Self> {
        let text = String::read(value, at)?;
        if (1..=MAX).contains(&text.chars().count()) {
            return Some(Self(text));
        }
        at.invalid(format!("must have 1 to {MAX} characters"))
    }
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        Schema::Object(text.min_length(Some(1)).max_length(Some(MAX)).build()).into()
    }
}

/// Regular expression (ECMA-262) of a character that is to be seen: no blank (`White_Space`), control or format character
/// (`Cc`, `Cf`). The few format characters beyond U+FFFF are left out: their escapes differ from one engine to the next.
const VISIBLE: &str = "[^\\u0000-\\u0020\\u007F-\\u00A0\\u00AD\\u0600-\\u0605\\u061C\\u06DD\\u070F\\u0890\\u0891\\u08E2\\u1680\\u180E\\u2000-\\u200F\\u2028-\\u202F\\u205F-\\u2064\\u2066-\\u206F\\u3000\\uFEFF\\uFFF9-\\uFFFB]";

/// A text of 1 to `MAX` characters of which something is to be seen: nothing could be found by another.
pub struct VisibleText<const MAX: usize>(pub String);

impl<const MAX: usize> Field for VisibleText<MAX> {
    fn read(value: JsonValue<'_>, at: &mut FieldPath<'_>) -> Option<Self> {
        let Text(text) = Text::<MAX>::read(value, at)?;
        if fold(&text).is_empty() {
            return at.invalid("must have a character that is no blank");
        }
        Some(Self(text))
    }
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new().schema_type(Type::String);
        let text = text.min_length(Some(1)).max_length(Some(MAX));
        Schema::Object(text.pattern(Some(VISIBLE)).build()).into()
    }
}

/// A moment that something kept can be equal to.
pub struct ExactMoment(pub Moment);

impl Field for ExactMoment {
    fn read(value: JsonValue<'_>, at: &mut FieldPath<'_>) -> Option<Self> {
        let moment = Moment::read(value, at)?;
        if moment.is_finer() {
            return at.invalid(NoMoment::TooFine.to_string());
        }
        Some(Self(moment))
    }
    fn schema() -> RefOr<Schema> {
        Moment::schema()
    }
}

impl Field for SecretString {
    fn read(value: JsonValue<'_>, at: &mut FieldPath<'_>) -> Option<Self> {
        String::read(value, at).map(Into::into)
    }
    fn schema() -> RefOr<Schema> {
        schema_of(Type::String, None)
    }
}

impl Field for bool {
    fn read(value: JsonValue<'_>, at: &mut FieldPath<'_>) -> Option<Self> {
        match (&value, value.as_str()) {
            (JsonValue::Bool(flag), _) => Some(*flag),
            (_, Some("true")) if at.in_query => Some(true),
            (_, Some("false")) if at.in_query => Some(false),
            _ => at.invalid(format!("must be true or false, not {}", value.kind())),
        }
    }
    fn schema() -> RefOr<Schema> {
        schema_of(Type::Boolean, None)
    }
}

impl Field for i64 {
    fn read(value: JsonValue<'_>, at: &mut FieldPath<'_>) -> Option<Self> {
        let number = match &value {
            JsonValue::Text(text) if at.in_query => text.parse().ok(),
            other => other.as_number().and_then(Number::as_i64),
        };
        number.or_else(|| at.invalid("must be a whole number"))
    }
    fn schema() -> RefOr<Schema> {
        schema_of(Type::Integer, Some(KnownFormat::Int64))
    }
}

/// A number exactly as it was written: never through binary floating point.
impl Field for Number<'static> {
    fn read(value: JsonValue<'_>, at: &mut FieldPath<'_>) -> Option<Self> {
        match value {
            JsonValue::Number(number) => Some(number.into_owned()),
            JsonValue::Text(text) if at.in_query => {
                Number::parse(&text).or_else(|| at.invalid("must be a number"))
            }
            other => at.invalid(format!("must be a number, not {}", other.kind())),
        }
    }
    fn schema() -> RefOr<Schema> {
        schema_of(Type::Number, None)
    }
}

/// A time to compare with: of a filter.
impl Field for Moment {
    fn read(value: JsonValue<'_>, at: &mut FieldPath<'_>) -> Option<Self> {
        let text = String::read(value, at)?;
        match Self::parse(&text, at.in_query) {
            Ok(moment) => Some(moment),
            Err(error) => at.invalid(error.to_string()),
        }
    }
    fn schema() -> RefOr<Schema> {
        schema_of(Type::String, Some(KnownFormat::DateTime))
    }
}

impl Field for Currency {
    fn read(value: JsonValue<'_>, at: &mut FieldPath<'_>) -> Option<Self> {
        let text = String::read(value, at)?;
        match Self::parse(&text) {
            Ok(currency) => Some(currency),
            Err(error) => at.invalid(error.to_string()),
        }
    }
    fn schema() -> RefOr<Schema> {
        schema_of_pattern("^[A-Za-z]{3}$")
    }
}

/// Any object; the skill's own schema says more.
impl Field for Map<String, Value> {
    fn read(value: JsonValue<'_>, at: &mut FieldPath<'_>) -> Option<Self> {
        match object(value, at)?.to_map() {
            Ok(map) => match unstorable(&map, &at.path()) {
                Some(path) => {
                    let expected = "must not contain NUL characters";
                    let problem = FieldProblem::new(path, Code::InvalidField, expected);
                    at.wrong.invalid.push(problem);
                    None
                }
                None => Some(map),
            },
            Err(inexact) => at.invalid(inexact.to_string()),
        }
    }
    fn schema() -> RefOr<Schema> {
        schema_of(Type::Object, None)
    }
}

/// Returns the path of a text that one of the databases would not keep, however deep it is.
fn unstorable(map: &Map<String, Value>, path: &str) -> Option<String> {
    fn find(value: &Value, path: String) -> Option<String> {
        match value {
            Value::String(text) => (!storable(text)).then_some(path),
            Value::Array(items) => {
                let mut items = items.iter().enumerate();
                items.find_map(|(at, item)| find(item, format!("{path}[{at}]")))
            }
            Value::Object(map) => unstorable(map, &path),
            Value::Null | Value::Bool(_) | Value::Number(_) => None,
        }
    }
    map.iter().find_map(|(name, value)| {
        if storable(name) {
            find(value, format!("{path}.{name}"))
        } else {
            Some(path.to_owned())
        }
    })
}

impl<T: Field> Field for Vec<T> {
    fn read(value: JsonValue<'_>, at: &mut FieldPath<'_>) -> Option<Self> {
        let items = match value {
            JsonValue::List(items) => items,
            other => return at.invalid(format!("must be an array, not {}", other.kind())),
        };
        let path = at.path();
        let mut read = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let name = format!("[{index}]");
            let mut at = FieldPath {
                prefix: &path,
                name: &name,
                in_query: at.in_query,
                wrong: at.wrong,
            };
            read.push(T::read(item, &mut at));
        }
        read.into_iter().collect()
    }
    fn schema() -> RefOr<Schema> {
        Schema::Array(ArrayBuilder::new().items(T::schema()).build()).into()
    }
}

text_field! {
    AccountId, "must be an id (UUID)", Some(KnownFormat::Uuid);
    ProductId, "must be an id (UUID)", Some(KnownFormat::Uuid);
    BalanceId, "must be an id (UUID)", Some(KnownFormat::Uuid);
    CredentialsId, "must be an id (UUID)", Some(KnownFormat::Uuid);
    SessionId, "must be an id (UUID)", Some(KnownFormat::Uuid);
    StepId, "must be an id (UUID)", Some(KnownFormat::Uuid);
    TransactionId, "must be an id (UUID)", Some(KnownFormat::Uuid);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_document_takes_the_texts_that_the_reader_takes() {
        let schema = json!({ "type": "string", "pattern": VISIBLE });
        let document = jsonschema::validator_for(&schema).unwrap();
        for c in (0..=0xFFFF).filter_map(char::from_u32) {
            let is_read = !fold(&c.to_string()).is_empty();
            let is_documented = document.is_valid(&json!(c.to_string()));
            assert_eq!(is_documented, is_read, "U+{:04X}", u32::from(c));
        }
    }
}
