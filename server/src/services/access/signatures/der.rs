//! The few structures of DER (X.690) that hold a public key, read one level at a time: nothing recurses, whatever nests
//! inside.

/// The numbers of a public key.
#[derive(Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Modulus and exponent; `pss` if the key is for RSASSA-PSS alone (RFC 4055).
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
        pss: bool,
    },
    /// The coordinates on P-256.
    P256 {
        x: Vec<u8>,
        y: Vec<u8>,
    },
    Ed25519(Vec<u8>),
    /// An RSA key for RSASSA-PSS with another hash than SHA-256, or with a salt that is longer than one.
    OtherPss,
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OID: u8 = 0x06;
const SEQUENCE: u8 = 0x30;
/// `[0] EXPLICIT`: a certificate's version.
const VERSION: u8 = 0xa0;

/// `[0]`, `[1]` and `[2] EXPLICIT`: hash, mask and salt of RSASSA-PSS (RFC 4055, section 3.1).
const PSS_PARTS: [u8; 3] = [0xa0, 0xa1, 0xa2];

const SHA_256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

/// Reads a `SubjectPublicKeyInfo` (RFC 5280, section 4.1).
pub fn public_key(der: &[u8]) -> Option<Numbers> {
    let mut info = Level(der).enter(SEQUENCE)?;
    let mut algorithm = info.enter(SEQUENCE)?;
    let oid = algorithm.value(OID)?;
    // How many bits of the last byte are unused: none.
    let (0, key) = info
        .value(BIT_STRING)?
        .split_first()
        .map(|(a, b)| (*a, b))?
    else {
        return None;
    };
    match oid {
        RSA_PSS if !is_for_ps256(&mut algorithm) => Some(Numbers::OtherPss),
        RSA | RSA_PSS => rsa(key, oid == RSA_PSS),
        EC if algorithm.value(OID)? == P256 => {
            // An uncompressed point (SEC 1, section 2.3.3).
            let (4, point) = key.split_first().map(|(a, b)| (*a, b))? else {
                return None;
            };
            let (x, y) = point.split_at_checked(32).filter(|(_, y)| y.len() == 32)?;
            Some(Numbers::P256 {
                x: x.to_vec(),
                y: y.to_vec(),
            })
        }
        ED25519 if key.len() == 32 => Some(Numbers::Ed25519(key.to_vec())),
        _ => None,
    }
}

/// Reads an `RSAPublicKey` (RFC 8017, appendix A.1.1).
pub fn rsa_public_key(der: &[u8]) -> Option<Numbers> {
    rsa(der, false)
}

/// Reads the key of a certificate (RFC 5280, section 4.1). Its signature is not checked.
pub fn certificate(der: &[u8]) -> Option<Numbers> {
    let mut certificate = Level(der).enter(SEQUENCE)?;
    let mut signed = certificate.enter(SEQUENCE)?;
    if signed.0.first() == Some(&VERSION) {
        signed.value(VERSION)?;
    }
    signed.value(INTEGER)?;
    // Signature, issuer, validity, subject.
    for _ in 0..4 {
        signed.value(SEQUENCE)?;
    }
    public_key(signed.0)
}

/// Returns `true` if the parameters of an RSASSA-PSS key (RFC 4055, section 3.1) allow PS256. Without parameters all is
/// allowed; a hash that is left out is SHA-1, and the salt of a key is the shortest that is allowed.
fn is_for_ps256(algorithm: &mut Level<'_>) -> bool {
    if algorithm.0.is_empty() {
        return true;
    }
    let Some(mut parameters) = algorithm.enter(SEQUENCE) else {
        return false;
    };
    let [hash, mask, salt] = PSS_PARTS;
    let mut part = |tag: u8| {
        let is_next = parameters.0.first() == Some(&tag);
        is_next.then(|| parameters.enter(tag)).flatten()
    };
    let hash = part(hash).and_then(|mut hash| hash.enter(SEQUENCE)?.value(OID));
    part(mask);
    let salt = part(salt).and_then(|mut salt| salt.value(INTEGER));
    hash == Some(SHA_256) && salt.is_none_or(|salt| matches!(salt, [0..=32]))
}

fn rsa(der: &[u8], pss: bool) -> Option<Numbers> {
    let mut key = Level(der).enter(SEQUENCE)?;
    let n = key.value(INTEGER)?.to_vec();
    let e = key.value(INTEGER)?.to_vec();
    Some(Numbers::Rsa { n, e, pss })
}

/// The unread bytes of one level.
struct Level<'a>(&'a [u8]);

impl<'a> Level<'a> {
    /// Takes the next value, which must have this tag.
    fn value(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (found, rest) = self.0.split_first()?;
        let (first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(*first), rest),
            // More than 16 MiB is no key.
            0x81..=0x83 => {
                let (length, rest) = rest.split_at_checked(usize::from(*first - 0x80))?;
                let number = length
                    .iter()
                    .fold(0, |sum, byte| sum * 256 + usize::from(*byte));
                (number, rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (*found == tag).then_some(value)
    }

    fn enter(&mut self, tag: u8) -> Option<Level<'a>> {
        self.value(tag).map(Level)
    }
}
