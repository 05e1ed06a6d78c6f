//! The two secrets of a tenant, as texts: `tsr_<sbx|live>_<cs|ak>_<random><crc>`.
//!
//! 256 random bits in base 62 (43 characters) and the CRC-32 of everything before it (6 characters), so that a key
//! can be recognised offline, by people, scanners and this server before it asks its database.

use super::tenant::Environment;

string_enum! {
    /// Kind of a tenant's key.
    KeyKind {
        /// `client_secret`: for servers only; shown once.
        Secret = "client_secret",
        /// `client_app_key`: may live in a client app; starts sessions.
        AppKey = "client_app_key",
    }
}

/// Regular expression that finds every key in a text; published for scanners of source code.
pub const PATTERN: &str = "tsr_(sbx|live)_(cs|ak)_[0-9A-Za-z]{49}";

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const RANDOM_LEN: usize = 43;
const CRC_LEN: usize = 6;

/// Environment and kind of a key, which its text states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyShape {
    /// Environment in which the key works.
    pub environment: Environment,
    /// Kind of the key.
    pub kind: KeyKind,
}

impl KeyShape {
    /// Writes a key of this shape around 256 random bits.
    pub fn write(self, random: [u8; 32]) -> String {
        let body = format!("{}{}", self.prefix(), base62(&random, RANDOM_LEN));
        let crc = base62(&crc32fast::hash(body.as_bytes()).to_be_bytes(), CRC_LEN);
        body + &crc
    }

    /// Reads a key's shape; `None` for any text that is no well-formed key, its checksum included.
    pub fn read(text: &str) -> Option<Self> {
        let shape = Self::by_prefix(text)?;
        let body_len = shape.prefix().len() + RANDOM_LEN;
        let (body, crc) = (text.get(..body_len)?, text.get(body_len..)?);
        (base62(&crc32fast::hash(body.as_bytes()).to_be_bytes(), CRC_LEN) == crc).then_some(shape)
    }

    /// Reads the shape from the prefix alone: enough for a hint, not for trust.
    pub fn by_prefix(text: &str) -> Option<Self> {
        Environment::ALL
            .iter()
            .flat_map(|&environment| {
                KeyKind::ALL
                    .iter()
                    .map(move |&kind| Self { environment, kind })
            })
            .find(|shape| text.starts_with(&shape.prefix()))
    }

    /// Returns the prefix of every key of this shape, for example `tsr_sbx_cs_`.
    pub fn prefix(self) -> String {
        let environment = match self.environment {
            Environment::Sandbox => "sbx",
            Environment::Production => "live",
        };
        let kind = match self.kind {
            KeyKind::Secret => "cs",
            KeyKind::AppKey => "ak",
        };
        format!("tsr_{environment}_{kind}_")
    }
}

/// The last four characters of a key: what is shown of one that may not be shown.
pub fn tail(key: &str) -> String {
    let mut last: Vec<char> = key.chars().rev().take(4).collect();
    last.reverse();
    last.into_iter().collect()
}

/// A big-endian number in base 62, padded on the left to a fixed length.
fn base62(bytes: &[u8], len: usize) -> String {
    let limb = |bytes: &[u8]| {
        bytes
            .iter()
            .fold(0_u32, |limb, byte| limb << 8 | u32::from(*byte))
    };
    let mut number: Vec<u32> = bytes.rchunks(4).rev().map(limb).collect();
    let mut digits = Vec::with_capacity(len);
    for _ in 0..len {
        let mut rest = 0_u64;
        for limb in &mut number {
            let value = rest << 32 | u64::from(*limb);
            *limb = u32::try_from(value / 62).unwrap_or(u32::MAX);
            rest = value % 62;
        }
        let digit = usize::try_from(rest).unwrap_or_default();
        digits.push(char::from(BASE62.get(digit).copied().unwrap_or(b'0')));
    }
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: KeyShape = KeyShape {
        environment: Environment::Sandbox,
        kind: KeyKind::Secret,
    };

    #[test]
    fn a_key_says_what_it_is() {
        let key = SHAPE.write([7; 32]);
        assert!(key.starts_with("tsr_sbx_cs_"));
        assert_eq!(key.len(), "tsr_sbx_cs_".len() + 49);
        assert_eq!(KeyShape::read(&key), Some(SHAPE));
    }

    #[test]
    fn a_mistyped_key_is_known_without_a_database() {
        let key = SHAPE.write([7; 32]);
        for at in "tsr_sbx_cs_".len()..key.len() {
            let mut broken: Vec<char> = key.chars().collect();
            broken[at] = if broken[at] == '0' { '1' } else { '0' };
            assert_eq!(
                KeyShape::read(&broken.into_iter().collect::<String>()),
                None
            );
        }
        assert_eq!(KeyShape::read(&key[..key.len() - 1]), None);
        assert_eq!(KeyShape::read(&format!("{key}0")), None);
        assert_eq!(KeyShape::read("tsr_sbx_cs_é"), None);
    }

    #[test]
    fn different_bits_make_different_keys() {
        let mut seen = std::collections::HashSet::new();
        for n in 0..=255_u8 {
            assert!(seen.insert(SHAPE.write([n; 32])));
        }
    }
}
