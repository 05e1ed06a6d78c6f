//! What a run keeps between two calls. Sealed as one in the run's row; nothing in it is ever shown whole.

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

/// What a run keeps.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Held {
    pub nonces: Vec<HeldNonce>,
    /// The step that comes next, and its data as prefilled or typed last.
    pub step: String,
    pub data: String,
    pub bank_url: Option<String>,
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
}
