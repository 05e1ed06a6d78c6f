//! `utx_id`: what a transaction is known by across all consents of one tenant, and by nobody else.
//!
//! An HMAC-SHA-256 over the bank's stable fields under a key of the tenant (`api.md`, section 5).

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use app::domain::ids::TenantId;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::refusal::Failure;
use crate::crypto::Digest;
use crate::skills::{BankAccount, BankTransaction};
use crate::state::AppState;

/// What a `utx_id` was made from, and so how far it can be trusted to stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stability {
    /// The bank's own id of the transaction.
    Bank,
    /// What the bank says about it, for want of an id.
    Derived,
    /// The same, and its place among others that look just like it.
    Positional,
}

impl Stability {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Bank => "bank",
            Self::Derived => "derived",
            Self::Positional => "positional",
        }
    }
}

/// The transactions of one account's list so far.
#[derive(Default)]
pub struct Met {
    /// How many were told by the same fields.
    alike: HashMap<Vec<u8>, u64>,
    /// What each was like, all in all.
    looks: HashMap<Vec<u8>, u64>,
}

impl Met {
    /// Whether a transaction was among them.
    pub fn knows(&self, utx: &Digest) -> bool {
        self.looks.contains_key(&utx.0)
    }
}

/// Everything a bank says about a transaction, as one number.
fn looks(transaction: &BankTransaction) -> u64 {
    let mut hasher = DefaultHasher::new();
    transaction.hash(&mut hasher);
    hasher.finish()
}

/// The fields a transaction is told by.
struct Identity {
    fields: Vec<String>,
    by_bank: bool,
}

/// A tenant's key.
pub struct UtxKey(Zeroizing<Vec<u8>>);

impl Identity {
    /// The bank's id if it gives one, else everything that does not change once it is booked; with the account either
    /// way, because ids are unique within an account at best.
    fn of(account: &BankAccount, transaction: &BankTransaction) -> Self {
        let known_by = account.iban.as_ref().unwrap_or(&account.id);
        let mut fields = vec![known_by.clone(), account.currency.clone()];
        let id = transaction
            .id
            .as_ref()
            .or(transaction.entry_reference.as_ref());
        if let Some(id) = id {
            fields.push(id.clone());
            return Self {
                fields,
                by_bank: true,
            };
        }
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let party = |party: &Option<crate::skills::Party>| {
            let party = party.clone().unwrap_or_default();
            format!("{}|{}", text(&party.name), text(&party.iban))
        };
        let day =
            |day: Option<chrono::NaiveDate>| day.map(|day| day.to_string()).unwrap_or_default();
        fields.extend([
            transaction.status.to_string(),
            transaction.amount.normalize().to_string(),
            transaction.currency.clone(),
            day(transaction.booking_date),
            day(transaction.value_date),
            party(&transaction.creditor),
            party(&transaction.debtor),
            text(&transaction.remittance),
            text(&transaction.end_to_end_id),
        ]);
        Self {
            fields,
            by_bank: false,
        }
    }
}

impl UtxKey {
    /// Opens a tenant's key.
    pub fn open(state: &AppState, tenant: TenantId, sealed: &[u8]) -> Result<Self, Failure> {
        let plain = state.vault.open(&place(tenant), sealed)?;
        Ok(Self(plain))
    }

    /// The id, and what it is worth. `met` knows the ones of one account's list so far: of those that look alike each is
    /// told by its place among them; a bank's own id that comes again with all the same is the same, and no further one.
    pub fn identify(
        &self,
        account: &BankAccount,
        transaction: &BankTransaction,
        met: &mut Met,
    ) -> Option<(Digest, Stability)> {
        self.tell(&Identity::of(account, transaction), looks(transaction), met)
    }

    fn tell(&self, identity: &Identity, looks: u64, met: &mut Met) -> Option<(Digest, Stability)> {
        let first = self.mac(identity, 0);
        let mut place = met.alike.get(&first).copied().unwrap_or(0);
        if identity.by_bank {
            let mut alike = (0..place).map(|place| self.mac(identity, place));
            if alike.any(|id| met.looks.get(&id) == Some(&looks)) {
                return None;
            }
        }
        let stability = match (place, identity.by_bank) {
            (0, true) => Stability::Bank,
            (0, false) => Stability::Derived,
            _ => Stability::Positional,
        };
        let id = self.mac(identity, place);
        met.looks.insert(id.clone(), looks);
        place += 1;
        met.alike.insert(first, place);
        Some((Digest::of(id), stability))
    }

    /// Every field with its length in front, so that no two lists of fields run together alike.
    fn mac(&self, identity: &Identity, place: u64) -> Vec<u8> {
        // HMAC pads a shorter key with zeros to the block size itself (RFC 2104, section 2).
        let key = Zeroizing::new(std::array::from_fn::<u8, 64, _>(|at| {
            self.0.get(at).copied().unwrap_or(0)
        }));
        let mut mac = Hmac::<Sha256>::new(&(*key).into());
        mac.update(if identity.by_bank { b"bank" } else { b"said" });
        mac.update(&place.to_be_bytes());
        for field in &identity.fields {
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field.as_bytes());
        }
        mac.finalize().into_bytes().to_vec()
    }
}

/// Where a tenant's key is sealed.
pub fn place(tenant: TenantId) -> String {
    format!("tenants.utx_key/{tenant}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(fields: &[&str], by_bank: bool) -> Identity {
        Identity {
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
            by_bank,
        }
    }

    fn key(byte: u8) -> UtxKey {
        UtxKey(Zeroizing::new(vec![byte; 32]))
    }

    fn tell(key: u8, fields: &[&str], by_bank: bool) -> Digest {
        let told = super::tests::key(key).tell(&identity(fields, by_bank), 0, &mut Met::default());
        told.unwrap().0
    }

    #[test]
    fn the_same_transaction_has_one_id_per_tenant() {
        let one = tell(1, &["iban", "EUR", "tx-1"], true);
        let same = tell(1, &["iban", "EUR", "tx-1"], true);
        let other = tell(2, &["iban", "EUR", "tx-1"], true);
        assert!(one == same && one != other);
    }

    #[test]
    fn fields_do_not_run_together() {
        assert!(tell(1, &["ab", "c"], true) != tell(1, &["a", "bc"], true));
    }

    #[test]
    fn transactions_that_look_alike_are_told_by_their_place() {
        let mut met = Met::default();
        let ids: Vec<_> = (0..3)
            .map(|_| {
                key(1)
                    .tell(&identity(&["same"], false), 7, &mut met)
                    .unwrap()
            })
            .collect();
        assert_eq!(ids[0].1, Stability::Derived);
        assert_eq!(ids[2].1, Stability::Positional);
        assert!(ids[0].0 != ids[1].0 && ids[1].0 != ids[2].0);
    }

    #[test]
    fn a_banks_id_that_comes_twice_is_one_transaction_only_if_all_the_rest_is_the_same() {
        let mut met = Met::default();
        let mut come = |looks| key(1).tell(&identity(&["tx-1"], true), looks, &mut met);
        let one = come(7).unwrap();
        assert_eq!(one.1, Stability::Bank);
        assert!(come(7).is_none());
        let two = come(8).unwrap();
        assert_eq!(two.1, Stability::Positional);
        assert!(two.0 != one.0);
        assert!(come(7).is_none() && come(8).is_none());
        assert!(met.knows(&one.0) && met.knows(&two.0));
    }
}
