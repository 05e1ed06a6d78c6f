//! From the session cookie to the person it stands for.

use app::domain::person::Email;
use app::portal::{Actor, Membership};
use chrono::Duration;
use tower_sessions::Session;

use super::store;
use crate::state::AppState;
use crate::storage::DbResult;
use crate::storage::digests::DigestOwner;
use crate::storage::portal_sessions::ActorRow;

/// Precision of the time a session was last used: it is stored at most once in so long.
const TOUCH_EVERY: Duration = Duration::seconds(60);

/// The person signed in, asked of the database at each visit: a session that was ended is ended everywhere, at once.
/// With it, whether there are several servicers that the person may work in.
pub async fn of(state: &AppState, session: &Session) -> DbResult<Option<(Actor, bool)>> {
    let Some(id) = session.id() else {
        return Ok(None);
    };
    let now = state.clock.now();
    let digest = store::digest(state, &id);
    let Some(row) = state.db.read().await?.actor(&digest, now).await? else {
        return Ok(None);
    };
    let whose = DigestOwner::PortalSession(row.handle);
    state.digests.note(whose, &row.digest, &digest);
    if row.seen_at < now - TOUCH_EVERY {
        let mut tx = state.db.write().await?;
        tx.touch_portal_session(row.handle, now, now - TOUCH_EVERY)
            .await?;
        tx.touch_person(row.person_id, now).await?;
        tx.commit().await?;
    }
    let several = row.places > 1;
    Ok(Some((actor(row), several)))
}

fn actor(row: ActorRow) -> Actor {
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
            suspended_reason: row.suspended_reason,
            role,
        }),
        _ => None,
    };
    Actor {
        person: row.person_id,
        email: Email::stored(row.email),
        verified: row.verified_at.is_some(),
        admin: row.admin,
        membership,
        proved_at: row.proved_at.unwrap_or(row.created_at),
        session: row.handle,
    }
}
