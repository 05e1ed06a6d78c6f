//! Whether a public key is strong enough to prove anything.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};

/// Bits of an RSA modulus: at least 2048 (RFC 7518, section 3.3), at most what is verified here.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Exponents of RSA keys: from 65537 on (FIPS 186-5, section 5.1), at most 32 bits.
const RSA_EXPONENTS: std::ops::RangeInclusive<u64> = 65_537..=0xffff_ffff;

/// A big number without its leading zeros.
pub fn trimmed(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// Judges an RSA key; both numbers big-endian without leading zeros.
pub fn rsa(n: &[u8], e: &[u8]) -> Result<(), String> {
    let zeros = n.first().map_or(0, |byte| byte.leading_zeros() as usize);
    let bits = n.len() * 8 - zeros;
    if !RSA_BITS.contains(&bits) {
        return Err(format!(
            "This RSA key has {bits} bits: it must have 2048 to 8192."
        ));
    }
    let exponent =
        (e.len() <= 8).then(|| e.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)));
    if !exponent.is_some_and(|e| RSA_EXPONENTS.contains(&e) && e % 2 == 1) {
        return Err(
            "The exponent of this RSA key is not one that proves anything: it must be odd, at least 65537 and at most 32 bits long."
                .to_owned(),
        );
    }
    if let Some(factor) = small_factor(n) {
        return Err(format!(
            "The modulus of this RSA key can be divided by {factor}: it is no product of two large primes, and anybody can sign for it."
        ));
    }
    Ok(())
}

/// The smallest number up to 1000 that divides a big one.
fn small_factor(n: &[u8]) -> Option<u32> {
    (2..1000_u32).find(|factor| {
        n.iter()
            .fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % factor)
            == 0
    })
}

/// Judges a point: it must lie on P-256 (SEC 1, section 3.2.2).
pub fn p256(x: &[u8], y: &[u8]) -> Result<(), String> {
    let point = [&[4], x, y].concat();
    let is_on_curve = x.len() == 32
        && y.len() == 32
        && ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &point).is_ok();
    is_on_curve.then_some(()).ok_or_else(|| {
        "The point of this key is not on the curve P-256: x and y have 32 bytes each, and belong together.".to_owned()
    })
}

/// Points of small order on Curve25519 and their other spellings, little-endian, sign bit aside: with one of them as a
/// key, one signature is good for many texts (RFC 8032, section 8.4, and `edwards25519`'s torsion).
const SMALL_ORDER: [[u8; 32]; 7] = [
    point(0, 0, 0),
    point(1, 0, 0),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    point(0xec, 0xff, 0x7f),
    point(0xed, 0xff, 0x7f),
    point(0xee, 0xff, 0x7f),
];

const fn point(first: u8, middle: u8, last: u8) -> [u8; 32] {
    let mut bytes = [middle; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

/// Judges an Ed25519 key: 32 bytes that are no point of small order.
pub fn ed25519(x: &[u8]) -> Result<(), String> {
    let Ok(mut bytes) = <[u8; 32]>::try_from(x) else {
        return Err("An Ed25519 key has 32 bytes.".to_owned());
    };
    if let Some(last) = bytes.last_mut() {
        *last &= 0x7f;
    }
    if SMALL_ORDER.contains(&bytes) {
        return Err(
            "This Ed25519 key is a point of small order: anybody can sign for it.".to_owned(),
        );
    }
    Ok(())
}
