//! The table of the API's operations: what opens each, what it is about, and what a stranger who names somebody else's
//! hears. An operation that is not here fails the test.

use serde_json::{Value, json};

use crate::world::{RETURN, SKILL};

/// Keys that an operation is called with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Nothing is read from anybody.
    Open,
    /// Nothing is needed; a tenant's keys are checked if sent.
    Anyone,
    /// `client_app_key`, or `client_secret` from a server.
    App,
    /// The nonce of the session.
    Nonce,
    /// `client_secret`.
    Server,
    /// `client_secret` and a pair whose consent is alive.
    Data,
    /// `client_secret` and a pair, dead or alive: a consent may be asked about and deleted after its end.
    Consent,
}

/// Kind of object that an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    Nothing,
    Session,
    /// A step that was submitted, with the nonce it was submitted with.
    Step,
    TempToken,
    Consent,
    /// A future-dated one, with its pair.
    Payment,
}

/// Object of the tenant's own that an operation is about, with its ids and secrets; those it does not have are empty.
#[derive(Clone, Debug, Default)]
pub struct Made {
    pub session_id: String,
    pub step_id: String,
    pub nonce: String,
    pub temp_token: String,
    pub credentials_id: String,
    pub access_token: String,
    pub payment_id: String,
}

/// One line of the table.
pub struct Line {
    /// Method and path, as the OpenAPI has them.
    pub operation: &'static str,
    pub lock: Lock,
    pub thing: Thing,
    /// `true` if a success uses the object up.
    pub spends: bool,
    /// Status, and code of an error, that the right caller gets.
    pub right: &'static str,
    /// Status, and code of an error, for a caller with valid keys who names somebody else's object.
    pub foreign: &'static str,
    /// Fields that are sent besides keys and the pair: the body, or the query of a call without one.
    pub fields: fn(&Made) -> Value,
}

const fn line(
    operation: &'static str,
    lock: Lock,
    thing: Thing,
    foreign: &'static str,
    fields: fn(&Made) -> Value,
) -> Line {
    Line {
        operation,
        lock,
        thing,
        spends: false,
        right: "200",
        foreign,
        fields,
    }
}

const fn once(mut line: Line) -> Line {
    line.spends = true;
    line
}

const fn answers(mut line: Line, right: &'static str) -> Line {
    line.right = right;
    line
}

fn nothing(_: &Made) -> Value {
    json!({})
}

fn open(_: &Made) -> Value {
    json!({"skill": SKILL})
}

fn step(made: &Made) -> Value {
    json!({"nonce": made.nonce, "skill": SKILL, "step": "sca", "data": {"psu_redirect_link": RETURN}})
}

fn nonce(made: &Made) -> Value {
    json!({"nonce": made.nonce})
}

fn token(made: &Made) -> Value {
    json!({"temp_token": made.temp_token})
}

fn kind(made: &Made) -> Value {
    json!({"nonce": made.nonce, "kind": "identity_document"})
}

const NO_STEP: &str = "404 not_found";
/// The step of an account consent takes no files, which is told to nobody but its owner.
const NO_FILES: &str = "400 invalid_field";
/// An account consent has no products, which is said to whoever holds its pair.
const NO_PRODUCTS: &str = "400 wrong_kind_of_consent";
const NO_SESSION: &str = "404 invalid_session_id";
const NO_TOKEN: &str = "401 invalid_temp_token";
const NO_CONSENT: &str = "401 invalid_credentials_id";

