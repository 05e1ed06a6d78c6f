//! How digests are written: in which alphabet, behind which prefix, of which hash.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// A digest that was written in another way than it should be.
pub struct Written {
    /// The hash, told by the digest's length or by its prefix.
    pub hash: Hash,
    /// Completes "the digest is written"; nothing if it is written as it should be.
    pub how: String,
    digest: Vec<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Hash {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    const ALL: [(Self, &'static str, usize); 5] = [
        (Self::Md5, "MD5", 16),
        (Self::Sha1, "SHA-1", 20),
        (Self::Sha256, "SHA-256", 32),
        (Self::Sha384, "SHA-384", 48),
        (Self::Sha512, "SHA-512", 64),
    ];

    pub fn name(self) -> &'static str {
        let known = Self::ALL.iter().find(|(hash, ..)| *hash == self);
        known.map_or("", |(_, name, _)| name)
    }

    fn of_length(bytes: usize) -> Option<Self> {
        let known = Self::ALL.iter().find(|(_, _, length)| *length == bytes);
        known.map(|(hash, ..)| *hash)
    }
}

impl Written {
    /// Reads a claim; `None` if it is no digest in any notation.
    pub fn read(claim: &str) -> Option<Self> {
        let claim = claim.trim();
        let (text, prefix) = without_prefix(claim);
        let (digest, alphabet) = decoded(text)?;
        let (digest, alphabet) = match std::str::from_utf8(&digest).ok().and_then(of_hex) {
            Some(inner) => (inner, "base64 of its hexadecimal form"),
            None => (digest, alphabet),
        };
        let how = match (prefix, alphabet) {
            ("", alphabet) => alphabet.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, alphabet) => format!("{prefix}, {alphabet}"),
        };
        Some(Self {
            hash: Hash::of_length(digest.len())?,
            how,
            digest,
        })
    }

    /// Tells whether these bytes have the digest.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        match self.hash {
            Hash::Sha256 => Sha256::digest(bytes)[..] == self.digest,
            Hash::Sha384 => Sha384::digest(bytes)[..] == self.digest,
            Hash::Sha512 => Sha512::digest(bytes)[..] == self.digest,
            // Not made here: they are named by their lengths alone.
            Hash::Md5 | Hash::Sha1 => false,
        }
    }
}

/// The digest behind the prefixes of HTTP fields and of package managers.
fn without_prefix(claim: &str) -> (&str, &'static str) {
    let rest = |prefix: &str| {
        let head = claim.get(..prefix.len())?;
        head.eq_ignore_ascii_case(prefix)
            .then(|| claim.get(prefix.len()..))
            .flatten()
    };
    for (_, name, _) in Hash::ALL {
        let short = name.replace('-', "");
        for prefix in [format!("{name}="), format!("{short}=")] {
            let Some(rest) = rest(&prefix) else {
                continue;
            };
            let inner = rest
                .strip_prefix(':')
                .and_then(|rest| rest.strip_suffix(':'));
            return match inner {
                Some(inner) => (inner, "a Content-Digest field (RFC 9530), between colons"),
                None => (
                    rest,
                    "a Digest field (RFC 3230, Berlin Group), behind its algorithm",
                ),
            };
        }
        for prefix in [format!("{short}:"), format!("{name}:"), format!("{short}-")] {
            if let Some(rest) = rest(&prefix) {
                return (rest.trim(), "with its algorithm in front");
            }
        }
    }
    (claim, "")
}

fn decoded(text: &str) -> Option<(Vec<u8>, &'static str)> {
    let bare: String = text.chars().filter(|c| !matches!(c, ':' | ' ')).collect();
    let bare = bare.strip_prefix("0x").unwrap_or(&bare);
    if let Some(bytes) = of_hex(bare) {
        return Some((bytes, "hexadecimal"));
    }
    let alphabets = [
        (STANDARD.decode(text), ""),
        (STANDARD_NO_PAD.decode(text), "base64 without padding"),
        (URL_SAFE.decode(text), "base64url"),
        (URL_SAFE_NO_PAD.decode(text), "base64url without padding"),
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
