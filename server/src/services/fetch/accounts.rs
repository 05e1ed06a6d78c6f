//! Which of the accounts a bank shows is which of those that are kept: by what the bank keeps stable, and by their order
//! only where nothing else tells them apart.

use std::collections::{HashMap, HashSet};

use app::domain::ids::{AccountId, CredentialsId};

use super::shapes;
use crate::crypto::Digest;
use crate::services::data::{AccountDetails, account_place, open};
use crate::services::refusal::Failure;
use crate::services::utx::{AccountIdentity, Stability};
use crate::skills::BankAccount;
use crate::state::AppState;
use crate::storage::accounts::AccountRow;
use crate::text::fold;

/// An account as it is kept.
pub struct Kept {
    pub row: AccountRow,
    pub details: AccountDetails,
}

/// An account that the bank shows, and which one it is.
pub struct Matched {
    pub bank_key: Digest,
    pub resource_key: Digest,
    pub details: AccountDetails,
    pub identity: AccountIdentity,
    /// Whether the bank used one transaction id for two in it.
    pub ids_reused: bool,
}

/// Opens what is kept of a consent's accounts.
pub fn opened(state: &AppState, rows: Vec<AccountRow>) -> Result<Vec<Kept>, Failure> {
    let open = |row: AccountRow| {
        let place = account_place(row.consent_id, &row.bank_key);
        let details = open(state, &place, &row.sealed)?;
        Ok(Kept { row, details })
    };
    rows.into_iter().map(open).collect()
}

/// Says of each account that the bank shows which one it is.
pub fn matched(
    state: &AppState,
    consent: CredentialsId,
    shown: &[BankAccount],
    kept: &[Kept],
) -> Result<Vec<Matched>, Failure> {
    let all = Matching::new(state, consent, shown, kept)?;
    let found = all.find();
    all.decide(&found)
}

/// What an account is known by, with its currency.
type Known = (String, String);

struct Matching<'a> {
    state: &'a AppState,
    consent: CredentialsId,
    shown: &'a [BankAccount],
    kept: &'a [Kept],
    /// By the rule of before: the key of each shown account by what it is known by, and its place among those alike.
    numbered: Vec<Digest>,
    resource: Vec<Digest>,
    /// How many of those shown the bank knows by one id.
    same_id: HashMap<&'a str, usize>,
    /// How many of those shown are known by the same.
    alike: HashMap<Known, u64>,
}

impl<'a> Matching<'a> {
    fn new(
        state: &'a AppState,
        consent: CredentialsId,
        shown: &'a [BankAccount],
        kept: &'a [Kept],
    ) -> Result<Self, Failure> {
        let (mut alike, mut same_id) = (HashMap::new(), HashMap::new());
        let mut numbered = Vec::with_capacity(shown.len());
        for account in shown {
            let earlier = alike.entry(known(account)).or_insert(0);
            numbered.push(numbered_key(state, consent, account, *earlier)?);
            *earlier += 1;
            *same_id.entry(account.id.as_str()).or_insert(0) += 1;
        }
        let resource = shown
            .iter()
            .map(|account| {
                let text = format!("{consent}/{}", account.id);
                let digest = state
                    .vault
                    .digest(&state.pepper, "account_resource", &text)?;
                Ok(digest)
            })
            .collect::<Result<_, Failure>>()?;
        Ok(Self {
            state,
            consent,
            shown,
            kept,
            numbered,
            resource,
            same_id,
            alike,
        })
    }

    fn is_only(&self, account: &BankAccount) -> bool {
        self.alike.get(&known(account)) == Some(&1)
    }

    fn has_own_id(&self, account: &BankAccount) -> bool {
        self.same_id.get(account.id.as_str()) == Some(&1)
    }

    /// The kept account that each shown one is, if any: the surest signs first.
    fn find(&self) -> Vec<Option<usize>> {
        let mut found = vec![None; self.shown.len()];
        let mut taken = HashSet::new();
        // The bank's own id, which is stable within a consent.
        self.pass(&mut found, &mut taken, |at, account, kept| {
            self.has_own_id(account) && kept.row.resource_key.as_ref() == self.resource.get(at)
        });
        // An IBAN that no other account has, here or there.
        self.pass(&mut found, &mut taken, |at, account, kept| {
            self.is_only(account) && Some(&kept.row.bank_key) == self.numbered.get(at)
        });
        let kept_alike = |account: &BankAccount| {
            let same = |kept: &&Kept| is_known_by(&kept.details, account);
            self.kept.iter().filter(same).count()
        };
        self.pass(&mut found, &mut taken, |_, account, kept| {
            self.is_only(account) && kept_alike(account) == 1 && is_known_by(&kept.details, account)
        });
        // What the bank calls it.
        self.pass(&mut found, &mut taken, |_, account, kept| {
            is_known_by(&kept.details, account)
                && features(&shapes::account(account)) == features(&kept.details)
        });
        // Its place among those alike: for accounts of before ids were kept, and where ids tell nothing.
        self.pass(&mut found, &mut taken, |at, account, kept| {
            (kept.row.resource_key.is_none() || !self.has_own_id(account))
                && Some(&kept.row.bank_key) == self.numbered.get(at)
        });
        found
    }

    /// Matches what only one kept account fits.
    fn pass(
        &self,
        found: &mut [Option<usize>],
        taken: &mut HashSet<usize>,
        fits: impl Fn(usize, &BankAccount, &Kept) -> bool,
    ) {
        for (at, (slot, account)) in found.iter_mut().zip(self.shown).enumerate() {
            if slot.is_some() {
                continue;
            }
            let free = self.kept.iter().enumerate();
            let mut fitting =
                free.filter(|(n, kept)| !taken.contains(n) && fits(at, account, kept));
            let (first, second) = (fitting.next(), fitting.next());
            if let (Some((n, _)), None) = (first, second) {
                *slot = Some(n);
                taken.insert(n);
            }
        }
    }

