//! State of a run between two calls. Sealed as one in the run's row; nothing in it is ever shown whole.

use std::collections::BTreeMap;

use app::domain::console::RunStage;
use app::domain::skill::SkillStep;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize as _;

/// A text that is shown by its first and last characters alone. No `Debug`, no `Display`; wiped when dropped.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MaskedSecret(String);

impl MaskedSecret {
    pub fn new(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Returns the whole text, for the call it is meant for.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the text as `F3YX…41d7`, or as `…` if it has fewer than 24 characters.
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

impl Drop for MaskedSecret {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A nonce, where it was made and where it was used, as positions of calls.
#[derive(Clone, Serialize, Deserialize)]
pub struct RunNonce {
    pub value: MaskedSecret,
    pub made_by: i64,
    pub used_by: Option<i64>,
    pub expires_at: DateTime<Utc>,
}

/// The step submitted last, while files of it may be sent.
#[derive(Clone, Serialize, Deserialize)]
pub struct SubmittedFiles {
    pub step: String,
    pub step_id: String,
    /// The nonce it was submitted with: files are sent with the same.
    pub nonce: MaskedSecret,
    /// Stage of the run once the required files are there.
    pub then: RunStage,
}

/// A file that the API took.
#[derive(Clone, Serialize, Deserialize)]
pub struct RunFile {
    pub step: String,
    pub step_id: String,
    pub kind: String,
    pub upload_id: String,
    pub size: u64,
    pub sha256: String,
}

/// State of a run that is kept between calls. Fields added later have a default, so that a run survives an update of
/// the server.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct RunState {
    pub nonces: Vec<RunNonce>,
    /// The step that comes next, and its data as prefilled or typed last.
    pub step: String,
    pub data: String,
    /// Data submitted for each step, by the step's name, for when the step is asked for again.
    #[serde(default)]
    pub typed: BTreeMap<String, String>,
    #[serde(default)]
    pub filed: Option<SubmittedFiles>,
    #[serde(default)]
    pub sent: Vec<RunFile>,
    /// Reason why the provider wants the next step again, or why it ended the session.
    #[serde(default)]
    pub reason: Option<String>,
    /// Seconds the provider asked to be left alone, while it verifies.
    #[serde(default)]
    pub poll_after: u32,
    pub bank_url: Option<String>,
    /// `true` once the end-user was sent to a provider: from then on only the server is told what comes next.
    #[serde(default)]
    pub sent_away: bool,
    pub temp_token: Option<MaskedSecret>,
    pub temp_token_expires_at: Option<DateTime<Utc>>,
    pub credentials_id: Option<String>,
    pub access_token: Option<MaskedSecret>,
    /// Error of the bank's return, if it brought no `temp_token`.
    pub refusal: Option<String>,
    pub dead_end: Option<String>,
}

impl RunState {
    /// The nonce handed out last: it authorises the next step, or proves who asks for it.
    pub fn nonce(&self) -> Option<&RunNonce> {
        self.nonces.last()
    }

    /// Returns `true` if the step submitted last has a file of this kind.
    pub fn has_file(&self, kind: &str) -> bool {
        let step = self.filed.as_ref().map(|filed| filed.step_id.as_str());
        let mut sent = self.sent.iter();
        sent.any(|sent| sent.kind == kind && Some(sent.step_id.as_str()) == step)
    }

    /// Returns `true` if the step submitted last has every file it requires.
    pub fn has_all_files(&self, step: &SkillStep) -> bool {
        let mut required = step.uploads.iter().filter(|rule| rule.required);
        required.all(|rule| self.has_file(&rule.kind))
    }
}
