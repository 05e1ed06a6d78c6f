//! Which keys are taken, in which form, and what is said of the rest.

use serde_json::{Value, json};

use super::*;
use crate::services::access::signatures::testing::{ED25519, P256, RSA, Signer};

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
    let private_jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA" }).to_string();
    let weak = json!({ "kty": "RSA", "n": "a".repeat(171), "e": "AQAB" }).to_string();
    let p384 = json!({ "kty": "EC", "crv": "P-384", "x": "AA", "y": "AA" }).to_string();
    let shared = json!({ "kty": "oct", "k": "AAAA" }).to_string();
    for (text, says) in [
        (RSA.private, "private key"),
        (&private_jwk, "private key"),
        ("ssh-rsa AAAA", "ssh-keygen"),
        (
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
            "holds no",
        ),
        ("{", "not JSON"),
        ("{}", "Use an RSA key"),
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
    assert_eq!(set(&text, None).unwrap().len(), 1);
    for text in ["[]", "{}", r#"{"keys":[]}"#, "<html>"] {
        assert!(set(text, None).is_err(), "{text}");
    }
}

/// Returns an RSA key of these numbers as a JWK.
fn rsa(n: &[u8], e: &[u8]) -> String {
    let base64 = |bytes| URL_SAFE_NO_PAD.encode(bytes);
    json!({ "kty": "RSA", "n": base64(n), "e": base64(e) }).to_string()
}

