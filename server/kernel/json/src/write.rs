//! What was read, written again: on one line, indented, or as the libraries of other languages would write it.

use super::JsonValue;

/// One way to write JSON.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a habit of its own, and libraries combine them freely"
)]
pub struct Style {
    /// Behind a comma, where all is on one line.
    pub after_comma: &'static str,
    /// Between a name and its value.
    pub colon: &'static str,
    /// One step of indentation; none: all is on one line.
    pub indent: Option<&'static str>,
    /// The end of a line.
    pub line: &'static str,
    /// Characters beyond ASCII are written as `\u` escapes.
    pub ascii: bool,
    /// Characters of ASCII that are written as `\u` escapes besides control characters.
    pub escaped: &'static str,
    /// The hexadecimal digits of escapes are capitals.
    pub capitals: bool,
    /// `/` is written as `\/`.
    pub slashes: bool,
    /// Members are sorted by their names.
    pub sorted: bool,
    /// Numbers as JavaScript writes them: `1.0` becomes `1`.
    pub floats: bool,
}

impl Style {
    /// The shortest form, on one line.
    pub const COMPACT: Self = Self {
        after_comma: "",
        colon: ":",
        indent: None,
        line: "\n",
        ascii: false,
        escaped: "",
        capitals: false,
        slashes: false,
        sorted: false,
        floats: false,
    };
    /// Indented by two spaces, for people.
    pub const PRETTY: Self = Self {
        colon: ": ",
        indent: Some("  "),
        ..Self::COMPACT
    };
}

impl JsonValue<'_> {
    /// Writes the value in a style.
    pub fn write(&self, style: Style) -> String {
        let mut pen = Pen {
            text: String::new(),
            style,
            depth: 0,
        };
        pen.value(self);
        pen.text
    }
}

struct Pen {
    text: String,
    style: Style,
    depth: usize,
}

impl Pen {
    fn value(&mut self, value: &JsonValue<'_>) {
        match value {
            JsonValue::Null => self.text.push_str("null"),
            JsonValue::Bool(flag) => self.text.push_str(if *flag { "true" } else { "false" }),
            JsonValue::Number(number) => self.number(number.as_str()),
            JsonValue::Text(text) => self.quoted(text),
            JsonValue::List(items) => {
                self.text.push('[');
                self.depth += 1;
                for (index, item) in items.iter().enumerate() {
                    self.separate(index == 0);
                    self.value(item);
                }
                self.close(']', items.is_empty());
            }
            JsonValue::Object(object) => {
                self.text.push('{');
                self.depth += 1;
                let mut members: Vec<_> = object.iter().collect();
                if self.style.sorted {
                    members.sort_by_key(|(name, _)| *name);
                }
                for (index, (name, value)) in members.into_iter().enumerate() {
                    self.separate(index == 0);
                    self.quoted(name);
                    self.text.push_str(self.style.colon);
                    self.value(value);
                }
                self.close('}', object.is_empty());
            }
        }
    }

    fn separate(&mut self, first: bool) {
        if !first {
            self.text.push(',');
        }
        if self.style.indent.is_some() {
            self.new_line();
        } else if !first {
            self.text.push_str(self.style.after_comma);
        }
    }

    fn close(&mut self, bracket: char, empty: bool) {
        self.depth -= 1;
        if self.style.indent.is_some() && !empty {
            self.new_line();
        }
        self.text.push(bracket);
    }

    fn new_line(&mut self) {
        self.text.push_str(self.style.line);
        for _ in 0..self.depth {
            self.text.push_str(self.style.indent.unwrap_or_default());
        }
    }

    fn number(&mut self, text: &str) {
        let float = self
            .style
            .floats
            .then(|| text.parse::<f64>().ok())
            .flatten();
        match float.filter(|float| float.is_finite() && float.abs() < 1e21) {
            // Rust writes the shortest digits that read back, without an exponent: what JavaScript does below 1e21.
            Some(float) => self.text.push_str(&float.to_string()),
            None => self.text.push_str(text),
        }
    }

    fn quoted(&mut self, text: &str) {
        self.text.push('"');
        for character in text.chars() {
            match character {
                _ if self.style.escaped.contains(character) => self.escape(character),
                '"' => self.text.push_str("\\\""),
                '\\' => self.text.push_str("\\\\"),
                '/' if self.style.slashes => self.text.push_str("\\/"),
                '\n' => self.text.push_str("\\n"),
                '\r' => self.text.push_str("\\r"),
                '\t' => self.text.push_str("\\t"),
                '\u{8}' => self.text.push_str("\\b"),
                '\u{c}' => self.text.push_str("\\f"),
                '\0'..='\u{1f}' => self.escape(character),
                _ if self.style.ascii && !character.is_ascii() => self.escape(character),
                _ => self.text.push(character),
            }
        }
        self.text.push('"');
    }

    fn escape(&mut self, character: char) {
        for unit in character.encode_utf16(&mut [0; 2]) {
            let escape = if self.style.capitals {
                format!("\\u{unit:04X}")
            } else {
                format!("\\u{unit:04x}")
            };
            self.text.push_str(&escape);
        }
    }
}
