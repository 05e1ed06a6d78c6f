//! Texts that people type and others read: names of companies, people and tenants. What cannot be seen, or turns the
//! writing around, is refused with its name, so that no name can pass for another.

/// Reason a text is refused; says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    #[error("Enter 1 to {0} characters.")]
    Length(usize),
    #[error(
        "Remove the character U+{code:04X} ({name}) at position {position}: it can't be seen, or it changes how the text around it reads."
    )]
    Character {
        code: u32,
        name: &'static str,
        /// Counted from 1.
        position: usize,
    },
}

/// A text in the form in which all spellings of it are one: NFKC, in which composed and decomposed letters, full-width
/// and half-width forms do not differ (Unicode Standard Annex 15).
pub fn nfkc(text: &str) -> String {
    icu_normalizer::ComposingNormalizerBorrowed::new_nfkc()
        .normalize(text)
        .into_owned()
}

/// Returns a name on one line, trimmed: 1 to `longest` characters, none of which is invisible or changes direction.
pub fn name(text: &str, longest: usize) -> Result<String, BadText> {
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 || length > longest {
        return Err(BadText::Length(longest));
    }
    no_hidden(text, false)?;
    Ok(text.to_owned())
}

/// Returns a text of several lines, trimmed, with LF as line end: 1 to `longest` characters, none of which is invisible
/// or changes direction.
pub fn lines(text: &str, longest: usize) -> Result<String, BadText> {
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    let length = text.chars().count();
    if length == 0 || length > longest {
        return Err(BadText::Length(longest));
    }
    no_hidden(text, true)?;
    Ok(text.to_owned())
}

/// Refuses the first character that is invisible or changes the direction of what follows.
pub fn no_hidden(text: &str, lines: bool) -> Result<(), BadText> {
    let mut before = None;
    for (at, c) in text.chars().enumerate() {
        let after = text.chars().nth(at + 1);
        let allowed = (lines && matches!(c, '\n' | '\t')) || joins(before, c, after);
        if !allowed && let Some(name) = hidden(c) {
            return Err(BadText::Character {
                code: u32::from(c),
                name,
                position: at + 1,
            });
        }
        before = Some(c);
    }
    Ok(())
}

/// Joiners are part of words in several scripts and of emoji, where they stand between two characters.
fn joins(before: Option<char>, c: char, after: Option<char>) -> bool {
    let beside = |c: Option<char>| c.is_some_and(|c| !c.is_ascii() && hidden(c).is_none());
    matches!(c, '\u{200c}' | '\u{200d}') && beside(before) && beside(after)
}

/// The name of a character that cannot be seen or changes the direction of writing (general categories Cc, Cf, Zl, Zp, Co
/// and noncharacters, Unicode 16).
pub fn hidden(c: char) -> Option<&'static str> {
    let name = match u32::from(c) {
        0x00 => "null",
        0x09 => "tab",
        0x0a => "line feed",
        0x0d => "carriage return",
        0x1b => "escape",
        0x7f => "delete",
        0x85 => "next line",
        0x00..=0x1f | 0x80..=0x9f => "control character",
        0xad => "soft hyphen",
        0x34f => "combining grapheme joiner",
        0x61c => "Arabic letter mark",
        0x115f | 0x1160 | 0x3164 | 0xffa0 => "Hangul filler",
        0x17b4 | 0x17b5 => "Khmer inherent vowel",
        0x180b..=0x180f => "Mongolian format character",
        0x200b => "zero width space",
        0x200c => "zero width non-joiner",
        0x200d => "zero width joiner",
        0x200e => "left-to-right mark",
        0x200f => "right-to-left mark",
        0x2028 => "line separator",
        0x2029 => "paragraph separator",
        0x202a => "left-to-right embedding",
        0x202b => "right-to-left embedding",
        0x202c => "pop directional formatting",
        0x202d => "left-to-right override",
        0x202e => "right-to-left override",
        0x2060 => "word joiner",
        0x2061..=0x2065 | 0x206a..=0x206f => "invisible format character",
        0x2066 => "left-to-right isolate",
        0x2067 => "right-to-left isolate",
        0x2068 => "first strong isolate",
        0x2069 => "pop directional isolate",
        0x600..=0x605 | 0x6dd | 0x70f | 0x890 | 0x891 | 0x8e2 => "Arabic format character",
        0xfeff => "zero width no-break space",
        0xfff0..=0xfffb => "interlinear annotation",
        0x110bd | 0x110cd | 0x13430..=0x1345f | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a => {
            "format character"
        }
        0xe0000..=0xe0fff => "tag character",
        0xe000..=0xf8ff | 0xf_0000..=0x10_ffff => "private use character",
        0xfdd0..=0xfdef => "noncharacter",
        code if code & 0xfffe == 0xfffe => "noncharacter",
        _ => return None,
    };
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_every_script_are_welcome() {
        for text in [
            "Example Ltd",
            "Zażółć gęślą jaźń S.A.",
            "شرکت نمونه",
            "می\u{200c}خواهم",
            "क्\u{200d}ष",
            "例子有限公司",
            "חברת דוגמה בע\"מ",
            "👩\u{200d}💻 Apps",
        ] {
            assert_eq!(name(text, 80).as_deref(), Ok(text));
        }
        assert_eq!(name("  Example Ltd ", 80).as_deref(), Ok("Example Ltd"));
    }

    #[test]
    fn what_hides_or_turns_is_refused_by_name() {
        for (text, code) in [
            ("Example\u{202e}dtL", "U+202E (right-to-left override)"),
            ("Exa\u{200b}mple", "U+200B (zero width space)"),
            ("Exa\u{200d}mple", "U+200D (zero width joiner)"),
            ("Exa\nmple", "U+000A (line feed)"),
            ("Exa\u{0}mple", "U+0000 (null)"),
            ("Exa\u{2028}mple", "U+2028 (line separator)"),
            ("Exa\u{e0041}mple", "U+E0041 (tag character)"),
            ("Exa\u{ad}mple", "U+00AD (soft hyphen)"),
            ("\u{2066}Example\u{2069}", "U+2066 (left-to-right isolate)"),
            ("Exa\u{e000}mple", "U+E000 (private use character)"),
            ("Exa\u{1fffe}mple", "U+1FFFE (noncharacter)"),
        ] {
            let refusal = name(text, 80).unwrap_err().to_string();
            assert!(refusal.contains(code), "{text:?}: {refusal}");
        }
    }

    #[test]
    fn a_text_of_several_lines_keeps_them() {
        assert_eq!(lines("a\r\nb\n", 10).as_deref(), Ok("a\nb"));
        assert!(lines("a\u{202e}b", 10).is_err());
        assert_eq!(lines(" ", 10), Err(BadText::Length(10)));
        assert_eq!(name(&"x".repeat(81), 80), Err(BadText::Length(80)));
    }
}
