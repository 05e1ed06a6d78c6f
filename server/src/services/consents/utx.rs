//! `utx_id`: what a transaction is known by across all consents of one tenant, and by nobody else.
//!
//! An HMAC-SHA-256 over the bank's stable fields under a key of the tenant (docs/API.md, "Transactions"). Ids
//! never change: what they are made from has versions, and a tenant keeps the one it began with.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use app::domain::ids::TenantId;
use hmac::{Hmac, KeyInit as _, Mac as _};
use kernel::crypto::Digest;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::aad;
use crate::services::refusal::ApiError;
use crate::skills::BankTransaction;
use crate::state::AppState;
use crate::text::fold;

/// Source of a `utx_id`, which decides how far it can be trusted not to change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stability {
    /// The bank's own id of the transaction.
    Bank,
    /// The bank's data about it, because there is no id.
    Derived,
    /// The bank's id or data, and its place among the transactions that have the same.
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
pub struct SeenTransactions {
    /// Number of transactions with the same identity, by the id of the first of them.
    alike: HashMap<Vec<u8>, u64>,
    /// Hash of all of a transaction's data, by its `utx`.
    looks: HashMap<Vec<u8>, u64>,
}

impl SeenTransactions {
    /// Returns `true` if a transaction was among them.
    pub fn knows(&self, utx: &Digest) -> bool {
        self.looks.contains_key(&utx.0)
    }

    /// Takes back that a transaction was among them: it turned out to be another.
    pub fn forget(&mut self, utx: &Digest) {
        self.looks.remove(&utx.0);
    }

    /// Notes that a transaction was among them that is kept under an id of another kind.
    pub fn mark(&mut self, utx: &Digest) {
        self.looks.entry(utx.0.clone()).or_insert(0);
    }
}

/// Returns a hash of everything a bank says about a transaction.
pub fn content_hash(transaction: &BankTransaction) -> u64 {
    let mut hasher = DefaultHasher::new();
    transaction.hash(&mut hasher);
    hasher.finish()
}

/// Identity of an account in the identities of its transactions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountIdentity {
    /// Its IBAN, or the bank's own id.
    pub known_by: String,
    pub currency: String,
    /// Text that tells it from another account of the same IBAN and currency; `None` where there is no other.
    pub marker: Option<String>,
}

/// Way in which derived identities treat texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// Unfolded: for tenants from before texts were folded.
    Exact,
    /// Folded ([`fold`]), so that one text in two spellings is one transaction.
    Folded,
}

impl Version {
    /// The version that is kept with a tenant.
    pub const fn of(number: i64) -> Self {
        match number {
            1 => Self::Exact,
            _ => Self::Folded,
        }
    }
}

/// The kinds of identity, which never meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bank,
    Exact,
    Folded,
}

/// The fields a transaction is told by.
struct Identity {
    fields: Vec<String>,
    kind: Kind,
}

/// A tenant's key, and the version of its derived identities.
pub struct UtxKey {
    key: Zeroizing<Vec<u8>>,
    version: Version,
}

impl Identity {
    /// The bank's id if it gives one that is to be trusted, else everything that does not change once it is booked; with
    /// the account either way, because ids are unique within an account at best.
    fn of(
        account: &AccountIdentity,
        transaction: &BankTransaction,
        trusted: bool,
        version: Version,
    ) -> Self {
        let mut fields = vec![account.known_by.clone(), account.currency.clone()];
        if let Some(marker) = &account.marker {
            fields.push(format!("account {marker}"));
        }
        if let Some(id) = bank_id(transaction).filter(|_| trusted) {
            fields.push(id.to_owned());
            return Self {
                fields,
                kind: Kind::Bank,
            };
        }
        let folded = version == Version::Folded;
        let text = |field: &Option<String>| {
            let field = field.as_deref().unwrap_or_default();
            if folded {
                fold(field)
            } else {
                field.to_owned()
            }
        };
        let party = |party: &Option<crate::skills::Counterparty>| {
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
        let kind = if folded { Kind::Folded } else { Kind::Exact };
        Self { fields, kind }
    }
}

/// The bank's own id of a transaction, if it gives one. Blanks around it are none of it.
pub fn bank_id(transaction: &BankTransaction) -> Option<&str> {
    [&transaction.id, &transaction.entry_reference]
        .into_iter()
        .filter_map(|id| id.as_deref().map(str::trim))
        .find(|id| !id.is_empty())
}

impl UtxKey {
    /// Opens a tenant's key.
    pub fn open(
        state: &AppState,
        tenant: TenantId,
        sealed: &[u8],
        version: i64,
    ) -> Result<Self, ApiError> {
        Ok(Self {
            key: state.vault.open(&aad::utx_key(tenant), sealed)?,
            version: Version::of(version),
        })
    }

