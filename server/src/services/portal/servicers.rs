//! Servicers as operators see them: made, approved, suspended, resumed. The same acts serve the admin area and the
//! command line.

use app::domain::ids::{PersonId, ServicerId};
use app::domain::person::Email;
use app::domain::servicer::{LONGEST_NAME, LegalForm, ServicerKind, ServicerStatus};
use app::domain::text;
use app::portal::admin::{Admin, CreatedServicer, ServicerRow};
use app::portal::{Actor, PortalError, PortalResult, RequestSource};
use async_trait::async_trait;
use chrono::Duration;
use serde_json::json;

use super::Services;
use super::audit::{ProductionProof, audit};
use super::outcome::portal_result;
use super::people::links;
use crate::mail::letters;
use crate::security::SecurityEvent;
use crate::services::refusal::ServiceError;
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::people::NewPerson;
use crate::storage::servicers::NewServicer;

const CLAIM_LIVES: Duration = Duration::days(7);

#[async_trait]
impl Admin for Services {
    async fn servicers(&self, actor: &Actor, query: &str) -> PortalResult<Vec<ServicerRow>> {
        actor.admin()?;
        portal_result(self, list(&self.state, query).await)
    }

    async fn create_servicer(
        &self,
        actor: &Actor,
        name: &str,
        kind: ServicerKind,
        source: &RequestSource,
    ) -> PortalResult<CreatedServicer> {
        let proof = actor.admin()?.fresh(self.state.clock.now())?;
        let by = ProductionProof::fresh(proof, source);
        portal_result(self, create(&self.state, &by, name, kind).await)
    }

    async fn approve_servicer(
        &self,
        actor: &Actor,
        id: ServicerId,
        source: &RequestSource,
    ) -> PortalResult<()> {
        let proof = actor.admin()?.fresh(self.state.clock.now())?;
        let by = ProductionProof::fresh(proof, source);
        portal_result(self, approve(&self.state, &by, id).await)
    }

    async fn suspend_servicer(
        &self,
        actor: &Actor,
        id: ServicerId,
        reason: &str,
        source: &RequestSource,
    ) -> PortalResult<()> {
        let proof = actor.admin()?.fresh(self.state.clock.now())?;
        let by = ProductionProof::fresh(proof, source);
        portal_result(self, suspend(&self.state, &by, id, reason).await)
    }

    async fn resume_servicer(
        &self,
        actor: &Actor,
        id: ServicerId,
        source: &RequestSource,
    ) -> PortalResult<()> {
        let proof = actor.admin()?.fresh(self.state.clock.now())?;
        let by = ProductionProof::fresh(proof, source);
        portal_result(self, resume(&self.state, &by, id).await)
    }
}

async fn list(state: &AppState, query: &str) -> Result<Vec<ServicerRow>, ServiceError> {
    let query = query.trim();
    let since = state.clock.now() - Duration::hours(24);
    let mut tx = state.db.read().await?;
    let rows = tx.servicers(query, since).await?;
    Ok(rows
        .into_iter()
        .map(|row| ServicerRow {
            id: row.id,
            name: row.name,
            kind: row.kind,
            status: row.status,
            country: row.country,
            owner: row.owner,
            owner_confirmed: row.owner_proved,
            tenants: row.tenants,
            requests_24h: row.requests_24h,
            created_at: row.created_at,
        })
        .collect())
}

/// Makes a servicer and the one-time token that lets its first person in.
pub async fn create(
    state: &AppState,
    by: &ProductionProof,
    name: &str,
    kind: ServicerKind,
) -> Result<CreatedServicer, ServiceError> {
    let name = text::name(name, LONGEST_NAME)
        .map_err(|error| PortalError::field("name", error.to_string()))?;
    let name = name.as_str();
    let (id, now) = (ServicerId(state.clock.id()), state.clock.now());
    let claim_token = state.clock.token();
    let claim_expires_at = now + CLAIM_LIVES;
    let digest = state.pepper.digest("claim_token", &claim_token);
    let mut tx = state.db.write().await?;
    tx.add_servicer(&NewServicer {
        id,
        name: name.to_owned(),
        kind,
        legal_form: LegalForm::Company,
        country: String::new(),
        created_at: now,
    })
    .await?;
    tx.add_claim_token(&digest, id, now, claim_expires_at)
        .await?;
    let detail = json!({ "name": name, "kind": kind });
    audit(
        state,
        &mut tx,
        by.by(),
        Some(id),
        SecurityEvent::ServicerCreated,
        id,
        detail,
    )
    .await?;
    tx.commit().await?;
    let sign_up_url = format!(
        "{}{}",
        state.public_url,
        app::links::claim(id, &claim_token)
    );
    Ok(CreatedServicer {
        id,
        claim_token,
        claim_expires_at,
        sign_up_url,
    })
}

