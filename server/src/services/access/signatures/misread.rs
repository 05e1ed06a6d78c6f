//! Recognises what people paste or publish in place of a public key, and names it.

use json::{JsonValue, Object};

use super::der;
use super::pem::{self, Pasted};

/// Advice on which keys may be used.
pub(super) const USABLE: &str =
    "Use an RSA key of at least 2048 bits, a P-256 key or an Ed25519 key.";

/// Says what a text is that is no PEM with a public key, and no private key either.
pub fn pem(read: &Pasted, text: &str) -> String {
    let upper = text.to_ascii_uppercase();
    let is_ssh = text.starts_with("ssh-")
        || text.starts_with("ecdsa-sha2-")
        || upper.contains("SSH2 PUBLIC KEY");
    let is_framed = upper.contains("BEGIN ")
        && ["PUBLIC KEY", "CERTIFICATE"]
            .iter()
            .any(|label| upper.contains(label));
    match read {
        Pasted::Broken => "This PEM is not whole: between its BEGIN and END lines there must be base64, and both lines name the same thing.",
        Pasted::Other(name) if name.ends_with("REQUEST") => {
            "This is a request for a certificate. Take the key out of it: openssl req -in request.pem -noout -pubkey."
        }
        Pasted::Other(_) => {
            "This is a bundle of certificates (PKCS #7). Take the certificate out of it: openssl pkcs7 -in bundle.pem -print_certs."
        }
        _ if is_ssh => {
            "This is a key as OpenSSH writes it. Turn it into PEM: ssh-keygen -e -m PKCS8 -f key.pub."
        }
        _ if is_framed => {
            "The lines around this PEM were changed: each begins and ends with five hyphens, in capitals between them (-----BEGIN PUBLIC KEY-----)."
        }
        _ if is_inside(text) => {
            "This is the inside of a PEM: put the line -----BEGIN PUBLIC KEY----- in front of it and -----END PUBLIC KEY----- behind it."
        }
        _ => "Paste a public key as PEM (it begins with -----BEGIN PUBLIC KEY-----) or as JWK (it begins with {).",
    }
    .to_owned()
}

/// Returns `true` for the base64 of a public key or certificate without its frame.
fn is_inside(text: &str) -> bool {
    let bytes = pem::decoded(text).unwrap_or_default();
    der::public_key(&bytes)
        .or_else(|| der::certificate(&bytes))
        .is_some()
}

/// Says what is wrong with the members of a JWK; `None` if they are there.
pub fn jwk(value: &JsonValue<'_>) -> Option<String> {
    let Some(object) = value.as_object() else {
        return Some(format!("This is no JSON object. {USABLE}"));
    };
    let text = |name: &str| value.get(name).and_then(JsonValue::as_str);
    let (curves, needed): (&[&str], &[&str]) = match text("kty") {
        Some("RSA") => (&[], &["n", "e"]),
        Some("EC") => (&["P-256"], &["x", "y"]),
        Some("OKP") => (&["Ed25519"], &["x"]),
        Some(kind) => {
            return Some(format!(
                "Its kty is `{}`, not RSA, EC or OKP. {USABLE}",
                short(kind)
            ));
        }
        None => return Some(without_kind(object)),
    };
    if !curves.is_empty() && !curves.contains(&text("crv").unwrap_or_default()) {
        let found = text("crv").map_or("missing".to_owned(), |crv| format!("`{}`", short(crv)));
        return Some(format!(
            "Its crv is {found}, not {}. {USABLE}",
            curves.join(" or ")
        ));
    }
    let wrong = needed.iter().find(|name| text(name).is_none())?;
    Some(match value.get(wrong) {
        None => format!("`{wrong}` of this key is missing. {USABLE}"),
        Some(_) => {
            format!("`{wrong}` of this key is no text: in a JWK numbers are base64url. {USABLE}")
        }
    })
}

fn without_kind(object: &Object<'_>) -> String {
    let inner = object.iter().find(|(_, value)| value.get("kty").is_some());
    match inner {
        Some((name, _)) => format!("The JWK is inside `{}`: paste that alone.", short(name)),
        None => format!("This JSON has no kty, so that it is no JWK. {USABLE}"),
    }
}

/// Says what an answer is that holds no list of keys.
pub fn set(answer: &Object<'_>) -> String {
    if answer.get("jwks_uri").is_some() {
        "the answer is a discovery document: register its jwks_uri".to_owned()
    } else if answer.get("kty").is_some() {
        "the answer is one key and no set: {\"keys\": [...]} is missing around it".to_owned()
    } else {
        "the answer has no list `keys`".to_owned()
    }
}

/// Bounds what is repeated of somebody's text.
fn short(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(40).collect()
}
