//! The library's `Value`, built by hand: its own way of reading gives some names a meaning when features of it are on.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::{JsonValue, Object};

/// A number that binary floating point would change, with its path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the number at `{0}` has more digits than can be kept: send it as a string")]
pub struct Inexact(pub String);

impl JsonValue<'_> {
    /// Returns the same as the library's value, for checking against schemas; refused where a number would change.
    pub fn to_value(&self) -> Result<Value, Inexact> {
        let nested = |at: String, error: Inexact| match error.0.as_str() {
            "" => Inexact(at),
            rest if rest.starts_with('[') => Inexact(format!("{at}{rest}")),
            rest => Inexact(format!("{at}.{rest}")),
        };
        Ok(match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Number(number) => {
                Value::Number(number.to_exact().ok_or_else(|| Inexact(String::new()))?)
            }
            Self::Text(text) => Value::String(text.to_string()),
            Self::List(items) => {
                let items = items.iter().enumerate().map(|(index, item)| {
                    item.to_value()
                        .map_err(|error| nested(format!("[{index}]"), error))
                });
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Self::Object(object) => {
                let members = object.iter().map(|(name, value)| {
                    let value = value
                        .to_value()
                        .map_err(|error| nested(name.chars().take(64).collect(), error))?;
                    Ok((name.to_owned(), value))
                });
                Value::Object(members.collect::<Result<_, _>>()?)
            }
        })
    }
}

impl Object<'_> {
    /// Returns the same as the library's map; see [`JsonValue::to_value`].
    pub fn to_map(&self) -> Result<Map<String, Value>, Inexact> {
        match JsonValue::Object(self.clone()).to_value()? {
            Value::Object(map) => Ok(map),
            _ => Ok(Map::new()),
        }
    }
}

/// Any value, as a field of a type that is read from outside: what `serde_json::Value` would be if no name meant
/// anything to it. Numbers are the nearest that can be kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlainValue(pub Value);

impl<'de> Deserialize<'de> for PlainValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything).map(Self)
    }
}

struct Anything;

impl<'de> Visitor<'de> for Anything {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        inner.deserialize_any(self)
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E: Error>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(PlainValue(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((name, PlainValue(value))) = members.next_entry::<String, _>()? {
            map.insert(name, value);
        }
        Ok(map.into())
    }
}
