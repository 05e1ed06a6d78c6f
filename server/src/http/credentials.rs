//! Credentials as they arrive: beside the other fields of a body, or in headers of calls without one.

use app::domain::problem::Code;
use axum::http::header;
use axum::http::request::Parts;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use json::{JsonValue, Object};
use secrecy::SecretString;

use super::fields::{Field, FieldErrors, FieldPath, Text};
use super::signed;
use crate::problem::Problem;
use crate::services::refusal::{FieldProblem, Refusal};

/// One credential of an operation.
pub struct Credential {
    pub name: &'static str,
    /// Header it travels in for calls without a body; `None` if it has none.
    pub header: Option<&'static str>,
    pub required: bool,
    pub about: &'static str,
    /// Reason it must not be sent to this operation; `None` if it may be.
    pub refused: Option<&'static str>,
}

/// An end-user's opaque id.
pub type UserId = Text<256>;

/// Credentials of the same side that an operation accepts without needing them.
#[derive(Default)]
pub struct ExtraCredentials {
    pub credentials_id: Option<String>,
    pub access_token: Option<SecretString>,
    pub tenant_user_id: Option<String>,
}

/// Credentials as presented, not yet proved.
#[derive(Default)]
pub struct PresentedCredentials {
    pub client_id: Option<String>,
    pub client_secret: Option<SecretString>,
    pub client_app_key: Option<SecretString>,
    pub nonce: Option<SecretString>,
    pub credentials_id: Option<String>,
    pub access_token: Option<SecretString>,
    pub tenant_user_id: Option<String>,
    /// Secret of the call, under which the answer kept for an `Idempotency-Key` is sealed.
    pub secret: Option<SecretString>,
}

impl PresentedCredentials {
    /// Takes the credentials of one side out of a request's fields, noting what is wrong.
    /// The console's grant (`granted`) stands in for `client_id` and keys.
    pub fn take(
        credentials: &[Credential],
        values: &mut Object<'_>,
        in_query: bool,
        (granted, from_browser): (bool, bool),
        wrong: &mut FieldErrors,
    ) -> Self {
        let mut presented = Self::default();
        for credential in credentials {
            let name = credential.name;
            let Some(value) = values.remove(name) else {
                let stands_in = granted && matches!(name, "client_id" | "client_secret");
                if credential.required && !stands_in {
                    let problem = FieldProblem::new(name, Code::MissingFields, "is required");
                    if in_query {
                        wrong.unproved.push(problem);
                    } else {
                        wrong.missing.push(problem);
                    }
                }
                continue;
            };
            if let Some(why) = credential.refused {
                wrong
                    .unknown
                    .push(FieldProblem::new(name, Code::UnknownFields, why));
                continue;
            }
            let mut at = FieldPath {
                prefix: "",
                name,
                in_query: false,
                wrong,
            };
            let text = match name {
                "tenant_user_id" => UserId::read(value, &mut at).map(|text| text.0),
                _ => String::read(value, &mut at),
            };
            if let Some(text) = text {
                presented.put(name, text);
            }
        }
        presented.check_keys(credentials, in_query, (granted, from_browser), wrong);
        presented.secret = [
            &presented.nonce,
            &presented.client_secret,
            &presented.client_app_key,
        ]
        .into_iter()
        .flatten()
        .next()
        .cloned();
        presented
    }

    fn put(&mut self, name: &str, text: String) {
        match name {
            "client_id" => self.client_id = Some(text),
            "client_secret" => self.client_secret = Some(text.into()),
            "client_app_key" => self.client_app_key = Some(text.into()),
            "nonce" => self.nonce = Some(text.into()),
            "credentials_id" => self.credentials_id = Some(text),
            "access_token" => self.access_token = Some(text.into()),
            "tenant_user_id" => self.tenant_user_id = Some(text),
            _ => {}
        }
    }

