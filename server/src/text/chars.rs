//! Characters that have no place in a line of text, and what they are called when somebody is told so.

use std::fmt;

use unicode_general_category::{GeneralCategory, get_general_category};

/// A character that a text must not hold, and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OddChar {
    pub char: char,
    /// Counted in characters, from 1.
    pub place: usize,
}

impl fmt::Display for OddChar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = u32::from(self.char);
        write!(
            f,
            "U+{code:04X} ({}) at character {}",
            name(self.char),
            self.place
        )
    }
}

/// Returns the first control, format or bidirectional character of a text of one line, or one that is no character at
/// all: what nobody sees, and what changes what others see.
pub fn odd_char(text: &str) -> Option<OddChar> {
    find(text, |_| false)
}

/// Returns the same for a text of several lines, where tabs and line ends belong.
pub fn odd_char_in(text: &str) -> Option<OddChar> {
    find(text, |c| {
        matches!(c, '\t' | '\n' | '\r' | '\u{200c}' | '\u{200d}')
    })
}

fn find(text: &str, taken: impl Fn(char) -> bool) -> Option<OddChar> {
    let mut places = text.chars().enumerate();
    places
        .find(|(_, c)| is_odd(*c) && !taken(*c))
        .map(|(at, char)| OddChar {
            char,
            place: at + 1,
        })
}

fn is_odd(c: char) -> bool {
    if matches!(c, ' '..='~') {
        return false;
    }
    matches!(
        get_general_category(c),
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::Surrogate
            | GeneralCategory::Unassigned
    ) || is_filler(c)
}

/// Returns true for letters that are drawn as nothing (Unicode calls them default ignorable).
const fn is_filler(c: char) -> bool {
    matches!(
        c,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'
            ..='\u{180f}' | '\u{3164}' | '\u{ffa0}'
    )
}

/// Returns the name of a character that people meet, or its kind.
fn name(c: char) -> &'static str {
    match c {
        '\0' => "NUL",
        '\t' => "tab",
        '\n' => "line feed",
        '\r' => "carriage return",
        '\u{1b}' => "escape",
        '\u{7f}' => "delete",
        '\u{ad}' => "soft hyphen",
        '\u{200b}' => "zero width space",
        '\u{200c}' => "zero width non-joiner",
        '\u{200d}' => "zero width joiner",
        '\u{200e}' => "left-to-right mark",
        '\u{200f}' => "right-to-left mark",
        '\u{61c}' => "Arabic letter mark",
        '\u{2028}' => "line separator",
        '\u{2029}' => "paragraph separator",
        '\u{202a}' => "left-to-right embedding",
        '\u{202b}' => "right-to-left embedding",
        '\u{202c}' => "pop directional formatting",
        '\u{202d}' => "left-to-right override",
        '\u{202e}' => "right-to-left override",
        '\u{2060}' => "word joiner",
        '\u{2066}' => "left-to-right isolate",
        '\u{2067}' => "right-to-left isolate",
        '\u{2068}' => "first strong isolate",
        '\u{2069}' => "pop directional isolate",
        '\u{feff}' => "byte order mark",
        _ => match get_general_category(c) {
            GeneralCategory::Control => "a control character",
            GeneralCategory::Format => "a format character",
            GeneralCategory::PrivateUse => "a private character",
            GeneralCategory::Unassigned => "no character",
            _ => "an invisible character",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_named_with_its_place() {
        let says = |text: &str| odd_char(text).map(|odd| odd.to_string());
        for good in [
            "",
            "Invoice 77",
            "Meșter & co",
            "株式会社",
            "مرحبا",
            "👍",
            "a\u{a0}b",
        ] {
            assert_eq!(says(good), None, "{good:?}");
        }
        for (bad, name) in [
            ("\0x", "U+0000 (NUL) at character 1"),
            ("line1\nline2", "U+000A (line feed) at character 6"),
            ("a\tb", "U+0009 (tab) at character 2"),
            ("a\u{2028}b", "U+2028 (line separator) at character 2"),
            (
                "ăâ\u{202e}evil",
                "U+202E (right-to-left override) at character 3",
            ),
            ("\u{200b}", "U+200B (zero width space) at character 1"),
            ("x\u{85}", "U+0085 (a control character) at character 2"),
            ("\u{e000}", "U+E000 (a private character) at character 1"),
            ("\u{ffff}", "U+FFFF (no character) at character 1"),
            ("\u{3164}", "U+3164 (an invisible character) at character 1"),
        ] {
            assert_eq!(says(bad).as_deref(), Some(name), "{bad:?}");
        }
        assert_eq!(odd_char_in("line1\r\n\tline2"), None);
        assert!(odd_char_in("a\u{2067}b").is_some() && odd_char_in("a\0").is_some());
    }
}
