//! A provider whose answers a test writes, and the skills that lead to it.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use app::domain::account::BalanceType;
use app::domain::transaction::BookingStatus;
use async_trait::async_trait;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use super::step;
use crate::services::sessions::steps::NewStep;
use crate::skills::{
    BankAccount, BankBalance, BankTransaction, BankTransactionPage, Connector, ConnectorError,
    ConsentOutcome, Grant, Granted, Next, Opaque, PageRequest, ProviderCallback, Submission,
    VerificationOutcome,
};

pub const AISP: &str = "xyz_aisp_sbx_#1.0";
pub const FORM: &str = "xyz_sbx_#3.0";
/// Two steps, each of which may lead anywhere.
pub const ANY: &str = "xyz_any_sbx_#1.0";
pub const LINK: &str = "myapp://return";
/// Interval after which the provider wants to be asked again.
pub const POLL_AFTER: std::time::Duration = std::time::Duration::from_secs(5);

/// A provider that does what the test says, and what a good one would do where the test says nothing.
pub struct Provider {
    pub submits: Mutex<VecDeque<Result<Next, ConnectorError>>>,
    /// Scripted verdicts on a verification; `Pending` when there is none left.
    pub verdicts: Mutex<VecDeque<Result<VerificationOutcome, ConnectorError>>>,
    pub finishes: Mutex<VecDeque<Result<ConsentOutcome, ConnectorError>>>,
    /// `state` of the last redirect.
    pub sent: Mutex<String>,
    pub accounts: Mutex<Vec<BankAccount>>,
    pub pages: Mutex<Vec<Vec<BankTransaction>>>,
    /// Entries that cannot be read, on each page.
    pub unreadable: Mutex<Vec<crate::skills::UnreadableEntry>>,
    /// Pages of the accounts that have their own in place of `pages`, by account id.
    pub own_pages: Mutex<HashMap<String, Vec<Vec<BankTransaction>>>>,
    /// The request id of each submission.
    pub keys: Mutex<Vec<uuid::Uuid>>,
    /// `true` if the last page leads back to the first.
    pub in_circles: AtomicBool,
    /// Error that reading accounts fails with, while there is one.
    pub down: Mutex<Option<ConnectorError>>,
    pub submitted: AtomicUsize,
    pub asked: AtomicUsize,
    pub stopped: AtomicUsize,
    pub fetched: AtomicUsize,
    /// Pages asked for.
    pub paged: AtomicUsize,
    pub revoked: AtomicUsize,
    /// Gate that every call passes; without permits the calls wait.
    pub gate: Semaphore,
}

impl Provider {
    /// Returns a provider with one account and two pages of transactions.
    pub fn new() -> Self {
        Self {
            submits: Mutex::default(),
            verdicts: Mutex::default(),
            finishes: Mutex::default(),
            sent: Mutex::default(),
            accounts: Mutex::new(vec![account("acc-1", "RO00TEST0000000000000001")]),
            pages: Mutex::new(vec![
                vec![
                    transaction("t3", "-12.50", "2026-01-03"),
                    transaction("t2", "4.27", "2026-01-02"),
                ],
                vec![transaction("t1", "1000.00", "2025-12-31")],
            ]),
            unreadable: Mutex::default(),
            own_pages: Mutex::default(),
            keys: Mutex::default(),
            in_circles: AtomicBool::new(false),
            down: Mutex::default(),
            submitted: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            stopped: AtomicUsize::new(0),
            fetched: AtomicUsize::new(0),
            paged: AtomicUsize::new(0),
            revoked: AtomicUsize::new(0),
            gate: Semaphore::new(1_000),
        }
    }
}

#[async_trait]
impl Connector for Provider {
    async fn submit(&self, submission: Submission) -> Result<Next, ConnectorError> {
        self.keys.lock().unwrap().push(submission.request_id);
        self.submitted.fetch_add(1, Ordering::SeqCst);
        drop(self.gate.acquire().await);
        if let Some(scripted) = self.submits.lock().unwrap().pop_front() {
            return scripted;
        }
        let state = submission.return_state.state.expose_secret().to_owned();
        let url = format!("https://bank.example.com/sca?state={state}");
        *self.sent.lock().unwrap() = state;
        Ok(Next::Redirect {
            url,
            bank_ref: Opaque::new(b"consent-1".to_vec()),
        })
    }

    async fn resume(&self, bank_ref: &Opaque) -> Result<VerificationOutcome, ConnectorError> {
        assert_eq!(bank_ref.expose(), b"case-1");
        self.asked.fetch_add(1, Ordering::SeqCst);
        drop(self.gate.acquire().await);
        let scripted = self.verdicts.lock().unwrap().pop_front();
        scripted.unwrap_or(Ok(VerificationOutcome::Undecided {
            poll_after: POLL_AFTER,
        }))
    }

