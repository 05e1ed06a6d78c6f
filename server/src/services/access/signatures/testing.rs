//! Somebody who signs requests, for tests. The keys are for nothing else.

use app::domain::signature::Algorithm;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{self as jwt, EncodingKey};
use serde_json::{Value, json};

use super::digest;

/// One pair of keys, as PEM.
#[derive(Clone, Copy)]
pub struct Pair {
    pub private: &'static str,
    public: &'static str,
    read: fn(&[u8]) -> jwt::errors::Result<EncodingKey>,
    algorithm: Algorithm,
}

pub const RSA: Pair = Pair {
    private: include_str!("test_keys/rsa.pem"),
    public: include_str!("test_keys/rsa.pub.pem"),
    read: EncodingKey::from_rsa_pem,
    algorithm: Algorithm::Rs256,
};
pub const P256: Pair = Pair {
    private: include_str!("test_keys/p256.pem"),
    public: include_str!("test_keys/p256.pub.pem"),
    read: EncodingKey::from_ec_pem,
    algorithm: Algorithm::Es256,
};
pub const ED25519: Pair = Pair {
    private: include_str!("test_keys/ed25519.pem"),
    public: include_str!("test_keys/ed25519.pub.pem"),
    read: EncodingKey::from_ed_pem,
    algorithm: Algorithm::EdDsa,
};

pub const ISSUER: &str = "signer@app.example.com";

pub struct Signer {
    pair: Pair,
    key: EncodingKey,
}

impl Signer {
    pub fn new(pair: Pair) -> Self {
        let key = (pair.read)(pair.private.as_bytes()).unwrap();
        Self { pair, key }
    }

    pub fn public_pem(&self) -> &'static str {
        self.pair.public
    }

    /// A signature over some text, base64url.
    pub fn sign(&self, algorithm: Algorithm, signed: &str) -> String {
        let algorithm = algorithm.as_str().parse().unwrap();
        jwt::crypto::sign(signed.as_bytes(), &self.key, algorithm).unwrap()
    }

    /// A JWS of these parts, made with the key's usual algorithm whatever the header says.
    pub fn jws(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(header), part(claims));
        let signature = self.sign(self.pair.algorithm, &signed);
        format!("{signed}.{signature}")
    }

    pub fn header(&self) -> Value {
        json!({ "alg": self.pair.algorithm, "typ": "JWT" })
    }
}

/// Claims as the API's first documents print them, made at `now` for a body.
pub fn claims(now: i64, body: &[u8]) -> Value {
    json!({
        "iat": now,
        "exp": now + 60,
        "iss": ISSUER,
        "sub": ISSUER,
        "email": ISSUER,
        "aud": "api.finqware.com",
        "digest": digest::of(body),
    })
}
