//! Later, or again: work that leaves the request that wanted it, as it lies in the job table. One file per kind of job
//! holds its payload, `queue` writes it in the caller's transaction.
//!
//! This room lies below services, which add jobs, and knows no handler: those are in `worker`, above services. A payload
//! is made of serde and the words of the domain. A job runs at least once, so every handler bears repetition.

pub mod console;
pub mod decide_verification;
pub mod delete_expired;
pub mod end_unproved;
pub mod erase_data;
pub mod fetch_data;
pub mod follow_payment;
pub mod forward_upload;
pub mod password_link;
pub mod queue;
pub mod refresh_data;
pub mod remind_owners;
pub mod resume_session;
pub mod revoke_grant;
pub mod send_mail;
pub mod stop_session;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::queue::Queue;

/// Class of jobs. Jobs of one class may have to wait for each other, and for no others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Letters to people.
    Mail,
    /// Asking banks for data.
    Data,
    /// Deleting what is past its time.
    Erasure,
    /// Work that a session waits for, and revocations at a provider.
    Sessions,
    /// Following payments.
    Payments,
}

impl Class {
    pub const ALL: [Self; 5] = [
        Self::Mail,
        Self::Data,
        Self::Erasure,
        Self::Sessions,
        Self::Payments,
    ];

    /// The name stored with a job.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Data => "data",
            Self::Erasure => "erasure",
            Self::Sessions => "sessions",
            Self::Payments => "payments",
        }
    }

    /// The name of its worker, as `/readyz` gives it.
    pub const fn task(self) -> &'static str {
        match self {
            Self::Mail => "jobs: mail",
            Self::Data => "jobs: data",
            Self::Erasure => "jobs: erasure",
            Self::Sessions => "jobs: sessions",
            Self::Payments => "jobs: payments",
        }
    }

    /// Returns the number of its jobs that a process runs at once. Never only one, so that a job that hangs blocks no
    /// other.
    pub const fn slots(self) -> usize {
        match self {
            Self::Erasure => 2,
            Self::Mail | Self::Data | Self::Sessions | Self::Payments => 4,
        }
    }
}

/// A kind of background work: its payload and its name in the table.
pub trait Job: Serialize + DeserializeOwned + Send + Sync {
    /// The name stored with the job; never change one that has been released.
    const KIND: &'static str;
    /// Class of jobs that it may have to wait for.
    const CLASS: Class;
}
