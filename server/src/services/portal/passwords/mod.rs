//! Strength of passwords. Good ones are long, and not guessable. No rule about which characters (NIST SP 800-63B, ASVS 6.2).
//!
//! Two judges have to agree. zxcvbn knows leaked passwords, names, dates and keyboards, in English and as they are typed.
//! Ours knows what that one does not: other languages and accents, words spelt out, and a person's own names with something
//! between them. `common.txt` holds the words that lists of leaked passwords are made of. A password counts as guessable when such
//! words, the person's own names, runs (`1234`, `aaaa`) and a few other characters are all there is to it, which also
//! catches what no list holds: `Password2026!!`, `qwertyqwerty12`.

use std::collections::HashSet;
use std::sync::LazyLock;

use app::domain::person::Email;
use unicode_normalization::UnicodeNormalization as _;

use crate::state::passwords::normalized;

const SHORTEST: usize = 12;
const LONGEST: usize = 128;
/// Nothing longer is even looked at: 128 characters in their longest spelling.
pub const LONGEST_BYTES: usize = 4096;
/// Least worth of a good password: a letter and a common word count 4, a digit or another character 2.
const ENOUGH: usize = 16;
const LETTER: usize = 4;
const WORD: usize = 4;
const OTHER: usize = 2;
/// A run or a year, however long.
const RUN: usize = 2;
/// Longest password that zxcvbn is asked about, in characters. Strangers' forms are judged before there is a place in the queue
/// for hashing, and its time grows faster than the length: 1 ms for 32, 5 ms for 64. What is longer and guessable is a
/// repetition, which ours sees.
const LONGEST_ESTIMATED: usize = 32;
/// In `common.txt`; a person's own names may be longer.
const LONGEST_WORD: usize = 24;

static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common.txt").split_whitespace().collect());

/// Judges a password that somebody chose. `names` are words that are easy to guess for this person: the brand, the
/// company. The refusal says what to do.
pub fn check_strength(password: &str, email: Option<&Email>, names: &[&str]) -> Result<(), String> {
    if password.len() > LONGEST_BYTES {
        return Err(format!("Use at most {LONGEST} characters."));
    }
    let password = normalized(password);
    let password = password.as_str();
    let length = password.chars().count();
    if length < SHORTEST {
        return Err(format!(
            "Use at least {SHORTEST} characters: four or five words are easy to remember."
        ));
    }
    if length > LONGEST {
        return Err(format!("Use at most {LONGEST} characters."));
    }
    let mut own: HashSet<String> = email
        .into_iter()
        .flat_map(|email| own_words(email.as_str()))
        .collect();
    own.extend(names.iter().flat_map(|name| own_words(name)));
    if score(password, &own) < ENOUGH || is_listed(password, &own) {
        return Err(
            "This is too easy to guess: it is made of common words, your own names or simple runs. \
             Use a few unrelated words."
                .to_owned(),
        );
    }
    Ok(())
}

/// A name and its parts, in lower case; `Example Ltd` gives `example ltd`, `exampleltd`, `example` and `ltd`.
fn own_words(name: &str) -> impl Iterator<Item = String> {
    let name = name.to_lowercase();
    let joined: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
    let parts: Vec<String> = name
        .split(|c: char| !c.is_alphanumeric())
        .map(str::to_owned)
        .collect();
    parts
        .into_iter()
        .chain([name, joined])
        .filter(|word| word.chars().count() >= 3)
}

/// Returns `true` if zxcvbn expects fewer than 10^8 guesses, as from somebody who knows these names.
fn is_listed(password: &str, own: &HashSet<String>) -> bool {
    if password.chars().count() > LONGEST_ESTIMATED {
        return false;
    }
    let own: Vec<&str> = own.iter().map(String::as_str).collect();
    zxcvbn::zxcvbn(password, &own).score() < zxcvbn::Score::Three
}

/// Returns the strength of a password in the units above: the cheapest way to put it together.
fn score(password: &str, own: &HashSet<String>) -> usize {
    let text: Vec<char> = password.to_lowercase().chars().collect();
    // Spelling a word out, or backwards, costs no guesser anything.
    let spelt_out = text.split(|c| is_gap(*c)).all(|part| part.len() <= 2);
    let close: Vec<char> = text
        .iter()
        .copied()
        .filter(|c| !(spelt_out && is_gap(*c)))
        .collect();
    let back: Vec<char> = close.iter().rev().copied().collect();
    let worths = [&text, &close, &back].map(|text| cheapest(text, own));
    worths.into_iter().min().unwrap_or(0)
}

/// Returns `true` for what people put between letters.
fn is_gap(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '_' | '.')
}

/// Returns what a text in lower case is worth, read from its beginning.
fn cheapest(text: &[char], own: &HashSet<String>) -> usize {
    let text = without_repetition(text);
    let longest = own
        .iter()
        .map(|word| word.chars().count())
        .max()
        .map_or(LONGEST_WORD, |own| own.max(LONGEST_WORD));
    // `cheapest[i]`: the least that the first `i` characters are worth.
    let mut cheapest = vec![usize::MAX; text.len() + 1];
    if let Some(start) = cheapest.first_mut() {
        *start = 0;
    }
    for at in 0..text.len() {
        let so_far = cheapest.get(at).copied().unwrap_or(usize::MAX);
        let rest = text.get(at..).unwrap_or_default();
        for (length, cost) in pieces(rest, own, longest) {
            if let Some(slot) = cheapest.get_mut(at + length) {
                *slot = (*slot).min(so_far.saturating_add(cost));
            }
        }
    }
    cheapest.last().copied().unwrap_or(0)
}

