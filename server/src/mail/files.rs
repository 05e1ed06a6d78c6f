//! Letters as `.eml` files: for a machine without a mail server. Any mail program opens them.

use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use async_trait::async_trait;
use kernel::clock::Clock;
use lettre::message::Mailbox;

use super::{Letter, MailError, Mailer, message};

/// Writes each letter to a file of its own, named so that they sort by time.
pub struct FileMailer {
    folder: PathBuf,
    from: Mailbox,
    clock: Clock,
}

impl FileMailer {
    pub fn new(folder: PathBuf, from: Mailbox, clock: Clock) -> Self {
        Self {
            folder,
            from,
            clock,
        }
    }
}

#[async_trait]
impl Mailer for FileMailer {
    async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        let text = message(letter, &self.from, &self.clock)?.formatted();
        let name = format!(
            "{}-{}.eml",
            self.clock.now().format("%Y%m%dT%H%M%S"),
            self.clock.id()
        );
        let folder = self.folder.clone();
        let write = move || {
            std::fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&folder)?;
            let mut file = std::fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(folder.join(name))?;
            std::io::Write::write_all(&mut file, &text)?;
            file.sync_all()
        };
        tokio::task::spawn_blocking(write)
            .await
            .map_err(|error| MailError::Transport(error.to_string()))?
            .map_err(|error| MailError::Transport(error.to_string()))
    }
}
