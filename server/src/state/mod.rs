//! The value that every door and service is handed: made at start, cheap to clone. With it the parts that a process keeps
//! in memory: counts of calls, hashes being made, and what is written a moment later (uses of keys, digests, the request
//! log). They know the database, and no service.

pub mod digests;
pub mod key_use;
pub mod passwords;
pub mod rate_limits;
pub mod request_log;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use app::domain::ids::TenantId;
use chrono::{DateTime, Utc};
use kernel::background::Heartbeats;
use kernel::clock::Clock;
use kernel::crypto::{Pepper, Secrets, Unsealable, Vault};
use kernel::gate::Gate;
use kernel::retention::RuledDatabase;

use self::digests::Digests;
use self::key_use::KeyUse;
use self::passwords::Passwords;
use self::rate_limits::RateLimiter;
use self::request_log::RequestLog;
use crate::config::{Config, Scanner};
use crate::jobs::Queue;
use crate::mail::Mailer;
use crate::metrics::Metrics;
use crate::scope;
use crate::skills::Registry;
use crate::storage::{Db, DbError, Tx};

/// The server's shared parts.
#[derive(Clone)]
pub struct AppState {
    pub config: Arc<Config>,
    pub db: Db,
    /// The real time, with ids and randomness. What belongs to a tenant goes by [`AppState::now_of`].
    pub clock: Clock,
    pub pepper: Pepper,
    /// The system's; a tenant's after [`AppState::for_tenant`].
    pub vault: Vault,
    /// Wakes the worker when a job was added.
    pub queue: Queue,
    /// Signs of life of what runs beside the requests.
    pub heartbeats: Heartbeats,
    /// Counts what happens, if somebody is to see it.
    pub metrics: Metrics,
    /// The use of the product's listener; none before it listens.
    pub gate: Arc<OnceLock<Arc<Gate>>>,
    /// Takes finished calls for the request log.
    pub request_log: RequestLog,
    /// Mailer of outgoing mail.
    pub mailer: Arc<dyn Mailer>,
    /// Hashes people's passwords, two at a time.
    pub passwords: Passwords,
    /// Set when the server begins to stop: it answers "not ready" from then on.
    pub stopping: Arc<AtomicBool>,
    /// Budgets of calls.
    pub rate_limits: Arc<RateLimiter>,
    /// Keys that were used lately, stored in the background.
    pub key_use: Arc<KeyUse>,
    /// Digests to be renewed because a pepper is rotated, stored in the background.
    pub digests: Arc<Digests>,
    /// Every published skill; none until [`AppState::with_skills`].
    pub skills: Registry,
    /// Looks into uploaded files; `None` if they are not scanned.
    pub scanner: Option<Arc<Scanner>>,
    /// URL of the sandbox bank; `None` if the sandbox is off.
    pub sandbox_bank: Option<Arc<str>>,
    /// The sandbox bank's own database: it is asked whether it answers, and rid of what is past its time. Nobody here knows
    /// its tables.
    pub bank_database: Option<RuledDatabase>,
    /// Without trailing slash; every link is built from it.
    pub public_url: Arc<str>,
}

impl AppState {
    /// Puts the parts together; nothing is opened or started here.
    pub fn new(
        config: Config,
        db: Db,
        clock: Clock,
        secrets: Secrets,
        mailer: Arc<dyn Mailer>,
        public_url: &str,
    ) -> Self {
        Self {
            mailer,
            passwords: Passwords::new(&secrets.pepper, clock.clone()),
            queue: Queue::new(clock.clone(), secrets.vault.clone()),
            rate_limits: Arc::new(
                RateLimiter::new(
                    &db,
                    config.limits.browser_calls_per_minute,
                    config.limits.server_calls_per_minute,
                )
                .with_slots(config.limits.calls_at_once),
            ),
            key_use: Arc::default(),
            heartbeats: Heartbeats::default(),
            metrics: if config.telemetry.metrics_listen.is_empty() {
                Metrics::default()
            } else {
                Metrics::counting()
            },
            gate: Arc::default(),
            digests: Arc::default(),
            stopping: Arc::default(),
            skills: Registry::default(),
            // The settings were checked when they were read.
            scanner: config.scanner().ok().flatten().map(Arc::new),
            sandbox_bank: None,
            bank_database: None,
            request_log: RequestLog::default(),
            config: Arc::new(config),
            db,
            clock,
            pepper: secrets.pepper,
            vault: secrets.vault,
            public_url: public_url.into(),
        }
    }

