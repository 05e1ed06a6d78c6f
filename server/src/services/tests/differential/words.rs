//! Texts of every script, times at every edge, numbers of every size.

use rand::Rng as _;
use rand::rngs::StdRng;

/// Texts that databases, languages and people disagree about.
pub const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "A",
    "Corner Shop",
    "corner shop",
    "CORNER SHOP",
    " Corner  Shop ",
    "Meșter",
    "Mes\u{326}ter",
    "Meşter",
    "MEȘTER",
    "Straße",
    "STRASSE",
    "İstanbul",
    "istanbul",
    "ıstanbul",
    "ΟΔΟΣ",
    "οδος",
    "οδός",
    "Ǆ",
    "ǆ",
    "ﬁ",
    "fi",
    "株式会社",
    "مرحبا",
    "שלום",
    "👍🏽",
    "e\u{301}",
    "é",
    "É",
    "ｅ",
    "Ａ",
    "%",
    "_",
    "!",
    "!%",
    "\\",
    "\\%",
    "'",
    "''",
    "\"",
    "; DROP",
    "a_b",
    "a%b",
    "\0",
    "a\0b",
    "\u{202e}x",
    "\u{200b}",
    "\u{feff}",
    "\n",
    "\t",
    "a\r\nb",
    "Z",
    "z",
    "ž",
    "ö",
    "o",
    "Ö",
    "zz",
    "-",
    "0",
    "null",
    "true",
    "1e3",
    "\u{fffd}",
    "\u{10ffff}",
    "Corner Shop\u{a0}",
];

/// A text of these, or two of them together.
pub fn text(rng: &mut StdRng) -> String {
    let mut pick = || TEXTS[rng.random_range(0..TEXTS.len())];
    let first = pick().to_owned();
    if first.len() % 3 == 1 {
        return format!("{first}{}", pick());
    }
    first
}

/// A time as somebody may write it.
pub fn time(rng: &mut StdRng) -> String {
    if rng.random_bool(0.04) {
        let odd = [
            "",
            "now",
            "2026-02-30T00:00:00Z",
            "2026-01-01T00:00:00",
            "24:00",
            "2026-01-01T25:00:00Z",
        ];
        return odd[rng.random_range(0..odd.len())].to_owned();
    }
    let year = match rng.random_range(0..10) {
        0 => 0,
        1 => 1,
        2 => 9999,
        3 => 1970,
        4 => rng.random_range(0..10_000),
        _ => 2025,
    };
    let (month, day) = match rng.random_range(0..4) {
        0 => (1, 1),
        1 => (12, 31),
        _ => (rng.random_range(1..=12), rng.random_range(1..=28)),
    };
    let date = format!("{year:04}-{month:02}-{day:02}");
    if rng.random_bool(0.2) {
        return date;
    }
    let clock = match rng.random_range(0..4) {
        0 => "00:00:00".to_owned(),
        1 => "23:59:59".to_owned(),
        2 => "23:59:60".to_owned(),
        _ => format!(
            "{:02}:{:02}:{:02}",
            rng.random_range(0..24),
            rng.random_range(0..60),
            rng.random_range(0..60)
        ),
    };
    let decimals = rng.random_range(0..12);
    let fraction: String = (0..decimals)
        .map(|_| {
            char::from(
                b'0' + if rng.random_bool(0.6) {
                    0
                } else {
                    rng.random_range(0..10)
                },
            )
        })
        .collect();
    let fraction = if fraction.is_empty() {
        fraction
    } else {
        format!(".{fraction}")
    };
    let zone = match rng.random_range(0..6) {
        0 => "+23:59",
        1 => "-23:59",
        2 => "-05:00",
        3 => "+02:00",
        _ => "Z",
    };
    format!("{date}T{clock}{fraction}{zone}")
}

/// A number as somebody may write it.
pub fn number(rng: &mut StdRng) -> String {
    match rng.random_range(0..9) {
        0 => "0".into(),
        1 => "-0.0".into(),
        2 => "1e3".into(),
        3 => "1E-7".into(),
        4 => "922337203685477.5807".into(),
        5 => "1e400".into(),
        6 => format!(
            "{}.{:02}",
            rng.random_range(0..2_000),
            rng.random_range(0..100)
        ),
        7 => format!("{}.00000001", rng.random_range(0..200)),
        _ => rng.random_range(-5..200).to_string(),
    }
}

/// A currency as somebody may write it.
pub fn currency(rng: &mut StdRng) -> &'static str {
    let all = [
        "RON", "EUR", "RON", "EUR", "eur", "JPY", "ron ", "RON", "XYZ", "BTC", "",
    ];
    all[rng.random_range(0..all.len())]
}
