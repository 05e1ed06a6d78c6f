//! Hashes of passwords: kept as argon2id, made and checked by at most two at once.
//!
//! Hashing is made slow on purpose, so it is also the easiest way to keep this server busy. Whoever wants to hash
//! takes a ticket first; when the short queue is full there is none, before any work was done.

#[cfg(test)]
pub(crate) mod meter;

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use kernel::clock::Clock;
use kernel::crypto::{PasswordKey, Pepper};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// OWASP's and ASVS's floor for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// At most two hash at once (38 MiB, and a core is left for everything else); so many may wait for their turn.
const AT_ONCE: usize = 2;
const WAITING: usize = 30;

/// Checked when there is no password to check, so that an unknown address takes as long as a known one.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm8gc3VjaCBwZXJzb24$\
                      Y29tcGFyZWQgd2l0aCBub3RoaW5nIGFuZCBubyBvbmU";

/// Hashes and checks passwords.
#[derive(Clone)]
pub struct Passwords {
    /// Mixed into every hash and kept outside the database: a stolen table cannot even be guessed at.
    pepper: Pepper,
    clock: Clock,
    tickets: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    /// What hashing costs, counted.
    #[cfg(test)]
    pub(crate) meter: Arc<meter::Meter>,
}

/// A place in the queue; given back when dropped.
pub struct QueueSlot {
    passwords: Passwords,
    _place: OwnedSemaphorePermit,
}

/// Result of checking a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordCheck {
    Wrong,
    Right,
    /// Right, and hashed with weaker parameters than today's: hash it again.
    RightButOld,
}

/// Hashing failed, which no input can bring about.
#[derive(Debug, thiserror::Error)]
#[error("password hashing failed: {0}")]
pub struct HashingFailed(String);

impl Passwords {
    pub fn new(pepper: &Pepper, clock: Clock) -> Self {
        Self {
            pepper: pepper.clone(),
            clock,
            tickets: Arc::new(Semaphore::new(AT_ONCE + WAITING)),
            turns: Arc::new(Semaphore::new(AT_ONCE)),
            #[cfg(test)]
            meter: Arc::default(),
        }
    }

    /// A place in the queue, unless it is full.
    pub fn ticket(&self) -> Option<QueueSlot> {
        let place = self.tickets.clone().try_acquire_owned().ok()?;
        Some(QueueSlot {
            passwords: self.clone(),
            _place: place,
        })
    }

    fn argon2(key: &PasswordKey) -> Result<Argon2<'_>, HashingFailed> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(failed)?;
        Argon2::new_with_secret(&*key.key, Algorithm::Argon2id, Version::V0x13, params)
            .map_err(failed)
    }

    fn hash(&self, password: &SecretString) -> Result<String, HashingFailed> {
        let password = normal(password);
        #[cfg(test)]
        let _counted = self.meter.count();
        let salt = self.clock.random::<16>();
        let key = self.pepper.password_key();
        let hash: PasswordHash = Self::argon2(&key)?
            .hash_password_with_salt(password.expose_secret().as_bytes(), &salt)
            .map_err(failed)?;
        Ok(format!("{}{hash}", key.prefix))
    }

    fn check(&self, password: &SecretString, stored: &str) -> Result<PasswordCheck, HashingFailed> {
        let today = self.pepper.password_key();
        // Under a key that is gone it is nobody's, which takes as long.
        let found = self.pepper.password_key_of(stored);
        let known = found.is_some();
        let (key, hash) = found.unwrap_or_else(|| (self.pepper.password_key(), NOBODY));
        let hash = PasswordHash::new(hash).map_err(failed)?;
        let argon2 = Self::argon2(&key)?;
        let is = |password: &SecretString| {
            #[cfg(test)]
            let _counted = self.meter.count();
            let password = password.expose_secret().as_bytes();
            argon2.verify_password(password, &hash).is_ok()
        };
        let same = normal(password);
        if known & is(&same) {
            let current = is_current(&hash) && key.prefix == today.prefix;
            return Ok(if current {
                PasswordCheck::Right
            } else {
                PasswordCheck::RightButOld
            });
        }
        // Hashed as it was typed, before passwords were brought into one form.
        // Nobody's password is compared as often as somebody's: an address must not show in the time.
        let as_typed = same.expose_secret() != password.expose_secret() && is(password) && known;
        Ok(if as_typed {
            PasswordCheck::RightButOld
        } else {
            PasswordCheck::Wrong
        })
    }
}

