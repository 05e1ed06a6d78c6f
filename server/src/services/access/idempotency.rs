//! Once, however often it is sent: the rules of `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header).
//!
//! A kept answer holds tokens and nonces, so it is sealed under a key derived from the secret the caller presented:
//! neither the database nor its keys alone can read it.

use app::domain::ids::{RequestId, TenantId};
use app::domain::problem::Code;
use chrono::Duration;
use kernel::crypto::{Aead, Digest};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use crate::aad;
use crate::services::lease::LEASE;
use crate::services::refusal::{ApiError, Refusal};
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::idempotency_keys::IdempotencyKey;

/// A request that wants to happen once.
pub struct IdempotentRequest {
    key: IdempotencyKey,
    fingerprint: Vec<u8>,
    holder: RequestId,
    /// Seals the answer under the secret that the caller presented.
    sealing: Aead,
    /// Key that answers were sealed under before data keys were introduced: derived from the pepper.
    former: Option<Aead>,
    keep: Duration,
}

/// Request that carries an `Idempotency-Key`.
pub struct KeyedRequest<'a> {
    pub tenant: TenantId,
    pub operation: &'static str,
    /// The `Idempotency-Key`.
    pub key: &'a str,
    /// Digest of path and body.
    pub fingerprint: Vec<u8>,
    /// Secret that the caller authenticated with; `None` for a call without one.
    pub secret: Option<&'a SecretString>,
    pub request: RequestId,
    /// Time the answer is kept.
    pub keep: Duration,
}

/// Way to handle a request: execute it, or repeat its answer.
pub enum Attempt {
    /// Do it, then [`IdempotentRequest::keep`] or [`IdempotentRequest::release`].
    First(IdempotentRequest),
    /// It was executed before: status and body of its answer.
    Replay(u16, Vec<u8>),
}

/// A request under its key, which nobody has taken yet.
pub async fn prepare(
    state: &AppState,
    asked: KeyedRequest<'_>,
) -> Result<IdempotentRequest, ApiError> {
    let secret = asked.secret.map_or("", |secret| secret.expose_secret());
    // Under the tenant's data key, and no pepper: whichever one a process uses, of two requests one is the first.
    let state = &state.for_tenant_alone(asked.tenant).await?;
    let sealing = state
        .vault
        .derive(&format!("kept_answers.secret/{secret}"))?;
    let former = state.pepper.digest("kept_answers.secret", secret);
    let former = [&*former.0, former.other()]
        .into_iter()
        .find_map(|digest| digest.try_into().ok());
    Ok(IdempotentRequest {
        key: IdempotencyKey {
            tenant: asked.tenant,
            operation: asked.operation,
            key: state
                .vault
                .digest(&state.pepper, "kept_answers.key", asked.key)?,
        },
        fingerprint: asked.fingerprint,
        holder: asked.request,
        sealing: Aead::new(&sealing),
        former: former.map(|key| Aead::new(&key)),
        keep: asked.keep,
    })
}

/// Takes the key, or finds the first answer.
pub async fn begin(state: &AppState, asked: KeyedRequest<'_>) -> Result<Attempt, ApiError> {
    let request = prepare(state, asked).await?;
    let mut tx = state.db.write().await?;
    if request.take(state, &mut tx).await? {
        tx.commit().await?;
        return Ok(Attempt::First(request));
    }
    let first = request.first_answer(state, &mut tx).await?;
    let (status, body) = first.ok_or_else(running)?;
    Ok(Attempt::Replay(status, body))
}

/// The refusal while the first request runs.
pub fn running() -> ApiError {
    Refusal::new(Code::IdempotencyInFlight).after(1).into()
}

/// Returns the refusal for an answer that does not open: it was sealed under another secret, such as the other of two
/// that are live during a rotation.
fn another_secrets() -> Refusal {
    Refusal::new(Code::IdempotencyMismatch)
        .says("The request with this Idempotency-Key was made with another client_secret.")
        .hints("Ask again with that secret, or use a new key.")
}

impl IdempotentRequest {
    /// Takes the key until its lease ends, or the transaction is given up; `false` if it runs elsewhere or was answered.
    pub async fn take(&self, state: &AppState, tx: &mut Tx) -> Result<bool, ApiError> {
        let now = state.clock.now();
        let until = now + LEASE;
        Ok(!tx.has_former_answer(&self.key, now).await?
            && tx
                .lease_idempotency_key(&self.key, self.holder, &self.fingerprint, now, until)
                .await?)
    }

    /// The answer that the first request under this key had; `None` if there is none yet, or none any more. Another
    /// request under the same key is refused.
    pub async fn first_answer(
        &self,
        state: &AppState,
        tx: &mut Tx,
    ) -> Result<Option<(u16, Vec<u8>)>, ApiError> {
        let kept = tx.idempotency_record(&self.key).await?;
        let now = state.clock.now();
        let Some(kept) = kept.filter(|kept| kept.expires_at > now) else {
            return Ok(None);
        };
        if kept.fingerprint != self.fingerprint {
            return Err(Code::IdempotencyMismatch.into());
        }
        let (Some(status), Some(sealed)) = (kept.status, kept.sealed) else {
            return Ok(None);
        };
        let sealing = self.sealing_of(&kept.key_digest);
        let aad = self.aad(&kept.key_digest);
        let opened = sealing.open(aad.as_bytes(), &sealed);
        let body = opened.map_err(|_| another_secrets())?;
        Ok(Some((u16::try_from(status).unwrap_or(500), body.to_vec())))
    }

    /// Keeps the answer for those who ask again.
    pub async fn keep(self, state: &AppState, status: u16, body: &[u8]) -> Result<(), ApiError> {
        let mut tx = state.db.write().await?;
        self.keep_in(state, &mut tx, status, body).await?;
        Ok(tx.commit().await?)
    }

    /// Keeps the answer in the transaction of its effect: neither is ever there without the other.
    pub async fn keep_in(
        &self,
        state: &AppState,
        tx: &mut Tx,
        status: u16,
        body: &[u8],
    ) -> Result<(), ApiError> {
        let aad = self.aad(&self.key.key);
        let sealed = self.sealing.seal(&state.clock, aad.as_bytes(), body)?;
        let until = state.clock.now() + self.keep;
        Ok(tx
            .keep_idempotent_answer(&self.key, self.holder, status, &sealed, until)
            .await?)
    }

    /// Digest of key and request: what an effect remembers of who caused it, longer than the answer is kept.
    pub fn mark(&self) -> Vec<u8> {
        let mut hash = Sha256::new();
        hash.update(&*self.key.key.0);
        hash.update(&self.fingerprint);
        hash.finalize().to_vec()
    }

    /// Lets the key be used again: nothing happened that must not happen twice.
    pub async fn release(self, state: &AppState) -> Result<(), ApiError> {
        let mut tx = state.db.write().await?;
        tx.release_idempotency_key(&self.key, self.holder).await?;
        Ok(tx.commit().await?)
    }

    /// The key that an answer was sealed under.
    fn sealing_of(&self, stored: &Digest) -> &Aead {
        let former = self.former.as_ref();
        former
            .filter(|_| self.key.key.renews(stored))
            .unwrap_or(&self.sealing)
    }

    fn aad(&self, digest: &Digest) -> String {
        aad::kept_answer(self.key.tenant, self.key.operation, digest)
    }
}

#[cfg(test)]
mod tests;
