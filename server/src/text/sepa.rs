//! The characters that SEPA payments carry (EPC217-08, "SEPA requirements for an extended character set", section 6.1)
//! and how others are written with them (the same document, section 6.2, and the common Latin of its annexes).

use unicode_normalization::UnicodeNormalization as _;

/// A character for which there is no way to write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Untransliterable {
    pub char: char,
    /// Counted in characters, from 1.
    pub place: usize,
}

/// Returns true for a character that every SEPA bank carries.
pub const fn is_carried(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(
            c,
            '/' | '-' | '?' | ':' | '(' | ')' | '.' | ',' | '\'' | '+' | ' '
        )
}

/// Returns a text as SEPA banks carry it: what they carry as it is, other letters by their Latin writing. A text in Form
/// C gives places that its writer recognises.
pub fn transliterate(text: &str) -> Result<String, Untransliterable> {
    let mut carried = String::with_capacity(text.len());
    for (at, c) in text.chars().enumerate() {
        if is_carried(c) {
            carried.push(c);
        } else if let Some(writing) = writing(c) {
            carried.push_str(writing);
        } else {
            // A letter with marks is the letter.
            let base: Vec<char> = std::iter::once(c)
                .nfd()
                .filter(|part| !unicode_normalization::char::is_combining_mark(*part))
                .collect();
            let known = latin(&base, c).or_else(|| latin(&compatible(c)?, c));
            let Some(known) = known else {
                return Err(Untransliterable {
                    char: c,
                    place: at + 1,
                });
            };
            // A mark alone stands on the letter before it.
            carried.push_str(&known);
        }
    }
    Ok(carried)
}

/// Returns what the parts of a character are written with; none if one of them cannot be.
fn latin(parts: &[char], whole: char) -> Option<String> {
    let mut known = String::new();
    for part in parts {
        if is_carried(*part) {
            known.push(*part);
        } else {
            known.push_str(writing(*part).filter(|_| *part != whole)?);
        }
    }
    Some(known)
}

/// Returns the plain letters of a form of letters (ﬁ, Ǆ, Ａ), or the digit of a wide one. No other numbers: a raised 2 is
/// no 2.
fn compatible(c: char) -> Option<Vec<char>> {
    let is_form = c.is_alphabetic() || matches!(c, '０'..='９');
    let parts = std::iter::once(c).nfkd();
    is_form.then(|| {
        parts
            .filter(|part| !unicode_normalization::char::is_combining_mark(*part))
            .collect()
    })
}

/// Returns how a character is written that has no base letter of its own.
const fn writing(c: char) -> Option<&'static str> {
    Some(match c {
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => " ",
        '&' => "+",
        '¿' => "?",
        '×' => "x",
        'ŉ' => "'n",
        '"' | '“' | '”' | '„' | '‟' | '«' | '»' | '`' | '´' | '‘' | '’' | '‚' | '‛' | '′' | '″' => {
            "'"
        }
        '_' | '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' | '~' => "-",
        '…' => "...",
        '!' | '¡' | '*' | '#' | '$' | '%' | '@' | '=' | '^' | '|' | '§' | '°' | '·' | '•' | '<'
        | '>' => ".",
        ';' => ",",
        '\\' => "/",
        '[' | '{' => "(",
        ']' | '}' => ")",
        '€' => "EUR",
        '£' => "GBP",
        '№' => "No",
        'ª' => "a",
        'ß' => "ss",
        'ẞ' => "SS",
        'Æ' => "AE",
        'æ' => "ae",
        'Œ' => "OE",
        'œ' => "oe",
        'Ø' => "O",
        'ø' | 'º' => "o",
        'Đ' | 'Ð' => "D",
        'đ' | 'ð' => "d",
        'Ħ' => "H",
        'ħ' => "h",
        'ı' => "i",
        'Ĳ' => "IJ",
        'ĳ' => "ij",
        'ĸ' => "k",
        'Ł' => "L",
        'ł' => "l",
        'Ŋ' => "N",
        'ŋ' => "n",
        'Þ' => "TH",
        'þ' => "th",
        'Ŧ' => "T",
        'ŧ' => "t",
        'ſ' => "s",
        other => return script(other),
    })
}