impl QueueSlot {
    /// The PHC string of a new password.
    pub async fn hash(&self, password: &SecretString) -> Result<String, HashingFailed> {
        let password = password.clone();
        self.take_turn(move |passwords| passwords.hash(&password))
            .await
    }

    /// Checks a password against a stored one, or against nobody's: that takes as long and is always wrong.
    pub async fn check(
        &self,
        password: &SecretString,
        stored: Option<&str>,
    ) -> Result<PasswordCheck, HashingFailed> {
        let password = password.clone();
        let stored = stored.unwrap_or(NOBODY).to_owned();
        self.take_turn(move |passwords| passwords.check(&password, &stored))
            .await
    }

    async fn take_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Passwords) -> Result<T, HashingFailed> + Send + 'static,
    ) -> Result<T, HashingFailed> {
        let passwords = self.passwords.clone();
        let turn = passwords
            .turns
            .clone()
            .acquire_owned()
            .await
            .map_err(failed)?;
        // The turn goes along, so that a caller who left does not make room for a third.
        tokio::task::spawn_blocking(move || {
            let outcome = work(&passwords);
            drop(turn);
            outcome
        })
        .await
        .map_err(failed)?
    }
}

/// A password in the form in which it is hashed: however a keyboard composes letters and whatever kind of space it sends,
/// the same password is the same bytes (NFKC, NIST SP 800-63B 5.1.1.2; spaces as RFC 8265 4.2.2).
fn normal(password: &SecretString) -> SecretString {
    normalized(password.expose_secret()).into()
}

/// Normalises a password given as plain text, for judging one that was chosen.
pub fn normalized(password: &str) -> String {
    let spaced = app::domain::text::nfkc(password);
    spaced
        .chars()
        .map(|c| if c == '\u{1680}' { ' ' } else { c })
        .collect()
}

fn is_current(hash: &PasswordHash) -> bool {
    let at_least = Params::try_from(hash).is_ok_and(|params| {
        params.m_cost() >= MEMORY_KIB && params.t_cost() >= PASSES && params.p_cost() >= LANES
    });
    hash.algorithm.as_str() == Algorithm::Argon2id.as_str() && at_least
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that map_err wants"
)]
fn failed(error: impl ToString) -> HashingFailed {
    HashingFailed(error.to_string())
}

#[cfg(test)]
mod tests {
    use kernel::crypto::Secrets;

    use super::*;

    fn passwords() -> Passwords {
        let clock = Clock::mock("2026-01-01T00:00:00Z".parse().unwrap(), 1);
        Passwords::new(&Secrets::make(&clock).pepper, clock)
    }

    fn secret(text: &str) -> SecretString {
        text.to_owned().into()
    }