    /// The id, and what it is worth. `met` knows the ones of one account's list so far: of those that look alike each is
    /// told by its place among them; a bank's own id that comes again with all the same is the same, and no further one.
    /// Whether the account's ids are `trusted` decides if they count.
    pub fn identify(
        &self,
        account: &AccountIdentity,
        transaction: &BankTransaction,
        trusted: bool,
        seen: &mut SeenTransactions,
    ) -> Option<(Digest, Stability)> {
        let identity = Identity::of(account, transaction, trusted, self.version);
        self.tell(&identity, content_hash(transaction), seen)
    }

    /// The `utx` of a bank's own id.
    pub fn of_id(&self, account: &AccountIdentity, id: &str) -> Digest {
        let mut fields = vec![account.known_by.clone(), account.currency.clone()];
        if let Some(marker) = &account.marker {
            fields.push(format!("account {marker}"));
        }
        fields.push(id.to_owned());
        let kind = Kind::Bank;
        Digest::of(self.mac(&Identity { fields, kind }, 0))
    }

    fn tell(
        &self,
        identity: &Identity,
        content_hash: u64,
        seen: &mut SeenTransactions,
    ) -> Option<(Digest, Stability)> {
        let first = self.mac(identity, 0);
        let mut ordinal = seen.alike.get(&first).copied().unwrap_or(0);
        let by_bank = identity.kind == Kind::Bank;
        if by_bank {
            let mut alike = (0..ordinal).map(|ordinal| self.mac(identity, ordinal));
            if alike.any(|id| seen.looks.get(&id) == Some(&content_hash)) {
                return None;
            }
        }
        let stability = match (ordinal, by_bank) {
            (0, true) => Stability::Bank,
            (0, false) => Stability::Derived,
            _ => Stability::Positional,
        };
        let id = self.mac(identity, ordinal);
        seen.looks.insert(id.clone(), content_hash);
        ordinal += 1;
        seen.alike.insert(first, ordinal);
        Some((Digest::of(id), stability))
    }

