//! Once, however often it is sent: the rules of `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header).
//!
//! A kept answer holds tokens and nonces, so it is sealed under a key derived from the secret the caller presented:
//! neither the database nor its keys alone can read it.

use app::domain::ids::{RequestId, TenantId};
use app::domain::problem::Code;
use chrono::Duration;
use secrecy::{ExposeSecret as _, SecretString};

use super::refusal::{Failure, Refusal};
use crate::crypto::{Aead, Digest};
use crate::state::AppState;
use crate::storage::kept_answers::AnswerKey;

/// How long a request may run before another one with its key takes over.
const LEASE: Duration = Duration::seconds(60);

/// A request that wants to happen once.
pub struct Attempt {
    key: AnswerKey,
    fingerprint: Vec<u8>,
    holder: RequestId,
    /// Seals the answer under the secret that the caller presented.
    sealing: Aead,
    keep: Duration,
}

/// What the caller sent with the request.
pub struct Asked<'a> {
    pub tenant: TenantId,
    pub operation: &'static str,
    /// The `Idempotency-Key`.
    pub key: &'a str,
    /// Digest of path and body.
    pub fingerprint: Vec<u8>,
    /// What the caller proved itself with.
    pub secret: Option<&'a SecretString>,
    pub request: RequestId,
    /// How long the answer is kept.
    pub keep: Duration,
}

/// What is to be done with a request.
pub enum Turn {
    /// Do it, then [`Attempt::keep`] or [`Attempt::free`].
    First(Attempt),
    /// It was done: this was its status and body.
    Again(u16, Vec<u8>),
}

/// Takes the key, or finds the first answer.
pub async fn begin(state: &AppState, asked: Asked<'_>) -> Result<Turn, Failure> {
    let secret = asked.secret.map_or("", |secret| secret.expose_secret());
    // Under the tenant's data key, and no pepper: whichever one a process uses, of two requests one is the first.
    let state = &state.for_tenant_alone(asked.tenant).await?;
    let sealing = state.vault.derive(&format!("kept_answers.secret/{secret}"))?;
    let attempt = Attempt {
        key: AnswerKey {
            tenant: asked.tenant,
            operation: asked.operation,
            key: state
                .vault
                .digest(&state.pepper, "kept_answers.key", asked.key)?,
        },
        fingerprint: asked.fingerprint,
        holder: asked.request,
        sealing: Aead::new(&sealing),
        keep: asked.keep,
    };
    let now = state.clock.now();
    let mut tx = state.db.write().await?;
    let taken = !tx.has_former_answer(&attempt.key, now).await?
        && tx
            .lease_answer(
                &attempt.key,
                attempt.holder,
                &attempt.fingerprint,
                now,
                now + LEASE,
            )
            .await?;
    if taken {
        tx.commit().await?;
        return Ok(Turn::First(attempt));
    }
    let running = || Failure::from(Refusal::new(Code::IdempotencyInFlight).after(1));
    let kept = tx.kept_answer(&attempt.key).await?.ok_or_else(running)?;
    drop(tx);
    if kept.fingerprint != attempt.fingerprint {
        return Err(Code::IdempotencyMismatch.into());
    }
    if let (Some(status), Some(sealed)) = (kept.status, kept.sealed) {
        let sealing = attempt.sealing_of(state, &kept.key_digest, secret);
        let place = attempt.place_of(&kept.key_digest);
        let opened = sealing.open(place.as_bytes(), &sealed);
        let body = opened.map_err(|_| another_secrets())?;
        return Ok(Turn::Again(
            u16::try_from(status).unwrap_or(500),
            body.to_vec(),
        ));
    }
    Err(running())
}

/// What does not open was sealed under another secret: of two that live while one is rotated, say.
fn another_secrets() -> Refusal {
    Refusal::new(Code::IdempotencyMismatch)
        .says("The request with this Idempotency-Key was made with another client_secret.")
        .hints("Ask again with that secret, or use a new key.")
}

impl Attempt {
    /// Keeps the answer for those who ask again.
    pub async fn keep(self, state: &AppState, status: u16, body: &[u8]) -> Result<(), Failure> {
        let place = self.place_of(&self.key.key);
        let sealed = self.sealing.seal(&state.clock, place.as_bytes(), body)?;
        let until = state.clock.now() + self.keep;
        let mut tx = state.db.write().await?;
        tx.keep_answer(&self.key, self.holder, status, &sealed, until)
            .await?;
        Ok(tx.commit().await?)
    }

    /// Lets the key be used again: nothing happened that must not happen twice.
    pub async fn free(self, state: &AppState) -> Result<(), Failure> {
        let mut tx = state.db.write().await?;
        tx.free_answer(&self.key, self.holder).await?;
        Ok(tx.commit().await?)
    }

    /// What an answer was sealed under: before there were data keys, a key of the pepper.
    fn sealing_of(&self, state: &AppState, stored: &Digest, secret: &str) -> Aead {
        if self.key.key.renews(stored) {
            let former = state.pepper.digest("kept_answers.secret", secret);
            for digest in [&*former.0, former.other()] {
                if let Ok(key) = digest.try_into() {
                    return Aead::new(&key);
                }
            }
        }
        self.sealing.clone()
    }

    fn place_of(&self, digest: &Digest) -> String {
        let digest: String = digest
            .0
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!(
            "kept_answers.sealed/{}/{}/{digest}",
            self.key.tenant, self.key.operation
        )
    }
}

#[cfg(test)]
mod tests;
