//! The types a field can have.

use app::domain::ids::{
    AccountId, BalanceId, CredentialsId, ProductId, SessionId, StepId, TransactionId,
};
use app::domain::json::{Json, Number};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::{Map, Value};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::{KnownFormat, RefOr};

use super::{At, Field, object, schema_of, text_field};

/// The longest text a field takes, in bytes.
const MAX_TEXT: usize = 16 * 1024;

impl Field for String {
    fn read(value: Json<'_>, at: &mut At<'_>) -> Option<Self> {
        match value {
            Json::Text(text) if text.len() > MAX_TEXT => at.invalid("is too long"),
            Json::Text(text) if text.contains('\0') => {
                at.invalid("must not contain NUL characters")
            }
            Json::Text(text) => Some(text.into_owned()),
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
    fn read(value: Json<'_>, at: &mut At<'_>) -> Option<Self> {
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
    fn read(value: Json<'_>, at: &mut At<'_>) -> Option<Self> {
        String::read(value, at).map(Into::into)
    }
    fn schema() -> RefOr<Schema> {
        schema_of(Type::String, None)
    }
}

impl Field for bool {
    fn read(value: Json<'_>, at: &mut At<'_>) -> Option<Self> {
        match (&value, value.as_str()) {
            (Json::Bool(flag), _) => Some(*flag),
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
    fn read(value: Json<'_>, at: &mut At<'_>) -> Option<Self> {
        let number = match &value {
            Json::Text(text) if at.in_query => text.parse().ok(),
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
    fn read(value: Json<'_>, at: &mut At<'_>) -> Option<Self> {
        match value {
            Json::Number(number) => Some(number.into_owned()),
            Json::Text(text) if at.in_query => {
                Number::parse(&text).or_else(|| at.invalid("must be a number"))
            }
            other => at.invalid(format!("must be a number, not {}", other.kind())),
        }
    }
    fn schema() -> RefOr<Schema> {
        schema_of(Type::Number, None)
    }
}

impl Field for DateTime<Utc> {
    fn read(value: Json<'_>, at: &mut At<'_>) -> Option<Self> {
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
    fn read(value: Json<'_>, at: &mut At<'_>) -> Option<Self> {
        match object(value, at)?.to_map() {
            Ok(map) => Some(map),
            Err(inexact) => at.invalid(inexact.to_string()),
        }
    }
    fn schema() -> RefOr<Schema> {
        schema_of(Type::Object, None)
    }
}

impl<T: Field> Field for Vec<T> {
    fn read(value: Json<'_>, at: &mut At<'_>) -> Option<Self> {
        let items = match value {
            Json::List(items) => items,
            other => return at.invalid(format!("must be an array, not {}", other.kind())),
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