fn why(text: &str) -> String {
    match PublicKey::parse(text) {
        Ok(_) => panic!("taken: {text}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_pem_is_read_with_whatever_the_tools_put_around_it() {
    for pair in [RSA, P256, ED25519] {
        let pem = Signer::new(pair).public_pem();
        let thumbprint = PublicKey::parse(pem).unwrap().kid().unwrap().to_owned();
        let inside: String = pem.lines().filter(|line| !line.contains("-----")).collect();
        for text in [
            pem.replace('\n', "\r\n"),
            pem.replace('\n', "\r"),
            pem.trim().replace('\n', "\\n"),
            format!("\u{feff}{pem}"),
            format!(
                "Bag Attributes\n    localKeyID: 01 02\n    friendlyName: mine\nKey Attributes: <No Attributes>\n{pem}"
            ),
            format!("subject=CN = me\nissuer=CN = me\n\n{pem}\n-- \nsent by mail"),
            format!("  {}  ", pem.replace('\n', " \n\t")),
            format!("-----BEGIN PUBLIC KEY-----\n{inside}\n-----END PUBLIC KEY-----"),
            format!(
                "-----BEGIN PUBLIC KEY-----\nComment: mine\n  goes on\n\n{inside}\n-----END PUBLIC KEY-----"
            ),
            format!("-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----\n{pem}"),
        ] {
            let read = PublicKey::parse(&text)
                .map_err(|error| format!("{error}: {text}"))
                .unwrap();
            assert_eq!(read.kid(), Some(thumbprint.as_str()), "{text}");
        }
    }
    for (text, says) in [
        ("-----BEGIN PUBLIC KEY-----\nAAAA", "not whole"),
        (
            "-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----",
            "not whole",
        ),
        (
            "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END CERTIFICATE-----",
            "not whole",
        ),
        (
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI me@here",
            "ssh-keygen -e -m PKCS8",
        ),
        (
            "-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----",
            "as PEM",
        ),
    ] {
        assert!(why(text).contains(says), "{text}: {}", why(text));
    }
}

#[test]
fn a_private_key_is_refused_in_every_form_and_must_not_be_shown_again() {
    let bare: String = RSA
        .private
        .lines()
        .filter(|line| !line.contains("-----"))
        .collect();
    let public: Value = serde_json::from_str(
        &PublicKey::parse(Signer::new(P256).public_pem())
            .unwrap()
            .to_json(),
    )
    .unwrap();
    let with = |name: &str| {
        let mut key = public.clone();
        key[name] = json!("AQAB");
        key.to_string()
    };
    for text in [
        RSA.private.to_owned(),
        P256.private.replace('\n', "\r\n"),
        ED25519.private.replace('\n', "\\n"),
        bare,
        format!("{}{}", Signer::new(RSA).public_pem(), RSA.private),
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----".into(),
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA".into(),
        "-----begin rsa private key-----".into(),
        "PuTTY-User-Key-File-3: ssh-rsa".into(),
        with("d"),
        with("dp"),
        with("oth"),
        json!({ "keys": [public, { "kty": "EC", "d": "AA" }] }).to_string(),
    ] {
        let error = PublicKey::parse(&text).err().unwrap();
        assert!(
            error.is_secret() && error.to_string().contains("treat it as compromised"),
            "{error}"
        );
    }
    assert!(!PublicKey::parse("{}").err().unwrap().is_secret());
}

#[test]
fn rsa_keys_are_judged_by_the_bits_of_their_numbers() {
    let good: Value = serde_json::from_str(
        &PublicKey::parse(Signer::new(RSA).public_pem())
            .unwrap()
            .to_json(),
    )
    .unwrap();
    let n = URL_SAFE_NO_PAD.decode(good["n"].as_str().unwrap()).unwrap();
    let e = [1, 0, 1];
    let taken = PublicKey::parse(&rsa(&n, &e)).unwrap();
    // Zeros in front, as Java writes them, make no other key, and no longer one.
    let padded = PublicKey::parse(&rsa(&[&[0; 300], &n[..]].concat(), &[0, 1, 0, 1])).unwrap();
    assert_eq!(padded.kid(), taken.kid());
    let mut short = vec![0; 200];
    short.extend(vec![0xff; 100]);
    let mut even = n.clone();
    *even.last_mut().unwrap() &= 0xfe;
    let mut bits_2047 = n.clone();
    bits_2047[0] = 0x7f;
    for (n, e, says) in [
        (short, &e[..], "800 bits"),
        (vec![], &e, "0 bits"),
        (vec![0; 400], &e, "0 bits"),
        (bits_2047, &e, "2047 bits"),
        (vec![0xff; 1025], &e, "8200 bits"),
        (vec![0xff; 12_000], &e, "96000 bits"),
        (even, &e, "divided by 2"),
        (n.clone(), &[][..], "exponent"),
        (n.clone(), &[0], "exponent"),
        (n.clone(), &[1], "exponent"),
        (n.clone(), &[3], "exponent"),
        (n.clone(), &[1, 0, 2], "exponent"),
        (n.clone(), &[1, 0, 0, 0, 1], "exponent"),
        (n.clone(), &[0xff; 300], "exponent"),
    ] {
        let error = why(&rsa(&n, e));
        assert!(error.contains(says), "{says}: {error}");
    }
    // Of 128 odd numbers in a row many can be divided by 3, and none of those is taken.
    let neighbours = (0..128).map(|half: u8| {
        let mut n = n.clone();
        *n.last_mut().unwrap() = half * 2 + 1;
        PublicKey::parse(&rsa(&n, &e))
            .err()
            .map(|error| error.to_string())
    });
    let thirds = neighbours
        .flatten()
        .filter(|error| error.contains("divided by 3:"));
    assert!(thirds.count() >= 42);
    let huge = json!({ "kty": "RSA", "n": "A".repeat(100_000), "e": "AQAB" }).to_string();
    assert!(why(&huge).contains("more than"), "{}", why(&huge));
}

#[test]
fn points_that_prove_nothing_are_no_keys() {
    let good: Value = serde_json::from_str(
        &PublicKey::parse(Signer::new(P256).public_pem())
            .unwrap()
            .to_json(),
    )
    .unwrap();
    let zero = URL_SAFE_NO_PAD.encode([0; 32]);
    let with =
        |x: Value, y: Value| json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y }).to_string();
    for text in [
        with(json!(zero), json!(zero)),
        with(good["x"].clone(), good["x"].clone()),
        with(good["y"].clone(), good["x"].clone()),
        with(json!("AA"), json!("AA")),
        with(
            json!(URL_SAFE_NO_PAD.encode([0xff; 32])),
            json!(URL_SAFE_NO_PAD.encode([0xff; 32])),
        ),
    ] {
        assert!(why(&text).contains("not on the curve"), "{}", why(&text));
    }
    let ed = |bytes: [u8; 32]| {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(bytes) }).to_string()
    };
    let mut one = [0; 32];
    one[0] = 1;
    let mut signed_one = one;
    signed_one[31] = 0x80;
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    for bytes in [[0; 32], one, signed_one, minus_one] {
        assert!(why(&ed(bytes)).contains("small order"));
    }
    let mut two = [0; 32];
    two[0] = 2;
    for bytes in [two, [0xff; 32]] {
        assert!(why(&ed(bytes)).contains("no point of the curve"));
    }
    let short = json!({ "kty": "OKP", "crv": "Ed25519", "x": "AAAA" }).to_string();
    assert!(why(&short).contains("32 bytes"));
}

