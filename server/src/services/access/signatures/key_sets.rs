//! Sets of keys behind URLs: fetched when they are needed and old, or lack the key that is asked for; kept in the
//! database for every process; never asked for again within half a minute.

use app::domain::ids::SigningKeyId;
use app::domain::signature::KeySource;
use chrono::{DateTime, Duration, Utc};
use json::ReadLimits;
use url::Url;

use super::material::{self, PublicKey};
use crate::services::refusal::ApiError;
use crate::skills::public_net::{self, Reach};
use crate::state::AppState;
use crate::storage::signing_keys::SigningKeyRow;

/// Time a set is used without asking again: while its URL can be read, a key removed from it is accepted for at most
/// this long.
const FRESH: Duration = Duration::minutes(15);
/// Time a set stays valid while its URL cannot be read.
const GOOD: Duration = Duration::hours(24);
/// Shortest time between two requests for one set.
const PAUSE: Duration = Duration::seconds(30);

/// Result of looking up the set behind a URL.
pub enum Known {
    Keys(Vec<PublicKey>),
    /// Another request fetches it at this moment.
    Asked,
    /// It cannot be read; the text says why.
    Nothing(String),
}

/// Fetches the set behind a URL. No transaction is open meanwhile.
pub async fn fetch(state: &AppState, url: &str) -> Result<String, String> {
    let answer = public_net::get(url, &reach(state), ReadLimits::KEYS.bytes).await?;
    let text = String::from_utf8(answer).map_err(|_| "the answer is not UTF-8".to_owned())?;
    material::set(&text, None).map_err(|error| error.to_string())?;
    Ok(text)
}

/// Returns the addresses and ports that sets of keys may be fetched from.
pub fn reach(state: &AppState) -> Reach {
    let signing = &state.config.signing;
    Reach::new(
        signing.key_sets_from_private_addresses,
        &signing.key_set_ports,
    )
}

/// A URL that may be asked, as it is stored: `https:`, and nothing in it that is secret or leads astray.
pub fn parse_url(text: &str, reach: &Reach) -> Result<String, String> {
    let url = Url::parse(text.trim()).map_err(|error| format!("This is no URL: {error}."))?;
    public_net::check(&url, reach)?;
    Ok(url.into())
}

/// The keys of a set; fetched first if they are old, or if `kid` is not among them.
pub async fn keys(
    state: &AppState,
    row: &SigningKeyRow,
    kid: Option<&str>,
) -> Result<Known, ApiError> {
    let now = state.clock.now();
    let held = held(row, kid, now);
    let has_it = held
        .as_ref()
        .is_some_and(|keys| kid.is_none_or(|kid| keys.iter().any(|key| key.kid() == Some(kid))));
    if has_it && row.fetched_at.is_some_and(|at| now - at < FRESH) {
        return Ok(Known::Keys(held.unwrap_or_default()));
    }
    let claimed = {
        let mut tx = state.db.write().await?;
        let claimed = tx.claim_key_set(row.id, now, now - PAUSE).await?;
        tx.commit().await?;
        claimed
    };
    if !claimed {
        return Ok(match held {
            Some(keys) if has_it => Known::Keys(keys),
            // The last answer is no older than the pause, and does not have the key; or there was none.
            Some(keys)
                if row.problem.is_some() || row.fetched_at.is_some_and(|at| now - at < PAUSE) =>
            {
                Known::Keys(keys)
            }
            None if row.problem.is_some() => {
                Known::Nothing(row.problem.clone().unwrap_or_default())
            }
            _ => Known::Asked,
        });
    }
    let fetched = fetch(state, &row.material).await;
    keep(state, row.id, &fetched).await?;
    Ok(match (fetched, held) {
        (Ok(text), _) => Known::Keys(material::set(&text, kid).unwrap_or_default()),
        (Err(_), Some(keys)) => Known::Keys(keys),
        (Err(problem), None) => Known::Nothing(problem),
    })
}

/// Returns `true` if a row is known to have the key named `kid`, without fetching anything.
pub fn knows(row: &SigningKeyRow, kid: &str, now: DateTime<Utc>) -> bool {
    match row.source {
        KeySource::Key => row.kid.as_deref() == Some(kid),
        KeySource::Url => {
            let is_fresh = row.fetched_at.is_some_and(|at| now - at < FRESH);
            let held = held(row, Some(kid), now)
                .filter(|_| is_fresh)
                .unwrap_or_default();
            held.iter().any(|key| key.kid() == Some(kid))
        }
    }
}

fn held(row: &SigningKeyRow, kid: Option<&str>, now: DateTime<Utc>) -> Option<Vec<PublicKey>> {
    row.fetched_at.filter(|at| now - *at < GOOD)?;
    material::set(row.fetched.as_deref()?, kid).ok()
}

async fn keep(
    state: &AppState,
    id: SigningKeyId,
    fetched: &Result<String, String>,
) -> Result<(), ApiError> {
    let mut tx = state.db.write().await?;
    match fetched {
        Ok(text) => tx.keep_key_set(id, text, state.clock.now()).await?,
        Err(problem) => tx.note_key_set_problem(id, problem).await?,
    }
    Ok(tx.commit().await?)
}
