//! The keys a servicer signs with: added, listed, stopped. Rotation is adding the new one first: all live keys verify.

use app::domain::ids::{ServicerId, SigningKeyId};
use app::domain::person::Permission;
use app::domain::signature::{KeySource, MOST_KEYS, parse_issuer};
use app::portal::signing::{NewSigningKey, SigningKey};
use app::portal::{Actor, FieldError, FreshProof, PortalError, RequestSource};
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::security::SecurityEvent;
use crate::services::access::signatures::key_sets;
use crate::services::access::signatures::material::{self, PublicKey};
use crate::services::portal::audit::{ProductionProof, audit};
use crate::services::refusal::ServiceError;
use crate::state::AppState;
use crate::storage::signing_keys::{NewSigningKeyRow as NewRow, SigningKeyRow};
use crate::storage::{Tx, lost_race};

/// Permission to add and stop keys. It is the one for production keys, because signing keys sign for production
/// tenants, too.
pub(super) const MANAGE: Permission = Permission::ManageProductionKeys;
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
pub async fn list(state: &AppState, actor: &Actor) -> Result<Vec<SigningKey>, ServiceError> {
    let servicer = actor.may(Permission::ManageSandboxKeys)?.servicer;
    let mut tx = state.db.read().await?;
    let rows = tx.signing_keys(servicer).await?;
    Ok(rows.into_iter().map(portal_signing_key).collect())
}

fn portal_signing_key(row: SigningKeyRow) -> SigningKey {
    let keys = match row.source {
        KeySource::Key => PublicKey::parse(&row.material).into_iter().collect(),
        KeySource::Url => row
            .fetched
            .as_deref()
            .and_then(|set| material::set(set, None).ok())
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
    proof: FreshProof<'_>,
    new: NewSigningKey,
    source: &RequestSource,
) -> Result<(), ServiceError> {
    let servicer = proof.actor().may(MANAGE)?.servicer;
    add_to(state, &ProductionProof::fresh(proof, source), servicer, new)
        .await
        .map(|_| ())
}

/// Adds a key, or a URL whose set can be read this moment, to a servicer.
pub async fn add_to(
    state: &AppState,
    by: &ProductionProof,
    servicer: ServicerId,
    new: NewSigningKey,
) -> Result<SigningKeyId, ServiceError> {
    let ready = ready(state, new).await?;
    for _ in 0..MOST_KEYS {
        match try_add(state, by, servicer, &ready).await {
            // Somebody else's key took the place: there may be another.
            Err(ServiceError::Database(error)) if lost_race(&error) => {}
            done => return done,
        }
    }
    Err(full().into())
}

async fn ready(state: &AppState, new: NewSigningKey) -> Result<Ready, PortalError> {
    let issuer = parse_issuer(&new.issuer).map_err(|error| error.to_string());
    let text = new.material.trim();
    let read = if text.len() > LONGEST {
        Err(format!("This has more than {LONGEST} characters."))
    } else if is_url(text) {
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
            Err(PortalError::Refused(wrong.collect()))
        }
    }
}

/// Returns `true` for what is given as the URL of a set rather than as a key.
pub fn is_url(text: &str) -> bool {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    scheme.is_some_and(|scheme| {
        ["https", "http"]
            .iter()
            .any(|it| it.eq_ignore_ascii_case(scheme))
    })
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
    by: &ProductionProof,
    servicer: ServicerId,
    ready: &Ready,
) -> Result<SigningKeyId, ServiceError> {
    let mut tx = state.db.write().await?;
    let live = tx.signing_keys(servicer).await?;
    if live
        .iter()
        .any(|row| row.issuer == ready.issuer && row.material == ready.material)
    {
        return Err(PortalError::field(
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
        SecurityEvent::SigningKeyAdded,
        id,
        detail,
    )
    .await?;
    tx.commit().await?;
    Ok(id)
}

async fn free(tx: &mut Tx, servicer: ServicerId) -> Result<i64, ServiceError> {
    let held = tx.signing_slots(servicer).await?;
    let mut places = (0..).take(MOST_KEYS);
    places
        .find(|slot| !held.contains(slot))
        .ok_or_else(|| full().into())
}

fn full() -> PortalError {
    PortalError::Conflict(format!(
        "{MOST_KEYS} keys are live already, which is the most. Stop one that is no longer used, then add the new one."
    ))
}

/// Stops a key for whoever is signed in.
pub async fn stop(
    state: &AppState,
    proof: FreshProof<'_>,
    key: SigningKeyId,
    source: &RequestSource,
) -> Result<(), ServiceError> {
    let servicer = proof.actor().may(MANAGE)?.servicer;
    stop_of(state, &ProductionProof::fresh(proof, source), servicer, key).await
}

/// Stops a servicer's key at once: signatures made with it are refused from this moment on.
pub async fn stop_of(
    state: &AppState,
    by: &ProductionProof,
    servicer: ServicerId,
    key: SigningKeyId,
) -> Result<(), ServiceError> {
    let now: DateTime<Utc> = state.clock.now();
    let mut tx = state.db.write().await?;
    let issuer = tx
        .stop_signing_key(servicer, key, now)
        .await?
        .ok_or(PortalError::NotFound)?;
    let detail = json!({ "issuer": issuer });
    audit(
        state,
        &mut tx,
        by.by(),
        Some(servicer),
        SecurityEvent::SigningKeyStopped,
        key,
        detail,
    )
    .await?;
    Ok(tx.commit().await?)
}