/// Every operation.
pub const OPERATIONS: &[Line] = &[
    line("GET /livez", Lock::Open, Thing::Nothing, "200", nothing),
    line("GET /readyz", Lock::Open, Thing::Nothing, "200", nothing),
    // Banks send browsers here; what authorises is the one-time state.
    answers(
        line(
            "GET /v1/redirects/{kind}",
            Lock::Open,
            Thing::Nothing,
            "400",
            nothing,
        ),
        "400",
    ),
    line(
        "GET /v1/catalog/skills",
        Lock::Anyone,
        Thing::Nothing,
        "200",
        nothing,
    ),
    line(
        "GET /v1/catalog/skills/{skill}",
        Lock::Anyone,
        Thing::Nothing,
        "200",
        nothing,
    ),
    line(
        "GET /v1/catalog/servicers",
        Lock::Anyone,
        Thing::Nothing,
        "200",
        nothing,
    ),
    line(
        "POST /v1/catalogs/get",
        Lock::Anyone,
        Thing::Nothing,
        "200",
        nothing,
    ),
    line("POST /v1/sessions", Lock::App, Thing::Nothing, "200", open),
    once(line(
        "POST /v1/sessions/{session_id}/steps",
        Lock::Nonce,
        Thing::Session,
        NO_SESSION,
        step,
    )),
    line(
        "POST /v1/sessions/{session_id}/get",
        Lock::App,
        Thing::Session,
        NO_SESSION,
        nonce,
    ),
    once(line(
        "POST /v1/sessions/{session_id}/cancel",
        Lock::App,
        Thing::Session,
        NO_SESSION,
        nonce,
    )),
    answers(
        line(
            "POST /v1/steps/{step_id}/upload",
            Lock::Nonce,
            Thing::Step,
            NO_STEP,
            kind,
        ),
        NO_FILES,
    ),
    answers(
        line(
            "POST /v1/sessions/{session_id}/steps/{step_id}/upload",
            Lock::Nonce,
            Thing::Step,
            NO_SESSION,
            kind,
        ),
        NO_FILES,
    ),
    once(line(
        "POST /v1/token",
        Lock::Server,
        Thing::TempToken,
        NO_TOKEN,
        token,
    )),
    once(line(
        "POST /v1/tokens",
        Lock::Server,
        Thing::TempToken,
        NO_TOKEN,
        token,
    )),
    line(
        "GET /v1/accounts",
        Lock::Data,
        Thing::Consent,
        NO_CONSENT,
        nothing,
    ),
    line(
        "POST /v1/accounts",
        Lock::Data,
        Thing::Consent,
        NO_CONSENT,
        nothing,
    ),
    line(
        "POST /v1/accounts/get",
        Lock::Data,
        Thing::Consent,
        NO_CONSENT,
        nothing,
    ),
    line(
        "GET /v1/balances",
        Lock::Data,
        Thing::Consent,
        NO_CONSENT,
        nothing,
    ),
    line(
        "POST /v1/balances/get",
        Lock::Data,
        Thing::Consent,
        NO_CONSENT,
        nothing,
    ),
    line(
        "GET /v1/transactions",
        Lock::Data,
        Thing::Consent,
        NO_CONSENT,
        nothing,
    ),
    line(
        "POST /v1/transactions",
        Lock::Data,
        Thing::Consent,
        NO_CONSENT,
        nothing,
    ),
    line(
        "POST /v1/transactions/get",
        Lock::Data,
        Thing::Consent,
        NO_CONSENT,
        nothing,
    ),
    answers(
        line(
            "GET /v1/products",
            Lock::Data,
            Thing::Consent,
            NO_CONSENT,
            nothing,
        ),
        NO_PRODUCTS,
    ),
    answers(
        line(
            "POST /v1/products/get",
            Lock::Data,
            Thing::Consent,
            NO_CONSENT,
            nothing,
        ),
        NO_PRODUCTS,
    ),
    line(
        "POST /v1/payments/get",
        Lock::Data,
        Thing::Payment,
        NO_CONSENT,
        nothing,
    ),
    line(
        "GET /v1/payments/{id}",
        Lock::Data,
        Thing::Payment,
        NO_CONSENT,
        nothing,
    ),
    once(line(
        "POST /v1/payments/cancel",
        Lock::Data,
        Thing::Payment,
        NO_CONSENT,
        nothing,
    )),
    once(line(
        "DELETE /v1/payments/{id}",
        Lock::Data,
        Thing::Payment,
        NO_CONSENT,
        nothing,
    )),
    line(
        "POST /v1/transactions/sync",
        Lock::Data,
        Thing::Consent,
        NO_CONSENT,
        nothing,
    ),
    line(
        "POST /v1/consents/list",
        Lock::Server,
        Thing::Nothing,
        "200",
        nothing,
    ),
    line(
        "GET /v1/consents",
        Lock::Server,
        Thing::Nothing,
        "200",
        nothing,
    ),
    line(
        "POST /v1/consents/extend",
        Lock::Data,
        Thing::Consent,
        NO_CONSENT,
        nothing,
    ),
    line(
        "POST /v1/consents/get",
        Lock::Consent,
        Thing::Consent,
        NO_CONSENT,
        nothing,
    ),
    once(line(
        "POST /v1/consents/delete",
        Lock::Consent,
        Thing::Consent,
        NO_CONSENT,
        nothing,
    )),
    line(
        "GET /v1/consents/{credentials_id}",
        Lock::Consent,
        Thing::Consent,
        NO_CONSENT,
        nothing,
    ),
    once(line(
        "DELETE /v1/consents/{credentials_id}",
        Lock::Consent,
        Thing::Consent,
        NO_CONSENT,
        nothing,
    )),
];
