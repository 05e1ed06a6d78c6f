//! Texts from outside: how two are compared, which characters no text of ours may hold, and how one is named.
//!
//! One rule for both databases: what has to be alike is made alike here, in Rust, and never by a database's own idea of
//! letters (`lower`, `LIKE`, collations), which differ.

mod chars;
pub mod sepa;

use unicode_general_category::{GeneralCategory, get_general_category};
use unicode_normalization::UnicodeNormalization as _;

pub use chars::{OddChar, odd_char, odd_char_in};

/// Returns a text in Unicode Normalization Form C, in which one visible character has one spelling.
pub fn nfc(text: &str) -> String {
    if text.is_ascii() {
        return text.to_owned();
    }
    text.nfc().collect()
}

/// Returns what a name is compared by: Normalization Form C, letters without their case, every run of blanks as one, none
/// at the ends, no invisible format characters, and the Romanian ş and ţ (with a cedilla) as ș and ț (with a comma).
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        let lower = text.to_ascii_lowercase();
        return blanks(lower.chars().filter(|c| !is_invisible(*c)).collect());
    }
    // Marks that one folding brings together are one more letter for the next.
    let mut folded = fold_once(text);
    for _ in 0..8 {
        let again = fold_once(&folded);
        if again == folded {
            break;
        }
        folded = again;
    }
    folded
}

fn fold_once(text: &str) -> String {
    let shown = text.nfc().filter(|c| !is_invisible(*c)).map(comma_below);
    // Upper case first: it takes apart what lower case leaves as it is (ß is SS, ﬁ is FI).
    let upper = shown.flat_map(char::to_uppercase);
    let folded: String = upper.flat_map(char::to_lowercase).collect();
    blanks(folded.nfc().map(comma_below).collect())
}

/// Returns a text with every run of blanks as one space, and none at the ends.
fn blanks(text: String) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !folded.is_empty() {
            folded.push(' ');
        }
        folded.push_str(word);
    }
    folded
}

/// Returns the letter with a comma below for the same with a cedilla: both are in Romanian bank data.
const fn comma_below(c: char) -> char {
    match c {
        'ş' => 'ș',
        'Ş' => 'Ș',
        'ţ' => 'ț',
        'Ţ' => 'Ț',
        other => other,
    }
}

/// Returns true for characters that nobody sees and that are no blank.
pub fn is_invisible(c: char) -> bool {
    matches!(
        get_general_category(c),
        GeneralCategory::Format | GeneralCategory::Control
    ) && !c.is_whitespace()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_look_the_same_are_the_same() {
        let name = fold("Depozitul Meșter");
        for other in [
            "Depozitul Mes\u{326}ter",
            "Depozitul Meşter",
            "DEPOZITUL MEȘTER",
            "DEPOZITUL MES\u{327}TER",
            " Depozitul  Meșter ",
            "Depozitul\u{a0}Meșter",
            "Depozitul Me\u{ad}șter\u{200b}",
        ] {
            assert_eq!(fold(other), name, "{other:?}");
        }
        assert_ne!(fold("Depozitul Mester"), name, "a letter is no ornament");
        assert_eq!(fold("Ţara"), fold("țARA"));
        assert_eq!(fold("Straße"), fold("STRASSE"));
        assert_eq!(fold("ΟΔΟΣ"), fold("οδος"));
        assert_eq!(fold("İ"), fold("i\u{307}"));
        assert_eq!(fold("A\tb\nC"), "a b c");
        assert_eq!(fold(" \u{2003} "), "");
        let heaped = fold("ß\u{327}\u{327}");
        assert_eq!(fold(&heaped), heaped, "once is enough");
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,40}|[ŞşŢţȘșȚțßﬁİıΣςσ\u{327}\u{326}\u{300} \u{200b}]{0,20}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once.clone());
            prop_assert_eq!(fold(&nfc(&text)), once.clone());
            let apart: String = text.nfd().collect();
            prop_assert_eq!(fold(&apart), once);
        }
    }
}
