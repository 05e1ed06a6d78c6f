//! What a screen is given: who asks, for what, with which form.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::domain::ids::ServicerId;
use crate::portal::{Actor, Portal, PortalError, RequestSource};

/// Everything a screen may look at.
#[derive(Clone)]
pub struct Visit {
    pub portal: Arc<dyn Portal>,
    pub actor: Option<Actor>,
    /// The servicers the actor may work in, if there are several.
    pub places: Vec<(ServicerId, String)>,
    /// The path as asked for, without query.
    pub path: String,
    /// Values of the route's `{name}` parts, percent-decoded.
    pub params: FormFields,
    pub query: FormFields,
    /// The submitted form, when the method was POST.
    pub form: Option<FormFields>,
    /// The file that came with the form, where the screen takes one and one was chosen.
    pub file: Option<FormFile>,
    pub source: RequestSource,
    pub now: DateTime<Utc>,
    pub site: Arc<Site>,
    /// The caller asks for Markdown rather than HTML (`Accept: text/markdown`).
    pub markdown: bool,
    /// `light`, `dark` or none for the system's own.
    pub theme: Option<&'static str>,
}

/// Settings and files that are the same for every page of one server.
#[derive(Clone, Debug)]
pub struct Site {
    /// The brand shown to users.
    pub brand: String,
    /// Address or URL where people ask for help; `None` if there is none.
    pub support: Option<String>,
    /// `https://portal.example.com`, without a trailing slash: links are built from it, never from the request.
    pub public_url: String,
    /// A URI where security flaws are reported (RFC 9116, section 2.5.3); empty where none is set.
    pub security_contact: String,
    /// Hashed names of the built files; `None` where only the HTML matters.
    pub assets: Option<Assets>,
    /// The served OpenAPI document, for the reference.
    pub openapi: Arc<serde_json::Value>,
}

/// Paths of the built files, from the root: `/pkg/portal.<hash>.css`.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Assets {
    pub js: String,
    pub wasm: String,
    pub css: String,
}

/// A file that was sent with a form.
#[derive(Clone, Debug)]
pub struct FormFile {
    /// Its name on the sender's machine.
    pub name: String,
    pub bytes: Arc<[u8]>,
}

/// Names and values of a query or form, in order, repeats kept.
#[derive(Clone, Debug, Default)]
pub struct FormFields(pub Vec<(String, String)>);

impl FormFields {
    /// The first value of a name, trimmed of nothing; empty if absent.
    pub fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value.as_str())
    }

    /// Takes a name out; its first value, if it was there.
    pub fn take(&mut self, name: &str) -> Option<String> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        let (_, value) = self.0.remove(at);
        self.0.retain(|(key, _)| key != name);
        Some(value)
    }

    /// Every value of a name.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
            .collect()
    }

    /// The lines of a text area, trimmed, empty ones left out.
    pub fn lines(&self, name: &str) -> Vec<String> {
        self.get(name)
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// The value of a name that a page's own form always sends: a form without it, cut off or made by hand, must not be read
    /// as if it had been emptied.
    pub fn sent(&self, name: &str) -> Result<&str, PortalError> {
        let found = self.0.iter().find(|(key, _)| key == name);
        let found = found.map(|(_, value)| value.as_str());
        found.ok_or_else(|| incomplete(name))
    }

    /// A choice that a page's own form always sends as one of these.
    pub fn chosen<'a>(&self, name: &str, choices: &[&'a str]) -> Result<&'a str, PortalError> {
        let sent = self.sent(name)?;
        let found = choices.iter().find(|choice| **choice == sent);
        found.copied().ok_or_else(|| incomplete(name))
    }

    /// A value that parses, or what an absent one stands for; one that is something else is refused.
    pub fn parse_or<T: std::str::FromStr>(&self, name: &str, absent: T) -> Result<T, PortalError> {
        match self.get(name) {
            "" => Ok(absent),
            text => text.parse().map_err(|_| incomplete(name)),
        }
    }

    /// A value that parses, or nothing.
    pub fn parse<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name).parse().ok()
    }
}

/// The refusal of a form that none of our pages made.
fn incomplete(name: &str) -> PortalError {
    PortalError::Conflict(format!(
        "Nothing was changed: the form came without a usable “{name}”. Open its page again and send it from there."
    ))
}

impl Visit {
    /// The person signed in; the door lets nobody else near a screen that asks for this.
    pub fn actor(&self) -> Result<&Actor, PortalError> {
        self.actor.as_ref().ok_or(PortalError::NotFound)
    }

    /// A route's part that must parse: what does not is an address of nothing.
    pub fn param<T: std::str::FromStr>(&self, name: &str) -> Result<T, PortalError> {
        self.params.parse(name).ok_or(PortalError::NotFound)
    }
}
