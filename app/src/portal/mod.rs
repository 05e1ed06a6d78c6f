//! The seam: what a signed-in person may ask for, one trait per noun. `server` implements them; pages reach
//! the implementation as `Arc<dyn Portal>` in their [`Visit`](crate::pages::Visit).
//!
//! Every method takes the [`Actor`] it acts for (or says why it needs none) and answers with plain data ready to be
//! shown. Nothing here knows SQL, HTTP or Leptos.

pub mod admin;
pub mod console;
pub mod people;
pub mod requests;
pub mod signing;
pub mod skills;
pub mod tenants;
pub mod verifications;

use chrono::{DateTime, Utc};
use std::fmt;

use crate::domain::ids::{PersonId, ServicerId};
use crate::domain::person::{Email, Permission, Role};
use crate::domain::servicer::ServicerStatus;

/// Everything a page may ask for.
pub trait Portal:
    admin::Admin
    + console::Console
    + people::People
    + requests::Requests
    + signing::Signing
    + skills::Skills
    + tenants::Tenants
    + verifications::Verifications
{
}
impl<T> Portal for T where
    T: admin::Admin
        + console::Console
        + people::People
        + requests::Requests
        + signing::Signing
        + skills::Skills
        + tenants::Tenants
        + verifications::Verifications
{
}

/// The person a portal request acts for: proof that somebody is signed in, and as what.
/// Made by the portal door from a live session, never by a page.
#[derive(Clone, Debug)]
pub struct Actor {
    pub person: PersonId,
    pub email: Email,
    /// `true` if the address was proved by opening a mailed link. Never needed in the sandbox.
    pub verified: bool,
    /// Operator of the middleware.
    pub admin: bool,
    /// The servicer being worked in; an admin may have none, and neither may an account that joined one and has not
    /// proved its address.
    pub membership: Option<Membership>,
    /// Time at which the password was last given; acts that need a fresh proof ask for at most ten minutes.
    pub proved_at: DateTime<Utc>,
    /// The signed-in browser, as its handle in the list of devices.
    pub session: uuid::Uuid,
}

/// A person's place in one servicer.
#[derive(Clone, Debug)]
pub struct Membership {
    pub servicer: ServicerId,
    pub name: String,
    pub status: ServicerStatus,
    /// Reason for the suspension; `None` if there is none.
    pub suspended_reason: Option<String>,
    pub role: Role,
}

/// Time for which a password that was just given is fresh proof of who acts.
pub const PROOF_LIVES: chrono::Duration = chrono::Duration::minutes(10);

/// Proof that the person acting gave their password within the last [`PROOF_LIVES`]. What can take or break production
/// asks for one, and [`Actor::fresh`] alone makes it: an act that forgets to ask does not compile.
#[derive(Clone, Copy, Debug)]
pub struct FreshProof<'a>(&'a Actor);

impl<'a> FreshProof<'a> {
    /// Returns who acts.
    pub const fn actor(self) -> &'a Actor {
        self.0
    }
}

