//! How often somebody may try before they have to wait. Tries are counted before the password is looked at, so that
//! many at once do not slip through; what was no failure is taken back.
//!
//! Counted are an account as seen from one source, the account as seen from all of them, the source, and its network.
//! A browser in which the account signed in before is counted by itself, so that nobody can make the owner of an account
//! wait by trying from elsewhere; from a new browser, a mailed link is the way past the queue.

use app::portal::{Source, Trouble};
use chrono::{DateTime, Duration, Utc};

use super::devices::Device;
use crate::services::trouble::Stop;
use crate::state::AppState;
use crate::storage::Tx;

/// Failures are forgotten after so long without another.
const FORGOTTEN_AFTER: Duration = Duration::hours(1);
/// The longest wait.
const LONGEST: i64 = 15 * 60;
/// An account as seen from everywhere: so many times the tries from one source.
const ACCOUNT_FACTOR: i64 = 4;
/// A source may be a whole office: it gets so many times the tries of one account.
const SOURCE_FACTOR: i64 = 10;
/// The network of a source: an IPv4 /24, an IPv6 /48.
const NETWORK_FACTOR: i64 = 40;
/// Letters in a day to an address that nobody proved.
const UNPROVED_LETTERS: i64 = 3;
/// How long a letter counts.
const LETTERS_COUNT_FOR: Duration = Duration::hours(24);

/// What is counted, each kind by itself.
#[derive(Clone, Copy)]
pub enum Kind {
    SignIn,
    /// Registering: costs a hash and some rows.
    SignUp,
    /// Asking for a letter.
    Letter,
    /// Opening links and showing tokens that are nobody's.
    Link,
}

/// Tries that were counted; [`Counted::forgive`] takes them back.
#[derive(Default)]
pub struct Counted {
    /// Forgotten once the password was right.
    own: Option<String>,
    /// Lowered by one.
    shared: Vec<String>,
}

/// Counts a try of an account (if any) from a source, or says how long to wait.
pub async fn count(
    state: &AppState,
    kind: Kind,
    account: Option<&str>,
    source: &Source,
) -> Result<Counted, Stop> {
    let limit = limit(state);
    let now = state.clock.now();
    let wide = match kind {
        Kind::SignIn | Kind::Letter | Kind::Link => limit * SOURCE_FACTOR,
        // People who register do so once; a class of students behind one address all at once.
        Kind::SignUp => limit * SOURCE_FACTOR * 2,
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
    Ok(Counted {
        own,
        shared: shared.into_iter().map(|(subject, _)| subject).collect(),
    })
}

/// Counts a try of an account in a browser that it signed in from before: under that browser alone.
pub async fn count_known(state: &AppState, device: &Device) -> Result<Counted, Stop> {
    let account = device.person.to_string();
    let own = subject(state, Kind::SignIn, &["device", &account, &device.nonce]);
    let mut tx = state.db.write().await?;
    count_one(&mut tx, &own, limit(state), state.clock.now()).await?;
    tx.commit().await?;
    Ok(Counted {
        own: Some(own),
        shared: Vec::new(),
    })
}

/// Refuses a source that has shown too many links and tokens which were nobody's; costs a read.
pub async fn may_look(state: &AppState, source: &Source) -> Result<(), Stop> {
    let now = state.clock.now();
    let mut tx = state.db.read().await?;
    let network = network(&source.ip);
    for parts in [["", source.ip.as_str()], ["network", &network]] {
        let subject = subject(state, Kind::Link, &parts);
        if let Some(until) = tx.tries_blocked(&subject, now).await? {
            return Err(wait(until, now).into());
        }
    }
    Ok(())
}

/// Counts a letter to an address that an account has proved; whether one more may be sent now. Here nobody is told to
/// wait: who asks for letters to an address need not be its owner.
pub async fn may_write_to(state: &AppState, tx: &mut Tx, email_key: &str) -> Result<bool, Stop> {
    let subject = subject(state, Kind::Letter, &["to", email_key]);
    match count_one(tx, &subject, limit(state), state.clock.now()).await {
        Ok(()) => Ok(true),
        Err(Stop::Trouble(Trouble::Wait(_))) => Ok(false),
        Err(stop) => Err(stop),
    }
}

/// Counts a letter about an account whose address nobody proved: three in any 24 hours, whatever they say and whichever
/// process sends them. Whether one more may be sent now.
pub async fn may_write_to_unproved(
    state: &AppState,
    tx: &mut Tx,
    email_key: &str,
) -> Result<bool, Stop> {
    let subject = subject(state, Kind::Letter, &["unproved", email_key]);
    let now = state.clock.now();
    Ok(tx
        .take_letter_place(&subject, UNPROVED_LETTERS, now, now - LETTERS_COUNT_FOR)
        .await?)
}

fn limit(state: &AppState) -> i64 {
    i64::from(state.config.limits.sign_in_failures.max(1))
}

fn wait(until: DateTime<Utc>, now: DateTime<Utc>) -> Trouble {
    let seconds = (until - now).num_seconds().max(1);
    Trouble::Wait(u64::try_from(seconds).unwrap_or(1))
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

async fn count_one(tx: &mut Tx, subject: &str, limit: i64, now: DateTime<Utc>) -> Result<(), Stop> {
    let Some(tries) = tx.count_try(subject, now, now - FORGOTTEN_AFTER).await? else {
        let until = tx.tries_blocked(subject, now).await?.unwrap_or(now);
        return Err(wait(until, now).into());
    };
    if tries >= limit {
        tx.block_tries(subject, now + delay(tries - limit)).await?;
    }
    Ok(())
}

/// 1 s, 2 s, 4 s ... up to a quarter of an hour.
fn delay(beyond: i64) -> Duration {
    let doublings = u32::try_from(beyond.clamp(0, 10)).unwrap_or(0);
    Duration::seconds((1_i64 << doublings).min(LONGEST))
}

impl Counted {
    /// It was no failure: forgets those of the account from here, and takes this one back from what is shared.
    pub async fn forgive(&self, tx: &mut Tx) -> Result<(), Stop> {
        if let Some(own) = &self.own {
            tx.forget_tries(own).await?;
        }
        for subject in &self.shared {
            tx.uncount_try(subject).await?;
        }
        Ok(())
    }
}

/// A digest, so that the table holds neither addresses of people nor of machines.
fn subject(state: &AppState, kind: Kind, parts: &[&str]) -> String {
    let kind = match kind {
        Kind::SignIn => "try.sign_in",
        Kind::SignUp => "try.sign_up",
        Kind::Letter => "try.letter",
        Kind::Link => "try.link",
    };
    let text = parts.join("\n");
    // Under the system's data key: no count begins anew because a pepper is rotated.
    let digest = state.vault.digest(&state.pepper, kind, &text);
    let digest = digest.unwrap_or_else(|_| state.pepper.digest(kind, &text));
    digest.0.iter().map(|byte| format!("{byte:02x}")).collect()
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
