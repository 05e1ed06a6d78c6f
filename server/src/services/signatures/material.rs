//! Public keys as people paste them (PEM, JWK) and as providers publish them (JWKS), brought into one form: the JWK.

use app::domain::json::{self, Json, Limits};
use app::domain::signature::Algorithm;
use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{self as jwt, DecodingKey};
use serde::Deserialize as _;
use serde_json::json;

use super::der::{self, Numbers};
use super::pem::{self, Label, Pasted};
use super::strength;

/// Keys of one set that are looked at.
const MOST_IN_SET: usize = 10;
/// Members of a JWK that only private and shared keys have (RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1).
const SECRETS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A public key that can verify.
pub struct PublicKey {
    pub jwk: Jwk,
    verifier: DecodingKey,
}

/// Why a text is no key for signatures: a sentence for whoever pasted it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotAKey(String);

fn not_a_key<T>(text: impl Into<String>) -> Result<T, NotAKey> {
    Err(NotAKey(text.into()))
}

impl NotAKey {
    /// Tells whether what was pasted must not be shown again.
    pub fn is_secret(&self) -> bool {
        self.0 == PRIVATE || self.0.starts_with(SHARED)
    }
}

impl PublicKey {
    /// Reads a PEM (public key or certificate) or a JWK. Without a `kid` the key's thumbprint (RFC 7638) becomes it.
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.starts_with('{') {
            return Self::from_json(text);
        }
        let numbers = match pem::read(text) {
            Pasted::Private => return not_a_key(PRIVATE),
            Pasted::Broken => {
                return not_a_key(
                    "This PEM is not whole: between its BEGIN and END lines there must be base64, and both lines name the same thing.",
                );
            }
            Pasted::Nothing if text.starts_with("ssh-") || text.starts_with("ecdsa-sha2-") => {
                return not_a_key(
                    "This is a key as OpenSSH writes it. Turn it into PEM: ssh-keygen -e -m PKCS8 -f key.pub.",
                );
            }
            Pasted::Nothing => {
                return not_a_key(
                    "Paste a public key as PEM (it begins with -----BEGIN PUBLIC KEY-----) or as JWK (it begins with {).",
                );
            }
            Pasted::Public(Label::PublicKey, bytes) => der::public_key(&bytes),
            Pasted::Public(Label::RsaPublicKey, bytes) => der::rsa_public_key(&bytes),
            Pasted::Public(Label::Certificate, bytes) => der::certificate(&bytes),
        };
        let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let jwk = match &numbers {
            None => return not_a_key("This PEM holds no RSA, P-256 or Ed25519 public key."),
            Some(Numbers::Rsa { n, e, pss: false }) => {
                json!({ "kty": "RSA", "n": base64(n), "e": base64(e) })
            }
            Some(Numbers::Rsa { n, e, pss: true }) => {
                json!({ "kty": "RSA", "n": base64(n), "e": base64(e), "alg": "PS256" })
            }
            Some(Numbers::P256 { x, y }) => {
                json!({ "kty": "EC", "crv": "P-256", "x": base64(x), "y": base64(y) })
            }
            Some(Numbers::Ed25519(x)) => json!({ "kty": "OKP", "crv": "Ed25519", "x": base64(x) }),
        };
        match Jwk::deserialize(jwk) {
            Ok(jwk) => Self::checked(jwk),
            Err(error) => not_a_key(format!("This key cannot be read ({error}). {USABLE}")),
        }
    }

    /// Reads a JWK.
    pub fn from_json(text: &str) -> Result<Self, NotAKey> {
        match json::read(text.as_bytes(), Limits::KEYS) {
            Ok(value) => Self::from_value(value),
            Err(fault) => not_a_key(format!("This is not JSON: {fault}.")),
        }
    }

    fn from_value(value: Json<'_>) -> Result<Self, NotAKey> {
        let is_secret = |key: &Json<'_>| SECRETS.iter().any(|name| key.get(name).is_some());
        let keys = value.get("keys");
        let several = keys.and_then(Json::as_list).unwrap_or_default();
        if value.get("kty").and_then(Json::as_str) == Some("oct") {
            return not_a_key(format!("{SHARED} {USABLE}"));
        }
        if is_secret(&value) || several.iter().any(is_secret) {
            return not_a_key(PRIVATE);
        }
        if keys.is_some() {
            return not_a_key(
                "This is a set of keys: add each of them by itself, or the URL the set is published at.",
            );
        }
        match Jwk::deserialize(value) {
            Ok(jwk) => Self::checked(jwk),
            Err(error) => not_a_key(format!("This is no JWK: {error}.")),
        }
    }

    fn checked(mut jwk: Jwk) -> Result<Self, NotAKey> {
        if jwk.common.public_key_use == Some(PublicKeyUse::Encryption) {
            return not_a_key(format!(
                "This key is for encryption (its use is enc). {USABLE}"
            ));
        }
        strong(&mut jwk.algorithm)?;
        let verifier = match DecodingKey::from_jwk(&jwk) {
            Ok(verifier) => verifier,
            Err(error) => return not_a_key(format!("This key cannot be read ({error}). {USABLE}")),
        };
        if jwk.common.key_id.is_none() {
            jwk.common.key_id = jwk.thumbprint(ThumbprintHash::SHA256).ok();
        }
        Ok(Self { jwk, verifier })
    }

    /// `kid`.
    pub fn kid(&self) -> Option<&str> {
        self.jwk.common.key_id.as_deref()
    }

    /// Algorithms that such a key can verify, the usual one first; one that names its algorithm is for that alone.
    pub fn algorithms(&self) -> Vec<Algorithm> {
        let able: &[Algorithm] = match &self.jwk.algorithm {
            AlgorithmParameters::RSA(_) => &[Algorithm::Rs256, Algorithm::Ps256],
            AlgorithmParameters::EllipticCurve(_) => &[Algorithm::Es256],
            _ => &[Algorithm::EdDsa],
        };
        let named = self.jwk.common.key_algorithm.map(|alg| alg.to_string());
        let is_meant = |alg: &&Algorithm| named.as_deref().is_none_or(|name| name == alg.as_str());
        able.iter().filter(is_meant).copied().collect()
    }

    /// Whether a signature over `signed` is this key's.
    pub fn verifies(&self, algorithm: Algorithm, signed: &str, signature: &str) -> bool {
        let algorithm = match algorithm {
            Algorithm::Rs256 => jwt::Algorithm::RS256,
            Algorithm::Es256 => jwt::Algorithm::ES256,
            Algorithm::Ps256 => jwt::Algorithm::PS256,
            Algorithm::EdDsa => jwt::Algorithm::EdDSA,
        };
        jwt::crypto::verify(signature, signed.as_bytes(), &self.verifier, algorithm)
            .unwrap_or(false)
    }

    /// The key in JSON, as it is stored.
    pub fn to_json(&self) -> String {
        serde_json::to_string(&self.jwk).unwrap_or_default()
    }
}

