//! Whether a public key is strong enough to prove anything.

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use curve25519_dalek::edwards::CompressedEdwardsY;

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

/// Judges an Ed25519 key: 32 bytes that are a point, and none of small order.
pub fn ed25519(x: &[u8]) -> Result<(), String> {
    let Ok(whole) = <[u8; 32]>::try_from(x) else {
        return Err("An Ed25519 key has 32 bytes.".to_owned());
    };
    let point = CompressedEdwardsY(whole).decompress();
    // With one of small order as a key, one signature is good for many texts (RFC 8032, section 8.4).
    if point.is_some_and(|point| point.is_small_order()) {
        return Err(
            "This Ed25519 key is a point of small order: anybody can sign for it.".to_owned(),
        );
    }
    // The library also reads spellings that RFC 8032, section 5.1.3, does not allow.
    if point.is_none_or(|point| point.compress().0 != whole) {
        return Err(
            "These 32 bytes are no point of the curve Ed25519: a character of the key was lost or changed."
                .to_owned(),
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers below 32 that are the y of a point. 0 and 1 are of small order.
    const POINTS: [u8; 20] = [
        3, 4, 5, 6, 9, 10, 14, 15, 16, 18, 19, 21, 23, 24, 25, 26, 27, 28, 29, 30,
    ];

    #[test]
    fn points_are_told_from_what_is_none() {
        // The y of the base point is 4/5.
        let mut base = [0x66; 32];
        base[0] = 0x58;
        assert_eq!(ed25519(&base), Ok(()));
        base[31] |= 0x80;
        assert_eq!(ed25519(&base), Ok(()));
        let of = |first: u8| {
            let mut bytes = [0; 32];
            bytes[0] = first;
            ed25519(&bytes).is_ok()
        };
        let points: Vec<u8> = (0..32).filter(|first| of(*first)).collect();
        assert_eq!(points, POINTS);
    }

    #[test]
    fn a_number_that_is_p_or_more_is_no_spelling_of_a_point() {
        for first in 0xed..=0xff {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (first, 0x7f);
            assert!(ed25519(&bytes).is_err(), "{first:x}");
        }
    }
}
