//! Letters kept in memory, for tests to read.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::{Letter, MailError, Mailer};

/// Keeps every letter; clones share them.
#[derive(Clone, Default)]
pub struct MemoryMailer(Arc<Mutex<Vec<Letter>>>);

impl MemoryMailer {
    /// The letters so far, the oldest first.
    pub fn letters(&self) -> Vec<Letter> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

#[async_trait]
impl Mailer for MemoryMailer {
    async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(letter.clone());
        Ok(())
    }
}
