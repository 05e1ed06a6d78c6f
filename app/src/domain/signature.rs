//! Signed requests (`/v1s`): the checks a signature must pass, in their order, and what a check found.
//!
//! A signature is a JWS in compact form (RFC 7515) whose payload are claims (RFC 7519) about one request.

use serde::{Deserialize, Serialize};

use super::text::hidden;

/// Keys of one servicer that may be live at once.
pub const MOST_KEYS: usize = 10;
/// Seconds a signature may live at most, and what a tenant may tighten that to.
pub const LIFETIME: std::ops::RangeInclusive<i64> = 1..=3600;
/// Seconds by which the clocks of both sides may differ.
pub const SKEW: i64 = 60;
/// The audience that the API's first documents print; the API's own host is the other one.
pub const DOCUMENTED_AUDIENCE: &str = "api.finqware.com";

string_enum! {
    /// One check of a signed request.
    Check {
        /// `Authorization: Bearer` holds a JWS: header, claims and signature, each base64url, the first two JSON objects.
        Form = "form",
        /// `alg` is one of those accepted here.
        Algorithm = "algorithm",
        /// `iss` is an issuer of the tenant's servicer.
        Issuer = "issuer",
        /// One of the issuer's live keys fits `kid` and `alg`.
        Key = "key",
        /// The signature verifies with that key.
        Signature = "signature",
        /// `sub` and `email` are the issuer.
        Subject = "subject",
        /// `aud` is this API.
        Audience = "audience",
        /// `iat`, `exp` and `nbf` lie around now, and not too far apart.
        Time = "time",
        /// `htm` and `htu`, if they are there, name this request.
        Target = "target",
        /// `digest` is that of the body which arrived.
        Digest = "digest",
        /// The signature was not accepted before.
        Once = "once",
    }
}

string_enum! {
    /// Outcome of a check.
    Outcome {
        Passed = "passed",
        Failed = "failed",
        /// Not looked at, because an earlier check failed or nothing was there to look at.
        Skipped = "skipped",
    }
}

string_enum! {
    /// Algorithms of signatures (RFC 7518, section 3.1, and RFC 8037).
    Algorithm {
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        Rs256 = "RS256",
        /// ECDSA with P-256 and SHA-256.
        Es256 = "ES256",
        /// RSASSA-PSS with SHA-256.
        Ps256 = "PS256",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

string_enum! {
    /// Form in which a servicer registers the keys it signs with.
    KeySource {
        /// A public key.
        Key = "key",
        /// The URL of a set of public keys (JWKS, RFC 7517, section 5).
        Url = "jwks_url",
    }
}

impl Check {
    /// Returns the rule that the check enforces, in a sentence.
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Form => {
                "Authorization is Bearer and a compact JWS: header.claims.signature, each base64url without padding."
            }
            Self::Algorithm => "alg is RS256, ES256, PS256 or EdDSA.",
            Self::Issuer => "iss is an issuer whose keys your servicer registered.",
            Self::Key => "One of the issuer's live keys fits kid and alg.",
            Self::Signature => "The signature verifies with that key.",
            Self::Subject => "sub and email, where they are sent, equal iss.",
            Self::Audience => "aud is the API's host.",
            Self::Time => {
                "iat and nbf are not in the future, exp not in the past, and they are close enough."
            }
            Self::Target => "htm and htu, where they are sent, are the request's method and URL.",
            Self::Digest => {
                "digest is the SHA-256 of the body's bytes in standard base64; white space between JSON tokens may be left out."
            }
            Self::Once => "A signature is accepted once.",
        }
    }
}

/// Finding of one check. Shown to the servicer whose key is meant, and to nobody else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    pub check: Check,
    pub outcome: Outcome,
    /// Expected value; empty if there is nothing to compare.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub expected: String,
    /// Value found in the request; empty if there is none to show.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub found: String,
    /// Probable cause and remedy; empty if there is nothing to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub advice: String,
}

impl Finding {
    /// A check that ended so, with nothing more to say.
    pub fn bare(check: Check, outcome: Outcome) -> Self {
        Self {
            check,
            outcome,
            expected: String::new(),
            found: String::new(),
            advice: String::new(),
        }
    }

    /// A check that passed on what was found.
    pub fn passed(check: Check, found: impl Into<String>) -> Self {
        Self {
            found: found.into(),
            ..Self::bare(check, Outcome::Passed)
        }
    }

    /// A check that failed.
    pub fn failed(
        check: Check,
        expected: impl Into<String>,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            check,
            outcome: Outcome::Failed,
            expected: expected.into(),
            found: found.into(),
            advice: advice.into(),
        }
    }

    pub fn is_failed(&self) -> bool {
        self.outcome == Outcome::Failed
    }
}

/// Requirements of a tenant on signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureTerms {
    /// `true` if its server calls are refused without a signature.
    pub signed_only: bool,
    /// Seconds a signature may live at most.
    pub seconds: i64,
}

/// Returns `true` if a text may hold a private key, so that no page shows it again.
pub fn may_be_private(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let marks = ["PRIVATE KEY", "PUTTY-USER-KEY-FILE", "\"D\"", "\"K\""];
    // Without a frame around it, nobody knows by sight.
    let bare = !upper.contains("-----BEGIN") && !upper.trim_start().starts_with("HTTP");
    marks.iter().any(|mark| upper.contains(mark)) || (bare && upper.len() > 200)
}

/// Parses an issuer, the name that a servicer gives itself in `iss`: 1 to 254 visible characters, commonly an e-mail
/// address.
pub fn parse_issuer(text: &str) -> Result<String, NotAnIssuer> {
    let text = text.trim();
    let fits = (1..=254).contains(&text.chars().count())
        && text
            .chars()
            .all(|c| hidden(c).is_none() && !c.is_whitespace());
    fits.then(|| text.to_owned()).ok_or(NotAnIssuer)
}

/// Error for a text that is not an issuer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "Enter what your signatures say in iss: 1 to 254 characters without spaces, like signer@app.example.com."
)]
pub struct NotAnIssuer;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_one_visible_word() {
        assert_eq!(
            parse_issuer(" signer@app.example.com "),
            Ok("signer@app.example.com".to_owned())
        );
        for text in ["", "  ", "a b", "a\u{7}b", &"x".repeat(255)] {
            assert_eq!(parse_issuer(text), Err(NotAnIssuer), "{text:?}");
        }
    }

    #[test]
    fn every_check_says_its_rule() {
        for check in Check::ALL {
            assert!(check.rule().ends_with('.'), "{check}");
        }
    }
}
