//! How digests are written: in which alphabet, behind which prefix, of which hash.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use percent_encoding::percent_decode_str;
use sha2::{Digest as _, Sha224, Sha256, Sha384, Sha512};

/// A digest that was written in another way than it should be.
pub struct MisencodedDigest {
    /// The hash, told by the digest's length.
    pub hash: Hash,
    /// Completes "the digest is written"; nothing if it is written as it should be.
    pub how: String,
    digest: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    const ALL: [(Self, &'static str, usize); 6] = [
        (Self::Md5, "MD5", 16),
        (Self::Sha1, "SHA-1", 20),
        (Self::Sha224, "SHA-224", 28),
        (Self::Sha256, "SHA-256", 32),
        (Self::Sha384, "SHA-384", 48),
        (Self::Sha512, "SHA-512", 64),
    ];

    pub fn name(self) -> &'static str {
        let known = Self::ALL.iter().find(|(hash, ..)| *hash == self);
        known.map_or("", |(_, name, _)| name)
    }

    /// Returns `true` if [`MisencodedDigest::is_of`] makes this hash: MD5 and SHA-1 are told by their lengths alone.
    pub fn is_made(self) -> bool {
        !matches!(self, Self::Md5 | Self::Sha1)
    }

    fn of_length(bytes: usize) -> Option<Self> {
        let known = Self::ALL.iter().find(|(_, _, length)| *length == bytes);
        known.map(|(hash, ..)| *hash)
    }
}

impl MisencodedDigest {
    /// Reads a claim; `None` if it is no digest in any notation.
    pub fn read(claim: &str) -> Option<Self> {
        let (text, mut how) = bare(claim);
        let (digest, alphabet) = decoded(&text)?;
        how.extend(alphabet);
        Some(Self {
            hash: Hash::of_length(digest.len())?,
            how: how.join(", "),
            digest,
        })
    }

    /// Tells whether these bytes have the digest.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        match self.hash {
            Hash::Sha224 => Sha224::digest(bytes)[..] == self.digest,
            Hash::Sha256 => Sha256::digest(bytes)[..] == self.digest,
            Hash::Sha384 => Sha384::digest(bytes)[..] == self.digest,
            Hash::Sha512 => Sha512::digest(bytes)[..] == self.digest,
            Hash::Md5 | Hash::Sha1 => false,
        }
    }
}

/// Takes away what may be around a digest, layer by layer, each with what to call it.
fn bare(claim: &str) -> (String, Vec<&'static str>) {
    let mut text = claim.to_owned();
    let mut how = Vec::new();
    for layer in [spaces, quotes, escapes, spaces, field, member, prefix] {
        if let Some((inner, name)) = layer(&text) {
            (text, how) = (inner, [how, vec![name]].concat());
        }
    }
    (text, how)
}