    /// Every field with its length in front, so that no two lists of fields run together alike.
    fn mac(&self, identity: &Identity, ordinal: u64) -> Vec<u8> {
        // HMAC pads a shorter key with zeros to the block size itself (RFC 2104, section 2).
        let key = Zeroizing::new(std::array::from_fn::<u8, 64, _>(|at| {
            self.key.get(at).copied().unwrap_or(0)
        }));
        let mut mac = Hmac::<Sha256>::new(&(*key).into());
        mac.update(match identity.kind {
            Kind::Bank => b"bank",
            Kind::Exact => b"said",
            Kind::Folded => b"text",
        });
        mac.update(&ordinal.to_be_bytes());
        for field in &identity.fields {
            mac.update(&(field.len() as u64).to_be_bytes());
            mac.update(field.as_bytes());
        }
        mac.finalize().into_bytes().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(fields: &[&str], by_bank: bool) -> Identity {
        Identity {
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
            kind: if by_bank { Kind::Bank } else { Kind::Exact },
        }
    }

    fn key(byte: u8) -> UtxKey {
        UtxKey {
            key: Zeroizing::new(vec![byte; 32]),
            version: Version::Folded,
        }
    }

    fn account(marker: Option<&str>) -> AccountIdentity {
        AccountIdentity {
            known_by: "DE89370400440532013000".into(),
            currency: "EUR".into(),
            marker: marker.map(str::to_owned),
        }
    }

    fn said(remittance: &str) -> BankTransaction {
        let mut row = crate::testing::transaction("77", "-5.00", "2026-01-01");
        row.id = None;
        row.remittance = Some(remittance.into());
        row
    }

    #[test]
    fn one_text_in_two_spellings_is_one_transaction() {
        let id = |version, text: &str| {
            let key = UtxKey { version, ..key(1) };
            let told = key.identify(
                &account(None),
                &said(text),
                true,
                &mut SeenTransactions::default(),
            );
            told.unwrap().0
        };
        let one = id(Version::Folded, "Depozitul Meșter 5");
        for other in [
            "Depozitul Mes\u{326}ter 5",
            " Depozitul  Meşter 5 ",
            "DEPOZITUL MEȘTER 5",
        ] {
            assert!(one == id(Version::Folded, other), "{other}");
            assert!(id(Version::Exact, "Depozitul Meșter 5") != id(Version::Exact, other));
        }
        assert!(one != id(Version::Folded, "Depozitul Meșter 6"));
    }

    #[test]
    fn ids_of_before_stay_what_they_were() {
        // Computed by the version before accounts had markers and texts were folded.
        let exact = UtxKey {
            version: Version::Exact,
            ..key(1)
        };
        let fields = [
            "DE89370400440532013000",
            "EUR",
            "booked",
            "-5",
            "RON",
            "2026-01-01",
            "",
            "Corner Shop|",
            "|",
            "Meşter",
            "",
        ];
        let before = tell(1, &fields, false);
        let told = exact.identify(
            &account(None),
            &said("Meşter"),
            true,
            &mut SeenTransactions::default(),
        );
        assert!(told.unwrap().0 == before);
        let mut by_bank = said("x");
        by_bank.id = Some("77".into());
        let told = exact.identify(
            &account(None),
            &by_bank,
            true,
            &mut SeenTransactions::default(),
        );
        assert!(told.unwrap().0 == tell(1, &["DE89370400440532013000", "EUR", "77"], true));
    }

    #[test]
    fn one_id_in_two_accounts_of_one_iban_is_two_transactions() {
        let mut row = said("x");
        row.id = Some("77".into());
        let id = |marker| {
            let told = key(1).identify(
                &account(marker),
                &row,
                true,
                &mut SeenTransactions::default(),
            );
            told.unwrap().0
        };
        assert!(id(None) != id(Some("space")) && id(Some("space")) != id(Some("other")));
        assert!(id(Some("space")) == key(1).of_id(&account(Some("space")), "77"));
    }

    fn tell(key: u8, fields: &[&str], by_bank: bool) -> Digest {
        let told = super::tests::key(key).tell(
            &identity(fields, by_bank),
            0,
            &mut SeenTransactions::default(),
        );
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
        let mut seen = SeenTransactions::default();
        let ids: Vec<_> = (0..3)
            .map(|_| {
                key(1)
                    .tell(&identity(&["same"], false), 7, &mut seen)
                    .unwrap()
            })
            .collect();
        assert_eq!(ids[0].1, Stability::Derived);
        assert_eq!(ids[2].1, Stability::Positional);
        assert!(ids[0].0 != ids[1].0 && ids[1].0 != ids[2].0);
    }

    #[test]
    fn a_banks_id_that_comes_twice_is_one_transaction_only_if_all_the_rest_is_the_same() {
        let mut seen = SeenTransactions::default();
        let mut come =
            |content_hash| key(1).tell(&identity(&["tx-1"], true), content_hash, &mut seen);
        let one = come(7).unwrap();
        assert_eq!(one.1, Stability::Bank);
        assert!(come(7).is_none());
        let two = come(8).unwrap();
        assert_eq!(two.1, Stability::Positional);
        assert!(two.0 != one.0);
        assert!(come(7).is_none() && come(8).is_none());
        assert!(seen.knows(&one.0) && seen.knows(&two.0));
    }
}
