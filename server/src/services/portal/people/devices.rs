//! Browsers that an account signed in from before, known by a sealed cookie. Whoever guesses at an account from
//! elsewhere makes strangers wait, and never the owner's own browsers (OWASP, "Device Cookies").

use app::domain::ids::PersonId;
use app::portal::RequestSource;
use kernel::crypto::{Digest, hex};

use crate::state::AppState;

const KIND: &str = "device_cookie";

/// A browser whose cookie's seal is whole: one account signed in there.
#[derive(Clone, Debug)]
pub struct KnownDevice {
    pub person: PersonId,
    /// Random, of this browser alone: its failures are counted under it.
    pub nonce: String,
}

/// The browser that a cookie stands for; none if the cookie is not ours, or altered.
pub fn known(state: &AppState, source: &RequestSource) -> Option<KnownDevice> {
    let mut parts = source.device.split('.');
    let (person, nonce, seal) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || nonce.len() > 64 {
        return None;
    }
    let person: PersonId = person.parse().ok()?;
    let wanted = seal_of(state, person, nonce);
    (Digest::of(wanted.into_bytes()) == Digest::of(seal.as_bytes().to_vec())).then(|| KnownDevice {
        person,
        nonce: nonce.to_owned(),
    })
}

/// A cookie for the browser in which an account has just signed in; none if it has one of that account already.
pub fn cookie(state: &AppState, person: PersonId, source: &RequestSource) -> Option<String> {
    if known(state, source).is_some_and(|device| device.person == person) {
        return None;
    }
    let nonce = state.clock.token();
    let seal = seal_of(state, person, &nonce);
    Some(format!("{person}.{nonce}.{seal}"))
}

fn seal_of(state: &AppState, person: PersonId, nonce: &str) -> String {
    let text = format!("{person}\n{nonce}");
    // Under the system's data key: no device is forgotten because a pepper is rotated.
    let digest = state.vault.digest(&state.pepper, KIND, &text);
    let digest = digest.unwrap_or_else(|_| state.pepper.digest(KIND, &text));
    hex(&digest.0)
}
