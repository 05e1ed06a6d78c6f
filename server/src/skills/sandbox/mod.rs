//! The connector to the sandbox bank: XS2A 1.3.12 with the OAuth approach, as the bank next door speaks it.
//!
//! The bank is known by its URL and by client id and secret, nothing else; a real bank in its place would see the
//! same calls.

mod accounts;
mod entries;
mod marketplace;
mod payments;
#[cfg(test)]
mod tests;
pub mod visitor;
pub(crate) mod wire;

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{Duration, NaiveDate, NaiveTime};
use kernel::clock::Clock;
use reqwest::header::HeaderValue;
use reqwest::{Method, RequestBuilder, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use url::Url;
use uuid::Uuid;

use super::connector::*;
use super::outbound::{Outbound, ProviderResponse};
use super::payment_intent;
use super::registry::Connectors;
use crate::metrics::Metrics;
use marketplace::Marketplace;

/// Longest duration of a consent under European rules, in days: 180 (Delegated Regulation (EU) 2022/2360).
const CONSENT_DAYS: i64 = 180;
/// Entries of a page: some 600 KB.
const PAGE: &str = "1000";

/// Address and client credentials of the bank.
#[derive(Clone)]
pub struct SandboxBank {
    /// Absolute URL without a path.
    pub url: String,
    pub client_id: String,
    pub client_secret: SecretString,
}

/// Runs skills whose manifest says `"connector": "sandbox"`.
pub struct Sandbox {
    bank: SandboxBank,
    base: Url,
    http: Outbound,
    clock: Clock,
}

/// Error of making the connector.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("the sandbox bank's URL is not one: {0}")]
    Url(#[from] url::ParseError),
    #[error("no client for calls to banks: {0}")]
    Client(#[from] reqwest::Error),
}

/// Returns the connectors that run the sandbox bank's skills, by the name manifests use.
pub fn connectors(
    bank: &SandboxBank,
    clock: &Clock,
    metrics: &Metrics,
) -> Result<Connectors, SandboxError> {
    let http = |connector| Outbound::new(connector, metrics);
    let accounts = Sandbox::with_http(bank.clone(), clock.clone(), http("sandbox")?)?;
    let products = http("sandbox_products")?;
    let products = Marketplace::with_http(bank.clone(), clock.clone(), products)?;
    Ok(Connectors::from([
        (
            "sandbox".to_owned(),
            Arc::new(accounts) as Arc<dyn Connector>,
        ),
        ("sandbox_products".to_owned(), Arc::new(products)),
    ]))
}

/// State that is kept during a redirect; its members tell which kind it is.
#[derive(Deserialize)]
#[serde(untagged)]
enum RedirectState {
    Payment(payments::PaymentInProgress),
    Consent(ConsentInProgress),
}

/// State that is kept while the end-user is at the bank.
#[derive(Serialize, Deserialize)]
struct ConsentInProgress {
    consent_id: String,
    /// PKCE (RFC 7636).
    verifier: String,
}

/// Content of a grant of accounts.
#[derive(Serialize, Deserialize)]
struct Key {
    consent_id: String,
    access_token: String,
}

impl Sandbox {
    /// A connector that is not measured.
    #[cfg(test)]
    fn new(bank: SandboxBank, clock: Clock) -> Result<Self, SandboxError> {
        let http = Outbound::new("sandbox", &Metrics::default())?;
        Self::with_http(bank, clock, http)
    }

    fn with_http(bank: SandboxBank, clock: Clock, http: Outbound) -> Result<Self, SandboxError> {
        let base = Url::parse(&bank.url)?;
        Ok(Self {
            bank,
            base,
            http,
            clock,
        })
    }

    /// An address of the bank. Links in its answers may be relative; none may lead to another host.
    fn address(&self, link: &str) -> Result<Url, ConnectorError> {
        let url = self.base.join(link).ok();
        url.filter(|url| url.origin() == self.base.origin())
            .ok_or(ConnectorError::BadAnswer("a link leads away from the bank"))
    }

    fn account_address(&self, account: &str, what: &str) -> Result<Url, ConnectorError> {
        let mut url = self.address("/v1/accounts")?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend([account, what]);
        }
        Ok(url)
    }

    /// A call. The bank takes the same `X-Request-ID` for the same call.
    fn request(&self, method: Method, address: Url, id: Uuid) -> RequestBuilder {
        let request = self.http.client().request(method, address);
        request.header("x-request-id", id.to_string())
    }

    /// A call as the registered client.
    fn as_client(&self, method: Method, address: Url) -> RequestBuilder {
        self.as_client_once(method, address, self.clock.id())
    }

    /// A call as the registered client, under an id of the caller's: sent again, it is no other call.
    fn as_client_once(&self, method: Method, address: Url, id: Uuid) -> RequestBuilder {
        let secret = self.bank.client_secret.expose_secret();
        self.request(method, address, id)
            .basic_auth(&self.bank.client_id, Some(secret))
    }

    /// A read with a grant.
    async fn read(&self, key: &Key, address: Url) -> Result<ProviderResponse, ConnectorError> {
        let request = self.request(Method::GET, address, self.clock.id());
        let request = request
            .bearer_auth(&key.access_token)
            .header("consent-id", &key.consent_id);
        success(self.http.send(request).await?)
    }

    async fn consent(&self, id: &str) -> Result<wire::ConsentResponse, ConnectorError> {
        let mut url = self.address("/v1/consents")?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(id);
        }
        success(self.http.send(self.as_client(Method::GET, url)).await?)?.json()
    }

    async fn ask_consent(
        &self,
        submission: &Submission,
    ) -> Result<wire::NewConsent, ConnectorError> {
        let longest = submission.asker.now + Duration::days(CONSENT_DAYS);
        let last_day = submission.asker.until.min(longest).date_naive();
        let ask = json!({
            "access": { "accounts": [], "balances": [], "transactions": [] },
            "recurringIndicator": true,
            "validUntil": last_day,
            "frequencyPerDay": 4,
            "combinedServiceIndicator": false,
        });
        let request = self.as_client(Method::POST, self.address("/v1/consents")?);
        let request = Self::for_psu(request, submission).json(&ask);
        success(self.http.send(request).await?)?.json()
    }

    /// Adds the headers that tell the bank of the end-user who is to consent, and of the address to redirect them to.
    fn for_psu(request: RequestBuilder, submission: &Submission) -> RequestBuilder {
        let mut request = request
            .header("tpp-redirect-uri", &submission.return_state.callback)
            .header("tpp-redirect-preferred", "true");
        // In UTF-8, as names are: a value of bytes is what a header may carry (RFC 9110, section 5.5).
        if let Ok(name) = HeaderValue::from_bytes(submission.asker.name.as_bytes()) {
            request = request.header("tpp-brand-logging-information", name);
        }
        // The specification knows IPv4 addresses only.
        if let Some(ip) = submission.psu.ip.filter(std::net::IpAddr::is_ipv4) {
            request = request.header("psu-ip-address", ip.to_string());
        }
        if let Some(agent) = &submission.psu.user_agent {
            request = request.header("psu-user-agent", agent);
        }
        request
    }

    /// Redeems a code at the token endpoint.
    async fn redeem(
        &self,
        returned: &ProviderCallback,
        verifier: &str,
    ) -> Result<ProviderResponse, ConnectorError> {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", returned.code.expose_secret()),
            ("redirect_uri", returned.callback.as_str()),
            ("code_verifier", verifier),
        ];
        let address = self.address("/token")?;
        let request = self.as_client(Method::POST, address).form(&form);
        self.http.send(request).await
    }

    /// The bank's page, with an authorization request (RFC 6749, section 4.1.1).
    fn authorization(
        &self,
        page: &str,
        scope: &str,
        back: &RedirectTarget,
        verifier: &str,
    ) -> Result<String, ConnectorError> {
        // End-users may reach the bank at another address than we do: any web address will do here.
        let mut page = Url::parse(page)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https"))
            .ok_or(ConnectorError::BadAnswer("its page has no web address"))?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        page.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", self.bank.client_id.as_str()),
            ("redirect_uri", back.callback.as_str()),
            ("scope", scope),
            ("state", back.state.expose_secret()),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ]);
        Ok(page.into())
    }
}

