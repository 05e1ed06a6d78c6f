//! Public keys as people paste them (PEM, JWK) and as providers publish them (JWKS), brought into one form: the JWK.

use app::domain::signature::Algorithm;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, ThumbprintHash};
use jsonwebtoken::{self as jwt, DecodingKey};
use serde_json::Value;

/// The weakest RSA key that is taken: 2048 bits (RFC 7518, section 3.3).
const LEAST_RSA_BYTES: usize = 256;
/// Keys of one set that are looked at.
const MOST_IN_SET: usize = 10;

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

impl PublicKey {
    /// Reads a PEM (public key or certificate) or a JWK. Without a `kid` the key's thumbprint (RFC 7638) becomes it.
    pub fn parse(text: &str) -> Result<Self, NotAKey> {
        let text = text.trim();
        if text.contains("PRIVATE KEY") {
            return not_a_key(PRIVATE);
        }
        if text.starts_with('{') {
            return Self::from_json(text);
        }
        if !text.starts_with("-----BEGIN") {
            return not_a_key(
                "Paste a public key as PEM (it begins with -----BEGIN PUBLIC KEY-----) or as JWK (it begins with {).",
            );
        }
        let pem = text.as_bytes();
        let verifier = DecodingKey::from_rsa_pem(pem)
            .or_else(|_| DecodingKey::from_ec_pem(pem))
            .or_else(|_| DecodingKey::from_ed_pem(pem));
        let jwk = verifier.and_then(|key| Jwk::from_decoding_key(&key, None));
        let Ok(jwk) = jwk else {
            return not_a_key("This PEM holds no RSA, P-256 or Ed25519 public key.");
        };
        Self::checked(jwk)
    }

    /// Reads a JWK.
    pub fn from_json(text: &str) -> Result<Self, NotAKey> {
        let value: Value = match serde_json::from_str(text) {
            Ok(value) => value,
            Err(error) => return not_a_key(format!("This is not JSON: {error}.")),
        };
        if value.get("d").is_some() {
            return not_a_key(PRIVATE);
        }
        if value.get("keys").is_some() {
            return not_a_key(
                "This is a set of keys: add each of them by itself, or the URL the set is published at.",
            );
        }
        match serde_json::from_value(value) {
            Ok(jwk) => Self::checked(jwk),
            Err(error) => not_a_key(format!("This is no JWK: {error}.")),
        }
    }

    fn checked(mut jwk: Jwk) -> Result<Self, NotAKey> {
        let verifier = match DecodingKey::from_jwk(&jwk) {
            Ok(verifier) => verifier,
            Err(error) => return not_a_key(format!("This key cannot be read ({error}). {USABLE}")),
        };
        let fits = match &jwk.algorithm {
            AlgorithmParameters::RSA(rsa) => rsa.n.len() * 3 / 4 >= LEAST_RSA_BYTES,
            AlgorithmParameters::EllipticCurve(ec) => ec.curve == EllipticCurve::P256,
            AlgorithmParameters::OctetKeyPair(okp) => okp.curve == EllipticCurve::Ed25519,
            _ => false,
        };
        if !fits {
            return not_a_key(USABLE);
        }
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
const PRIVATE: &str = "This is a private key. Nothing of it was kept, but it has left its safe place: make a new pair, and paste its public half here.";

/// The keys of a set that are of use here; those for other purposes are passed over (RFC 7517, section 5).
pub fn set(text: &str) -> Result<Vec<PublicKey>, NotAKey> {
    let Ok(Value::Object(mut set)) = serde_json::from_str(text) else {
        return not_a_key("the answer is no JSON object");
    };
    let Some(Value::Array(keys)) = set.remove("keys") else {
        return not_a_key("the answer has no list `keys`");
    };
    let readable = keys
        .iter()
        .filter_map(|key| PublicKey::from_json(&key.to_string()).ok());
    let keys: Vec<PublicKey> = readable.take(MOST_IN_SET).collect();
    if keys.is_empty() {
        return not_a_key("the set has no RSA (2048 bits or more), P-256 or Ed25519 public key");
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::services::signatures::testing::{ED25519, P256, RSA, Signer};

    #[test]
    fn each_kind_of_key_verifies_its_own_algorithms_from_pem_and_from_jwk() {
        for (signer, algorithms) in [
            (Signer::new(RSA), "RS256 PS256"),
            (Signer::new(P256), "ES256"),
            (Signer::new(ED25519), "EdDSA"),
        ] {
            let from_pem = PublicKey::parse(signer.public_pem()).unwrap();
            let from_jwk = PublicKey::parse(&from_pem.to_json()).unwrap();
            assert_eq!(from_pem.kid(), from_jwk.kid());
            let names: Vec<_> = from_jwk
                .algorithms()
                .iter()
                .map(|alg| alg.as_str())
                .collect();
            assert_eq!(names.join(" "), algorithms);
            for algorithm in from_jwk.algorithms() {
                let signature = signer.sign(algorithm, "signed");
                assert!(from_pem.verifies(algorithm, "signed", &signature));
                assert!(!from_jwk.verifies(algorithm, "altered", &signature));
            }
        }
    }

    #[test]
    fn a_key_that_names_its_algorithm_is_for_that_alone() {
        let mut jwk: Value = serde_json::from_str(
            &PublicKey::parse(Signer::new(RSA).public_pem())
                .unwrap()
                .to_json(),
        )
        .unwrap();
        jwk["alg"] = json!("PS256");
        assert_eq!(
            PublicKey::parse(&jwk.to_string()).unwrap().algorithms(),
            [Algorithm::Ps256]
        );
    }

    #[test]
    fn what_must_not_or_cannot_be_a_key_is_told_why() {
        let private_jwk =
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA" }).to_string();
        let weak = json!({ "kty": "RSA", "n": "a".repeat(171), "e": "AQAB" }).to_string();
        let p384 = json!({ "kty": "EC", "crv": "P-384", "x": "AA", "y": "AA" }).to_string();
        let shared = json!({ "kty": "oct", "k": "AAAA" }).to_string();
        for (text, says) in [
            (RSA.private, "private key"),
            (&private_jwk, "private key"),
            ("ssh-rsa AAAA", "as PEM"),
            (
                "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
                "holds no",
            ),
            ("{", "not JSON"),
            ("{}", "cannot be read"),
            (r#"{"keys":[]}"#, "set of keys"),
            (&weak, "2048 bits"),
            (&p384, "P-256"),
            (&shared, "Ed25519"),
        ] {
            let error = PublicKey::parse(text).err().unwrap().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }

    #[test]
    fn of_a_set_the_useful_keys_are_taken() {
        let key: Value = serde_json::from_str(
            &PublicKey::parse(Signer::new(P256).public_pem())
                .unwrap()
                .to_json(),
        )
        .unwrap();
        let text = json!({ "keys": [{ "kty": "oct", "k": "AAAA" }, key] }).to_string();
        assert_eq!(set(&text).unwrap().len(), 1);
        for text in ["[]", "{}", r#"{"keys":[]}"#, "<html>"] {
            assert!(set(text).is_err(), "{text}");
        }
    }
}
