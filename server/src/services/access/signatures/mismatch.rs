//! Probable reasons why the algorithm, the issuer or the signature of a request is none that is known here.

use app::domain::signature::Algorithm;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::claims::display_value;
use super::jws::Jws;
use super::material::PublicKey;

const LOWER_CASE: &str =
    "Names of algorithms are compared as they are written: RS256, ES256, PS256 or EdDSA.";

/// Says what to do about an `alg` that is not accepted.
pub fn algorithm(alg: &str) -> &'static str {
    let known = alg.trim();
    if Algorithm::ALL
        .iter()
        .any(|ours| ours.as_str().eq_ignore_ascii_case(known))
    {
        return LOWER_CASE;
    }
    match alg {
        "RS384" | "RS512" => {
            "The key is good, and the hash is another one: sign with RS256 or PS256."
        }
        "PS384" | "PS512" => "The key is good, and the hash is another one: sign with PS256.",
        "ES384" | "ES512" | "ES256K" => {
            "ES256 is the only ECDSA here: make a key on the curve P-256."
        }
        "ESP256" => "Name it ES256: the curve is P-256 in both.",
        _ => {
            "Sign with RS256, ES256, PS256 or EdDSA; shared secrets and `none` are no signatures here."
        }
    }
}

/// Returns what is found in place of a known issuer, and what to do about it.
pub fn issuer(jws: &Jws<'_>, known: &[String]) -> (String, &'static str) {
    let Some(claim) = jws.claims.get("iss") else {
        return (
            String::new(),
            "The claim iss is missing: send the issuer that the key is registered under.",
        );
    };
    let Some(text) = claim.as_str() else {
        return (
            display_value(claim),
            "iss is no text: send the issuer that the key is registered under.",
        );
    };
    let is_near = |issuer: &String| issuer.eq_ignore_ascii_case(text.trim());
    let advice = if known.iter().any(is_near) {
        "It differs from a registered issuer in capitals or spaces alone: send it exactly as it is registered."
    } else {
        "Register the key on the portal’s Signing page under the very issuer that iss names."
    };
    (text.chars().take(200).collect(), advice)
}

/// Says why a signature that none of `keys` verifies probably does not verify.
pub fn signature<'k>(
    jws: &Jws<'_>,
    algorithm: Algorithm,
    mut keys: impl Iterator<Item = &'k PublicKey>,
) -> String {
    let bytes = URL_SAFE_NO_PAD.decode(jws.signature).unwrap_or_default();
    let is_text = bytes.len() > 64
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_graphic() || *byte == b'\n');
    if is_text {
        return "The signature part is a text, hexadecimal or base64, that was encoded once more: encode the signature’s bytes themselves.".to_owned();
    }
    match algorithm {
        Algorithm::Es256 if bytes.len() != 64 => {
            let how = if bytes.first() == Some(&0x30) {
                " and written in DER"
            } else {
                ""
            };
            return format!(
                "In ES256 the signature is R and S, 64 bytes; this one is {} bytes long{how}. In Node: dsaEncoding 'ieee-p1363'; in Java: SHA256withECDSAinP1363Format; in .NET: DSASignatureFormat.IeeeP1363FixedFieldConcatenation.",
                bytes.len()
            );
        }
        Algorithm::EdDsa if bytes.len() != 64 => {
            return format!(
                "A signature of Ed25519 has 64 bytes; this one has {}: another kind of key made it.",
                bytes.len()
            );
        }
        _ => {}
    }
    let other = match algorithm {
        Algorithm::Rs256 => Algorithm::Ps256,
        Algorithm::Ps256 => Algorithm::Rs256,
        Algorithm::Es256 | Algorithm::EdDsa => algorithm,
    };
    if other != algorithm && keys.any(|key| key.verifies(other, jws.signed, jws.signature)) {
        return format!("It is a {other} signature of that key, and alg says {algorithm}.");
    }
    let salt = if algorithm == Algorithm::Ps256 {
        " In PS256 the salt is as long as the hash, 32 bytes: some libraries take the longest one unasked."
    } else {
        ""
    };
    format!("Header or claims were altered after signing, or another private key made it.{salt}")
}
