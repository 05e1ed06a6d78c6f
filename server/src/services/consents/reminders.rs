//! Telling a tenant's owners that consents end soon, while there is time to renew them: one letter per tenant and day,
//! with counts alone.

use std::collections::BTreeMap;

use app::domain::ids::TenantId;
use chrono::Duration;

use crate::jobs::send_mail::SendMail;
use crate::mail::letters;
use crate::services::refusal::ApiError;
use crate::state::AppState;

/// Writes today's letters, once however often it is called.
pub async fn send(state: &AppState) -> Result<(), ApiError> {
    // One look at all tenants, in one letter a day: by the real time.
    let now = state.clock.now();
    let mut tx = state.db.write().await?;
    if !tx.claim_reminders(now.date_naive()).await? {
        return Ok(());
    }
    let mut counts: BTreeMap<TenantId, BTreeMap<i64, usize>> = BTreeMap::new();
    // The nearest end first: each consent counts where it is most urgent.
    for days in sorted(state) {
        let until = now + Duration::days(days);
        for tenant in tx.mark_reminded(days, now, until).await? {
            *counts.entry(tenant).or_default().entry(days).or_default() += 1;
        }
    }
    for (tenant, counts) in counts {
        let counts: Vec<_> = counts.into_iter().rev().collect();
        let link = format!("{}{}", state.public_url, app::links::tenant_skills(tenant));
        for owner in tx.owners_of_tenant(tenant).await? {
            let brand = &state.config.portal.brand;
            let letter = letters::consents_end(brand, &owner.email, &owner.tenant, &counts, &link);
            state.queue.add(&mut tx, &SendMail(letter)).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

/// Returns the reminder, in days before the end, that counts as sent for a new consent of this length: the nearest one
/// that would be due before the consent begins. `None` if there is none.
pub fn told_by_itself(state: &AppState, length: Duration) -> Option<i64> {
    sorted(state)
        .into_iter()
        .find(|days| Duration::days(*days) >= length)
}

fn sorted(state: &AppState) -> Vec<i64> {
    let mut days = state.config.data.reminder_days.clone();
    days.sort_unstable();
    days
}
