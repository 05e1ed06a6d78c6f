//! A provider whose answers a test writes.

use super::*;

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
    /// Whether the last page leads back to the first.
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
