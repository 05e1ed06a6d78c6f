//! A JWS in compact form (RFC 7515, section 7.1), taken apart. What it says is believed by nobody yet.

use app::domain::json::{self, Json, Limits, Object};
use app::domain::signature::Algorithm;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

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
            return Err(format!("it has {} parts instead of three", parts.len()));
        };
        let parsed = Self {
            header: object("header", header)?,
            claims: object("claims", claims)?,
            signed: text
                .get(..header.len() + 1 + claims.len())
                .unwrap_or_default(),
            signature,
        };
        if let Some(critical) = parsed.header.get("crit") {
            // RFC 7515, section 4.1.11: what is not understood must be refused.
            return Err(format!(
                "its header makes {critical} critical, which is not known here"
            ));
        }
        bytes("signature", signature)?;
        Ok(parsed)
    }

    /// `alg`, if it is one of ours; else what it is.
    pub fn algorithm(&self) -> Result<Algorithm, String> {
        match self.header.get("alg") {
            Some(Json::Text(alg)) => alg.parse().map_err(|_| alg.clone().into_owned()),
            Some(other) => Err(other.to_string()),
            None => Err("nothing".to_owned()),
        }
    }

    /// `kid`, if it is a text.
    pub fn kid(&self) -> Option<&str> {
        self.header.get("kid").and_then(Json::as_str)
    }

    /// A claim that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Json::as_str)
    }
}

fn object(name: &str, part: &str) -> Result<Object<'static>, String> {
    match json::read(&bytes(name, part)?, Limits::CLAIMS) {
        Ok(Json::Object(object)) => Ok(object.into_owned()),
        Ok(_) => Err(format!("its {name} part is no JSON object")),
        Err(error) => Err(format!("its {name} part is not JSON: {error}")),
    }
}

fn bytes(name: &str, part: &str) -> Result<Vec<u8>, String> {
    URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|error| format!("its {name} part is not base64url without padding: {error}"))
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
            ("x".repeat(LONGEST + 1), "longer"),
        ] {
            let error = Jws::parse(&text).err().unwrap();
            assert!(error.contains(says), "{error}");
        }
        let none = format!("{}.{good}.AAAA", part(r#"{"alg":"none"}"#));
        assert_eq!(
            Jws::parse(&none).unwrap().algorithm(),
            Err("none".to_owned())
        );
    }
}
