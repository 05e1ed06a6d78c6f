//! The servicers that a person works in: joining one more, and going from one to another.

use app::domain::ids::ServicerId;
use app::domain::person::Role;
use app::portal::{Actor, PortalError, RequestSource};
use serde_json::json;

use super::login_throttle;
use super::start::{claim, stranger};
use crate::security::SecurityEvent;
use crate::services::portal::audit::{AuditActor, audit};
use crate::services::refusal::ServiceError;
use crate::state::AppState;

/// The servicers that the actor may work in.
pub async fn list(
    state: &AppState,
    actor: &Actor,
) -> Result<Vec<(ServicerId, String)>, ServiceError> {
    Ok(state
        .db
        .read()
        .await?
        .open_memberships_of(actor.person)
        .await?)
}

/// Works in another of the actor's servicers: in this browser, and in those that sign in later.
pub async fn work_in(
    state: &AppState,
    actor: &Actor,
    servicer: ServicerId,
) -> Result<(), ServiceError> {
    let mut tx = state.db.write().await?;
    let places = tx.open_memberships_of(actor.person).await?;
    if !places.iter().any(|(place, _)| *place == servicer) {
        return Err(PortalError::NotFound.into());
    }
    tx.set_session_servicer(actor.session, servicer).await?;
    tx.set_last_servicer(actor.person, servicer).await?;
    Ok(tx.commit().await?)
}

/// Joins a servicer with its claim token as the account that is signed in, and goes on there.
pub async fn join(
    state: &AppState,
    actor: &Actor,
    servicer_id: &str,
    claim_token: &str,
    source: &RequestSource,
) -> Result<(), ServiceError> {
    if !actor.verified {
        let why = "Confirm your email address first: an account without a confirmed address holds its own sandbox alone.";
        return Err(PortalError::Forbidden(why.to_owned()).into());
    }
    login_throttle::count(state, login_throttle::ThrottledAction::SignUp, None, source).await?;
    let servicer: ServicerId = servicer_id.trim().parse().map_err(|_| stranger())?;
    let mut tx = state.db.write().await?;
    claim(state, &mut tx, servicer, claim_token).await?;
    if tx.servicers_of(actor.person).await?.contains(&servicer) {
        let why = "You work in this servicer already.";
        return Err(PortalError::Conflict(why.to_owned()).into());
    }
    let now = state.clock.now();
    let role = tx
        .join_servicer(actor.person, servicer, Role::Developer, now)
        .await?;
    tx.set_session_servicer(actor.session, servicer).await?;
    tx.set_last_servicer(actor.person, servicer).await?;
    let by = AuditActor::actor(actor, source);
    let (target, detail) = (actor.person, json!({ "role": role }));
    audit(
        state,
        &mut tx,
        &by,
        Some(servicer),
        SecurityEvent::PersonJoined,
        target,
        detail,
    )
    .await?;
    Ok(tx.commit().await?)
}