    /// Checks the keys of an operation that takes `client_app_key` or `client_secret`: one of them must be there, and a
    /// secret must not come from a browser.
    fn check_keys(
        &self,
        credentials: &[Credential],
        in_query: bool,
        (granted, from_browser): (bool, bool),
        wrong: &mut FieldErrors,
    ) {
        let takes = |name| {
            credentials.iter().any(|credential| {
                credential.name == name && credential.refused.is_none() && !credential.required
            })
        };
        if !(takes("client_app_key") && takes("client_secret")) {
            return;
        }
        let needs_one = credentials
            .iter()
            .any(|it| it.name == "client_id" && it.required)
            || self.client_id.is_some();
        let has_one = self.client_app_key.is_some() || self.client_secret.is_some();
        // One that is no text is wrong already, and not missing as well.
        let is_key = |field: &FieldProblem| {
            matches!(field.path.as_str(), "client_app_key" | "client_secret")
        };
        let sent_one = has_one || wrong.invalid.iter().any(is_key);
        if needs_one && !sent_one && !granted {
            // Without a body only the secret has a place to be sent in.
            let (name, message, list) = if in_query {
                ("client_secret", "is required", &mut wrong.unproved)
            } else {
                let message =
                    "is required (a tenant that is all server may send client_secret instead)";
                ("client_app_key", message, &mut wrong.missing)
            };
            list.push(FieldProblem::new(name, Code::MissingFields, message));
        }
        if has_one && self.client_id.is_none() && !granted && !needs_one {
            let list = if in_query {
                &mut wrong.unproved
            } else {
                &mut wrong.missing
            };
            list.push(FieldProblem::new(
                "client_id",
                Code::MissingFields,
                "is required with a key",
            ));
        }
        if self.client_secret.is_some() && (self.client_app_key.is_some() || from_browser) {
            let why = if from_browser {
                "must never be in a browser: send client_app_key, and rotate the secret if it was ever shipped"
            } else {
                "is not needed beside client_app_key: send one of them, and never the secret from an app"
            };
            wrong
                .unknown
                .push(FieldProblem::new("client_secret", Code::UnknownFields, why));
        }
    }

    /// Returns the credentials that the operation does not need, for the code that can check them.
    pub fn extra(self) -> ExtraCredentials {
        ExtraCredentials {
            credentials_id: self.credentials_id,
            access_token: self.access_token,
            tenant_user_id: self.tenant_user_id,
        }
    }
}

/// Puts the credentials of a call without body where a body would have them.
pub fn from_headers(
    credentials: &[Credential],
    parts: &Parts,
    values: &mut Object<'_>,
) -> Result<(), Problem> {
    let headers = &parts.headers;
    for credential in credentials {
        // In a URL they would end in logs and histories.
        if values.contains(credential.name) && credential.name != "tenant_user_id" {
            let problem = FieldProblem::new(
                credential.name,
                Code::UnknownFields,
                "must not be in the URL: send it in a header",
            );
            return Err(Refusal::new(Code::UnknownFields)
                .says(format!(
                    "Credentials must not be in the URL: {}.",
                    credential.name
                ))
                .at(vec![problem])
                .into());
        }
        let value = credential.header.and_then(|name| headers.get(name));
        if let Some(value) = value {
            let text = String::from_utf8(value.as_bytes().to_vec()).map_err(|_| {
                contradictory(credential.header.unwrap_or_default(), "is not UTF-8")
            })?;
            if values.insert(credential.name, JsonValue::Text(text.into())) {
                let why = "stands in the URL, too: send it once";
                return Err(contradictory(credential.name, why));
            }
        }
    }
    // Where requests are signed, that header holds the signature.
    let authorization = headers
        .get(header::AUTHORIZATION)
        .filter(|_| !signed::is_signed(parts));
    if let Some((client_id, secret)) = authorization.map(basic).transpose()?.flatten() {
        for (name, header, text) in [
            ("client_id", "X-Client-Id", client_id),
            ("client_secret", "X-Client-Secret", secret),
        ] {
            let differs = values
                .get(name)
                .is_some_and(|sent| sent.as_str() != Some(&text));
            if differs {
                return Err(contradictory(
                    header,
                    "is another than the one in Authorization",
                ));
            }
            values.remove(name);
            values.insert(name, JsonValue::Text(text.into()));
        }
    }
    Ok(())
}

/// Returns the refusal of a credential that is given twice or is no text.
fn contradictory(name: &str, why: &str) -> Problem {
    Refusal::new(Code::InvalidField)
        .says(format!("{name} {why}."))
        .at(vec![FieldProblem::new(name, Code::InvalidField, why)])
        .into()
}

/// Reads user and password of HTTP Basic (RFC 7617); `None` if the scheme is another one.
fn basic(value: &axum::http::HeaderValue) -> Result<Option<(String, String)>, Problem> {
    let read = || {
        let text = value.to_str().ok()?;
        let (scheme, rest) = text.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let plain = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
        let (user, password) = plain.split_once(':')?;
        Some((user.to_owned(), password.to_owned()))
    };
    read().map(Some).ok_or_else(|| {
        Refusal::new(Code::InvalidApiKeys)
            .hints("Authorization: Basic base64(client_id:client_secret)")
            .into()
    })
}