#[async_trait]
impl Connector for Sandbox {
    async fn submit(&self, submission: Submission) -> Result<Next, ConnectorError> {
        if submission.step == payment_intent::STEP {
            return self.order(submission).await;
        }
        let consent = self.ask_consent(&submission).await?;
        let verifier = self.clock.token();
        let scope = format!("AIS:{}", consent.consent_id);
        let page = &consent.links.sca_oauth.href;
        let url = self.authorization(page, &scope, &submission.return_state, &verifier)?;
        let bank_ref = Opaque::of(&ConsentInProgress {
            consent_id: consent.consent_id,
            verifier,
        })?;
        Ok(Next::Redirect { url, bank_ref })
    }

    async fn finish(&self, returned: ProviderCallback) -> Result<ConsentOutcome, ConnectorError> {
        let ConsentInProgress {
            consent_id,
            verifier,
        } = match returned.bank_ref.read()? {
            RedirectState::Payment(underway) => {
                return self.finish_payment(&underway, &returned).await;
            }
            RedirectState::Consent(underway) => underway,
        };
        let token = token_answer(self.redeem(&returned, &verifier).await?)?;
        let token: wire::TokenResponse = token.json()?;
        let consent = self.consent(&consent_id).await?;
        if consent.consent_status != "valid" {
            return Ok(ConsentOutcome::Refused {
                reason: wire::word(&consent.consent_status),
            });
        }
        let grant = Opaque::of(&Key {
            consent_id,
            access_token: token.access_token,
        })?;
        Ok(ConsentOutcome::Consented(Next::done(Granted {
            grant: Grant(grant),
            // The last day is included.
            valid_until: end_of(consent.valid_until),
        })))
    }

