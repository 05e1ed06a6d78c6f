//! Throttles sign-ins and other guesses: somebody who tries too often has to wait. Tries are counted before the password is looked at, so that
//! many at once do not slip through; what was no failure is taken back.
//!
//! Counted are an account as seen from one source, the account as seen from all of them, the source, and its network.
//! A browser in which the account signed in before is counted by itself, so that nobody can make the owner of an account
//! wait by trying from elsewhere; from a new browser, a mailed link is the way past the queue.

use app::portal::{PortalError, RequestSource};
use chrono::{DateTime, Duration, Utc};
use kernel::crypto::hex;

use super::devices::KnownDevice;
use crate::services::refusal::ServiceError;
use crate::state::AppState;
use crate::storage::Tx;

/// Time after the last failure at which failures are forgotten.
const FORGOTTEN_AFTER: Duration = Duration::hours(1);
/// The longest wait, in seconds.
const LONGEST: i64 = 15 * 60;
/// An account as seen from everywhere: so many times the tries from one source.
const ACCOUNT_FACTOR: i64 = 4;
/// A source may be a whole office: it gets so many times the tries of one account.
const SOURCE_FACTOR: i64 = 10;
/// The network of a source: an IPv4 /24, an IPv6 /48.
const NETWORK_FACTOR: i64 = 40;
/// Letters in a day to an address that nobody proved.
const UNPROVED_LETTERS: i64 = 3;
/// Time for which a letter counts.
const LETTERS_COUNT_FOR: Duration = Duration::hours(24);

/// Kind of act that is counted. Each is counted by itself.
#[derive(Clone, Copy)]
pub enum ThrottledAction {
    SignIn,
    /// Registering: costs a hash and some rows.
    SignUp,
    /// Asking for a letter.
    Letter,
    /// Opening links and showing tokens that are nobody's.
    Link,
}

/// Tries that were counted; [`CountedAttempt::refund`] takes them back.
#[derive(Default)]
pub struct CountedAttempt {
    /// Forgotten once the password was right.
    own: Option<String>,
    /// Lowered by one.
    shared: Vec<String>,
}

/// Counts a try of an account (if any) from a source, or says how long to wait.
pub async fn count(
    state: &AppState,
    kind: ThrottledAction,
    account: Option<&str>,
    source: &RequestSource,
) -> Result<CountedAttempt, ServiceError> {
    let limit = limit(state);
    let now = state.clock.now();
    let wide = match kind {
        ThrottledAction::SignIn | ThrottledAction::Letter | ThrottledAction::Link => {
            limit * SOURCE_FACTOR
        }
        // People who register do so once; a class of students behind one address all at once.
        ThrottledAction::SignUp => limit * SOURCE_FACTOR * 2,
    };
    let network = network(&source.ip);
    let mut shared = vec![
        (subject(state, kind, &["", &source.ip]), wide),
        (
            subject(state, kind, &["network", &network]),
            wide * NETWORK_FACTOR / SOURCE_FACTOR,
        ),
    ];
    if let Some(account) = account {
        let everywhere = subject(state, kind, &["account", account]);
        shared.push((everywhere, limit * ACCOUNT_FACTOR));
    }
    let own = account.map(|account| subject(state, kind, &[account, &source.ip]));
    let mut tx = state.db.write().await?;
    for (subject, limit) in &shared {
        count_one(&mut tx, subject, *limit, now).await?;
    }
    if let Some(own) = &own {
        count_one(&mut tx, own, limit, now).await?;
    }
    tx.commit().await?;
    Ok(CountedAttempt {
        own,
        shared: shared.into_iter().map(|(subject, _)| subject).collect(),
    })
}

/// Counts a try of an account in a browser that it signed in from before: under that browser alone.
pub async fn count_known(
    state: &AppState,
    device: &KnownDevice,
) -> Result<CountedAttempt, ServiceError> {
    let account = device.person.to_string();
    let own = subject(
        state,
        ThrottledAction::SignIn,
        &["device", &account, &device.nonce],
    );
    let mut tx = state.db.write().await?;
    count_one(&mut tx, &own, limit(state), state.clock.now()).await?;
    tx.commit().await?;
    Ok(CountedAttempt {
        own: Some(own),
        shared: Vec::new(),
    })
}

/// Refuses a source that has shown too many links and tokens which were nobody's; costs a read.
pub async fn may_look(state: &AppState, source: &RequestSource) -> Result<(), ServiceError> {
    let now = state.clock.now();
    let mut tx = state.db.read().await?;
    let network = network(&source.ip);
    for parts in [["", source.ip.as_str()], ["network", &network]] {
        let subject = subject(state, ThrottledAction::Link, &parts);
        if let Some(until) = tx.attempts_blocked(&subject, now).await? {
            return Err(wait(until, now).into());
        }
    }
    Ok(())
}

