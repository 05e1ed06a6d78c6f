//! A tenant's demands on signatures: whether its server calls need one, and how long one may live.

use app::domain::signature::{LIFETIME, SignatureTerms};
use app::portal::PortalError;
use serde_json::json;

use super::change::Change;
use crate::security::SecurityEvent;
use crate::services::refusal::ServiceError;

pub async fn set(
    mut change: Change<'_>,
    version: i64,
    signed_only: bool,
    seconds: &str,
) -> Result<(), ServiceError> {
    let typed = seconds
        .trim()
        .parse()
        .ok()
        .filter(|seconds| LIFETIME.contains(seconds));
    let seconds = typed.ok_or_else(|| {
        let message = format!(
            "Enter whole seconds from {} to {}.",
            LIFETIME.start(),
            LIFETIME.end()
        );
        PortalError::field("signature_seconds", message)
    })?;
    let to = SignatureTerms {
        signed_only,
        seconds,
    };
    let id = change.tenant().id;
    let from = change.tx.signature_terms(id).await?;
    let from = from.ok_or(PortalError::NotFound)?;
    change.since(version).await?;
    change.tx.set_signature_terms(id, from, to).await?;
    let words = |terms: SignatureTerms| json!({ "signed_only": terms.signed_only, "seconds": terms.seconds });
    let detail = json!({ "from": words(from), "to": words(to) });
    change
        .finish(SecurityEvent::TenantSignatureTermsSet, detail)
        .await
}