/// Returns the Latin writing of the other two alphabets of the European Union (EPC217-08, annexes for Greek and Cyrillic).
const fn script(c: char) -> Option<&'static str> {
    Some(match c {
        'Α' | 'А' | 'Ъ' => "A",
        'α' | 'а' | 'ъ' => "a",
        'Β' | 'В' => "V",
        'β' | 'в' => "v",
        'Б' => "B",
        'б' => "b",
        'Γ' | 'Г' => "G",
        'γ' | 'г' => "g",
        'Δ' | 'Д' => "D",
        'δ' | 'д' => "d",
        'Ε' | 'Е' | 'Э' => "E",
        'ε' | 'е' | 'э' => "e",
        'Ж' => "ZH",
        'ж' => "zh",
        'Ζ' | 'З' => "Z",
        'ζ' | 'з' => "z",
        'Η' | 'Ι' | 'И' => "I",
        'η' | 'ι' | 'и' => "i",
        'Й' | 'Ы' | 'Ь' | 'Υ' => "Y",
        'й' | 'ы' | 'ь' | 'υ' => "y",
        'Θ' => "TH",
        'θ' => "th",
        'Κ' | 'К' => "K",
        'κ' | 'к' => "k",
        'Λ' | 'Л' => "L",
        'λ' | 'л' => "l",
        'Μ' | 'М' => "M",
        'μ' | 'м' => "m",
        'Ν' | 'Н' => "N",
        'ν' | 'н' => "n",
        'Ξ' => "X",
        'ξ' => "x",
        'Ο' | 'О' | 'Ω' => "O",
        'ο' | 'о' | 'ω' => "o",
        'Π' | 'П' => "P",
        'π' | 'п' => "p",
        'Ρ' | 'Р' => "R",
        'ρ' | 'р' => "r",
        'Σ' | 'С' => "S",
        'σ' | 'ς' | 'с' => "s",
        'Τ' | 'Т' => "T",
        'τ' | 'т' => "t",
        'У' => "U",
        'у' => "u",
        'Φ' | 'Ф' => "F",
        'φ' | 'ф' => "f",
        'Χ' | 'Ч' => "CH",
        'χ' | 'ч' => "ch",
        'Х' => "H",
        'х' => "h",
        'Ψ' => "PS",
        'ψ' => "ps",
        'Ц' => "TS",
        'ц' => "ts",
        'Ш' => "SH",
        'ш' => "sh",
        'Щ' => "SHT",
        'щ' => "sht",
        'Ю' => "YU",
        'ю' => "yu",
        'Я' => "YA",
        'я' => "ya",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_sepa_carries_stays_as_it_is() {
        let all = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-?:().,'+ ";
        assert_eq!(transliterate(all).as_deref(), Ok(all));
    }

    #[test]
    fn letters_of_the_union_are_written_in_latin() {
        for (text, carried) in [
            ("Meșter Ștefan, Timișoara", "Mester Stefan, Timisoara"),
            ("Meşter", "Mester"),
            ("Müller & Söhne", "Muller + Sohne"),
            ("Straße_7", "Strasse-7"),
            ("Łódź", "Lodz"),
            ("Ærø €5", "AEro EUR5"),
            ("Άλφα", "Alfa"),
            ("София", "Sofiya"),
            ("Nº 5 – “x”", "No 5 - 'x'"),
            ("a\u{a0}b", "a b"),
            ("¿Qué? ¡Sí!", "?Que? .Si."),
            ("ﬁn Ａ１ Ǆ", "fin A1 DZ"),
        ] {
            assert_eq!(transliterate(text).as_deref(), Ok(carried), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_written_is_named() {
        for (text, char, place) in [
            ("株式会社", '株', 1),
            ("ok 👍", '👍', 4),
            ("10²", '²', 3),
            ("½", '½', 1),
            ("שלום", 'ש', 1),
        ] {
            assert_eq!(
                transliterate(text),
                Err(Untransliterable { char, place }),
                "{text}"
            );
        }
    }
}