    #[tokio::test]
    async fn a_password_is_kept_as_argon2id_of_the_promised_cost() {
        let passwords = passwords();
        let ticket = passwords.ticket().unwrap();
        let password = secret("four lamps over a quiet river");
        let hash = ticket.hash(&password).await.unwrap();
        // In front stands the pepper it was hashed with.
        assert!(hash.contains(":$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        let check =
            async |password: &SecretString, stored| ticket.check(password, stored).await.unwrap();
        assert_eq!(check(&password, Some(&hash)).await, PasswordCheck::Right);
        let other = secret("four lamps over a quiet river ");
        assert_eq!(check(&other, Some(&hash)).await, PasswordCheck::Wrong);
        assert_eq!(check(&password, None).await, PasswordCheck::Wrong);
        assert_ne!(hash, ticket.hash(&password).await.unwrap(), "salted");
    }

    #[tokio::test]
    async fn a_hash_of_less_cost_is_to_be_made_again() {
        let passwords = passwords();
        let password = secret("four lamps over a quiet river");
        let today = passwords.pepper.password_key();
        let cheap = Argon2::new_with_secret(
            &*today.key,
            Algorithm::Argon2id,
            Version::V0x13,
            Params::new(8_192, 1, 1, None).unwrap(),
        )
        .unwrap();
        let old: PasswordHash = cheap
            .hash_password_with_salt(password.expose_secret().as_bytes(), b"0123456789abcdef")
            .unwrap();
        let ticket = passwords.ticket().unwrap();
        let stored = format!("{}{old}", today.prefix);
        let verdict = ticket.check(&password, Some(&stored)).await;
        assert_eq!(verdict.unwrap(), PasswordCheck::RightButOld);
    }

    #[tokio::test]
    async fn a_password_outlives_its_pepper_until_that_is_dropped() {
        use kernel::crypto::file::{KeyFile, take};
        let clock = Clock::mock("2026-01-01T00:00:00Z".parse().unwrap(), 1);
        let secrets = Secrets::make(&clock);
        let mut file = KeyFile::make(clock.id(), &clock);
        take(&file, &secrets.pepper, &secrets.vault);
        let passwords = Passwords::new(&secrets.pepper, clock.clone());
        let ticket = passwords.ticket().unwrap();
        let password = secret("four lamps over a quiet river");
        let before = ticket.hash(&password).await.unwrap();
        let old = file.pepper.active().tag;
        let new = file.pepper.add(&clock).unwrap();
        file.pepper.activate(new);
        take(&file, &secrets.pepper, &secrets.vault);
        let verdict = ticket.check(&password, Some(&before)).await.unwrap();
        assert_eq!(verdict, PasswordCheck::RightButOld, "to be hashed anew");
        let after = ticket.hash(&password).await.unwrap();
        file.pepper.drop(old);
        take(&file, &secrets.pepper, &secrets.vault);
        let verdict = ticket.check(&password, Some(&after)).await.unwrap();
        assert_eq!(verdict, PasswordCheck::Right);
        let verdict = ticket.check(&password, Some(&before)).await.unwrap();
        assert_eq!(verdict, PasswordCheck::Wrong);
    }

    #[tokio::test]
    async fn a_password_is_the_same_however_a_keyboard_spells_it() {
        let passwords = passwords();
        let ticket = passwords.ticket().unwrap();
        let composed = secret("pătru lămpi peste râu");
        let decomposed = secret("pa\u{306}tru la\u{306}mpi peste ra\u{302}u");
        for (one, other) in [(&composed, &decomposed), (&decomposed, &composed)] {
            let hash = ticket.hash(one).await.unwrap();
            let verdict = ticket.check(other, Some(&hash)).await.unwrap();
            assert_eq!(verdict, PasswordCheck::Right);
        }
        let spaced = secret("pătru\u{a0}lămpi\u{3000}peste râu");
        let hash = ticket.hash(&composed).await.unwrap();
        let verdict = ticket.check(&spaced, Some(&hash)).await.unwrap();
        assert_eq!(verdict, PasswordCheck::Right);
        let other = secret("patru lampi peste rau");
        let verdict = ticket.check(&other, Some(&hash)).await.unwrap();
        assert_eq!(verdict, PasswordCheck::Wrong);
    }

    #[tokio::test]
    async fn a_password_hashed_as_it_was_typed_still_works_and_is_hashed_anew() {
        let passwords = passwords();
        let typed = secret("pa\u{306}tru la\u{306}mpi peste ra\u{302}u");
        let as_typed: PasswordHash = Passwords::argon2(&passwords.pepper.password_key())
            .unwrap()
            .hash_password_with_salt(typed.expose_secret().as_bytes(), b"0123456789abcdef")
            .unwrap();
        let ticket = passwords.ticket().unwrap();
        let stored = format!("{}{as_typed}", passwords.pepper.password_key().prefix);
        let verdict = ticket.check(&typed, Some(&stored)).await;
        assert_eq!(verdict.unwrap(), PasswordCheck::RightButOld);
    }

    #[tokio::test]
    async fn no_password_is_cut() {
        let passwords = passwords();
        let ticket = passwords.ticket().unwrap();
        let long = "four lamps over a quiet river ".repeat(4) + "and more";
        assert_eq!(long.chars().count(), 128);
        let hash = ticket.hash(&secret(&long)).await.unwrap();
        let shorter = secret(long.strip_suffix('e').unwrap());
        let verdict = ticket.check(&shorter, Some(&hash)).await.unwrap();
        assert_eq!(verdict, PasswordCheck::Wrong);
        let verdict = ticket.check(&secret(&long), Some(&hash)).await.unwrap();
        assert_eq!(verdict, PasswordCheck::Right);
    }

    #[test]
    fn nobodys_password_costs_what_a_real_one_costs() {
        assert!(is_current(&PasswordHash::new(NOBODY).unwrap()));
    }

    #[tokio::test]
    async fn a_full_queue_turns_away_before_hashing() {
        let passwords = passwords();
        let held: Vec<_> = std::iter::from_fn(|| passwords.ticket()).collect();
        assert_eq!(held.len(), AT_ONCE + WAITING);
        assert!(passwords.ticket().is_none());
        drop(held);
        assert!(passwords.ticket().is_some());
    }
}
