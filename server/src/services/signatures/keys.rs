//! The keys a servicer signs with: added, listed, stopped. Rotation is adding the new one first: all live keys verify.

use app::domain::ids::{ServicerId, SigningKeyId};
use app::domain::person::Permission;
use app::domain::signature::{KeySource, MOST_KEYS, parse_issuer};
use app::portal::signing::{NewSigningKey, SigningKey};
use app::portal::{Actor, FieldError, Source, Trouble};
use chrono::{DateTime, Utc};
use serde_json::json;

use super::key_sets;
use super::material::{self, PublicKey};
use crate::services::acts::{Proved, audit};
use crate::services::trouble::Stop;
use crate::state::AppState;
use crate::storage::signing_keys::{NewSigningKey as NewRow, SigningKeyRow};
use crate::storage::{Tx, lost_race};

/// Who may add and stop keys: they sign for production tenants, too.
const MANAGE: Permission = Permission::ManageProductionKeys;
/// The longest text that is read as a key.
const LONGEST: usize = 16 * 1024;

/// A key as it will be stored.
struct Ready {
    issuer: String,
    source: KeySource,
    material: String,
    kid: Option<String>,
    fetched: Option<String>,
}

/// The live keys of the actor's servicer.
pub async fn list(state: &AppState, actor: &Actor) -> Result<Vec<SigningKey>, Stop> {
    let servicer = actor.may(Permission::ManageSandboxKeys)?.servicer;
    let mut tx = state.db.read().await?;
    let rows = tx.signing_keys(servicer).await?;
    Ok(rows.into_iter().map(shown).collect())
}

fn shown(row: SigningKeyRow) -> SigningKey {
    let keys = match row.source {
        KeySource::Key => PublicKey::parse(&row.material).into_iter().collect(),
        KeySource::Url => row
            .fetched
            .as_deref()
            .and_then(|set| material::set(set).ok())
            .unwrap_or_default(),
    };
    let kinds = keys.iter().map(|key| {
        let algorithms: Vec<_> = key.algorithms().iter().map(|alg| alg.as_str()).collect();
        (
            key.kid().unwrap_or_default().to_owned(),
            algorithms.join(", "),
        )
    });
    SigningKey {
        id: row.id,
        issuer: row.issuer,
        url: (row.source == KeySource::Url).then(|| row.material.clone()),
        keys: kinds.collect(),
        created_at: row.created_at,
        created_by: row.created_by,
        last_used_at: row.last_used_at,
        fetched_at: row.fetched_at,
        problem: row.problem,
    }
}

/// Adds a key for whoever is signed in.
pub async fn add(
    state: &AppState,
    actor: &Actor,
    new: NewSigningKey,
    source: &Source,
) -> Result<(), Stop> {
    let servicer = actor.may(MANAGE)?.servicer;
    let proof = actor.fresh(state.clock.now())?;
    add_to(state, &Proved::fresh(proof, source), servicer, new)
        .await
        .map(|_| ())
}

/// Adds a key, or a URL whose set can be read this moment, to a servicer.
pub async fn add_to(
    state: &AppState,
    by: &Proved,
    servicer: ServicerId,
    new: NewSigningKey,
) -> Result<SigningKeyId, Stop> {
    let ready = ready(state, new).await?;
    for _ in 0..MOST_KEYS {
        match try_add(state, by, servicer, &ready).await {
            // Somebody else's key took the place: there may be another.
            Err(Stop::Database(error)) if lost_race(&error) => {}
            done => return done,
        }
    }
    Err(full().into())
}

