//! Keys are read however they are labelled, and everything else is refused by its name.

use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::*;
use crate::services::access::signatures::testing::{ED25519, P256, RSA, Signer};

fn why(text: &str) -> String {
    match PublicKey::parse(text) {
        Ok(_) => panic!("taken: {text}"),
        Err(error) => error.to_string(),
    }
}

fn jwk(signer: &Signer) -> Value {
    let key = PublicKey::parse(signer.public_pem()).unwrap();
    serde_json::from_str(&key.to_json()).unwrap()
}

fn with(mut key: Value, name: &str, value: Value) -> Value {
    key[name] = value;
    key
}

/// A value of DER: tag, length in two bytes, parts.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let inside = parts.concat();
    let [high, low] = u16::try_from(inside.len()).unwrap().to_be_bytes();
    [&[tag, 0x82, high, low], &inside[..]].concat()
}

fn pem(label: &str, der: &[u8]) -> String {
    let inside = STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{inside}\n-----END {label}-----")
}

/// Returns an RSA key in the form of PKCS#1 (RFC 8017, appendix A.1.1).
fn pkcs1(jwk: &Value) -> Vec<u8> {
    let number = |name: &str| {
        let text = jwk[name].as_str().unwrap();
        URL_SAFE_NO_PAD.decode(text).unwrap()
    };
    let modulus = der(2, &[&[0], &number("n")]);
    der(0x30, &[&modulus, &der(2, &[&number("e")])])
}

#[test]
fn labels_are_not_relied_on() {
    let rsa = jwk(&Signer::new(RSA));
    let pkcs1 = pkcs1(&rsa);
    for (pair, labels) in [
        (RSA, &["RSA PUBLIC KEY", "CERTIFICATE"][..]),
        (P256, &["EC PUBLIC KEY"]),
        (ED25519, &["ED25519 PUBLIC KEY"]),
    ] {
        let text = Signer::new(pair).public_pem();
        let kid = PublicKey::parse(text).unwrap().kid().unwrap().to_owned();
        let quoted: String = text.lines().map(|line| format!("> {line}\n")).collect();
        let labelled = labels.iter().map(|label| text.replace("PUBLIC KEY", label));
        for text in labelled.chain([quoted]) {
            let read = PublicKey::parse(&text).map_err(|error| format!("{text}: {error}"));
            assert_eq!(read.unwrap().kid(), Some(kid.as_str()), "{text}");
        }
    }
    for label in ["PUBLIC KEY", "RSA PUBLIC KEY"] {
        let read = PublicKey::parse(&pem(label, &pkcs1)).unwrap();
        assert_eq!(read.kid(), rsa["kid"].as_str(), "{label}");
    }
}

#[test]
fn a_key_for_another_kind_of_pss_is_told_so() {
    let key = pkcs1(&jwk(&Signer::new(RSA)));
    let oid = der(6, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10]]);
    let hash = |last: u8| {
        let oid = der(6, &[&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, last]]);
        der(0xa0, &[&der(0x30, &[&oid])])
    };
    let salt = |length: u8| der(0xa2, &[&der(2, &[&[length]])]);
    let mask = der(0xa1, &[&der(0x30, &[])]);
    let spki = |parameters: &[u8]| {
        let algorithm = der(0x30, &[&oid, parameters]);
        let bits = der(3, &[&[0], &key]);
        pem("PUBLIC KEY", &der(0x30, &[&algorithm, &bits]))
    };
    let of = |parts: &[&[u8]]| der(0x30, parts);
    for good in [
        Vec::new(),
        of(&[&hash(1)]),
        of(&[&hash(1), &mask, &salt(32)]),
        of(&[&hash(1), &salt(0)]),
    ] {
        let read = PublicKey::parse(&spki(&good)).unwrap();
        assert_eq!(read.algorithms(), [Algorithm::Ps256], "{good:02x?}");
    }
    for other in [
        of(&[]),
        of(&[&hash(3)]),
        of(&[&hash(3), &mask, &salt(64)]),
        of(&[&hash(1), &mask, &salt(64)]),
        of(&[&salt(32)]),
    ] {
        let told = why(&spki(&other));
        assert!(told.contains("RSASSA-PSS with another hash"), "{told}");
    }
}