    async fn accounts(&self, grant: &Grant) -> Result<Vec<BankAccount>, ConnectorError> {
        let address = self.address("/v1/accounts?withBalance=true")?;
        let list: wire::Accounts = self.read(&grant.0.read()?, address).await?.json()?;
        list.read()
    }

    async fn transactions(
        &self,
        grant: &Grant,
        account: &str,
        page: PageRequest,
    ) -> Result<BankTransactionPage, ConnectorError> {
        let address = match page {
            PageRequest::First { from } => {
                let mut address = self.account_address(account, "transactions")?;
                address.query_pairs_mut().extend_pairs([
                    ("bookingStatus", "both"),
                    ("dateFrom", &from.unwrap_or_default().to_string()),
                    ("itemsPerPage", PAGE),
                ]);
                address
            }
            PageRequest::Next(link) => self.address(&link)?,
        };
        let report: wire::TransactionReport = self.read(&grant.0.read()?, address).await?.json()?;
        let report = report.transactions;
        let next = report.next().map(|link| self.address(link)).transpose()?;
        let (transactions, unreadable) = report.read();
        Ok(BankTransactionPage {
            transactions,
            unreadable,
            next: next.map(String::from),
        })
    }

    async fn revoke(&self, grant: &Grant) -> Result<(), ConnectorError> {
        let Ok(key) = grant.0.read::<Key>() else {
            // The grant of a payment opens nothing but its status; giving it up does not call the payment off.
            return grant.0.read::<payments::PaymentLocation>().map(|_| ());
        };
        let mut url = self.address("/v1/consents")?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.push(&key.consent_id);
        }
        match success(self.http.send(self.as_client(Method::DELETE, url)).await?) {
            // The bank no longer knows the consent: that is what was wanted.
            Ok(_) | Err(ConnectorError::Unauthorized) => Ok(()),
            Err(error) => Err(error),
        }
    }

    async fn settle(
        &self,
        bank_ref: &Opaque,
        close: bool,
    ) -> Result<Option<ConsentOutcome>, ConnectorError> {
        match bank_ref.read()? {
            RedirectState::Payment(underway) => self.settle_payment(&underway, close).await,
            // A consent that nobody comes back with opens nothing: the token is in the code.
            RedirectState::Consent(_) => Ok(close.then(|| ConsentOutcome::Refused {
                reason: "access_denied".into(),
            })),
        }
    }

    async fn payment(&self, grant: &Grant) -> Result<BankPayment, ConnectorError> {
        self.read_payment(&grant.0.read()?).await
    }

    async fn cancel_payment(&self, grant: &Grant) -> Result<Cancellation, ConnectorError> {
        self.cancel(&grant.0.read()?).await
    }
}

fn end_of(last_day: NaiveDate) -> Option<chrono::DateTime<chrono::Utc>> {
    Some(last_day.succ_opt()?.and_time(NaiveTime::MIN).and_utc())
}

/// An answer that says yes, or the error that its no means (Implementation Guidelines 4.13).
fn success(answer: ProviderResponse) -> Result<ProviderResponse, ConnectorError> {
    if answer.status.is_success() {
        return Ok(answer);
    }
    let code = wire::message_code(&answer.body);
    Err(match (answer.status, code.as_str()) {
        (StatusCode::TOO_MANY_REQUESTS, _) => ConnectorError::TooManyRequests {
            retry_after: answer.retry_after(),
        },
        (StatusCode::SERVICE_UNAVAILABLE, _) => ConnectorError::Unavailable {
            retry_after: answer.retry_after(),
        },
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, code)
            if code.starts_with("CONSENT_") || code.starts_with("TOKEN_") =>
        {
            ConnectorError::Unauthorized
        }
        (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN, code) => {
            tracing::error!(
                code,
                "the sandbox bank does not accept this server as a client"
            );
            ConnectorError::Forbidden
        }
        (status, _) if status.is_client_error() => ConnectorError::Rejected { code },
        _ => ConnectorError::BadAnswer("it is neither a yes nor a no"),
    })
}

/// Reads an answer of the token endpoint, which has errors of its own (RFC 6749, section 5.2); otherwise as
/// [`success`].
fn token_answer(answer: ProviderResponse) -> Result<ProviderResponse, ConnectorError> {
    match answer.status {
        StatusCode::BAD_REQUEST => Err(ConnectorError::Rejected {
            code: wire::oauth_error(&answer.body),
        }),
        StatusCode::UNAUTHORIZED => Err(ConnectorError::Forbidden),
        _ => success(answer),
    }
}