async fn ready(state: &AppState, new: NewSigningKey) -> Result<Ready, Trouble> {
    let issuer = parse_issuer(&new.issuer).map_err(|error| error.to_string());
    let text = new.material.trim();
    let read = if text.len() > LONGEST {
        Err(format!("This has more than {LONGEST} characters."))
    } else if text.starts_with("https:") || text.starts_with("http:") {
        by_url(state, text).await
    } else {
        match PublicKey::parse(text) {
            Ok(key) => Ok((
                KeySource::Key,
                key.to_json(),
                key.kid().map(str::to_owned),
                None,
            )),
            Err(error) => Err(error.to_string()),
        }
    };
    match (issuer, read) {
        (Ok(issuer), Ok((source, material, kid, fetched))) => Ok(Ready {
            issuer,
            source,
            material,
            kid,
            fetched,
        }),
        (issuer, read) => {
            let wrong = [("issuer", issuer.err()), ("material", read.err())];
            let wrong = wrong.into_iter().filter_map(|(name, message)| {
                Some(FieldError {
                    name,
                    message: message?,
                })
            });
            Err(Trouble::Refused(wrong.collect()))
        }
    }
}

type Read = (KeySource, String, Option<String>, Option<String>);

async fn by_url(state: &AppState, text: &str) -> Result<Read, String> {
    let url = key_sets::parse_url(text, &key_sets::reach(state))?;
    let set = key_sets::fetch(state, &url).await;
    let set = set.map_err(|problem| format!("The set of keys could not be read: {problem}."))?;
    Ok((KeySource::Url, url, None, Some(set)))
}

async fn try_add(
    state: &AppState,
    by: &Proved,
    servicer: ServicerId,
    ready: &Ready,
) -> Result<SigningKeyId, Stop> {
    let mut tx = state.db.write().await?;
    let live = tx.signing_keys(servicer).await?;
    if live
        .iter()
        .any(|row| row.issuer == ready.issuer && row.material == ready.material)
    {
        return Err(Trouble::field(
            "material",
            "This key is registered already, under the same issuer.",
        )
        .into());
    }
    let slot = free(&mut tx, servicer).await?;
    let id = SigningKeyId(state.clock.id());
    tx.add_signing_key(&NewRow {
        id,
        servicer,
        slot,
        issuer: &ready.issuer,
        source: ready.source,
        material: &ready.material,
        kid: ready.kid.as_deref(),
        created_at: state.clock.now(),
        created_by: &by.by().name,
        fetched: ready.fetched.as_deref(),
    })
    .await?;
    let detail = json!({ "issuer": ready.issuer, "source": ready.source, "kid": ready.kid });
    audit(
        state,
        &mut tx,
        by.by(),
        Some(servicer),
        "signing_key.added",
        id,
        detail,
    )
    .await?;
    tx.commit().await?;
    Ok(id)
}

async fn free(tx: &mut Tx, servicer: ServicerId) -> Result<i64, Stop> {
    let held = tx.signing_places(servicer).await?;
    let mut places = (0..).take(MOST_KEYS);
    places
        .find(|slot| !held.contains(slot))
        .ok_or_else(|| full().into())
}

fn full() -> Trouble {
    Trouble::Conflict(format!(
        "{MOST_KEYS} keys are live already, which is the most. Stop one that is no longer used, then add the new one."
    ))
}

/// Stops a key for whoever is signed in.
pub async fn stop(
    state: &AppState,
    actor: &Actor,
    key: SigningKeyId,
    source: &Source,
) -> Result<(), Stop> {
    let servicer = actor.may(MANAGE)?.servicer;
    let proof = actor.fresh(state.clock.now())?;
    stop_of(state, &Proved::fresh(proof, source), servicer, key).await
}

/// Stops a servicer's key at once: signatures made with it are refused from this moment on.
pub async fn stop_of(
    state: &AppState,
    by: &Proved,
    servicer: ServicerId,
    key: SigningKeyId,
) -> Result<(), Stop> {
    let now: DateTime<Utc> = state.clock.now();
    let mut tx = state.db.write().await?;
    let issuer = tx
        .stop_signing_key(servicer, key, now)
        .await?
        .ok_or(Trouble::NotFound)?;
    let detail = json!({ "issuer": issuer });
    audit(
        state,
        &mut tx,
        by.by(),
        Some(servicer),
        "signing_key.stopped",
        key,
        detail,
    )
    .await?;
    Ok(tx.commit().await?)
}