    async fn stop(&self, _: &Opaque) -> Result<(), ConnectorError> {
        self.stopped.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    async fn finish(&self, returned: ProviderCallback) -> Result<ConsentOutcome, ConnectorError> {
        assert_eq!(returned.bank_ref.expose(), b"consent-1");
        drop(self.gate.acquire().await);
        if let Some(scripted) = self.finishes.lock().unwrap().pop_front() {
            return scripted;
        }
        Ok(ConsentOutcome::Consented(Next::done(granted())))
    }

    async fn accounts(&self, _: &Grant) -> Result<Vec<BankAccount>, ConnectorError> {
        self.fetched.fetch_add(1, Ordering::SeqCst);
        if let Some(error) = self.down.lock().unwrap().clone() {
            return Err(error);
        }
        Ok(self.accounts.lock().unwrap().clone())
    }

    async fn transactions(
        &self,
        _: &Grant,
        account: &str,
        page: PageRequest,
    ) -> Result<BankTransactionPage, ConnectorError> {
        self.paged.fetch_add(1, Ordering::SeqCst);
        drop(self.gate.acquire().await);
        // Like a bank's own link: the first request's parameters travel along.
        let (at, from) = match page {
            PageRequest::First { from } => (0, from),
            PageRequest::Next(link) => {
                let (at, from) = link.split_once('/').unwrap();
                (at.parse().unwrap(), from.parse().ok())
            }
        };
        let own = self.own_pages.lock().unwrap().get(account).cloned();
        let pages = own.unwrap_or_else(|| self.pages.lock().unwrap().clone());
        let mut transactions: Vec<_> = pages.get(at).cloned().unwrap_or_default();
        transactions.retain(|one| one.booking_date.is_none() || from <= one.booking_date);
        let from = from.map(|from| from.to_string()).unwrap_or_default();
        Ok(BankTransactionPage {
            transactions,
            unreadable: self.unreadable.lock().unwrap().clone(),
            next: match at + 1 {
                next if next < pages.len() => Some(format!("{next}/{from}")),
                _ if self.in_circles.load(Ordering::SeqCst) => Some(format!("0/{from}")),
                _ => None,
            },
        })
    }

    async fn revoke(&self, _: &Grant) -> Result<(), ConnectorError> {
        self.revoked.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}

pub fn granted() -> Granted {
    Granted {
        grant: Grant(Opaque::new(b"grant-1".to_vec())),
        valid_until: None,
    }
}

pub fn account(id: &str, iban: &str) -> BankAccount {
    BankAccount {
        id: id.into(),
        iban: Some(iban.into()),
        bic: Some("TESTROBU".into()),
        currency: "RON".into(),
        name: Some("Everyday".into()),
        product: None,
        cash_account_type: Some("CACC".into()),
        usage: None,
        balances: vec![BankBalance {
            balance_type: BalanceType::InterimAvailable,
            amount: "-150.00".parse().unwrap(),
            currency: "RON".into(),
            credit_limit_included: false,
            reference_date: None,
            changed_at: None,
        }],
    }
}

pub fn transaction(id: &str, amount: &str, day: &str) -> BankTransaction {
    BankTransaction {
        id: Some(id.into()),
        entry_reference: None,
        status: BookingStatus::Booked,
        amount: amount.parse().unwrap(),
        currency: "RON".into(),
        booking_date: Some(day.parse().unwrap()),
        value_date: None,
        creditor: Some(crate::skills::Counterparty {
            name: Some("Corner Shop".into()),
            iban: None,
        }),
        debtor: None,
        remittance: Some("Card purchase".into()),
        end_to_end_id: None,
        bank_transaction_code: None,
        merchant_category_code: None,
        category: Some("shopping".into()),
        balance_after: None,
    }
}

pub fn sca() -> NewStep {
    step(AISP, "sca", json!({ "psu_redirect_link": LINK }))
}

pub fn manifests() -> Value {
    let link = json!({
        "type": "object",
        "properties": { "psu_redirect_link": { "type": "string" } },
        "required": ["psu_redirect_link"],
        "additionalProperties": false
    });
    let form = json!({
        "type": "object",
        "properties": { "value": { "type": "string" } },
        "required": ["value"],
        "additionalProperties": false
    });
    json!([
        {
            "names": [AISP], "title": "Accounts", "provider": { "code": "xyz", "name": "XYZ Bank" }, "country": "ro",
            "type": "account_information", "connector": "fake", "session_minutes": 1440, "data_contract": "Accounts.",
            "steps": [{ "name": "sca", "title": "Consent", "redirect": true, "last": true, "schema": link,
                        "example": { "psu_redirect_link": LINK } }]
        },
        {
            "names": [ANY], "title": "Anything", "provider": { "code": "xyz", "name": "XYZ Bank" },
            "type": "marketplace", "connector": "fake", "session_minutes": 1440, "data_contract": "Anything.",
            "steps": [
                { "name": "one", "title": "One", "redirect": true, "pending": true, "last": true, "schema": link,
                  "example": { "psu_redirect_link": LINK } },
                { "name": "two", "title": "Two", "redirect": true, "pending": true, "last": true, "schema": link,
                  "example": { "psu_redirect_link": LINK } }
            ]
        },
        {
            "names": [FORM], "title": "Deposit", "provider": { "code": "xyz", "name": "XYZ Bank" },
            "type": "marketplace", "connector": "fake", "session_minutes": 1440, "data_contract": "A deposit.",
            "steps": [
                { "name": "product_form", "title": "Form", "schema": form, "example": { "value": "1" } },
                { "name": "confirm", "title": "Confirm", "last": true, "schema": form, "example": { "value": "1" } }
            ]
        }
    ])
}
