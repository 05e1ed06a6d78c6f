//! Why a text is not read, and where.

use std::fmt;

/// A text that is no JSON, or more of it than is read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why} at line {line} column {column}")]
pub struct Fault {
    pub why: FaultReason,
    /// From 1 on.
    pub line: usize,
    /// In characters, from 1 on.
    pub column: usize,
    /// Offset in bytes.
    pub byte: usize,
}

/// Reason a text was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultReason {
    /// More bytes than the limit, which is given.
    TooLong(usize),
    /// Deeper nesting than the limit, which is given.
    TooDeep(usize),
    /// More values than the limit, which is given.
    TooMany(usize),
    NotUtf8,
    ByteOrderMark,
    Nothing,
    BrokenOff,
    MoreFollows,
    /// No value begins with this character.
    NoValue(char),
    /// Something else than a comma or the end of an array or object, which is named.
    NoComma(char),
    /// A comma before the end of an array or object, which is named.
    LastComma(char),
    NoName(char),
    NoColon,
    LeadingZero,
    /// A number without digits after its sign, point or exponent, which is named.
    NoDigit(&'static str),
    /// A control character that stands in a text as it is.
    Control(u8),
    /// A backslash before a character that makes no escape with it.
    NoEscape(char),
    /// `\u` without four hexadecimal digits.
    NoHex,
    /// An escape that is half of a surrogate pair.
    HalfCharacter(u16),
    /// A name that stands twice in one object, with its path.
    Twice(String),
}

impl Fault {
    /// Returns `true` if the text was refused for its size, not for its content.
    pub fn is_too_large(&self) -> bool {
        matches!(
            self.why,
            FaultReason::TooLong(_) | FaultReason::TooDeep(_) | FaultReason::TooMany(_)
        )
    }

    /// Makes a fault at an offset in bytes, with its line and column in the text.
    pub(super) fn at(why: FaultReason, text: &[u8], byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line = before.split(|byte| *byte == b'\n');
        let column = line.clone().next_back().unwrap_or_default();
        Self {
            why,
            line: line.count(),
            column: 1 + String::from_utf8_lossy(column).chars().count(),
            byte,
        }
    }
}

impl fmt::Display for FaultReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(most) => write!(f, "there are more than {most} bytes"),
            Self::TooDeep(most) => write!(f, "arrays and objects nest deeper than {most}"),
            Self::TooMany(most) => write!(f, "there are more than {most} values"),
            Self::NotUtf8 => f.write_str("these bytes are not UTF-8"),
            Self::ByteOrderMark => f.write_str("the text begins with a byte order mark (U+FEFF)"),
            Self::Nothing => f.write_str("there is nothing"),
            Self::BrokenOff => f.write_str("the text breaks off"),
            Self::MoreFollows => f.write_str("more follows behind the end"),
            Self::NoValue('\'') => {
                f.write_str("texts stand in double quotes (\"), and not in single ones")
            }
            Self::NoValue(found) => write!(f, "no value begins with {}", printable(*found)),
            Self::NoComma(end) => write!(f, "a comma or {end} is expected"),
            Self::LastComma(end) => write!(f, "a comma stands before {end}"),
            Self::NoName(found) => write!(
                f,
                "a name in double quotes is expected, not {}",
                printable(*found)
            ),
            Self::NoColon => f.write_str("a colon is expected behind the name"),
            Self::LeadingZero => f.write_str("a number has a zero in front"),
            Self::NoDigit(after) => write!(f, "a digit is expected after {after}"),
            Self::Control(byte) => write!(
                f,
                "a control character (U+{byte:04X}) stands in a text: escape it"
            ),
            Self::NoEscape(found) => write!(f, "\\{} is no escape", found.escape_default()),
            Self::NoHex => f.write_str("\\u needs four hexadecimal digits"),
            Self::HalfCharacter(unit) => {
                write!(
                    f,
                    "\\u{unit:04x} is half of a character (a surrogate alone)"
                )
            }
            Self::Twice(path) => write!(f, "the field `{path}` is given twice"),
        }
    }
}

fn printable(found: char) -> String {
    if found.is_ascii_graphic() {
        format!("`{found}`")
    } else {
        format!("U+{:04X}", u32::from(found))
    }
}
