//! A JSON text from left to right, value by value. Nothing is kept, nothing recurses: memory is what the caller takes.

use std::borrow::Cow;

use super::{Fault, FaultReason, ReadLimits};

/// Reads a JSON text value by value.
pub struct JsonReader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    values: usize,
    limits: ReadLimits,
}

/// Start of a value: all of a text, number or word, but only the opening of an array or object.
#[derive(Debug, PartialEq, Eq)]
pub enum ValueStart<'a> {
    Null,
    Bool(bool),
    /// The number as it is written.
    Number(&'a str),
    /// With its escapes decoded; borrowed if there are none.
    Text(Cow<'a, str>),
    /// [`JsonReader::item`] goes on.
    List,
    /// [`JsonReader::name`] goes on.
    Object,
}

impl<'a> JsonReader<'a> {
    /// Begins to read. Too many bytes, other encodings than UTF-8 and a byte order mark end it here.
    pub fn new(bytes: &'a [u8], limits: ReadLimits) -> Result<Self, Fault> {
        if bytes.len() > limits.bytes {
            return Err(Fault::at(FaultReason::TooLong(limits.bytes), &[], 0));
        }
        let text = std::str::from_utf8(bytes)
            .map_err(|error| Fault::at(FaultReason::NotUtf8, bytes, error.valid_up_to()))?;
        let reader = Self {
            text,
            at: 0,
            depth: 0,
            values: 0,
            limits,
        };
        if text.starts_with('\u{feff}') {
            return Err(reader.fault(FaultReason::ByteOrderMark));
        }
        Ok(reader)
    }

    /// Reads the start of the next value; of a text, number or word, all of it.
    pub fn start(&mut self) -> Result<ValueStart<'a>, Fault> {
        self.space();
        self.values += 1;
        if self.values > self.limits.values {
            return Err(self.fault(FaultReason::TooMany(self.limits.values)));
        }
        match self.peek() {
            Some(b'"') => self.text().map(ValueStart::Text),
            Some(b'{') => self.open(ValueStart::Object),
            Some(b'[') => self.open(ValueStart::List),
            Some(b'-' | b'0'..=b'9') => self.number().map(ValueStart::Number),
            Some(b't') => self.word("true", ValueStart::Bool(true)),
            Some(b'f') => self.word("false", ValueStart::Bool(false)),
            Some(b'n') => self.word("null", ValueStart::Null),
            Some(_) => Err(self.no_value()),
            None if self.text.trim_ascii().is_empty() => Err(self.fault(FaultReason::Nothing)),
            None => Err(self.fault(FaultReason::BrokenOff)),
        }
    }

    /// In an array, goes to its next item; `false` at its end. `first` before the first one.
    pub fn item(&mut self, first: bool) -> Result<bool, Fault> {
        self.next(first, ']')
    }

    /// In an object, reads the next name and its colon; `None` at its end. `first` before the first one.
    pub fn name(&mut self, first: bool) -> Result<Option<Cow<'a, str>>, Fault> {
        if !self.next(first, '}')? {
            return Ok(None);
        }
        match self.peek() {
            Some(b'"') => {}
            None => return Err(self.fault(FaultReason::BrokenOff)),
            Some(_) => return Err(self.fault(FaultReason::NoName(self.found()))),
        }
        let name = self.text()?;
        self.space();
        match self.peek() {
            Some(b':') => self.at += 1,
            None => return Err(self.fault(FaultReason::BrokenOff)),
            Some(_) => return Err(self.fault(FaultReason::NoColon)),
        }
        Ok(Some(name))
    }

    /// Reads over the next value, however deep it is.
    pub fn skip(&mut self) -> Result<(), Fault> {
        let mut objects: Vec<bool> = Vec::new();
        loop {
            let mut first = match self.start()? {
                ValueStart::List => {
                    objects.push(false);
                    true
                }
                ValueStart::Object => {
                    objects.push(true);
                    true
                }
                _ => false,
            };
            loop {
                let goes_on = match objects.last() {
                    None => return Ok(()),
                    Some(true) => self.name(first)?.is_some(),
                    Some(false) => self.item(first)?,
                };
                if goes_on {
                    break;
                }
                first = false;
                objects.pop();
            }
        }
    }

    /// Makes sure that nothing follows.
    pub fn end(mut self) -> Result<(), Fault> {
        self.space();
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(self.fault(FaultReason::MoreFollows)),
        }
    }

    /// Returns the first byte of what comes next, white space aside.
    pub fn first(&mut self) -> Option<u8> {
        self.space();
        self.peek()
    }

    /// Returns where the next value begins; for [`JsonReader::since`].
    pub fn mark(&mut self) -> usize {
        self.space();
        self.at
    }

    /// Returns what was read since a mark, as it is written.
    pub fn since(&self, mark: usize) -> &'a str {
        self.slice(mark)
    }

    /// Returns a fault at the reader's position.
    pub fn fault(&self, why: FaultReason) -> Fault {
        Fault::at(why, self.text.as_bytes(), self.at)
    }

    fn slice(&self, from: usize) -> &'a str {
        self.text.get(from..self.at).unwrap_or_default()
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// The character that is not understood.
    fn found(&self) -> char {
        let rest = self.text.get(self.at..).unwrap_or_default();
        rest.chars().next().unwrap_or_default()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn open(&mut self, start: ValueStart<'a>) -> Result<ValueStart<'a>, Fault> {
        self.depth += 1;
        if self.depth > self.limits.depth {
            return Err(self.fault(FaultReason::TooDeep(self.limits.depth)));
        }
        self.at += 1;
        Ok(start)
    }

    /// Goes over a comma, or over the end of an array or object.
    fn next(&mut self, first: bool, end: char) -> Result<bool, Fault> {
        self.space();
        let Some(byte) = self.peek() else {
            return Err(self.fault(FaultReason::BrokenOff));
        };
        if char::from(byte) == end {
            self.at += 1;
            self.depth = self.depth.saturating_sub(1);
            return Ok(false);
        }
        if first {
            return Ok(true);
        }
        if byte != b',' {
            return Err(self.fault(FaultReason::NoComma(end)));
        }
        self.at += 1;
        self.space();
        if self.peek().map(char::from) == Some(end) {
            return Err(self.fault(FaultReason::LastComma(end)));
        }
        Ok(true)
    }

    fn word(&mut self, word: &str, start: ValueStart<'a>) -> Result<ValueStart<'a>, Fault> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(self.no_value());
        }
        self.at += word.len();
        Ok(start)
    }

    fn no_value(&self) -> Fault {
        self.fault(FaultReason::NoValue(self.found()))
    }

    fn digits(&mut self) -> bool {
        let from = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        self.at > from
    }

    fn number(&mut self) -> Result<&'a str, Fault> {
        let from = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
            if let Some(b'0'..=b'9') = self.peek() {
                return Err(self.fault(FaultReason::LeadingZero));
            }
        } else if !self.digits() {
            return Err(self.fault(FaultReason::NoDigit("-")));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if !self.digits() {
                return Err(self.fault(FaultReason::NoDigit("the point")));
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            if !self.digits() {
                return Err(self.fault(FaultReason::NoDigit("the exponent’s e")));
            }
        }
        Ok(self.slice(from))
    }

    /// A text from its first quote to its last.
    fn text(&mut self) -> Result<Cow<'a, str>, Fault> {
        self.at += 1;
        let mut from = self.at;
        let mut decoded: Option<String> = None;
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let is_plain = |byte: &u8| !matches!(byte, b'"' | b'\\' | 0..0x20);
            self.at += rest.iter().take_while(|byte| is_plain(byte)).count();
            match self.peek() {
                Some(b'"') => {
                    let rest = self.slice(from);
                    self.at += 1;
                    return Ok(match decoded {
                        None => Cow::Borrowed(rest),
                        Some(text) => Cow::Owned(text + rest),
                    });
                }
                Some(b'\\') => {
                    let text = decoded.get_or_insert_default();
                    text.push_str(self.slice(from));
                    let escaped = self.escape()?;
                    text.push(escaped);
                    from = self.at;
                }
                Some(byte @ 0..0x20) => return Err(self.fault(FaultReason::Control(byte))),
                _ => return Err(self.fault(FaultReason::BrokenOff)),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Fault> {
        let from = self.at;
        self.at += 1;
        let plain = match self.peek() {
            Some(byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unit(from),
            Some(_) => return Err(self.fault(FaultReason::NoEscape(self.found()))),
            None => return Err(self.fault(FaultReason::BrokenOff)),
        };
        self.at += 1;
        Ok(plain)
    }

    /// One `\u` escape, or two that make one character (RFC 8259, section 7).
    fn unit(&mut self, from: usize) -> Result<char, Fault> {
        let first = self.hex()?;
        let rest = self.text.get(self.at..).unwrap_or_default();
        let second = if (0xd800..0xdc00).contains(&first) && rest.starts_with("\\u") {
            self.at += 1;
            Some(self.hex()?)
        } else {
            None
        };
        let units = std::iter::once(first).chain(second);
        if let Some(Ok(character)) = char::decode_utf16(units).next() {
            return Ok(character);
        }
        self.at = from;
        Err(self.fault(FaultReason::HalfCharacter(first)))
    }

    fn hex(&mut self) -> Result<u16, Fault> {
        self.at += 1;
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.fault(FaultReason::NoHex))?;
        self.at += 4;
        Ok(unit)
    }
}