/// Everything a text may begin with: one character, a run, a word.
fn pieces(rest: &[char], own: &HashSet<String>, longest: usize) -> Vec<(usize, usize)> {
    let Some(first) = rest.first() else {
        return Vec::new();
    };
    let one = if first.is_alphabetic() { LETTER } else { OTHER };
    let mut found = vec![(1, one)];
    found.extend((3..=run(rest)).map(|length| (length, RUN)));
    let mut word = String::new();
    let mut plain = String::new();
    for (at, c) in rest.iter().take(longest).enumerate() {
        word.push(*c);
        plain.push(unmasked(*c));
        if is_year(&word) {
            found.push((at + 1, RUN));
        }
        let known = |word: &str| COMMON.contains(word) || own.contains(word);
        if at >= 2 && (known(&word) || known(&plain)) {
            found.push((at + 1, WORD));
        }
    }
    found
}

/// The letter that is meant by a character that looks like it, accents left out.
fn unmasked(c: char) -> char {
    // A composed letter begins with the plain one.
    let c = std::iter::once(c).nfd().next().unwrap_or(c);
    match c {
        '0' => 'o',
        '1' | '!' => 'i',
        '3' => 'e',
        '4' | '@' => 'a',
        '5' | '$' => 's',
        '7' => 't',
        other => other,
    }
}

fn is_year(word: &str) -> bool {
    word.len() == 4
        && (word.starts_with("19") || word.starts_with("20"))
        && word.bytes().all(|b| b.is_ascii_digit())
}

/// Returns the length of the run at the start of a text: `aaaa`, `1234`, `dcba`.
fn run(text: &[char]) -> usize {
    let step = |pair: &[char]| match pair {
        [a, b] => i64::from(u32::from(*b)) - i64::from(u32::from(*a)),
        _ => i64::MAX,
    };
    let mut steps = text.windows(2).map(step);
    let Some(first) = steps.next().filter(|step| step.abs() <= 1) else {
        return 1;
    };
    2 + steps.take_while(|step| *step == first).count()
}

/// The block of which the text is a repetition, or the text itself.
fn without_repetition(text: &[char]) -> &[char] {
    (1..=text.len() / 2)
        .filter(|block| {
            text.iter()
                .zip(text.iter().skip(*block))
                .all(|(a, b)| a == b)
        })
        .find_map(|block| text.get(..block))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(password: &str) -> Result<(), String> {
        let email = Email::parse("ana.pop@northwind.example.com").unwrap();
        check_strength(password, Some(&email), &["Tessera", "Example Ltd"])
    }

    #[test]
    fn what_leaked_lists_are_made_of_is_refused() {
        for password in [
            "password1234",
            "P@ssw0rd2026!",
            "qwertyuiop12",
            "qwertyqwerty",
            "aaaaaaaaaaaa",
            "123456789012",
            "abcdefghijkl",
            "iloveyou1987!",
            "monkeydragon1",
            "letmein-letmein",
            "welcome2026!!",
            "1q2w3e4r5t6y",
            "Tessera-2026-Tessera",
            "tesseratessera",
            "ana.pop@northwind.example.com",
            "northwind2026",
            "Example Ltd 1",
            "PÄSSWÖRD1234",
            "pässwörd2026",
            "drowssap4321",
            "p a s s w o r d 1 2",
            "p-a-s-s-w-o-r-d-1-2",
            "!@#$%^&*()_+",
            "!\"§$%&/()=?1",
            "пароль123456",
            "ПАРОЛЬ-ПАРОЛЬ",
            "йцукенгшщзхъ",
            // Of lists in English.
            "superman1234",
            "manchester1878",
            "jennifer19850312",
            "liverpoolfc2020",
            "zaq12wsx34ed",
            "harrypotter77",
            "starwars1977x",
        ] {
            let refusal = judged(password).err().unwrap_or_default();
            assert!(refusal.contains("easy to guess"), "{password}: {refusal}");
        }
    }

    #[test]
    fn length_alone_is_asked_for_and_any_character_is_welcome() {
        assert!(judged("k3j9x2m4p8q").unwrap_err().contains("at least 12"));
        for password in [
            "k3j9x2m4p8q1",
            "correct horse battery staple",
            "patru lămpi peste râu",
            "四个灯在安静的河上面亮着呢",
            "        a quiet river",
            &"quiet river ".repeat(10).replace("riv", "fl"),
            &format!("{}z", "kumquat lamp ").repeat(9),
        ] {
            assert_eq!(judged(password), Ok(()), "{password}");
        }
        assert!(judged(&"x7".repeat(65)).is_err(), "130 characters");
        assert!(judged(&"é😀".repeat(300)).is_err());
    }

    #[test]
    fn the_list_is_lower_case_and_has_no_double() {
        let words: Vec<&str> = include_str!("common.txt").split_whitespace().collect();
        assert!(words.len() > 900, "{}", words.len());
        assert_eq!(words.len(), COMMON.len(), "a word is listed twice");
        for word in words {
            assert_eq!(word, word.to_lowercase());
            assert!((3..=LONGEST_WORD).contains(&word.len()), "{word}");
        }
    }
}