#[test]
fn what_is_no_public_key_is_called_by_its_name() {
    let text = Signer::new(P256).public_pem();
    let inside: String = text
        .lines()
        .filter(|line| !line.contains("-----"))
        .collect();
    for (text, says) in [
        (pem("CERTIFICATE REQUEST", b"x"), "openssl req"),
        (pem("NEW CERTIFICATE REQUEST", b"x"), "openssl req"),
        (pem("PKCS7", b"x"), "openssl pkcs7"),
        (
            "---- BEGIN SSH2 PUBLIC KEY ----\nAAAA\n---- END SSH2 PUBLIC KEY ----".into(),
            "ssh-keygen",
        ),
        (
            text.replace("-----", "\u{2013}\u{2014}\u{2013}"),
            "five hyphens",
        ),
        (text.replace("-----", "----"), "five hyphens"),
        (text.to_lowercase(), "five hyphens"),
        (inside, "inside of a PEM"),
        (
            pem("PUBLIC KEY", &der(0x30, &[b"x"])),
            "ec_conv_form uncompressed",
        ),
    ] {
        assert!(why(&text).contains(says), "{text}: {}", why(&text));
    }
    let (rsa, ec) = (jwk(&Signer::new(RSA)), jwk(&Signer::new(P256)));
    for (key, says) in [
        (with(rsa.clone(), "kty", json!("rsa")), "kty is `rsa`"),
        (with(rsa.clone(), "kty", Value::Null), "no kty"),
        (
            with(rsa.clone(), "e", json!(65_537)),
            "`e` of this key is no text",
        ),
        (
            with(rsa.clone(), "n", Value::Null),
            "`n` of this key is no text",
        ),
        (
            json!({ "kty": "RSA", "n": rsa["n"] }),
            "`e` of this key is missing",
        ),
        (json!({ "jwk": rsa }), "inside `jwk`"),
        (
            with(ec.clone(), "crv", json!("secp256r1")),
            "crv is `secp256r1`, not P-256",
        ),
        (
            json!({ "kty": "OKP", "crv": "X25519", "x": "AA" }),
            "crv is `X25519`, not Ed25519",
        ),
        (
            json!({ "kty": "EC", "x": "AA", "y": "AA" }),
            "crv is missing",
        ),
    ] {
        let told = why(&key.to_string());
        assert!(told.contains(says), "{key}: {told}");
    }
}

#[test]
fn the_newer_name_of_an_algorithm_is_the_same_algorithm() {
    let key = with(jwk(&Signer::new(ED25519)), "alg", json!("Ed25519"));
    let read = PublicKey::parse(&key.to_string()).unwrap();
    assert_eq!(read.algorithms(), [Algorithm::EdDsa]);
    let rsa = with(jwk(&Signer::new(RSA)), "alg", json!("Ed25519"));
    assert!(why(&rsa.to_string()).contains("The alg of this key"));
}

#[test]
fn of_many_keys_the_one_that_is_asked_for_is_among_the_ten() {
    let key = jwk(&Signer::new(P256));
    let many: Vec<Value> = (0..25)
        .map(|at| with(key.clone(), "kid", json!(format!("k{at}"))))
        .collect();
    let text = json!({ "keys": many }).to_string();
    for kid in ["k0", "k9", "k10", "k24"] {
        let keys = set(&text, Some(kid)).unwrap();
        assert_eq!((keys.len(), keys[0].kid()), (10, Some(kid)));
    }
    assert_eq!(set(&text, None).unwrap()[0].kid(), Some("k0"));
    assert_eq!(set(&text, Some("other")).unwrap().len(), 10);
}

#[test]
fn a_set_is_told_why_it_is_of_no_use() {
    let key = jwk(&Signer::new(P256));
    let told = |answer: Value| {
        set(&answer.to_string(), None)
            .err()
            .map(|why| why.to_string())
    };
    let private = with(key.clone(), "d", json!("AA"));
    for (answer, says) in [
        (json!({ "keys": [] }), "the set is empty"),
        (json!([key]), "no JSON object with a list"),
        (key.clone(), "one key and no set"),
        (
            json!({ "issuer": "x", "jwks_uri": "https://x" }),
            "register its jwks_uri",
        ),
        (json!({ "keys": [key, private] }), "publishes a private key"),
        (
            json!({ "keys": [with(key.clone(), "use", json!("enc"))] }),
            "for encryption",
        ),
    ] {
        let told = told(answer.clone()).unwrap_or_default();
        assert!(told.contains(says), "{answer}: {told}");
    }
    let odd = json!({ "keys": [5, null, { "kty": "AKP", "alg": "ML-DSA-44" }, { "kty": "oct", "k": "AA" }, key] });
    assert_eq!(told(odd), None, "the rest is passed over");
}