impl Actor {
    /// The proof that acts on production ask for, or [`PortalError::ProofNeeded`] if the password was given too long ago.
    pub fn fresh(&self, now: DateTime<Utc>) -> Result<FreshProof<'_>, PortalError> {
        if now - self.proved_at > PROOF_LIVES {
            return Err(PortalError::ProofNeeded);
        }
        Ok(FreshProof(self))
    }

    /// The membership, if its role has the permission; else the refusal to show.
    pub fn may(&self, permission: Permission) -> Result<&Membership, PortalError> {
        match &self.membership {
            Some(membership)
                if membership.status == ServicerStatus::Suspended
                    && permission != Permission::ReadTenants =>
            {
                Err(PortalError::Forbidden(format!(
                    "{} is suspended: you can look at everything and change nothing. {}",
                    membership.name,
                    membership.reason()
                )))
            }
            Some(membership) if membership.role.may(permission) => {
                // Before approval there is no production: what these permissions reach is the account's own sandbox.
                let approved = membership.status == ServicerStatus::Approved;
                if permission.is_production() && approved && !self.verified {
                    return Err(PortalError::Forbidden(UNPROVED.to_owned()));
                }
                Ok(membership)
            }
            Some(membership) => Err(PortalError::Forbidden(format!(
                "Your role here is {}. Ask an owner of {} to do this.",
                membership.role, membership.name
            ))),
            None if !self.verified => Err(PortalError::Forbidden(WAITING.to_owned())),
            None => Err(PortalError::Forbidden(
                "Your account isn't part of a servicer.".into(),
            )),
        }
    }

    /// Proof of being an operator, or the refusal to show.
    pub fn admin(&self) -> Result<&Self, PortalError> {
        // The admin area does not exist for anybody else: a foreign door looks like a missing one.
        if self.admin {
            Ok(self)
        } else {
            Err(PortalError::NotFound)
        }
    }
}

/// The refusal of production to an account whose address is not proved.
pub const UNPROVED: &str = "Production is open to confirmed email addresses only. Open the link that we've emailed you, or \
                            ask for another in your settings.";

/// Message to an account whose place in a servicer waits until its address is proved.
pub const WAITING: &str = "Confirm your email address first: until then an account holds its own sandbox and no place in another \
                           servicer. Open the link that we've emailed you, or ask for another in your settings.";

impl Membership {
    /// `Reason: ...`, for people of a suspended servicer.
    pub fn reason(&self) -> String {
        self.suspended_reason
            .as_ref()
            .map(|reason| format!("Reason: {reason}"))
            .unwrap_or_default()
    }
}

/// Origin of a request: for limits, the audit log and "last used".
#[derive(Clone, Debug, Default)]
pub struct RequestSource {
    /// IPv4 address, or the /64 of an IPv6 one.
    pub ip: String,
    pub user_agent: String,
    /// The cookie of a browser in which an account signed in before; empty if there is none. Believed only after its
    /// seal was checked.
    pub device: String,
}

/// Error of a portal operation. Everything in it may be shown to the person who asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortalError {
    /// The form needs mending; what was typed is kept.
    Refused(Vec<FieldError>),
    /// It does not exist, or belongs to somebody else; the two look the same.
    NotFound,
    /// The role, the state of the servicer or the environment forbids it.
    Forbidden(String),
    /// It cannot be done in the present state; says what to do instead.
    Conflict(String),
    /// The password must be given again first.
    ProofNeeded,
    /// Too many tries: wait so many seconds.
    Wait(u64),
    /// Nothing can be written just now: the database is busy, or its disk is full. It was not carried out.
    Unavailable,
    /// Our fault; already logged under this reference.
    Internal(String),
}

impl fmt::Display for PortalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(errors) => {
                let errors = errors.iter();
                let errors = errors.map(|error| format!("{}: {}", error.name, error.message));
                f.write_str(&errors.collect::<Vec<_>>().join("; "))
            }
            Self::NotFound => f.write_str("it does not exist"),
            Self::Forbidden(why) | Self::Conflict(why) => f.write_str(why),
            Self::ProofNeeded => f.write_str("the password must be given again first"),
            Self::Wait(seconds) => write!(f, "too many tries: wait {seconds} seconds"),
            Self::Unavailable => {
                f.write_str("nothing can be written just now: try again in a moment")
            }
            Self::Internal(reference) => write!(f, "our fault, in the log under {reference}"),
        }
    }
}

impl PortalError {
    /// A refusal of one field.
    pub fn field(name: &'static str, message: impl Into<String>) -> Self {
        Self::Refused(vec![FieldError {
            name,
            message: message.into(),
        }])
    }
}

/// Error in one field of a form: the field's name and a sentence that says how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    pub name: &'static str,
    pub message: String,
}

/// Result of a portal operation.
pub type PortalResult<T> = Result<T, PortalError>;