    /// Returns the state with a sandbox bank that is reached at this URL.
    #[must_use]
    pub fn with_sandbox_bank(self, url: &str) -> Self {
        let sandbox_bank = Some(url.into());
        Self {
            sandbox_bank,
            ..self
        }
    }

    /// Returns the state with the database of the sandbox bank.
    #[must_use]
    pub fn with_bank_database(self, bank_database: RuledDatabase) -> Self {
        Self {
            bank_database: Some(bank_database),
            ..self
        }
    }

    /// Closes the databases, so that their files are whole and nothing is left open.
    pub async fn close(&self) {
        if let Some(bank) = &self.bank_database {
            bank.db.close().await;
        }
        self.db.close().await;
    }

    /// Returns the state with these skills. They are registered once the URLs of their providers are known.
    #[must_use]
    pub fn with_skills(self, skills: Registry) -> Self {
        Self { skills, ..self }
    }

    /// Returns the time of a tenant. A sandbox tenant may have moved its clock forward; everything that it opened, was
    /// given or is shown goes by this time: sessions with their steps, nonces, tokens and returns, consents, the age of
    /// data, payments. What it shares with others goes by the real time, `clock.now()`: signatures, budgets of calls, kept
    /// answers, leases, jobs, the audit log, people's sessions.
    ///
    /// A statement that looks at rows of many tenants compares their times with the real one. No clock goes back, so it
    /// finds what is over late, and never early: the erasure of what is over (`services/sessions/erasure.rs`), the reminders
    /// (`services/consents/reminders.rs`), the look for data to be refreshed (`worker/refresh_data.rs`), the rules of
    /// `storage/retention.rs`, and the counts of what a pepper still holds (`storage/census.rs`, `storage/reseal.rs`,
    /// `Tx::consents_on_pepper`). So does the erasure of a tenant, which ends all that it has at once.
    pub fn now_of(&self, tenant: TenantId) -> DateTime<Utc> {
        self.clock.of(tenant.0).now()
    }

    /// Returns the state with a vault that seals and opens under the tenant's own data key. The key is read through the
    /// caller's connection if it is not open yet, which is one statement.
    pub async fn for_tenant(&self, tx: &mut Tx, tenant: TenantId) -> Result<Self, DataKeyError> {
        scope::note_tenant_of_job(tenant);
        if let Some(vault) = self.vault.opened(tenant.0) {
            return Ok(self.with_vault(vault));
        }
        let wrapped = tx.data_key(tenant.0).await?.ok_or(Unsealable)?;
        let key = self.vault.unwrap(&wrapped)?;
        Ok(self.with_vault(self.vault.of_opened(key)))
    }

    /// Does what [`AppState::for_tenant`] does for a caller that holds no connection. A caller that holds one must not
    /// use it: two of them at a time could wait for each other.
    pub async fn for_tenant_alone(&self, tenant: TenantId) -> Result<Self, DataKeyError> {
        scope::note_tenant_of_job(tenant);
        if let Some(vault) = self.vault.opened(tenant.0) {
            return Ok(self.with_vault(vault));
        }
        let mut tx = self.db.read().await?;
        self.for_tenant(&mut tx, tenant).await
    }

    /// Does what [`AppState::for_tenant`] does for a tenant that is being created: makes its data key and stores it in
    /// the transaction that creates the tenant.
    pub async fn for_new_tenant(
        &self,
        tx: &mut Tx,
        tenant: TenantId,
    ) -> Result<Self, DataKeyError> {
        let (key, wrapped) = self.vault.make(&self.clock, tenant.0)?;
        if tx.add_data_key(&wrapped, self.clock.now()).await? {
            return Ok(self.with_vault(self.vault.of_opened(key)));
        }
        self.for_tenant(tx, tenant).await
    }

    fn with_vault(&self, vault: Vault) -> Self {
        Self {
            vault,
            ..self.clone()
        }
    }
}

/// Reason a tenant's data cannot be sealed or opened: its data key was erased, or is wrapped under a vault key that
/// this process does not have, or the database failed.
#[derive(Debug, thiserror::Error)]
pub enum DataKeyError {
    #[error("database: {0}")]
    Database(#[from] DbError),
    #[error("{0}")]
    Unsealable(#[from] Unsealable),
}