    fn decide(&self, found: &[Option<usize>]) -> Result<Vec<Matched>, Failure> {
        let kept_keys = self.kept.iter().map(|kept| kept.row.bank_key.0.clone());
        let mut keys: HashSet<Vec<u8>> = kept_keys.collect();
        let mut markers: HashSet<(Known, Option<String>)> = HashSet::new();
        let mut all = Vec::with_capacity(self.shown.len());
        for (at, account) in self.shown.iter().enumerate() {
            let kept = found
                .get(at)
                .copied()
                .flatten()
                .and_then(|n| self.kept.get(n));
            let bank_key = match kept {
                Some(kept) => self.kept_key(at, account, kept)?,
                None => self.new_key(at, account, &mut keys)?,
            };
            let mut details = shapes::account(account);
            details.stability = Some(if self.is_only(account) || self.has_own_id(account) {
                Stability::Bank
            } else {
                Stability::Positional
            });
            let marker = self.marker(at, account, kept, &markers);
            markers.insert((known(account), marker.clone()));
            details.marker.clone_from(&marker);
            let (known_by, currency) = known(account);
            all.push(Matched {
                bank_key,
                resource_key: self
                    .resource
                    .get(at)
                    .cloned()
                    .unwrap_or_else(|| Digest::of(Vec::new())),
                details,
                identity: AccountIdentity {
                    known_by,
                    currency,
                    marker,
                },
                ids_reused: kept.is_some_and(|kept| kept.row.ids_reused_at.is_some()),
            });
        }
        Ok(all)
    }

    /// The key that a kept account has: with the one it had before there were data keys, where that can be told.
    fn kept_key(&self, at: usize, account: &BankAccount, kept: &Kept) -> Result<Digest, Failure> {
        let (known_by, currency) = known(account);
        let by_id = format!("{}/{known_by}/{currency}/#{}", self.consent, account.id);
        let by_id = self.key(&by_id)?;
        let known = self.numbered.get(at).into_iter().chain([&by_id]);
        let own = known.into_iter().find(|key| **key == kept.row.bank_key);
        Ok(own.unwrap_or(&kept.row.bank_key).clone())
    }

    fn key(&self, text: &str) -> Result<Digest, Failure> {
        let state = self.state;
        Ok(state.vault.digest(&state.pepper, "account", text)?)
    }

    /// The key of an account that is new: by what it is known by, with the bank's id where that is not enough.
    fn new_key(
        &self,
        at: usize,
        account: &BankAccount,
        keys: &mut HashSet<Vec<u8>>,
    ) -> Result<Digest, Failure> {
        let (known_by, currency) = known(account);
        let base = format!("{}/{known_by}/{currency}", self.consent);
        let by_id = format!("{base}/#{}", account.id);
        let mut text = if self.is_only(account) {
            base
        } else {
            by_id.clone()
        };
        let mut key = self.key(&text)?;
        let mut number = at;
        while !keys.insert(key.0.clone()) {
            text = if text == by_id {
                format!("{by_id}/{number}")
            } else {
                by_id.clone()
            };
            number += 1;
            key = self.key(&text)?;
        }
        Ok(key)
    }

    /// What tells an account's transactions from those of another of the same IBAN and currency. Once given it stays.
    fn marker(
        &self,
        at: usize,
        account: &BankAccount,
        kept: Option<&Kept>,
        markers: &HashSet<(Known, Option<String>)>,
    ) -> Option<String> {
        let free = |marker: &Option<String>| !markers.contains(&(known(account), marker.clone()));
        if let Some(kept) = kept.filter(|kept| free(&kept.details.marker)) {
            return kept.details.marker.clone();
        }
        if self.is_only(account) && free(&None) {
            return None;
        }
        let named = features(&shapes::account(account));
        let same_name = self.shown.iter().filter(|other| {
            known(other) == known(account) && features(&shapes::account(other)) == named
        });
        let by_name = Some(named.clone()).filter(|_| same_name.count() == 1);
        let by_id = format!("#{}", account.id);
        let mut marker = Some(by_name.unwrap_or(by_id));
        if !free(&marker) {
            marker = Some(format!("#{}/{at}", account.id));
        }
        marker
    }
}

fn known(account: &BankAccount) -> Known {
    let known_by = account.iban.as_ref().unwrap_or(&account.id);
    (known_by.clone(), account.currency.clone())
}

fn is_known_by(details: &AccountDetails, account: &BankAccount) -> bool {
    account.iban.is_some() && details.iban == account.iban && details.currency == account.currency
}

/// What a bank calls an account, as far as that tells it from others.
fn features(details: &AccountDetails) -> String {
    let part = |text: &Option<String>| fold(text.as_deref().unwrap_or_default());
    format!(
        "{}|{}|{}",
        part(&details.product),
        part(&details.name),
        part(&details.cash_account_type)
    )
}

fn numbered_key(
    state: &AppState,
    consent: CredentialsId,
    account: &BankAccount,
    earlier: u64,
) -> Result<Digest, Failure> {
    let (known_by, currency) = known(account);
    let mut text = format!("{consent}/{known_by}/{currency}");
    if earlier > 0 {
        text.push_str(&format!("/{earlier}"));
    }
    Ok(state.vault.digest(&state.pepper, "account", &text)?)
}

/// The accounts that the bank does not show.
pub fn missing<'k>(kept: &'k [Kept], shown: &[AccountId]) -> Vec<&'k Kept> {
    let missing = kept.iter().filter(|kept| !shown.contains(&kept.row.id));
    missing.collect()
}
