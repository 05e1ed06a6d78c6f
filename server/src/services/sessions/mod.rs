//! The conversation that takes an end-user to a consent or a product: opening a session, its steps and files, the way to
//! the provider and back, verifications, and the tokens a session ends with.
//!
//! It may use `consents`, `access` and `refusal`. It does not know of the portal.

pub mod callbacks;
pub mod end_user;
pub mod erasure;
pub mod lifecycle;
pub mod one_time_tokens;
pub mod payments;
pub mod renewals;
pub mod standing;
pub mod steps;
pub mod tokens;
mod transition;
pub mod uploads;
pub mod verifications;

pub use self::end_user::check_user_of;
pub use self::lifecycle::{
    CancelledSession, NewSession, OpenedSession, SessionProof, SessionState, cancel, check, create,
    get, open,
};
