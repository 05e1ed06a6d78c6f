//! Matches the accounts a bank shows with those that are kept: by what the bank keeps stable, and by their order only
//! where nothing else tells them apart.

use std::collections::{HashMap, HashSet};

use app::domain::ids::{AccountId, CredentialsId};
use kernel::crypto::Digest;

use super::conversion;
use crate::aad;
use crate::services::consents::sealed::{StoredAccountDetails, open};
use crate::services::consents::utx::{AccountIdentity, Stability};
use crate::services::refusal::ApiError;
use crate::skills::BankAccount;
use crate::state::AppState;
use crate::storage::accounts::AccountRow;
use crate::text::fold;

/// An account as it is kept.
pub struct StoredAccount {
    pub row: AccountRow,
    /// `None` if they no longer open: they are written anew.
    pub details: Option<StoredAccountDetails>,
}

/// An account that the bank shows, and which one it is.
pub struct MatchedAccount {
    pub bank_key: Digest,
    pub resource_key: Digest,
    pub details: StoredAccountDetails,
    pub identity: AccountIdentity,
    /// `true` if the bank was seen to use one transaction id for two transactions of the account.
    pub ids_reused: bool,
}

/// Opens what is kept of a consent's accounts.
pub fn opened(state: &AppState, rows: Vec<AccountRow>) -> Vec<StoredAccount> {
    let open = |row: AccountRow| {
        let place = aad::account(row.consent_id, &row.bank_key);
        let details = open(state, &place, &row.sealed).ok();
        StoredAccount { row, details }
    };
    rows.into_iter().map(open).collect()
}

/// Returns the accounts of an answer without those that it has twice.
pub fn without_repeats(shown: Vec<BankAccount>) -> Vec<BankAccount> {
    let mut seen = HashSet::new();
    let mut shown = shown;
    shown.retain(|account| seen.insert((account.id.clone(), known(account))));
    shown
}

/// Matches each account that the bank shows with the kept one that it is, or gives it a key of its own.
pub fn match_accounts(
    state: &AppState,
    consent: CredentialsId,
    shown: &[BankAccount],
    kept: &[StoredAccount],
) -> Result<Vec<MatchedAccount>, ApiError> {
    let all = Matching::new(state, consent, shown, kept)?;
    let found = all.find();
    all.decide(&found)
}

/// IBAN, or the bank's id where there is none, and currency of an account.
type Known = (String, String);

struct Matching<'a> {
    state: &'a AppState,
    consent: CredentialsId,
    shown: &'a [BankAccount],
    kept: &'a [StoredAccount],
    /// Keys by the former rule, one for each account shown: made of what it is known by, and its place among those
    /// alike.
    numbered: Vec<Digest>,
    resource: Vec<Digest>,
    /// Number of accounts shown under each id of the bank.
    same_id: HashMap<&'a str, usize>,
    /// Number of accounts shown for each IBAN (or id) and currency.
    alike: HashMap<Known, u64>,
}

