//! Consents of end-users and the data they bring: the consent and its grant at the provider, asking the provider, and
//! accounts, transactions, payments and products as they are read.
//!
//! It may use `access` and `refusal`. It does not know of the session that led to a consent.

pub mod accounts;
pub mod bank_allowance;
pub mod bounds;
pub mod cursors;
pub mod data;
pub mod end_user;
pub mod fetch;
#[cfg(any(test, feature = "bench"))]
pub mod filler;
pub mod grants;
pub mod lifecycle;
pub mod payments;
pub mod products;
pub mod provider_access;
pub mod reminders;
pub mod sealed;
pub mod sync;
pub mod transactions;
pub mod utx;

pub use self::lifecycle::{
    ConsentInfo, ConsentQuery, Credentials, access_digest, authorise, check_pair, delete, get,
    list, require_kind, require_user, revoke, revoke_at_provider, status_at,
};
