//! From the session cookie to the person it stands for.

use app::domain::person::Email;
use app::portal::{Actor, Membership};
use chrono::Duration;
use tower_sessions::Session;

use super::store;
use crate::state::AppState;
use crate::storage::digests::Whose;
use crate::storage::portal_sessions::ActorRow;
use crate::storage::{DbError, Stored};

/// How exactly it is known when a session was last used.
const TOUCH_EVERY: Duration = Duration::seconds(60);

/// The person signed in, asked of the database at each visit: a session that was ended is ended everywhere, at once.
pub async fn of(state: &AppState, session: &Session) -> Stored<Option<Actor>> {
    let Some(id) = session.id() else {
        return Ok(None);
    };
    let now = state.clock.now();
    let digest = store::digest(state, &id);
    let Some(row) = state.db.read().await?.actor(&digest, now).await? else {
        return Ok(None);
    };
    let whose = Whose::PortalSession(row.handle);
    state.digests.note(whose, &row.digest, &digest);
    if row.seen_at < now - TOUCH_EVERY {
        let mut tx = state.db.write().await?;
        tx.touch_portal_session(row.handle, now, now - TOUCH_EVERY)
            .await?;
        tx.commit().await?;
    }
    actor(row).map(Some)
}

fn actor(row: ActorRow) -> Stored<Actor> {
    let email = Email::parse(&row.email).map_err(|error| DbError::Decode(error.into()))?;
    let membership = match (
        row.servicer_id,
        row.servicer_name,
        row.servicer_status,
        row.role,
    ) {
        (Some(servicer), Some(name), Some(status), Some(role)) => Some(Membership {
            servicer,
            name,
            status,
            role,
        }),
        _ => None,
    };
    Ok(Actor {
        person: row.person_id,
        email,
        verified: row.verified_at.is_some(),
        admin: row.admin,
        membership,
        proved_at: row.proved_at.unwrap_or(row.created_at),
        session: row.handle,
    })
}
