//! How often somebody may try before they have to wait. Tries are counted before the password is looked at, so that
//! many at once do not slip through; what was no failure is taken back.
//!
//! Counted are an account as seen from one source, and a source. Nobody can make the owner of an account wait by
//! trying from elsewhere.

use app::portal::{Source, Trouble};
use chrono::{DateTime, Duration, Utc};

use crate::services::trouble::Stop;
use crate::state::AppState;
use crate::storage::Tx;

/// Failures are forgotten after so long without another.
pub const FORGOTTEN_AFTER: Duration = Duration::hours(1);
/// The longest wait.
const LONGEST: i64 = 15 * 60;
/// A source may be a whole office: it gets so many times the tries of one account.
const SOURCE_FACTOR: i64 = 10;

/// What is counted, each kind by itself.
#[derive(Clone, Copy)]
pub enum Kind {
    SignIn,
    /// Registering: costs a hash and some rows.
    SignUp,
    /// Asking for a letter.
    Letter,
}

/// Tries that were counted; [`Counted::forgive`] takes them back.
pub struct Counted {
    account: Option<String>,
    source: String,
}

/// Counts a try of an account (if any) from a source, or says how long to wait.
pub async fn count(
    state: &AppState,
    kind: Kind,
    account: Option<&str>,
    source: &Source,
) -> Result<Counted, Stop> {
    let counted = Counted {
        account: account.map(|account| subject(state, kind, account, source)),
        source: subject(state, kind, "", source),
    };
    let limit = i64::from(state.config.limits.sign_in_failures.max(1));
    let now = state.clock.now();
    let mut tx = state.db.write().await?;
    let wide = match kind {
        Kind::SignIn | Kind::Letter => limit * SOURCE_FACTOR,
        // People who register do so once; a class of students behind one address all at once.
        Kind::SignUp => limit * SOURCE_FACTOR * 2,
    };
    count_one(&mut tx, &counted.source, wide, now).await?;
    if let Some(account) = &counted.account {
        count_one(&mut tx, account, limit, now).await?;
    }
    tx.commit().await?;
    Ok(counted)
}

/// Counts a letter to an address; whether one more may be sent now. Here nobody is told to wait: who asks for letters
/// to an address need not be its owner.
pub async fn may_write_to(state: &AppState, tx: &mut Tx, email_key: &str) -> Result<bool, Stop> {
    let subject = subject(state, Kind::Letter, email_key, &Source::default());
    let limit = i64::from(state.config.limits.sign_in_failures.max(1));
    match count_one(tx, &subject, limit, state.clock.now()).await {
        Ok(()) => Ok(true),
        Err(Stop::Trouble(Trouble::Wait(_))) => Ok(false),
        Err(stop) => Err(stop),
    }
}

async fn count_one(tx: &mut Tx, subject: &str, limit: i64, now: DateTime<Utc>) -> Result<(), Stop> {
    let Some(tries) = tx.count_try(subject, now, now - FORGOTTEN_AFTER).await? else {
        let until = tx.tries_blocked(subject, now).await?.unwrap_or(now);
        let seconds = (until - now).num_seconds().max(1);
        return Err(Trouble::Wait(u64::try_from(seconds).unwrap_or(1)).into());
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
    /// It was no failure: forgets those of the account, and takes this one back from the source.
    pub async fn forgive(&self, tx: &mut Tx) -> Result<(), Stop> {
        if let Some(account) = &self.account {
            tx.forget_tries(account).await?;
        }
        tx.uncount_try(&self.source).await?;
        Ok(())
    }
}

/// A digest, so that the table holds neither addresses of people nor of machines.
fn subject(state: &AppState, kind: Kind, account: &str, source: &Source) -> String {
    let kind = match kind {
        Kind::SignIn => "try.sign_in",
        Kind::SignUp => "try.sign_up",
        Kind::Letter => "try.letter",
    };
    let digest = state
        .pepper
        .digest(kind, &format!("{account}\n{}", source.ip));
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
}