type Layer = Option<(String, &'static str)>;

fn spaces(text: &str) -> Layer {
    let inner = text.trim();
    (inner != text).then(|| (inner.to_owned(), "with white space around it"))
}

fn quotes(text: &str) -> Layer {
    let between = |open: &str, close: &str| text.strip_prefix(open)?.strip_suffix(close);
    if let Some(inner) = between("b'", "'").or_else(|| between("b\"", "\"")) {
        return Some((
            inner.to_owned(),
            "as Python prints bytes (b'...', without decode())",
        ));
    }
    let inner = between("\"", "\"").or_else(|| between("'", "'"))?;
    Some((inner.to_owned(), "in quotes"))
}

fn escapes(text: &str) -> Layer {
    if text.contains("\\/") {
        return Some((text.replace("\\/", "/"), "with escaped slashes"));
    }
    let inner = text
        .contains('%')
        .then(|| percent_decode_str(text).decode_utf8());
    inner
        .and_then(Result::ok)
        .filter(|inner| inner != text)
        .map(|inner| (inner.into_owned(), "escaped as in a URL"))
}

/// The name of an HTTP field in front.
fn field(text: &str) -> Layer {
    ["digest:", "content-digest:", "repr-digest:", "digest="]
        .iter()
        .find_map(|name| {
            let inner = without(text, name)?;
            Some((
                inner.trim().to_owned(),
                "with the name of its field in front",
            ))
        })
}

/// One of several digests (RFC 9530, section 2).
fn member(text: &str) -> Layer {
    let mut members = text.split(',').map(str::trim);
    let ours = members
        .clone()
        .find(|member| without(member, "sha-256=").is_some());
    (members.clone().count() > 1 && members.all(|member| member.contains('=')))
        .then_some(ours?)
        .map(|ours| (ours.to_owned(), "among others"))
}

/// The algorithm in front, as in HTTP fields and in package managers.
fn prefix(text: &str) -> Layer {
    let named = Hash::ALL.iter().find_map(|(_, name, _)| {
        let spellings = [
            (*name).to_owned(),
            name.replace('-', ""),
            name.replace('-', "_"),
        ];
        let after = spellings.iter().find_map(|name| without(text, name))?;
        let mut rest = after.chars();
        let between = rest
            .next()
            .filter(|c| matches!(c, '=' | ':' | '-' | '_' | ' '))?;
        Some((between, rest.as_str().trim_start()))
    });
    let colons = |text: &str| {
        let inner = text.strip_prefix(':')?.strip_suffix(':')?;
        Some(inner.to_owned())
    };
    match named {
        Some(('=', rest)) => Some(colons(rest).map_or(
            (
                rest.to_owned(),
                "as a Digest field (RFC 3230, Berlin Group), behind its algorithm",
            ),
            |inner| {
                (
                    inner,
                    "as a Content-Digest field (RFC 9530), between colons",
                )
            },
        )),
        Some((_, rest)) => Some((rest.to_owned(), "with its algorithm in front")),
        None => colons(text).map(|inner| (inner, "between colons")),
    }
}

/// The rest of a text behind a prefix, in whatever case that is written.
fn without<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// The bytes of a digest, and how they are written if not as they should be.
fn decoded(text: &str) -> Option<(Vec<u8>, Vec<&'static str>)> {
    let digits: String = text
        .chars()
        .filter(|c| !matches!(c, ':' | '-') && !c.is_whitespace())
        .collect();
    let digits = without(&digits, "0x").unwrap_or(&digits);
    if let Some(bytes) = of_hex(digits) {
        return Some((bytes, vec!["in hexadecimal"]));
    }
    if let Some(bytes) = of_numbers(text) {
        return Some((bytes, vec!["as a list of numbers"]));
    }
    if let Some(bytes) = of_characters(text) {
        return Some((bytes, vec!["as raw bytes"]));
    }
    let whole: Cow<'_, str> = if text.contains(char::is_whitespace) {
        text.split_whitespace().collect::<String>().into()
    } else {
        text.into()
    };
    let (bytes, alphabet) = of_base64(&whole)?;
    let mut how = Vec::new();
    if whole != text {
        how.push("with white space or line breaks in it");
    }
    let inside = std::str::from_utf8(&bytes).ok();
    let again = inside.and_then(|inside| {
        let hex = of_hex(inside).map(|inner| (inner, "in base64 of its hexadecimal form"));
        let twice = || Some((of_base64(inside)?.0, "in base64 twice"));
        let raw = || {
            Some((
                of_characters(inside)?,
                "in base64 of its bytes written as a text",
            ))
        };
        hex.or_else(twice).or_else(raw)
    });
    // Bytes that read so by chance are rarer than slips.
    if let Some((inner, name)) = again.filter(|(inner, _)| Hash::of_length(inner.len()).is_some()) {
        how.push(name);
        return Some((inner, how));
    }
    how.extend(alphabet);
    Some((bytes, how))
}

fn of_base64(text: &str) -> Option<(Vec<u8>, Option<&'static str>)> {
    let alphabets = [
        (STANDARD.decode(text), None),
        (
            STANDARD_NO_PAD.decode(text),
            Some("in base64 without padding"),
        ),
        (URL_SAFE.decode(text), Some("in base64url")),
        (
            URL_SAFE_NO_PAD.decode(text),
            Some("in base64url without padding"),
        ),
    ];
    let mut read = alphabets.into_iter();
    read.find_map(|(bytes, how)| Some((bytes.ok()?, how)))
}

/// The bytes of a hexadecimal digest: a text of other lengths is something else.
fn of_hex(text: &str) -> Option<Vec<u8>> {
    let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if !is_hex || !text.len().is_multiple_of(2) {
        return None;
    }
    Hash::of_length(text.len() / 2)?;
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.map(byte).collect()
}

/// The bytes of a digest as lists print them, with signs or without: `[12, -3]`.
fn of_numbers(text: &str) -> Option<Vec<u8>> {
    let inner = text.strip_prefix('[')?.strip_suffix(']')?;
    let numbers = inner.split([',', ' ']).filter(|number| !number.is_empty());
    let byte = |number: &str| {
        let number: i16 = number.parse().ok()?;
        u8::try_from(number)
            .or_else(|_| i8::try_from(number).map(i8::cast_unsigned))
            .ok()
    };
    let bytes: Vec<u8> = numbers.map(byte).collect::<Option<_>>()?;
    Hash::of_length(bytes.len())?;
    Some(bytes)
}

/// The bytes of a digest, a character each.
fn of_characters(text: &str) -> Option<Vec<u8>> {
    if text.is_ascii() {
        return None;
    }
    let bytes: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(u32::from(c)).ok())
        .collect::<Option<_>>()?;
    Hash::of_length(bytes.len())?;
    Some(bytes)
}
