//! A whole text in memory: what was read, borrowing from it where it can.

use std::borrow::Cow;
use std::fmt;

use super::{Fault, FaultReason, JsonReader, Number, ReadLimits, Style, ValueStart};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum JsonValue<'a> {
    Null,
    Bool(bool),
    Number(Number<'a>),
    Text(Cow<'a, str>),
    List(Vec<JsonValue<'a>>),
    Object(Object<'a>),
}

/// The members of an object, in the order in which they came; no name stands twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Object<'a>(pub(super) Vec<(Cow<'a, str>, JsonValue<'a>)>);

/// Reads one text, all of it.
pub fn read(bytes: &[u8], limits: ReadLimits) -> Result<JsonValue<'_>, Fault> {
    let mut reader = JsonReader::new(bytes, limits)?;
    let value = value(&mut reader, &Place::Top)?;
    reader.end()?;
    Ok(value)
}

/// Position of a value in its text, from which the path in a fault is made. Lives on the stack, as deep as the text may
/// nest.
enum Place<'p> {
    Top,
    Member(&'p Place<'p>, &'p str),
    Item(&'p Place<'p>, usize),
}

fn value<'a>(reader: &mut JsonReader<'a>, place: &Place<'_>) -> Result<JsonValue<'a>, Fault> {
    Ok(match reader.start()? {
        ValueStart::Null => JsonValue::Null,
        ValueStart::Bool(flag) => JsonValue::Bool(flag),
        ValueStart::Number(text) => JsonValue::Number(Number(Cow::Borrowed(text))),
        ValueStart::Text(text) => JsonValue::Text(text),
        ValueStart::List => {
            let mut items = Vec::new();
            while reader.item(items.is_empty())? {
                items.push(value(reader, &Place::Item(place, items.len()))?);
            }
            JsonValue::List(items)
        }
        ValueStart::Object => JsonValue::Object(members(reader, place)?),
    })
}

/// Up to so many members are compared one by one; more are sorted.
const FEW: usize = 16;

fn members<'a>(reader: &mut JsonReader<'a>, place: &Place<'_>) -> Result<Object<'a>, Fault> {
    let mut members: Vec<(Cow<'a, str>, JsonValue<'a>)> = Vec::new();
    while let Some(name) = reader.name(members.is_empty())? {
        if members.len() < FEW && members.iter().any(|(known, _)| *known == name) {
            return Err(twice(reader, place, &name));
        }
        let value = value(reader, &Place::Member(place, &name))?;
        members.push((name, value));
    }
    if members.len() > FEW {
        let mut names: Vec<&str> = members.iter().map(|(name, _)| &**name).collect();
        names.sort_unstable();
        let same = names.windows(2).find(|pair| pair.first() == pair.last());
        if let Some(name) = same.and_then(|pair| pair.first()) {
            return Err(twice(reader, place, name));
        }
    }
    Ok(Object(members))
}

fn twice(reader: &JsonReader<'_>, place: &Place<'_>, name: &str) -> Fault {
    /// Characters of one name that are told, and of the whole path.
    const NAME: usize = 64;
    const PATH: usize = 256;
    fn path(place: &Place<'_>, whole: &mut String) {
        match place {
            Place::Top => {}
            Place::Member(outer, name) => {
                path(outer, whole);
                if !whole.is_empty() {
                    whole.push('.');
                }
                whole.extend(name.chars().take(NAME));
            }
            Place::Item(outer, index) => {
                path(outer, whole);
                whole.push_str(&format!("[{index}]"));
            }
        }
    }
    let mut whole = String::new();
    path(&Place::Member(place, name), &mut whole);
    reader.fault(FaultReason::Twice(whole.chars().take(PATH).collect()))
}

impl<'a> JsonValue<'a> {
    /// Returns a member of an object.
    pub fn get(&self, name: &str) -> Option<&JsonValue<'a>> {
        self.as_object()?.get(name)
    }

    pub fn as_object(&self) -> Option<&Object<'a>> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[JsonValue<'a>]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_number(&self) -> Option<&Number<'a>> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Returns the name of this kind of value, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// Returns the value on its own, no more borrowed from its text.
    pub fn into_owned(self) -> JsonValue<'static> {
        match self {
            Self::Null => JsonValue::Null,
            Self::Bool(flag) => JsonValue::Bool(flag),
            Self::Number(number) => JsonValue::Number(number.into_owned()),
            Self::Text(text) => JsonValue::Text(Cow::Owned(text.into_owned())),
            Self::List(items) => {
                JsonValue::List(items.into_iter().map(JsonValue::into_owned).collect())
            }
            Self::Object(object) => JsonValue::Object(object.into_owned()),
        }
    }
}

impl<'a> Object<'a> {
    pub fn get(&self, name: &str) -> Option<&JsonValue<'a>> {
        self.iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Takes a member out; the others keep their order.
    pub fn remove(&mut self, name: &str) -> Option<JsonValue<'a>> {
        let at = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.remove(at).1)
    }

    /// Puts a member at the end, or in the place of the one that has its name; `true` if there was one.
    pub fn insert(&mut self, name: impl Into<Cow<'a, str>>, value: JsonValue<'a>) -> bool {
        let name = name.into();
        if let Some((_, place)) = self.0.iter_mut().find(|(known, _)| *known == name) {
            *place = value;
            return true;
        }
        self.0.push((name, value));
        false
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &JsonValue<'a>)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(name, _)| name)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn into_owned(self) -> Object<'static> {
        let owned = |(name, value): (Cow<'a, str>, JsonValue<'a>)| {
            (Cow::Owned(name.into_owned()), value.into_owned())
        };
        Object(self.0.into_iter().map(owned).collect())
    }
}

/// Without spaces; numbers as they came.
impl fmt::Display for JsonValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.write(Style::COMPACT))
    }
}
