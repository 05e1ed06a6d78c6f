//! From what was read to types of one's own, by serde.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer, StrDeserializer};
use serde::de::{
    Deserialize, Deserializer, Error as _, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    Visitor,
};
use serde::forward_to_deserialize_any;
use serde_json::Value;

use super::{Fault, JsonValue, Number, ReadLimits, read};

/// Reason a text was not read into a type.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("{0}")]
    Fault(#[from] Fault),
    /// It is JSON, but does not have the shape of the type.
    #[error("{0}")]
    Shape(#[from] Misfit),
}

/// Mismatch between a value and the type that it is read into.
pub type Misfit = serde::de::value::Error;

/// Reads a text into a type.
pub fn from_slice<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    limits: ReadLimits,
) -> Result<T, ReadError> {
    Ok(T::deserialize(read(bytes, limits)?)?)
}

/// A number or a text of one, exactly as it is written. Only texts that [`from_slice`] reads have it from numbers with a
/// fraction: other readers have lost their digits before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exact(pub String);

/// Names [`Exact`] among Rust's types, which no text from outside can.
const EXACT: &str = "json::Exact";

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl<'de> Visitor<'de> for Written {
            type Value = Exact;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number, or a text of one")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Exact, E> {
                Ok(Exact(text.to_owned()))
            }

            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Exact, E> {
                Ok(Exact(number.to_string()))
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Exact, E> {
                Ok(Exact(number.to_string()))
            }

            fn visit_newtype_struct<D: Deserializer<'de>>(
                self,
                inner: D,
            ) -> Result<Exact, D::Error> {
                inner.deserialize_any(self)
            }
        }
        deserializer.deserialize_newtype_struct(EXACT, Written)
    }
}

/// Any value, each number in it as the text that it is written with: nothing is lost on the way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ExactValue(pub Value);

impl<'de> Deserialize<'de> for ExactValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_newtype_struct(EXACT, AnyWritten)
            .map(Self)
    }
}

struct AnyWritten;

impl<'de> Visitor<'de> for AnyWritten {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, flag: bool) -> Result<Value, E> {
        Ok(flag.into())
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Value, E> {
        Ok(number.to_string().into())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Value, E> {
        Ok(number.to_string().into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut all = Vec::new();
        while let Some(ExactValue(item)) = items.next_element()? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut all = serde_json::Map::new();
        while let Some((name, ExactValue(value))) = members.next_entry::<String, _>()? {
            all.insert(name, value);
        }
        Ok(Value::Object(all))
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        inner.deserialize_any(self)
    }
}

impl<'de> IntoDeserializer<'de, Misfit> for JsonValue<'de> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for JsonValue<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(flag) => visitor.visit_bool(flag),
            Self::Number(number) => visit(&number, visitor),
            Self::Text(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
            Self::Text(Cow::Owned(text)) => visitor.visit_string(text),
            Self::List(items) => {
                let mut items = SeqDeserializer::new(items.into_iter());
                let value = visitor.visit_seq(&mut items)?;
                items.end()?;
                Ok(value)
            }
            Self::Object(object) => {
                let mut members = MapDeserializer::new(object.0.into_iter());
                let value = visitor.visit_map(&mut members)?;
                members.end()?;
                Ok(value)
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self {
            Self::Null => visitor.visit_none(),
            some => visitor.visit_some(some),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self {
            Self::Number(number) if name == EXACT => visitor.visit_str(number.as_str()),
            other if name == EXACT => other.deserialize_any(visitor),
            other => visitor.visit_newtype_struct(other),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self {
            Self::Text(text) => {
                let text: StrDeserializer<'_, Misfit> = (&*text).into_deserializer();
                visitor.visit_enum(text)
            }
            Self::Object(object) => {
                let members = MapDeserializer::new(object.0.into_iter());
                visitor.visit_enum(MapAccessDeserializer::new(members))
            }
            other => Err(Misfit::invalid_type(
                Unexpected::Other(other.kind()),
                &visitor,
            )),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier
    }
}

fn visit<'de, V: Visitor<'de>>(number: &Number<'_>, visitor: V) -> Result<V::Value, Misfit> {
    let Some(nearest) = number.to_nearest() else {
        return Err(Misfit::custom("a number is out of range"));
    };
    if let Some(whole) = nearest.as_u64() {
        visitor.visit_u64(whole)
    } else if let Some(whole) = nearest.as_i64() {
        visitor.visit_i64(whole)
    } else {
        visitor.visit_f64(nearest.as_f64().unwrap_or_default())
    }
}
