//! What a run keeps between two calls. Sealed as one in the run's row; nothing in it is ever shown whole.

use std::collections::BTreeMap;

use app::domain::console::RunStage;
use app::domain::skill::SkillStep;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

/// A text that is shown by its ends alone. No `Debug`, no `Display`; wiped when dropped.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl Hidden {
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// The whole text: for the call it is meant for.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// `F3YX…41d7`; a text too short to keep a secret so is not shown at all.
    pub fn masked(&self) -> String {
        let letters: Vec<char> = self.0.chars().collect();
        match (letters.first_chunk::<4>(), letters.last_chunk::<4>()) {
            (Some(head), Some(tail)) if letters.len() >= 24 => {
                format!("{}…{}", String::from_iter(head), String::from_iter(tail))
            }
            _ => "…".to_owned(),
        }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A nonce, where it was made and where it was used, as positions of calls.
#[derive(Clone, Serialize, Deserialize)]
pub struct HeldNonce {
    pub value: Hidden,
    pub made_by: i64,
    pub used_by: Option<i64>,
    pub expires_at: DateTime<Utc>,
}

/// The step submitted last, while files of it may be sent.
#[derive(Clone, Serialize, Deserialize)]
pub struct Filed {
    pub step: String,
    pub step_id: String,
    /// The nonce it was submitted with: files are sent with the same.
    pub nonce: Hidden,
    /// Where the run stands once the required ones are there.
    pub then: RunStage,
}

/// A file that the API took.
#[derive(Clone, Serialize, Deserialize)]
pub struct Sent {
    pub step: String,
    pub step_id: String,
    pub kind: String,
    pub upload_id: String,
    pub size: u64,
    pub sha256: String,
}

/// What a run keeps. What was added later has a default: a run lives on through a new version of the server.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Held {
    pub nonces: Vec<HeldNonce>,
    /// The step that comes next, and its data as prefilled or typed last.
    pub step: String,
    pub data: String,
    /// What was submitted for each step, for when it comes again.
    #[serde(default)]
    pub typed: BTreeMap<String, String>,
    #[serde(default)]
    pub filed: Option<Filed>,
    #[serde(default)]
    pub sent: Vec<Sent>,
    /// Why the provider wants the step that comes next once more, or why it ended the session.
    #[serde(default)]
    pub reason: Option<String>,
    /// Seconds the provider asked to be left alone, while it verifies.
    #[serde(default)]
    pub poll_after: u32,
    pub bank_url: Option<String>,
    /// Whether the end-user was ever sent to a provider: from then on only the server is told what comes next.
    #[serde(default)]
    pub sent_away: bool,
    pub temp_token: Option<Hidden>,
    pub temp_token_expires_at: Option<DateTime<Utc>>,
    pub credentials_id: Option<String>,
    pub access_token: Option<Hidden>,
    /// What the bank's return said when it brought no token.
    pub refusal: Option<String>,
    pub dead_end: Option<String>,
}

impl Held {
    /// The nonce handed out last: it authorises the next step, or proves who asks for it.
    pub fn nonce(&self) -> Option<&HeldNonce> {
        self.nonces.last()
    }

    /// Whether a file of a kind is there, of the step submitted last.
    pub fn has_file(&self, kind: &str) -> bool {
        let step = self.filed.as_ref().map(|filed| filed.step_id.as_str());
        let mut sent = self.sent.iter();
        sent.any(|sent| sent.kind == kind && Some(sent.step_id.as_str()) == step)
    }

    /// Whether the step submitted last has every file it requires.
    pub fn has_all_files(&self, step: &SkillStep) -> bool {
        let mut required = step.uploads.iter().filter(|rule| rule.required);
        required.all(|rule| self.has_file(&rule.kind))
    }
}