const USABLE: &str = "Use an RSA key of at least 2048 bits, a P-256 key or an Ed25519 key.";
const SHARED: &str = "This is a shared secret, and no public key: treat it as compromised.";
const PRIVATE: &str = "This is a private key. Nothing of it was kept, but it has left its safe place: treat it as compromised. Make a new pair, stop this one wherever it is used, and paste the public half of the new one here.";

/// Judges a key's numbers, and writes them as they should be: RFC 7518 wants no zeros in front of RSA's.
fn strong(algorithm: &mut AlgorithmParameters) -> Result<(), NotAKey> {
    let bytes = |name: &str, text: &str| {
        let read = URL_SAFE_NO_PAD
            .decode(text)
            .or_else(|_| URL_SAFE.decode(text));
        read.map_err(|_| NotAKey(format!("`{name}` of this key is not base64url. {USABLE}")))
    };
    let judged = match algorithm {
        AlgorithmParameters::RSA(rsa) => {
            let (n, e) = (bytes("n", &rsa.n)?, bytes("e", &rsa.e)?);
            let (n, e) = (strength::trimmed(&n), strength::trimmed(&e));
            (rsa.n, rsa.e) = (URL_SAFE_NO_PAD.encode(n), URL_SAFE_NO_PAD.encode(e));
            strength::rsa(n, e)
        }
        AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => {
            strength::p256(&bytes("x", &ec.x)?, &bytes("y", &ec.y)?)
        }
        AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => {
            strength::ed25519(&bytes("x", &okp.x)?)
        }
        _ => return not_a_key(USABLE),
    };
    judged.map_err(|why| NotAKey(format!("{why} {USABLE}")))
}

/// The keys of a set that are of use here; those for other purposes are passed over (RFC 7517, section 5).
pub fn set(text: &str) -> Result<Vec<PublicKey>, NotAKey> {
    let mut set = match json::read(text.as_bytes(), Limits::KEYS) {
        Ok(Json::Object(set)) => set,
        Ok(_) => return not_a_key("the answer is no JSON object"),
        Err(fault) => return not_a_key(format!("the answer is no JSON object: {fault}")),
    };
    let Some(Json::List(keys)) = set.remove("keys") else {
        return not_a_key("the answer has no list `keys`");
    };
    let readable = keys
        .into_iter()
        .filter_map(|key| PublicKey::from_value(key).ok());
    let keys: Vec<PublicKey> = readable.take(MOST_IN_SET).collect();
    if keys.is_empty() {
        return not_a_key("the set has no RSA (2048 bits or more), P-256 or Ed25519 public key");
    }
    Ok(keys)
}

#[cfg(test)]
mod tests;
