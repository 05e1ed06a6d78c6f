//! A JWS in compact form (RFC 7515, section 7.1), taken apart. What it says is believed by nobody yet.

use app::domain::signature::Algorithm;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use json::{JsonValue, Object, ReadLimits};

/// The longest one that is looked at: claims about one request are far shorter.
const LONGEST: usize = 8 * 1024;

/// A JWS in its parts.
pub struct Jws<'a> {
    pub header: Object<'static>,
    pub claims: Object<'static>,
    /// `header.claims` as they were signed (RFC 7515, section 5.1).
    pub signed: &'a str,
    /// The signature, base64url.
    pub signature: &'a str,
}

impl<'a> Jws<'a> {
    /// Takes a text apart, or says which part of it is wrong.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("it is longer than {LONGEST} characters"));
        }
        let parts: Vec<&str> = text.split('.').collect();
        let [header, claims, signature] = parts.as_slice() else {
            return Err(other_form(text, parts.len()));
        };
        let head = object("header", header)?;
        // Before the claims: what is critical may say how they are to be read.
        if let Some(critical) = head.get("crit") {
            // RFC 7515, section 4.1.11: what is not understood must be refused.
            return Err(format!(
                "its header makes {critical} critical, which is not known here"
            ));
        }
        if claims.is_empty() {
            return Err(
                "its claims part is empty: a detached payload (RFC 7515, appendix F) is not read here"
                    .to_owned(),
            );
        }
        let parsed = Self {
            header: head,
            claims: object("claims", claims)?,
            signed: text
                .get(..header.len() + 1 + claims.len())
                .unwrap_or_default(),
            signature,
        };
        if signature.is_empty() {
            return Err("its signature part is empty".to_owned());
        }
        bytes("signature", signature)?;
        Ok(parsed)
    }

    /// `alg`, if it is one of ours; else what it is.
    pub fn algorithm(&self) -> Result<Algorithm, String> {
        match self.header.get("alg") {
            // RFC 9864 names the curve, too.
            Some(JsonValue::Text(alg)) if alg == "Ed25519" => Ok(Algorithm::EdDsa),
            Some(JsonValue::Text(alg)) => alg.parse().map_err(|_| alg.clone().into_owned()),
            Some(other) => Err(other.to_string()),
            None => Err("nothing".to_owned()),
        }
    }

    /// `kid`, if it is a text.
    pub fn kid(&self) -> Option<&str> {
        self.header.get("kid").and_then(JsonValue::as_str)
    }

    /// A claim that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(JsonValue::as_str)
    }
}

fn object(name: &str, part: &str) -> Result<Object<'static>, String> {
    match json::read(&bytes(name, part)?, ReadLimits::CLAIMS) {
        Ok(JsonValue::Object(object)) => Ok(object.into_owned()),
        Ok(_) => Err(format!("its {name} part is no JSON object")),
        Err(error) => Err(format!("its {name} part is not JSON: {error}")),
    }
}

fn bytes(name: &str, part: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD.decode(part).map_err(|error| {
        let why = if part.contains(['+', '/']) {
            "standard base64 has + and / where base64url has - and _".to_owned()
        } else if part.ends_with('=') {
            "it has padding (=) at its end".to_owned()
        } else {
            error.to_string()
        };
        format!("its {name} part is not base64url without padding: {why}")
    })
}

/// Says which other form of a token a text has, if it is a known one.
fn other_form(text: &str, parts: usize) -> String {
    let known = if text.starts_with('{') {
        ": it is a JWS in JSON (RFC 7515, section 7.2), which is not read here"
    } else if text.contains("%2E") || text.contains("%2e") {
        ": its dots are escaped as in a URL"
    } else if text.contains([',', ' ']) {
        ": more than one token was sent, or something beside it"
    } else {
        match parts {
            2 => ": the signature is missing",
            5 => ": five are those of an encrypted token (JWE, RFC 7516)",
            _ => "",
        }
    };
    format!("it has {parts} parts instead of three{known}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(json: &str) -> String {
        URL_SAFE_NO_PAD.encode(json)
    }

    #[test]
    fn three_parts_make_a_signature() {
        let text = format!(
            "{}.{}.AAAA",
            part(r#"{"alg":"ES256","kid":"k"}"#),
            part(r#"{"iss":"me"}"#)
        );
        let jws = Jws::parse(&text).unwrap();
        assert_eq!(jws.algorithm(), Ok(Algorithm::Es256));
        assert_eq!((jws.kid(), jws.text("iss")), (Some("k"), Some("me")));
        assert_eq!(format!("{}.AAAA", jws.signed), text);
    }

    #[test]
    fn whatever_else_comes_is_told_what_is_wrong_with_it() {
        let good = part("{}");
        for (text, says) in [
            (String::new(), "1 parts"),
            (format!("{good}.{good}"), "2 parts"),
            (format!("{good}.{good}.A.A"), "4 parts"),
            (
                format!("{good}=.{good}.AAAA"),
                "header part is not base64url",
            ),
            (
                format!("{}.{good}.AAAA", part("[]")),
                "header part is no JSON object",
            ),
            (
                format!("{good}.{}.AAAA", part("{")),
                "claims part is not JSON",
            ),
            (
                format!("{good}.{good}.A+A"),
                "signature part is not base64url",
            ),
            (
                format!("{}.{good}.AAAA", part(r#"{"crit":["b64"]}"#)),
                "critical",
            ),
            (
                format!("{}..AAAA", part(r#"{"alg":"ES256"}"#)),
                "detached payload",
            ),
            (format!("{good}.{good}."), "signature part is empty"),
            (format!("{good}.{good}.A+A"), "standard base64"),
            (format!("{good}.{good}.AA=="), "padding (=)"),
            (
                format!(
                    "{}.{{\"iat\":1}}.AAAA",
                    part(r#"{"crit":["b64"],"b64":false}"#)
                ),
                "critical",
            ),
            (format!("{good}.{good}.A.A.A"), "JWE"),
            (format!("{good}.{good}.A, {good}.{good}.A"), "more than one"),
            (format!("{good}%2E{good}%2EAAAA"), "escaped as in a URL"),
            (format!(r#"{{"protected":"{good}"}}"#), "in JSON"),
            ("x".repeat(LONGEST + 1), "longer"),
        ] {
            let error = Jws::parse(&text).err().unwrap();
            assert!(error.contains(says), "{error}");
        }
        let algorithm = |header: &str| {
            let text = format!("{}.{good}.AAAA", part(header));
            Jws::parse(&text).unwrap().algorithm()
        };
        assert_eq!(algorithm(r#"{"alg":"none"}"#), Err("none".to_owned()));
        assert_eq!(algorithm(r#"{"alg":"Ed25519"}"#), Ok(Algorithm::EdDsa));
        assert_eq!(algorithm(r#"{"alg":"rs256"}"#), Err("rs256".to_owned()));
    }
}