#[test]
fn what_nests_in_a_key_is_bounded() {
    // Sequences in sequences, as deep as the longest text that is taken.
    let mut der = vec![0x05, 0x00];
    while der.len() < 12_000 {
        let length = u16::try_from(der.len()).unwrap().to_be_bytes();
        der = [&[0x30, 0x82, length[0], length[1]], &der[..]].concat();
    }
    let base64 = base64::engine::general_purpose::STANDARD.encode(&der);
    for label in ["PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"] {
        let pem = format!("-----BEGIN {label}-----\n{base64}\n-----END {label}-----");
        assert!(why(&pem).contains("holds no"), "{label}");
    }
    let mut raw = "[]".to_owned();
    for _ in 0..8 {
        let escaped = raw.replace('\\', "\\u005c").replace('"', "\\u0022");
        let (open, close) = ("[".repeat(126), "]".repeat(126));
        raw = format!("{open}{{\"$serde_json::private::RawValue\":\"{escaped}\"}}{close}");
    }
    let deep = format!("{{\"kty\":\"RSA\",\"x5c\":{raw}}}");
    assert!(why(&deep).contains("nest deeper"), "{}", why(&deep));
    assert!(set(&format!("{{\"keys\":[{deep}]}}"), None).is_err());
    let spoofed = r#"{"kty":{"$serde_json::private::RawValue":"\"RSA\""},"n":"AQAB","e":"AQAB"}"#;
    assert!(why(spoofed).contains("Use an RSA key"), "{}", why(spoofed));
    let twice = r#"{"kty":"RSA","kty":"EC"}"#;
    assert!(
        why(twice).contains("`kty` is given twice"),
        "{}",
        why(twice)
    );
}

#[test]
fn a_key_for_encryption_signs_nothing() {
    let mut key: Value = serde_json::from_str(
        &PublicKey::parse(Signer::new(RSA).public_pem())
            .unwrap()
            .to_json(),
    )
    .unwrap();
    key["use"] = json!("enc");
    assert!(why(&key.to_string()).contains("for encryption"));
    key["use"] = json!("sig");
    assert!(PublicKey::parse(&key.to_string()).is_ok());
}

#[test]
fn a_key_that_no_request_could_be_signed_with_is_not_kept() {
    let whole = PublicKey::parse(Signer::new(RSA).public_pem()).unwrap();
    let plain: Value = serde_json::from_str(&whole.to_json()).unwrap();
    let with = |name: &str, value: Value| {
        let mut jwk = plain.clone();
        jwk[name] = value;
        jwk.to_string()
    };
    for alg in ["HS256", "RS512", "RSA-OAEP", "ES256", "none"] {
        let why = why(&with("alg", json!(alg)));
        assert!(why.contains("alg"), "{alg}: {why}");
    }
    assert!(why(&with("key_ops", json!(["encrypt"]))).contains("key_ops"));
    assert!(PublicKey::parse(&with("key_ops", json!(["verify"]))).is_ok());
    let long = "k".repeat(257);
    for kid in ["a\0b", "a\u{202e}b", long.as_str()] {
        assert!(why(&with("kid", json!(kid))).contains("kid"), "{kid:?}");
    }
    for kid in ["", " "] {
        let named = PublicKey::parse(&with("kid", json!(kid))).unwrap();
        assert_eq!(named.kid().unwrap().len(), 43, "the thumbprint");
    }
}

#[test]
fn the_key_file_of_a_service_account_holds_a_private_key() {
    let file = json!({ "type": "service_account", "private_key_id": "1", "client_email": "a@example.com",
        "private_key": "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n" });
    for text in [
        file.to_string(),
        json!({ "key": file["private_key"] }).to_string(),
    ] {
        let refused = PublicKey::parse(&text).err().unwrap();
        assert!(refused.is_secret(), "{refused}");
    }
}
