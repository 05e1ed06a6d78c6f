//! Public keys as people paste them (PEM, JWK) and as providers publish them (JWKS), brought into one form: the JWK.

use app::domain::signature::Algorithm;
use base64::Engine as _;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use json::{JsonValue, ReadLimits};
use jsonwebtoken::jwk::{
    AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse, ThumbprintHash,
};
use jsonwebtoken::{self as jwt, DecodingKey};
use serde::Deserialize as _;
use serde_json::json;

use super::der::{self, Numbers};
use super::misread::{self, USABLE};
use super::pem::{self, Pasted};
use super::strength;
use crate::text::odd_char;

/// Keys of one set that are looked at.
const MOST_IN_SET: usize = 10;
/// Members of a JWK that only private and shared keys have (RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1).
/// And the member of a service account's key file that holds one.
const SECRETS: [&str; 9] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k", "private_key"];
/// The longest `kid`, in characters.
const LONGEST_KID: usize = 256;

/// A public key that can verify.
pub struct PublicKey {
    pub jwk: Jwk,
    verifier: DecodingKey,
}

/// Reason why a text is not a usable key, as a sentence for the person who pasted it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotAKey(String);

fn not_a_key<T>(text: impl Into<String>) -> Result<T, NotAKey> {
    Err(NotAKey(text.into()))
}

impl NotAKey {
    /// Returns `true` if what was pasted must not be shown again.
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
        let der = match pem::read(text) {
            Pasted::Public(bytes) => bytes,
            Pasted::Private => return not_a_key(PRIVATE),
            other => return not_a_key(misread::pem(&other, text)),
        };
        Self::from_der(&der)
    }

    fn from_der(der: &[u8]) -> Result<Self, NotAKey> {
        let numbers = der::public_key(der)
            .or_else(|| der::rsa_public_key(der))
            .or_else(|| der::certificate(der));
        let base64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let jwk = match &numbers {
            None => {
                return not_a_key(
                    "This PEM holds no RSA, P-256 or Ed25519 public key. Of P-256 the curve must be named and the point uncompressed: openssl pkey -pubin -in key.pem -pubout -ec_conv_form uncompressed -ec_param_enc named_curve.",
                );
            }
            Some(Numbers::OtherPss) => {
                return not_a_key(
                    "This RSA key is for RSASSA-PSS with another hash than SHA-256, or with a salt of more than 32 bytes: it cannot sign PS256.",
                );
            }
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
        match json::read(text.as_bytes(), ReadLimits::KEYS) {
            Ok(value) => Self::from_value(value),
            Err(fault) => not_a_key(format!("This is not JSON: {fault}.")),
        }
    }

    fn from_value(mut value: JsonValue<'_>) -> Result<Self, NotAKey> {
        let is_secret = |key: &JsonValue<'_>| SECRETS.iter().any(|name| key.get(name).is_some());
        let keys = value.get("keys");
        let several = keys.and_then(JsonValue::as_list).unwrap_or_default();
        if value.get("kty").and_then(JsonValue::as_str) == Some("oct") {
            return not_a_key(format!("{SHARED} {USABLE}"));
        }
        if is_secret(&value)
            || several.iter().any(is_secret)
            || value.to_string().contains("PRIVATE KEY-")
        {
            return not_a_key(PRIVATE);
        }
        if keys.is_some() {
            return not_a_key(
                "This is a set of keys: add each of them by itself, or the URL the set is published at.",
            );
        }
        // RFC 9864 names the curve, too, and so do browsers that export a key.
        if let JsonValue::Object(members) = &mut value
            && members.get("alg").and_then(JsonValue::as_str) == Some("Ed25519")
            && members.get("crv").and_then(JsonValue::as_str) == Some("Ed25519")
        {
            members.remove("alg");
        }
        if let Some(why) = misread::jwk(&value) {
            return not_a_key(why);
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
        match jwk.common.key_id.as_deref().map(str::trim) {
            None | Some("") => jwk.common.key_id = jwk.thumbprint(ThumbprintHash::SHA256).ok(),
            Some(kid) if kid.chars().count() > LONGEST_KID => {
                return not_a_key(format!(
                    "The kid of this key is longer than {LONGEST_KID} characters."
                ));
            }
            Some(kid) => {
                if let Some(odd) = odd_char(kid) {
                    return not_a_key(format!(
                        "The kid of this key must be visible characters, and has {odd}."
                    ));
                }
            }
        }
        let key = Self { jwk, verifier };
        key.is_for_signatures()?;
        Ok(key)
    }

    /// Refuses a key that says of itself that it verifies nothing here: it would be kept, and no request ever be signed with it.
    fn is_for_signatures(&self) -> Result<(), NotAKey> {
        if self.algorithms().is_empty() {
            return not_a_key(
                "The alg of this key is not one that it can sign requests with: RS256 or PS256 (RSA), ES256 (P-256) or EdDSA (Ed25519).",
            );
        }
        let operations = self.jwk.common.key_operations.as_deref();
        if operations.is_some_and(|known| !known.contains(&KeyOperations::Verify)) {
            return not_a_key(
                "The key_ops of this key do not hold verify: it is not for signatures.",
            );
        }
        Ok(())
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

    /// Returns `true` if this key verifies a signature over `signed`.
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

/// The keys of a set that are of use here, at most ten, those named `kid` first; those for other purposes are passed over
/// (RFC 7517, section 5). A set that publishes a private key is refused.
pub fn set(text: &str, kid: Option<&str>) -> Result<Vec<PublicKey>, NotAKey> {
    let set = match json::read(text.as_bytes(), ReadLimits::KEYS) {
        Ok(JsonValue::Object(set)) => set,
        Ok(_) => return not_a_key("the answer is no JSON object with a list `keys`"),
        Err(fault) => return not_a_key(format!("the answer is no JSON object: {fault}")),
    };
    let mut keys = match set.get("keys") {
        Some(JsonValue::List(keys)) => keys.clone(),
        _ => return not_a_key(misread::set(&set)),
    };
    keys.sort_by_key(|key| kid.is_none() || key.get("kid").and_then(JsonValue::as_str) != kid);
    let (mut usable, mut why) = (Vec::new(), None);
    for key in keys {
        let is_shared = key.get("kty").and_then(JsonValue::as_str) == Some("oct");
        match PublicKey::from_value(key) {
            Ok(key) if usable.len() < MOST_IN_SET => usable.push(key),
            Ok(_) => {}
            Err(refused) if refused.is_secret() && !is_shared => {
                return not_a_key(
                    "the set publishes a private key: treat it as compromised, and take it out of the set",
                );
            }
            Err(refused) => {
                why.get_or_insert(refused);
            }
        }
    }
    match why {
        Some(why) if usable.is_empty() => not_a_key(format!(
            "the set has no RSA (2048 bits or more), P-256 or Ed25519 public key. Of its first key: {}",
            why.0.trim_end_matches('.')
        )),
        None if usable.is_empty() => not_a_key("the set is empty"),
        _ => Ok(usable),
    }
}

#[cfg(test)]
mod readings;
#[cfg(test)]
mod tests;
