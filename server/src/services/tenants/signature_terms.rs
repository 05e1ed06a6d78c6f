//! A tenant's demands on signatures: whether its server calls need one, and how long one may live.

use app::domain::ids::TenantId;
use app::domain::signature::{LIFETIME, SignatureTerms};
use app::portal::{Actor, Source, Trouble};
use serde_json::json;

use super::settings::{begin, finish};
use crate::services::trouble::Stop;
use crate::state::AppState;

pub async fn set(
    state: &AppState,
    actor: &Actor,
    id: TenantId,
    signed_only: bool,
    seconds: &str,
    source: &Source,
) -> Result<(), Stop> {
    let (mut tx, _) = begin(state, actor, id).await?;
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
        Trouble::field("signature_seconds", message)
    })?;
    let to = SignatureTerms {
        signed_only,
        seconds,
    };
    let from = tx.signature_terms(id).await?.ok_or(Trouble::NotFound)?;
    if from == to {
        return Ok(());
    }
    if !tx.set_signature_terms(id, from, to).await? {
        let message = "Somebody else changed this just now. Look at it, then save again.";
        return Err(Trouble::Conflict(message.to_owned()).into());
    }
    let words = |terms: SignatureTerms| json!({ "signed_only": terms.signed_only, "seconds": terms.seconds });
    let detail = json!({ "from": words(from), "to": words(to) });
    finish(
        tx,
        state,
        actor,
        source,
        ("tenant.signature_terms_set", id, detail),
    )
    .await
}
