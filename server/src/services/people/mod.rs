//! People: how they register, prove who they are, and sign out of browsers they no longer trust.
//!
//! No answer tells whether an address has an account: registering and asking for a password link answer alike, a
//! wrong pair of address and password says no more than that, and each takes the same work.

mod address;
pub mod devices;
pub mod endings;
pub mod links;
mod places;
mod reset;
mod sign_in;
mod start;
pub mod tries;

use app::domain::ids::{PersonId, ServicerId};
use app::portal::people::{
    AddressLink, Device, GivenPasswords, PasswordLink, People, SignUp, Start, Started,
};
use app::portal::{Actor, Answered, FreshProof, Source, Trouble};
use async_trait::async_trait;
use serde_json::json;

use super::Services;
use super::passwords::Ticket;
use super::trouble::{Stop, act, answered};
use crate::state::AppState;

pub use start::{Made, make_sandbox};

/// A place in the queue for hashing, or the advice to come back in a moment.
fn ticket(state: &AppState) -> Result<Ticket, Stop> {
    Ok(state.passwords.ticket().ok_or(Trouble::Wait(1))?)
}

/// The refusal of a password that somebody chose.
fn chosen(why: String) -> Stop {
    Trouble::field("password", why).into()
}

#[async_trait]
impl People for Services {
    async fn start(&self, form: Start, source: &Source) -> Answered<Started> {
        answered(self, start::start(&self.state, form, source).await)
    }

    async fn sign_up(&self, form: SignUp, source: &Source) -> Answered<PersonId> {
        answered(self, start::sign_up(&self.state, form, source).await)
    }

    async fn sign_in(&self, email: &str, password: &str, source: &Source) -> Answered<PersonId> {
        answered(
            self,
            sign_in::sign_in(&self.state, email, password, source).await,
        )
    }

    async fn prove(&self, actor: &Actor, password: &str, source: &Source) -> Answered<()> {
        answered(
            self,
            sign_in::prove(&self.state, actor, password, source).await,
        )
    }

    async fn forgot(&self, email: &str, source: &Source) -> Answered<()> {
        answered(self, links::forgot(&self.state, email, source).await)
    }

    async fn reset_link(&self, token: &str, source: &Source) -> Answered<PasswordLink> {
        answered(self, reset::link(&self.state, token, source).await)
    }

    async fn reset(
        &self,
        token: &str,
        account: &str,
        password: &str,
        source: &Source,
    ) -> Answered<PersonId> {
        let reset = reset::reset(&self.state, token, account, password, source);
        answered(self, reset.await)
    }

    async fn verify_link(
        &self,
        actor: Option<&Actor>,
        token: &str,
        source: &Source,
    ) -> Answered<AddressLink> {
        answered(self, address::link(&self.state, actor, token, source).await)
    }

    async fn verify(
        &self,
        actor: Option<&Actor>,
        token: &str,
        given: GivenPasswords,
        source: &Source,
    ) -> Answered<PersonId> {
        let confirmed = address::confirm(&self.state, actor, token, &given, source);
        answered(self, confirmed.await)
    }

    async fn unconfirmed(&self, actor: &Actor) -> Answered<usize> {
        answered(self, address::unconfirmed(&self.state, actor).await)
    }

    async fn bring_in(&self, actor: &Actor, password: &str, source: &Source) -> Answered<()> {
        let brought = address::bring_in(&self.state, actor, password, source);
        answered(self, brought.await)
    }

    async fn join(
        &self,
        actor: &Actor,
        servicer_id: &str,
        claim_token: &str,
        source: &Source,
    ) -> Answered<()> {
        let joined = places::join(&self.state, actor, servicer_id, claim_token, source);
        answered(self, joined.await)
    }

    async fn places(&self, actor: &Actor) -> Answered<Vec<(ServicerId, String)>> {
        answered(self, places::places(&self.state, actor).await)
    }

    async fn work_in(&self, actor: &Actor, servicer: ServicerId) -> Answered<()> {
        answered(self, places::work_in(&self.state, actor, servicer).await)
    }

    async fn send_verification(&self, actor: &Actor) -> Answered<()> {
        answered(self, links::send_verification(&self.state, actor).await)
    }

    async fn change_password(
        &self,
        actor: &Actor,
        old: &str,
        new: &str,
        source: &Source,
    ) -> Answered<()> {
        answered(
            self,
            sign_in::change_password(&self.state, actor, old, new, source).await,
        )
    }

    async fn devices(&self, actor: &Actor) -> Answered<Vec<Device>> {
        answered(self, devices(&self.state, actor).await)
    }

    async fn end_device(&self, actor: &Actor, handle: &str, source: &Source) -> Answered<()> {
        let ended = async {
            let proof = actor.fresh(self.state.clock.now())?;
            end_device(&self.state, proof, handle, source).await
        };
        answered(self, ended.await)
    }
}

async fn devices(state: &AppState, actor: &Actor) -> Result<Vec<Device>, Stop> {
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
    source: &Source,
) -> Result<(), Stop> {
    let actor = proof.actor();
    let handle = handle.parse().map_err(|_| Trouble::NotFound)?;
    let mut tx = state.db.write().await?;
    if !tx.end_portal_session_of(actor.person, handle).await? {
        return Err(Trouble::NotFound.into());
    }
    let ended = act(state, actor, source, "session.ended", handle, json!({}));
    tx.audit(&ended).await?;
    Ok(tx.commit().await?)
}

#[cfg(test)]
mod tests;