impl<'a> Matching<'a> {
    fn new(
        state: &'a AppState,
        consent: CredentialsId,
        shown: &'a [BankAccount],
        kept: &'a [StoredAccount],
    ) -> Result<Self, ApiError> {
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
            .collect::<Result<_, ApiError>>()?;
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

    /// Returns, for each account shown, the index of the kept account that it is; `None` if it is new. The surest
    /// features are compared first.
    fn find(&self) -> Vec<Option<usize>> {
        let mut found = vec![None; self.shown.len()];
        let mut taken = HashSet::new();
        // The bank's own id, which is stable within a consent, unless it has another IBAN: that is another account.
        self.pass(&mut found, &mut taken, |at, account, kept| {
            self.has_own_id(account)
                && kept.row.resource_key.as_ref() == self.resource.get(at)
                && !has_another_iban(kept, account)
        });
        // An IBAN that no other account has, here or there.
        self.pass(&mut found, &mut taken, |at, account, kept| {
            self.is_only(account) && Some(&kept.row.bank_key) == self.numbered.get(at)
        });
        let kept_alike = |account: &BankAccount| {
            let same = |kept: &&StoredAccount| is_known_by(kept, account);
            self.kept.iter().filter(same).count()
        };
        self.pass(&mut found, &mut taken, |_, account, kept| {
            self.is_only(account) && kept_alike(account) == 1 && is_known_by(kept, account)
        });
        // What the bank calls it.
        self.pass(&mut found, &mut taken, |_, account, kept| {
            let named = kept.details.as_ref().map(features);
            is_known_by(kept, account) && named == Some(features(&conversion::account(account)))
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
        fits: impl Fn(usize, &BankAccount, &StoredAccount) -> bool,
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

    fn decide(&self, found: &[Option<usize>]) -> Result<Vec<MatchedAccount>, ApiError> {
        let kept_keys = self.kept.iter().map(|kept| kept.row.bank_key.0.clone());
        let mut keys: HashSet<Vec<u8>> = kept_keys.collect();
        let kept = |at: usize| {
            found
                .get(at)
                .copied()
                .flatten()
                .and_then(|n| self.kept.get(n))
        };
        let mut markers = Markers::default();
        for (at, account) in self.shown.iter().enumerate() {
            if let Some(details) = kept(at).and_then(|kept| kept.details.as_ref()) {
                markers.reserve(at, identity(account, Some(details)), details);
            }
        }
        let mut all = Vec::with_capacity(self.shown.len());
        for (at, account) in self.shown.iter().enumerate() {
            let kept = kept(at);
            let bank_key = match kept {
                Some(kept) => self.kept_key(at, account, kept)?,
                None => self.new_key(at, account, &mut keys)?,
            };
            let mut details = conversion::account(account);
            details.stability = Some(if self.is_only(account) || self.has_own_id(account) {
                Stability::Bank
            } else {
                Stability::Positional
            });
            let before = kept.and_then(|kept| kept.details.as_ref());
            let known_as = identity(account, before);
            let marker = self.marker(at, account, &known_as, &mut markers);
            details.marker.clone_from(&marker);
            details.known_as =
                Some(known_as.clone()).filter(|known_as| *known_as != known(account));
            let (known_by, currency) = known_as;
            all.push(MatchedAccount {
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
    fn kept_key(
        &self,
        at: usize,
        account: &BankAccount,
        kept: &StoredAccount,
    ) -> Result<Digest, ApiError> {
        let (known_by, currency) = known(account);
        let by_id = format!("{}/{known_by}/{currency}/#{}", self.consent, account.id);
        let by_id = self.key(&by_id)?;
        let known = self.numbered.get(at).into_iter().chain([&by_id]);
        let own = known.into_iter().find(|key| **key == kept.row.bank_key);
        Ok(own.unwrap_or(&kept.row.bank_key).clone())
    }

    fn key(&self, text: &str) -> Result<Digest, ApiError> {
        let state = self.state;
        Ok(state.vault.digest(&state.pepper, "account", text)?)
    }

    /// The key of an account that is new: by what it is known by, with the bank's id where that is not enough.
    fn new_key(
        &self,
        at: usize,
        account: &BankAccount,
        keys: &mut HashSet<Vec<u8>>,
    ) -> Result<Digest, ApiError> {
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

    /// Returns the text that tells an account's transactions from those of another account of the same IBAN and
    /// currency; `None` if there is no such account. An account keeps the marker it was given.
    fn marker(
        &self,
        at: usize,
        account: &BankAccount,
        known_as: &Known,
        markers: &mut Markers,
    ) -> Option<String> {
        if let Some(kept) = markers.reserved.get(&at) {
            return kept.clone();
        }
        if self.is_only(account) && markers.take(known_as, None) {
            return None;
        }
        let named = features(&conversion::account(account));
        let same_name = self.shown.iter().filter(|other| {
            known(other) == known(account) && features(&conversion::account(other)) == named
        });
        let by_name = Some(named.clone()).filter(|_| same_name.count() == 1);
        let by_id = format!("#{}", account.id);
        let mut marker = by_name.unwrap_or(by_id);
        if !markers.take(known_as, Some(&marker)) {
            marker = format!("#{}/{at}", account.id);
            markers.take(known_as, Some(&marker));
        }
        Some(marker)
    }
}

/// Markers in use, each of one account that is known so. Those that accounts have already come first.
#[derive(Default)]
struct Markers {
    taken: HashSet<(Known, Option<String>)>,
    /// By the account's place in the answer.
    reserved: HashMap<usize, Option<String>>,
}

impl Markers {
    /// Takes a marker; `false` if another account has it.
    fn take(&mut self, known_as: &Known, marker: Option<&str>) -> bool {
        let marker = marker.map(str::to_owned);
        self.taken.insert((known_as.clone(), marker))
    }

    /// Keeps the marker of a kept account for it, unless another has the same.
    fn reserve(&mut self, at: usize, known_as: Known, details: &StoredAccountDetails) {
        if self.take(&known_as, details.marker.as_deref()) {
            self.reserved.insert(at, details.marker.clone());
        }
    }
}

/// Returns the name that an account's transactions are told by, beside its marker: the one it was known by first. A bank that leaves
/// the IBAN out for once, or counts in euros from now on, makes no other transactions of them.
fn identity(account: &BankAccount, before: Option<&StoredAccountDetails>) -> Known {
    let Some(before) = before else {
        return known(account);
    };
    let first = || {
        // The bank's id is kept as a digest alone. The account was found by it, so the id of now is the one of then.
        let known_by = before.iban.as_deref().and_then(plain_iban);
        (
            known_by.unwrap_or_else(|| account.id.clone()),
            before.currency.clone(),
        )
    };
    before.known_as.clone().unwrap_or_else(first)
}

fn known(account: &BankAccount) -> Known {
    let iban = account.iban.as_deref().and_then(plain_iban);
    (
        iban.unwrap_or_else(|| account.id.clone()),
        account.currency.clone(),
    )
}

/// Returns an IBAN without blanks and in capitals, as banks write one in several ways; `None` if nothing is left.
fn plain_iban(iban: &str) -> Option<String> {
    let letters = iban.chars().filter(|letter| !letter.is_whitespace());
    let plain: String = letters.map(|letter| letter.to_ascii_uppercase()).collect();
    (!plain.is_empty()).then_some(plain)
}

fn ibans(kept: &StoredAccount, account: &BankAccount) -> Option<(String, String)> {
    let kept = kept.details.as_ref()?.iban.as_deref()?;
    Some((plain_iban(kept)?, plain_iban(account.iban.as_deref()?)?))
}

fn has_another_iban(kept: &StoredAccount, account: &BankAccount) -> bool {
    ibans(kept, account).is_some_and(|(before, now)| before != now)
}

fn is_known_by(kept: &StoredAccount, account: &BankAccount) -> bool {
    let currency = kept.details.as_ref().map(|details| &details.currency);
    ibans(kept, account).is_some_and(|(before, now)| before == now)
        && currency == Some(&account.currency)
}

/// Returns product, name and type of an account, folded, to tell it from others.
fn features(details: &StoredAccountDetails) -> String {
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
) -> Result<Digest, ApiError> {
    let (known_by, currency) = known(account);
    let mut text = format!("{consent}/{known_by}/{currency}");
    if earlier > 0 {
        text.push_str(&format!("/{earlier}"));
    }
    Ok(state.vault.digest(&state.pepper, "account", &text)?)
}

/// The accounts that the bank does not show.
pub fn missing<'k>(kept: &'k [StoredAccount], shown: &[AccountId]) -> Vec<&'k StoredAccount> {
    let missing = kept.iter().filter(|kept| !shown.contains(&kept.row.id));
    missing.collect()
}
