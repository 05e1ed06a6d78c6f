//! The types a field can have.

use app::domain::ids::{
    AccountId, BalanceId, CredentialsId, ProductId, SessionId, StepId, TransactionId,
};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Map, Number, Value};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{KnownFormat, RefOr};

use super::{At, Field, kind, schema_of, text_field};

/// The longest text a field takes, in bytes.
const MAX_TEXT: usize = 16 * 1024;

impl Field for String {
    fn read(value: Value, at: &mut At<'_>) -> Option<Self> {
        match value {
            Value::String(text) if text.len() > MAX_TEXT => at.invalid("is too long"),
            Value::String(text) if text.contains('\0') => {
                at.invalid("must not contain NUL characters")
            }
            Value::String(text) => Some(text),
            other => at.invalid(format!("must be a string, not {}", kind(&other))),
        }
    }
    fn schema() -> RefOr<Schema> {
        schema_of(Type::String, None)
    }
}

/// A text of 1 to `MAX` characters.
pub struct Text<const MAX: usize>(pub String);

impl<const MAX: usize> Field for Text<MAX> {
    fn read(value: Value, at: &mut At<'_>) -> Option<Self> {
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

impl Field for SecretString {
    fn read(value: Value, at: &mut At<'_>) -> Option<Self> {
        String::read(value, at).map(Into::into)
    }
    fn schema() -> RefOr<Schema> {
        schema_of(Type::String, None)
    }
}

impl Field for bool {
    fn read(value: Value, at: &mut At<'_>) -> Option<Self> {
        match (&value, value.as_str()) {
            (Value::Bool(flag), _) => Some(*flag),
            (_, Some("true")) if at.in_query => Some(true),
            (_, Some("false")) if at.in_query => Some(false),
            _ => at.invalid(format!("must be true or false, not {}", kind(&value))),
        }
    }
    fn schema() -> RefOr<Schema> {
        schema_of(Type::Boolean, None)
    }
}

/// A whole number that was written with a fraction of nothing, which JSON Schema counts as one: `5.0`.
fn whole(value: &Value) -> Option<i64> {
    let text = value.as_number()?.to_string();
    let (whole, fraction) = text.split_once('.')?;
    let nothing = fraction.bytes().all(|digit| digit == b'0');
    nothing.then(|| whole.parse().ok()).flatten()
}

impl Field for i64 {
    fn read(value: Value, at: &mut At<'_>) -> Option<Self> {
        let number = match &value {
            Value::String(text) if at.in_query => text.parse().ok(),
            other => other.as_i64().or_else(|| whole(other)),
        };
        number.or_else(|| at.invalid("must be a whole number"))
    }
    fn schema() -> RefOr<Schema> {
        schema_of(Type::Integer, Some(KnownFormat::Int64))
    }
}

/// A number exactly as it was written: never through binary floating point.
impl Field for Number {
    fn read(value: Value, at: &mut At<'_>) -> Option<Self> {
        match value {
            Value::Number(number) => Some(number),
            Value::String(text) if at.in_query => {
                text.parse().ok().or_else(|| at.invalid("must be a number"))
            }
            other => at.invalid(format!("must be a number, not {}", kind(&other))),
        }
    }
    fn schema() -> RefOr<Schema> {
        schema_of(Type::Number, None)
    }
}

impl Field for DateTime<Utc> {
    fn read(value: Value, at: &mut At<'_>) -> Option<Self> {
        let text = String::read(value, at)?;
        match DateTime::parse_from_rfc3339(&text) {
            Ok(time) => Some(time.to_utc()),
            Err(_) => at.invalid("must be a time like 2026-01-31T08:15:00Z (RFC 3339)"),
        }
    }
    fn schema() -> RefOr<Schema> {
        schema_of(Type::String, Some(KnownFormat::DateTime))
    }
}

/// Any object; the skill's own schema says more.
impl Field for Map<String, Value> {
    fn read(value: Value, at: &mut At<'_>) -> Option<Self> {
        match value {
            Value::Object(map) => Some(map),
            other => at.invalid(format!("must be an object, not {}", kind(&other))),
        }
    }
    fn schema() -> RefOr<Schema> {
        schema_of(Type::Object, None)
    }
}

impl<T: Field> Field for Vec<T> {
    fn read(value: Value, at: &mut At<'_>) -> Option<Self> {
        let Value::Array(items) = value else {
            return at.invalid(format!("must be an array, not {}", kind(&value)));
        };
        let path = at.path();
        let mut read = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let name = format!("[{index}]");
            let mut at = At {
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
