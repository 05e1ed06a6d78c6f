//! The engine's rules in play: whole flows, races and crashes, with a scripted provider and a clock that stands still.

mod clocks;
mod consents;
mod data;
mod differential;
mod erasure;
mod fillers;
mod flows;
mod model;
mod odd_banks;
mod pending;
mod query_plans;
mod races;
mod random;
mod refresh;
mod renamed;
mod returns;
mod secrets;
mod steady;
mod swap;
mod sync_clients;
mod tokens;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use app::domain::ids::SessionId;
use app::domain::problem::Code;
use app::domain::skill::SkillName;
use app::domain::tenant::{Environment, TenantStatus};
use app::domain::transaction::BookingStatus;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::services::access::keys::Client;
use crate::services::consents::Credentials;
use crate::services::refusal::ApiError;
use crate::services::sessions::callbacks::{AuthorizationResponse, CallbackResult};
use crate::services::sessions::steps::{self, NewStep};
use crate::services::sessions::tokens::{Exchange, Exchanged};
use crate::services::sessions::{self, NewSession, OpenedSession};
use crate::skills::{
    BankAccount, BankBalance, BankTransaction, ConnectorError, ConsentOutcome, Grant, Granted,
    Next, Opaque, Registry, VerificationOutcome,
};
use crate::storage::Db;
use crate::storage::tenants::WhitelistRow;
use crate::testing::{
    AISP, ANY, FORM, LINK, POLL_AFTER, Provider, World, account, code, granted, manifests,
    new_session, pair, query, sca, state, state_with, step, transaction,
};
