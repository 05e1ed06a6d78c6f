//! Letters to people: plain text, one way out per installation. Sending is a job's work (`jobs/send_mail.rs`); services
//! write a [`Letter`] and add the job in their own transaction.

mod files;
pub mod letters;
mod memory;
mod smtp;

use std::path::Path;
use std::sync::Arc;

use app::domain::person::Email;
use async_trait::async_trait;
use kernel::clock::Clock;
use lettre::address::Envelope;
use lettre::message::{Mailbox, header};
use lettre::{Address, Message};

use crate::config;

pub use memory::MemoryMailer;

/// One letter, ready to be sent. It may hold a one-time link: sealed wherever it waits.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Letter {
    pub to: String,
    pub subject: String,
    pub body: String,
}

/// A way for letters to leave.
#[async_trait]
pub trait Mailer: Send + Sync {
    /// Sends a letter; when this returns, the mail server has taken it or it is on disk.
    async fn send(&self, letter: &Letter) -> Result<(), MailError>;
}

/// Error of sending a letter; holds no address.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("setting mail.{0}: {1}")]
    Setting(&'static str, String),
    #[error("the letter cannot be written as a mail: {0}")]
    Letter(String),
    #[error("the mail server did not take the letter: {0}")]
    Transport(String),
}

/// The mailer of the settings: SMTP if it has a URL, else files in `mail` under the data folder.
pub fn from_settings(
    settings: &config::Mail,
    data_dir: &Path,
    clock: Clock,
) -> Result<Arc<dyn Mailer>, MailError> {
    let from: Mailbox = settings.from.parse().map_err(|_| {
        MailError::Setting(
            "from",
            "write a sender like Tessera <no-reply@example.com>".to_owned(),
        )
    })?;
    Ok(if settings.smtp_url.is_empty() {
        Arc::new(files::FileMailer::new(data_dir.join("mail"), from, clock))
    } else {
        Arc::new(smtp::SmtpMailer::new(&settings.smtp_url, from, clock)?)
    })
}

/// The mailbox of an address. `lettre` knows fewer of the letters that RFC 6531 allows before the @ than people may register
/// with: what registering accepts is written to.
fn mailbox(text: &str) -> Result<Mailbox, MailError> {
    let judged = || {
        let email = Email::parse(text)
            .ok()
            .filter(|email| email.as_str() == text)?;
        let (local, domain) = email.as_str().rsplit_once('@')?;
        let address = Address::new_dangerous(local, domain);
        Some(Mailbox::new(None, address))
    };
    let parsed = text.parse().ok().or_else(judged);
    parsed.ok_or_else(|| MailError::Letter("the address is not one".to_owned()))
}

/// A letter as an internet message (RFC 5322). Address and subject were typed by people: `lettre` encodes them, so
/// that no line break in them becomes a header.
fn message(letter: &Letter, from: &Mailbox, clock: &Clock) -> Result<Message, MailError> {
    let to = mailbox(&letter.to)?;
    let domain = from.email.domain();
    // Left to itself, `lettre` reads the addresses back from the headers, by its own rules.
    let parties = Envelope::new(Some(from.email.clone()), vec![to.email.clone()]);
    let parties = parties.map_err(|error| MailError::Letter(error.to_string()))?;
    Message::builder()
        .envelope(parties)
        .from(from.clone())
        .to(to)
        .subject(letter.subject.clone())
        .date(clock.now().into())
        .message_id(Some(format!("<{}@{domain}>", clock.id())))
        .header(header::ContentType::TEXT_PLAIN)
        .body(letter.body.clone())
        .map_err(|error| MailError::Letter(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    fn letter(to: &str) -> Letter {
        Letter {
            to: to.to_owned(),
            subject: "Prove your address\r\nBcc: eve@example.com".to_owned(),
            body: "Hello,\n\nopen this link.\n".to_owned(),
        }
    }

    fn clock() -> Clock {
        Clock::mock("2026-01-01T00:00:00Z".parse().unwrap(), 1)
    }

    #[tokio::test]
    async fn without_smtp_a_letter_becomes_a_private_file() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let mailer = from_settings(&config::Mail::default(), folder.path(), clock()).unwrap();
        mailer.send(&letter("ana@example.com")).await.unwrap();
        mailer.send(&letter("ana@example.com")).await.unwrap();
        let mut files: Vec<_> = std::fs::read_dir(folder.path().join("mail"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.sort();
        assert_eq!(files.len(), 2);
        let text = std::fs::read_to_string(&files[0]).unwrap();
        assert!(text.contains("To: ana@example.com"), "{text}");
        assert!(text.contains("open this link."), "{text}");
        assert!(
            !text.lines().any(|line| line.starts_with("Bcc")),
            "a subject cannot add a header: {text}"
        );
        let mode = std::fs::metadata(&files[0]).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_sender_that_is_no_address_is_named() {
        let settings = config::Mail {
            from: "nobody".to_owned(),
            ..config::Mail::default()
        };
        let error = from_settings(&settings, Path::new("."), clock())
            .err()
            .unwrap();
        assert!(error.to_string().starts_with("setting mail.from"));
    }

    #[test]
    fn every_address_that_may_register_is_written_to() {
        let from = "Tessera <no-reply@example.com>".parse().unwrap();
        for address in [
            "😀@example.com",
            "हिन्दी@example.com",
            "зое@example.com",
            "zoe|x{y}@example.com",
            "zoe@xn--e28h.example",
        ] {
            assert_eq!(Email::parse(address).unwrap().as_str(), address);
            let message = message(&letter(address), &from, &clock()).unwrap();
            let text = String::from_utf8(message.formatted()).unwrap();
            assert!(text.contains(&format!("To: {address}\r\n")), "{text}");
            let to: Vec<_> = message
                .envelope()
                .to()
                .iter()
                .map(ToString::to_string)
                .collect();
            assert_eq!(to, [address]);
        }
    }

    #[test]
    fn an_address_cannot_smuggle_a_second_one() {
        let from = "Tessera <no-reply@example.com>".parse().unwrap();
        let smuggled = letter("ana@example.com\r\nBcc: eve@example.com");
        assert!(message(&smuggled, &from, &clock()).is_err());
    }
}
