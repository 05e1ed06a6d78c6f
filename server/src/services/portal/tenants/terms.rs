//! A tenant's terms for one skill. They are read when a consent is given, so a change touches no consent there is.

use app::domain::skill::SkillName;
use app::domain::terms::{CONSENT_DURATION, DATA_RETENTION, TermBounds};
use app::portal::tenants::TypedTerms;
use app::portal::{FieldError, PortalError};
use serde_json::json;

use super::change::Change;
use crate::security::SecurityEvent;
use crate::services::refusal::ServiceError;
use crate::storage::terms::SkillTerms;

pub async fn set(
    mut change: Change<'_>,
    version: i64,
    skill: &SkillName,
    typed: &TypedTerms,
) -> Result<(), ServiceError> {
    let to = checked(typed)?;
    let id = change.tenant().id;
    let from = change.tx.skill_terms(id, skill).await?;
    let from = from.ok_or(PortalError::NotFound)?;
    change.since(version).await?;
    if !change.tx.set_skill_terms(id, skill, from, to).await? {
        return Err(PortalError::NotFound.into());
    }
    let words = |terms: SkillTerms| {
        json!({
            "consent_duration": terms.consent_duration,
            "cache_max_data_retention": terms.cache_max_data_retention,
        })
    };
    let detail = json!({ "skill": skill, "from": words(from), "to": words(to) });
    change.finish(SecurityEvent::TenantTermsSet, detail).await
}

/// Both terms, or all that is wrong with them.
fn checked(typed: &TypedTerms) -> Result<SkillTerms, PortalError> {
    let mut wrong = Vec::new();
    let mut minutes = |name, limits: TermBounds, text: &str| {
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
        Err(PortalError::Refused(wrong))
    }
}
