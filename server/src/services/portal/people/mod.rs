//! People: how they register, prove who they are, and sign out of browsers they no longer trust.
//!
//! No answer tells whether an address has an account: registering and asking for a password link answer alike, a
//! wrong pair of address and password says no more than that, and each takes the same work.

mod address;
pub mod devices;
pub mod endings;
pub mod links;
pub mod login_throttle;
mod memberships;
mod reset;
mod sign_in;
pub mod spelling;
mod start;

use app::domain::ids::{PersonId, ServicerId};
use app::portal::people::{
    AddressLink, Device, GivenPasswords, PasswordLink, People, SignUp, Start, Started,
};
use app::portal::{Actor, FreshProof, PortalError, PortalResult, RequestSource};
use async_trait::async_trait;
use serde_json::json;

use super::Services;
use super::outcome::{audit_entry, portal_result};
use crate::security::SecurityEvent;
use crate::services::refusal::ServiceError;
use crate::state::AppState;
use crate::state::passwords::QueueSlot;

pub use start::{Registered, make_sandbox};

/// A place in the queue for hashing, or the advice to come back in a moment.
fn ticket(state: &AppState) -> Result<QueueSlot, ServiceError> {
    Ok(state.passwords.ticket().ok_or(PortalError::Wait(1))?)
}

/// The refusal of a password that somebody chose.
fn chosen(why: String) -> ServiceError {
    PortalError::field("password", why).into()
}

#[async_trait]
impl People for Services {
    async fn start(&self, form: Start, source: &RequestSource) -> PortalResult<Started> {
        portal_result(self, start::start(&self.state, form, source).await)
    }

    async fn sign_up(&self, form: SignUp, source: &RequestSource) -> PortalResult<PersonId> {
        portal_result(self, start::sign_up(&self.state, form, source).await)
    }

    async fn sign_in(
        &self,
        email: &str,
        password: &str,
        source: &RequestSource,
    ) -> PortalResult<PersonId> {
        portal_result(
            self,
            sign_in::sign_in(&self.state, email, password, source).await,
        )
    }

    async fn prove(
        &self,
        actor: &Actor,
        password: &str,
        source: &RequestSource,
    ) -> PortalResult<()> {
        portal_result(
            self,
            sign_in::prove(&self.state, actor, password, source).await,
        )
    }

    async fn forgot(&self, email: &str, source: &RequestSource) -> PortalResult<()> {
        portal_result(self, links::forgot(&self.state, email, source).await)
    }

    async fn reset_link(&self, token: &str, source: &RequestSource) -> PortalResult<PasswordLink> {
        portal_result(self, reset::link(&self.state, token, source).await)
    }

    async fn reset(
        &self,
        token: &str,
        account: &str,
        password: &str,
        source: &RequestSource,
    ) -> PortalResult<PersonId> {
        let reset = reset::reset(&self.state, token, account, password, source);
        portal_result(self, reset.await)
    }

    async fn verify_link(
        &self,
        actor: Option<&Actor>,
        token: &str,
        source: &RequestSource,
    ) -> PortalResult<AddressLink> {
        portal_result(self, address::link(&self.state, actor, token, source).await)
    }

    async fn verify(
        &self,
        actor: Option<&Actor>,
        token: &str,
        given: GivenPasswords,
        source: &RequestSource,
    ) -> PortalResult<PersonId> {
        let confirmed = address::confirm(&self.state, actor, token, &given, source);
        portal_result(self, confirmed.await)
    }

    async fn unconfirmed(&self, actor: &Actor) -> PortalResult<usize> {
        portal_result(self, address::unconfirmed(&self.state, actor).await)
    }

    async fn bring_in(
        &self,
        actor: &Actor,
        password: &str,
        source: &RequestSource,
    ) -> PortalResult<()> {
        let brought = async {
            let proof = actor.fresh(self.state.clock.now())?;
            address::bring_in(&self.state, proof, password, source).await
        };
        portal_result(self, brought.await)
    }

    async fn join(
        &self,
        actor: &Actor,
        servicer_id: &str,
        claim_token: &str,
        source: &RequestSource,
    ) -> PortalResult<()> {
        let joined = memberships::join(&self.state, actor, servicer_id, claim_token, source);
        portal_result(self, joined.await)
    }

    async fn places(&self, actor: &Actor) -> PortalResult<Vec<(ServicerId, String)>> {
        portal_result(self, memberships::list(&self.state, actor).await)
    }

    async fn work_in(&self, actor: &Actor, servicer: ServicerId) -> PortalResult<()> {
        portal_result(
            self,
            memberships::work_in(&self.state, actor, servicer).await,
        )
    }

    async fn send_verification(&self, actor: &Actor) -> PortalResult<()> {
        portal_result(self, links::send_verification(&self.state, actor).await)
    }

    async fn change_password(
        &self,
        actor: &Actor,
        old: &str,
        new: &str,
        source: &RequestSource,
    ) -> PortalResult<()> {
        portal_result(
            self,
            sign_in::change_password(&self.state, actor, old, new, source).await,
        )
    }

    async fn devices(&self, actor: &Actor) -> PortalResult<Vec<Device>> {
        portal_result(self, devices(&self.state, actor).await)
    }

    async fn end_device(
        &self,
        actor: &Actor,
        handle: &str,
        source: &RequestSource,
    ) -> PortalResult<()> {
        let ended = async {
            let proof = actor.fresh(self.state.clock.now())?;
            end_device(&self.state, proof, handle, source).await
        };
        portal_result(self, ended.await)
    }
}

async fn devices(state: &AppState, actor: &Actor) -> Result<Vec<Device>, ServiceError> {
    let mut tx = state.db.read().await?;
    let rows = tx
        .portal_sessions_of(actor.person, state.clock.now())
        .await?;
    let mut devices: Vec<Device> = rows
        .into_iter()
        .map(|row| Device {
            current: row.handle == actor.session,
            handle: row.handle.to_string(),
            user_agent: row.user_agent,
            ip: row.ip,
            signed_in_at: row.created_at,
            seen_at: row.seen_at,
        })
        .collect();
    devices.sort_by_key(|device| !device.current);
    Ok(devices)
}

async fn end_device(
    state: &AppState,
    proof: FreshProof<'_>,
    handle: &str,
    source: &RequestSource,
) -> Result<(), ServiceError> {
    let actor = proof.actor();
    let handle = handle.parse().map_err(|_| PortalError::NotFound)?;
    let mut tx = state.db.write().await?;
    if !tx.end_portal_session_of(actor.person, handle).await? {
        return Err(PortalError::NotFound.into());
    }
    let ended = audit_entry(
        state,
        actor,
        source,
        SecurityEvent::SessionEnded,
        handle,
        json!({}),
    );
    tx.audit(&ended).await?;
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests;
