//! Associated data: the table, the column and the row that each sealed value belongs to. What is sealed opens in its own
//! row alone (promise 26 of docs/PROMISES.md). One function for each sealed column; nobody else writes such a text.

use std::fmt::Display;

use app::domain::ids::{
    AccountId, CredentialsId, JobId, KeyId, PaymentId, RunId, SessionId, TenantId, UploadId,
};
use kernel::crypto::{Digest, hex};

/// Returns the associated data of a tenant's key for `utx_id`.
pub fn utx_key(tenant: TenantId) -> String {
    format!("tenants.utx_key/{tenant}")
}

/// Returns the associated data of an app key that may be shown again.
pub fn app_key(tenant: TenantId, key: KeyId) -> String {
    format!("tenant_keys.sealed/{tenant}/{key}")
}

/// Returns the associated data of the `state` that a tenant gave with a session.
pub fn client_state(session: SessionId) -> String {
    format!("sessions.client_state/{session}")
}

/// Returns the associated data of what a connector keeps with a session.
pub fn session_bank_ref(tenant: TenantId, session: SessionId) -> String {
    format!("sessions.bank_ref/{tenant}/{session}")
}

/// Returns the associated data of the answer to a step.
pub fn step_answer(session: SessionId, position: i64) -> String {
    format!("session_steps.answer/{session}/{position}")
}

/// Returns the associated data of a nonce that may be delivered again.
pub fn nonce(session: SessionId, position: i64) -> String {
    format!("nonces.sealed/{session}/{position}")
}

/// Returns the associated data of a `temp_token` that may be delivered again.
pub fn temp_token(tenant: TenantId, session: SessionId) -> String {
    format!("temp_tokens.sealed/{tenant}/{session}")
}

/// Returns the associated data of the tenant's link that a redirect ends at.
pub fn redirect_link(session: SessionId, position: i64) -> String {
    format!("bank_returns.link/{session}/{position}")
}

/// Returns the associated data of a piece of an uploaded file. It says which piece is the last, so that no file can be cut
/// short unnoticed.
pub fn upload_chunk(
    tenant: TenantId,
    session: SessionId,
    upload: UploadId,
    position: i64,
    last: bool,
) -> String {
    let end = if last { "last" } else { "more" };
    format!("upload_chunks.sealed/{tenant}/{session}/{upload}/{position}/{end}")
}

/// Returns the associated data of a consent's grant at the bank.
pub fn bank_grant(tenant: TenantId, session: SessionId) -> String {
    format!("consents.bank_grant/{tenant}/{session}")
}

/// Returns the associated data of an account's details.
pub fn account(consent: CredentialsId, bank_key: &Digest) -> String {
    format!("accounts.sealed/{consent}/{}", hex(&bank_key.0))
}

/// Returns the associated data of a balance's details.
pub fn balance(account: AccountId, balance_type: &str, currency: &str) -> String {
    format!("balances.sealed/{account}/{balance_type}/{currency}")
}

/// Returns the associated data of a transaction's details, as it is and as it was before a change.
pub fn transaction(consent: CredentialsId, utx: &Digest) -> String {
    format!("transactions.sealed/{consent}/{}", hex(&utx.0))
}

/// Returns the associated data of an entry that could not be read.
pub fn unreadable_entry(consent: CredentialsId, digest: &Digest) -> String {
    format!("unreadable_entries.sealed/{consent}/{}", hex(&digest.0))
}

/// Returns the associated data of a product's details.
pub fn product(consent: CredentialsId, bank_key: &Digest) -> String {
    format!("products.sealed/{consent}/{}", hex(&bank_key.0))
}

/// Returns the associated data of what a connector keeps with a payment.
pub fn payment_bank_ref(payment: PaymentId) -> String {
    format!("payments.bank_ref/{payment}")
}

/// Returns the associated data of a payment as it was ordered.
pub fn payment_order(payment: PaymentId) -> String {
    format!("payments.ordered/{payment}")
}

/// Returns the associated data of a payment's status as the bank gave it.
pub fn payment_status(payment: PaymentId) -> String {
    format!("payments.said/{payment}")
}

/// Returns the associated data of an answer that is kept for its `Idempotency-Key`.
pub fn kept_answer(tenant: TenantId, operation: impl Display, key: &Digest) -> String {
    format!("kept_answers.sealed/{tenant}/{operation}/{}", hex(&key.0))
}

/// Returns the associated data of a job's payload.
pub fn job_payload(job: JobId) -> String {
    format!("jobs.payload/{job}")
}

/// Returns the associated data of what a run of the console keeps between its calls.
pub fn console_run(run: RunId) -> String {
    format!("console_runs.held/{run}")
}

/// Returns the associated data of the bodies of a call of the console.
pub fn console_call(run: RunId, position: i64) -> String {
    format!("console_calls.bodies/{run}/{position}")
}
