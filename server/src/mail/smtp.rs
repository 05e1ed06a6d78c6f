//! Letters over SMTP, encrypted unless the server is this machine.

use std::time::Duration;

use async_trait::async_trait;
use kernel::clock::Clock;
use lettre::message::Mailbox;
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::{Letter, MailError, Mailer, message};

/// A mail server. Connections are made per letter: there are few, and none is held open for nothing.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    clock: Clock,
}

impl SmtpMailer {
    /// `smtps://user:password@host:465`, or `smtp://host:587`, which then must offer STARTTLS unless it is loopback.
    pub fn new(url: &str, from: Mailbox, clock: Clock) -> Result<Self, MailError> {
        let unusable = |why: &str| MailError::Setting("smtp_url", why.to_owned());
        let parsed = url::Url::parse(url)
            .map_err(|_| unusable("write a URL like smtps://user:password@mail.example.com:465"))?;
        let loopback = match parsed.host_str() {
            Some("localhost" | "127.0.0.1" | "[::1]") => true,
            Some(_) => false,
            None => return Err(unusable("the host is missing")),
        };
        let builder = match parsed.scheme() {
            "smtp" if !loopback && parsed.query().is_none() => {
                AsyncSmtpTransport::<Tokio1Executor>::from_url(&format!("{url}?tls=required"))
            }
            "smtp" | "smtps" => AsyncSmtpTransport::<Tokio1Executor>::from_url(url),
            _ => return Err(unusable("the URL must begin with smtps: or smtp:")),
        };
        let transport = builder
            .map_err(|error| unusable(&error.to_string()))?
            .timeout(Some(Duration::from_secs(20)))
            .build();
        Ok(Self {
            transport,
            from,
            clock,
        })
    }
}

#[async_trait]
impl Mailer for SmtpMailer {
    async fn send(&self, letter: &Letter) -> Result<(), MailError> {
        let message = message(letter, &self.from, &self.clock)?;
        // Servers repeat the address in what they say; only the kind of failure is passed on.
        self.transport
            .send(message)
            .await
            .map(|_| ())
            .map_err(|error| {
                let kind = error
                    .status()
                    .map_or_else(|| "no answer".to_owned(), |code| code.to_string());
                MailError::Transport(kind)
            })
    }
}