/// Opens production to a servicer.
pub async fn approve(
    state: &AppState,
    by: &ProductionProof,
    id: ServicerId,
) -> Result<(), ServiceError> {
    let mut tx = state.db.write().await?;
    let owner = tx.owner_of(id).await?;
    if owner.as_ref().is_some_and(|owner| !owner.proved) {
        let why = "No owner has confirmed their email address yet, so nobody knows whose servicer this is. Approve it once \
                   an owner has.";
        return Err(PortalError::Conflict(why.to_owned()).into());
    }
    if !tx.approve_servicer(id).await? {
        return Err(otherwise(&mut tx, id, "approved").await?);
    }
    audit(
        state,
        &mut tx,
        by.by(),
        Some(id),
        SecurityEvent::ServicerApproved,
        id,
        json!({}),
    )
    .await?;
    let tenants = format!("{}{}", state.public_url, app::links::TENANTS);
    let brand = &state.config.portal.brand;
    if let Some(owner) = owner {
        let letter = letters::approved(brand, &owner.email, &owner.servicer, &tenants);
        links::write(state, &mut tx, letter).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Stops all calls of a servicer, from the next request on.
pub async fn suspend(
    state: &AppState,
    by: &ProductionProof,
    id: ServicerId,
    reason: &str,
) -> Result<(), ServiceError> {
    let reason = text::lines(reason, 1000).map_err(|error| {
        let why = format!("{error} The servicer is shown the reason.");
        PortalError::field("reason", why)
    })?;
    let reason = reason.as_str();
    let mut tx = state.db.write().await?;
    if !tx.suspend_servicer(id, reason).await? {
        return Err(otherwise(&mut tx, id, "suspended").await?);
    }
    let detail = json!({ "reason": reason });
    audit(
        state,
        &mut tx,
        by.by(),
        Some(id),
        SecurityEvent::ServicerSuspended,
        id,
        detail,
    )
    .await?;
    if let Some(owner) = tx.owner_of(id).await? {
        let letter =
            letters::suspended(&state.config.portal, &owner.email, &owner.servicer, reason);
        links::write_about(state, &mut tx, &owner.registered_key, owner.proved, letter).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Takes a suspension back.
pub async fn resume(
    state: &AppState,
    by: &ProductionProof,
    id: ServicerId,
) -> Result<(), ServiceError> {
    let mut tx = state.db.write().await?;
    if !tx.resume_servicer(id).await? {
        return Err(otherwise(&mut tx, id, "resumed").await?);
    }
    audit(
        state,
        &mut tx,
        by.by(),
        Some(id),
        SecurityEvent::ServicerResumed,
        id,
        json!({}),
    )
    .await?;
    Ok(tx.commit().await?)
}

/// Returns the error for a change of status that changed nothing: the servicer is unknown, or its status does not allow
/// it. `wanted` is what it was to become.
async fn otherwise(
    tx: &mut Tx,
    id: ServicerId,
    wanted: &str,
) -> Result<ServiceError, ServiceError> {
    let error = match tx.servicer(id).await? {
        None => PortalError::NotFound,
        Some((name, status)) if status.as_str() == wanted => {
            PortalError::Conflict(format!("{name} is {status} already: nothing was changed."))
        }
        Some((name, ServicerStatus::Suspended)) => {
            PortalError::Conflict(format!("{name} is suspended. Resume it first."))
        }
        Some((name, status)) => {
            PortalError::Conflict(format!("{name} is not suspended: it is {status}."))
        }
    };
    Ok(error.into())
}

/// Prepares somebody to be an operator; answers the password link to hand over. The operator who does this vouches for the
/// address, and for nothing that was done with it before: every session of the account ends, its password is useless, and
/// it is no operator until a new password was set by that very link.
pub async fn create_admin(
    state: &AppState,
    by: &ProductionProof,
    email: &Email,
) -> Result<(PersonId, String), ServiceError> {
    let now = state.clock.now();
    let mut tx = state.db.write().await?;
    let person = if let Some(row) = tx.owner_of_email(&email.key()).await? {
        tx.set_admin(row.id, false).await?;
        tx.clear_password(row.id).await?;
        tx.end_password_links(row.id, now).await?;
        // One that was printed before may be in the wrong hands.
        tx.end_operator_links(row.id, now).await?;
        tx.end_portal_sessions_of(row.id, None).await?;
        row.id
    } else {
        let id = PersonId(state.clock.id());
        tx.add_person(&NewPerson {
            id,
            email: email.as_str().to_owned(),
            email_key: email.key(),
            password: None,
            verified_at: Some(now),
            admin: false,
            created_at: now,
        })
        .await?;
        tx.release_email(&email.key()).await?;
        id
    };
    let link = links::add_printed_link(state, &mut tx, person).await?;
    audit(
        state,
        &mut tx,
        by.by(),
        None,
        SecurityEvent::AdminCreated,
        person,
        json!({}),
    )
    .await?;
    tx.commit().await?;
    Ok((person, link))
}