/// Counts a letter to an address that an account has proved. Returns `true` if one more may be sent now. Nobody is told
/// to wait: who asks for letters to an address need not be its owner.
pub async fn may_write_to(
    state: &AppState,
    tx: &mut Tx,
    email_key: &str,
) -> Result<bool, ServiceError> {
    let subject = subject(state, ThrottledAction::Letter, &["to", email_key]);
    match count_one(tx, &subject, limit(state), state.clock.now()).await {
        Ok(()) => Ok(true),
        Err(ServiceError::Refused(PortalError::Wait(_))) => Ok(false),
        Err(stop) => Err(stop),
    }
}

/// Counts a letter about an account whose address nobody proved: three in any 24 hours, whatever they say and whichever
/// process sends them. Returns `true` if one more may be sent now.
pub async fn may_write_to_unproved(
    state: &AppState,
    tx: &mut Tx,
    email_key: &str,
) -> Result<bool, ServiceError> {
    let subject = subject(state, ThrottledAction::Letter, &["unproved", email_key]);
    let now = state.clock.now();
    Ok(tx
        .take_letter_slot(&subject, UNPROVED_LETTERS, now, now - LETTERS_COUNT_FOR)
        .await?)
}

fn limit(state: &AppState) -> i64 {
    i64::from(state.config.limits.sign_in_failures.max(1))
}

fn wait(until: DateTime<Utc>, now: DateTime<Utc>) -> PortalError {
    let seconds = (until - now).num_seconds().max(1);
    PortalError::Wait(u64::try_from(seconds).unwrap_or(1))
}

/// The network around a source: the first 24 bits of an IPv4 address, the first 48 of an IPv6 one. A source that is no
/// address stands for itself.
fn network(source: &str) -> String {
    let ip = source.split('/').next().unwrap_or_default();
    match ip.parse() {
        Ok(std::net::IpAddr::V4(ip)) => {
            let [a, b, c, _] = ip.octets();
            format!("{a}.{b}.{c}.0/24")
        }
        Ok(std::net::IpAddr::V6(ip)) => {
            let [a, b, c, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}::/48")
        }
        Err(_) => source.to_owned(),
    }
}

async fn count_one(
    tx: &mut Tx,
    subject: &str,
    limit: i64,
    now: DateTime<Utc>,
) -> Result<(), ServiceError> {
    let Some(tries) = tx
        .count_attempt(subject, now, now - FORGOTTEN_AFTER)
        .await?
    else {
        let until = tx.attempts_blocked(subject, now).await?.unwrap_or(now);
        return Err(wait(until, now).into());
    };
    if tries >= limit {
        tx.block_attempts(subject, now + delay(tries - limit))
            .await?;
    }
    Ok(())
}

/// 1 s, 2 s, 4 s ... up to a quarter of an hour.
fn delay(beyond: i64) -> Duration {
    let doublings = u32::try_from(beyond.clamp(0, 10)).unwrap_or(0);
    Duration::seconds((1_i64 << doublings).min(LONGEST))
}

impl CountedAttempt {
    /// It was no failure: forgets those of the account from here, and takes this one back from what is shared.
    pub async fn refund(&self, tx: &mut Tx) -> Result<(), ServiceError> {
        if let Some(own) = &self.own {
            tx.forget_attempts(own).await?;
        }
        for subject in &self.shared {
            tx.refund_attempt(subject).await?;
        }
        Ok(())
    }
}

/// A digest, so that the table holds neither addresses of people nor of machines.
fn subject(state: &AppState, kind: ThrottledAction, parts: &[&str]) -> String {
    let kind = match kind {
        ThrottledAction::SignIn => "try.sign_in",
        ThrottledAction::SignUp => "try.sign_up",
        ThrottledAction::Letter => "try.letter",
        ThrottledAction::Link => "try.link",
    };
    let text = parts.join("\n");
    // Under the system's data key: no count begins anew because a pepper is rotated.
    let digest = state.vault.digest(&state.pepper, kind, &text);
    let digest = digest.unwrap_or_else(|_| state.pepper.digest(kind, &text));
    hex(&digest.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_and_ends_at_a_quarter_of_an_hour() {
        let seconds: Vec<i64> = (0..12).map(|beyond| delay(beyond).num_seconds()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
    }

    #[test]
    fn a_network_is_what_one_subscriber_or_office_gets() {
        assert_eq!(network("192.0.2.77"), "192.0.2.0/24");
        assert_eq!(network("2001:db8:1:ffff::/64"), "2001:db8:1::/48");
        assert_eq!(network("2001:db8:1:2::/64"), "2001:db8:1::/48");
        assert_eq!(network("a"), "a");
    }
}
