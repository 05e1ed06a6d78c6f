//! A tenant's terms for one skill. They are read when a consent is given, so a change touches no consent there is.

use app::domain::ids::TenantId;
use app::domain::skill::SkillName;
use app::domain::terms::{CONSENT_DURATION, DATA_RETENTION, Limits};
use app::portal::tenants::TypedTerms;
use app::portal::{Actor, FieldError, Source, Trouble};
use serde_json::json;

use super::settings::{begin, finish};
use crate::services::trouble::Stop;
use crate::state::AppState;
use crate::storage::terms::SkillTerms;

pub async fn set(
    state: &AppState,
    actor: &Actor,
    id: TenantId,
    skill: &SkillName,
    typed: &TypedTerms,
    source: &Source,
) -> Result<(), Stop> {
    let (mut tx, _) = begin(state, actor, id).await?;
    let to = checked(typed)?;
    let from = tx.skill_terms(id, skill).await?.ok_or(Trouble::NotFound)?;
    if from == to {
        return Ok(());
    }
    if !tx.set_skill_terms(id, skill, from, to).await? {
        let message = "Somebody else changed these terms just now. Look at them, then save again.";
        return Err(Trouble::Conflict(message.to_owned()).into());
    }
    let words = |terms: SkillTerms| {
        json!({
            "consent_duration": terms.consent_duration,
            "cache_max_data_retention": terms.cache_max_data_retention,
        })
    };
    let detail = json!({ "skill": skill, "from": words(from), "to": words(to) });
    finish(tx, state, actor, source, ("tenant.terms_set", id, detail)).await
}

/// Both terms, or all that is wrong with them.
fn checked(typed: &TypedTerms) -> Result<SkillTerms, Trouble> {
    let mut wrong = Vec::new();
    let mut minutes = |name, limits: Limits, text: &str| {
        limits.parse(text).unwrap_or_else(|error| {
            let message = error.to_string();
            wrong.push(FieldError { name, message });
            limits.default
        })
    };
    let terms = SkillTerms {
        consent_duration: minutes(
            "consent_duration",
            CONSENT_DURATION,
            &typed.consent_duration,
        ),
        cache_max_data_retention: minutes(
            "cache_max_data_retention",
            DATA_RETENTION,
            &typed.cache_max_data_retention,
        ),
    };
    if wrong.is_empty() {
        Ok(terms)
    } else {
        Err(Trouble::Refused(wrong))
    }
}
