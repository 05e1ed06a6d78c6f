//! The same JSON as the usual libraries would have written it: candidates for what a wrong digest was made of.

use std::io;

use serde::Serialize as _;
use serde_json::Value;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// Other spellings of a body, each with its name.
pub fn of(body: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = vec![
        ("nothing", Vec::new()),
        (
            "the body with a line feed at its end",
            [body, b"\n"].concat(),
        ),
        (
            "the body without the white space around it",
            body.trim_ascii().to_vec(),
        ),
    ];
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        return all;
    };
    let mut sorted = value.clone();
    sorted.sort_all_objects();
    let plain = |value, spaced, escaped| written(value, Plain { spaced, escaped });
    all.extend([
        ("the JSON written anew without spaces", plain(&value, false, false)),
        ("the JSON with everything beyond ASCII escaped as \\u", plain(&value, false, true)),
        ("the JSON with spaces after commas and colons", plain(&value, true, false)),
        (
            "the JSON as Python’s json.dumps writes it unasked, with spaces after commas and colons and everything beyond ASCII escaped",
            plain(&value, true, true),
        ),
        ("the JSON with its keys sorted", plain(&sorted, false, false)),
        ("the JSON with its keys sorted and spaces after commas and colons", plain(&sorted, true, false)),
        ("the JSON indented by two spaces", written(&value, PrettyFormatter::with_indent(b"  "))),
        ("the JSON indented by four spaces", written(&value, PrettyFormatter::with_indent(b"    "))),
    ]);
    all
}

fn written(value: &Value, formatter: impl Formatter) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to memory does not fail; what could not be written is no candidate.
    let _ = value.serialize(&mut Serializer::with_formatter(&mut bytes, formatter));
    bytes
}

/// One line, with or without spaces and escapes.
struct Plain {
    spaced: bool,
    escaped: bool,
}

impl Plain {
    fn comma<W: io::Write + ?Sized>(&self, writer: &mut W, first: bool) -> io::Result<()> {
        match (first, self.spaced) {
            (true, _) => Ok(()),
            (false, true) => writer.write_all(b", "),
            (false, false) => writer.write_all(b","),
        }
    }
}

impl Formatter for Plain {
    fn begin_array_value<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.comma(writer, first)
    }

    fn begin_object_key<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.comma(writer, first)
    }

    fn begin_object_value<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(if self.spaced { b": " } else { b":" })
    }

    fn write_string_fragment<W: io::Write + ?Sized>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        if !self.escaped {
            return writer.write_all(fragment.as_bytes());
        }
        for c in fragment.chars() {
            if c.is_ascii() {
                write!(writer, "{c}")?;
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}
