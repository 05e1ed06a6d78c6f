//! The connector to the sandbox bank's counter for partners: deposits and credit cards, applied for step by step.
//!
//! Which step comes next is the bank's to say: it may want to see documents again, or ask where the money comes from.
//! Every call carries the engine's key of the step, so that a step handed over twice finds what the first time did.

use std::time::Duration;

use app::domain::product::{ProductKind, ProductStatus, ProductTerms};
use app::domain::session::Decision;
use async_trait::async_trait;
use chrono::NaiveDate;
use kernel::clock::Clock;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;

use super::wire::word;
use super::{Sandbox, SandboxBank, SandboxError};
use crate::skills::connector::*;
use crate::skills::outbound::{Outbound, Piped, ProviderResponse};

/// Time after which a caller asks again about a pending step.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// Names of steps in the manifests.
const KYC: &str = "kyc";
const SOURCE_OF_FUNDS: &str = "source_of_funds";
const CONTRACT: &str = "contract";

/// Runs skills whose manifest says `"connector": "sandbox_products"`.
pub struct Marketplace {
    bank: Sandbox,
}

/// State that is kept between steps.
#[derive(Clone, Serialize, Deserialize)]
struct ApplicationInProgress {
    application: Uuid,
    kind: ProductKind,
}

/// Content of a product's grant.
#[derive(Serialize, Deserialize)]
struct Key {
    product: Uuid,
    underway: ApplicationInProgress,
}

/// The bank's word on an application.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Application {
    status: String,
    reason: Option<String>,
    missing_documents: Vec<String>,
    offer: Terms,
}

impl Application {
    /// The offer as the product will say it once it is agreed on: the same names, whatever the bank's are.
    fn offered(self) -> Value {
        let terms = serde_json::to_value(ProductTerms::from(self.offer));
        let mut offer = terms.unwrap_or_default();
        if let Some(terms) = offer.as_object_mut() {
            terms.retain(|_, value| !value.is_null());
        }
        json!({ "offer": offer })
    }
}

/// A product as the bank describes it.
#[derive(Deserialize)]
struct Product {
    id: Uuid,
    kind: ProductKind,
    name: String,
    reference: String,
    status: ProductStatus,
    terms: Terms,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Terms {
    currency: String,
    principal: Option<String>,
    period_months: Option<i64>,
    interest_rate: Option<String>,
    starts_on: Option<NaiveDate>,
    matures_on: Option<NaiveDate>,
    maturity_amount: Option<String>,
    credit_limit: Option<String>,
}

impl Marketplace {
    pub(super) fn with_http(
        bank: SandboxBank,
        clock: Clock,
        http: Outbound,
    ) -> Result<Self, SandboxError> {
        Ok(Self {
            bank: Sandbox::with_http(bank, clock, http)?,
        })
    }

    /// `/products/v1/` and the given parts.
    fn address(&self, parts: &[&str]) -> Result<Url, ConnectorError> {
        let mut url = self.bank.address("/products/v1")?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend(parts);
        }
        Ok(url)
    }

    async fn call(
        &self,
        method: Method,
        parts: &[&str],
        body: Option<Value>,
    ) -> Result<ProviderResponse, ConnectorError> {
        let mut request = self.bank.as_client(method, self.address(parts)?);
        if let Some(body) = body {
            request = request.json(&body);
        }
        accepted(self.bank.http.send(request).await?)
    }

    /// Something done to an application; what the bank says of it then.
    async fn apply(
        &self,
        method: Method,
        application: Uuid,
        rest: &[&str],
        body: Option<Value>,
    ) -> Result<Application, ConnectorError> {
        let id = application.to_string();
        let mut parts = vec!["applications", &id];
        parts.extend(rest);
        self.call(method, &parts, body).await?.json()
    }

    /// The first step: what is wanted.
    async fn begin(&self, submission: &Submission) -> Result<Next, ConnectorError> {
        let data = &submission.data;
        let (kind, wanted) = if submission.step == "card_form" {
            let wanted = json!({ "product": "credit_card", "amount": data["limit"], "currency": data["currency"] });
            (ProductKind::CreditCard, wanted)
        } else {
            let months: Option<u32> = text(data, "period").parse().ok();
            let wanted = json!({ "product": "deposit", "amount": data["value"], "currency": data["currency"], "months": months });
            (ProductKind::Deposit, wanted)
        };
        let underway = ApplicationInProgress {
            application: submission.request_id,
            kind,
        };
        let said = self
            .apply(Method::PUT, underway.application, &[], Some(wanted))
            .await?;
        Ok(Next::Step {
            name: KYC.into(),
            data: said.offered(),
            bank_ref: Some(Opaque::of(&underway)?),
        })
    }

    /// Hands over the applicant; for a deposit the bank verifies them, for a card they sign with it.
    async fn know(&self, submission: &Submission) -> Result<Next, ConnectorError> {
        let underway = under_way(submission)?;
        if underway.kind == ProductKind::CreditCard {
            return self.sign(underway, submission).await;
        }
        let person = json!({ "person": submission.data });
        let part = submission.request_id.to_string();
        let said = self
            .apply(
                Method::PUT,
                underway.application,
                &["verifications", &part],
                Some(person),
            )
            .await?;
        Ok(Next::Pending {
            poll_after: LOOK_AGAIN,
            data: json!({ "documents": said.missing_documents }),
            bank_ref: Opaque::of(&underway)?,
        })
    }

    async fn explain_funds(&self, submission: &Submission) -> Result<Next, ConnectorError> {
        let underway = under_way(submission)?;
        let funds = json!({ "source": submission.data.get("source") });
        let said = self
            .apply(
                Method::PUT,
                underway.application,
                &["source-of-funds"],
                Some(funds),
            )
            .await?;
        Ok(Next::Step {
            name: CONTRACT.into(),
            data: said.offered(),
            bank_ref: Some(Opaque::of(&underway)?),
        })
    }

    async fn sign(
        &self,
        underway: ApplicationInProgress,
        submission: &Submission,
    ) -> Result<Next, ConnectorError> {
        let mut signature =
            json!({ "accepted": submission.data.get("accept"), "part": submission.request_id });
        if let (ProductKind::CreditCard, Some(fields)) = (underway.kind, signature.as_object_mut())
        {
            fields.insert("person".into(), submission.data.clone());
        }
        let id = underway.application.to_string();
        let product: Product = self
            .call(
                Method::PUT,
                &["applications", &id, "contract"],
                Some(signature),
            )
            .await?
            .json()?;
        let key = Key {
            product: product.id,
            underway,
        };
        Ok(Next::Done {
            granted: Granted {
                grant: Grant(Opaque::of(&key)?),
                valid_until: None,
            },
            data: json!({ "reference": product.reference, "product_status": product.status }),
        })
    }
}

#[async_trait]
impl Connector for Marketplace {
    async fn submit(&self, submission: Submission) -> Result<Next, ConnectorError> {
        match submission.step.as_str() {
            KYC => self.know(&submission).await,
            SOURCE_OF_FUNDS => self.explain_funds(&submission).await,
            CONTRACT => self.sign(under_way(&submission)?, &submission).await,
            _ => self.begin(&submission).await,
        }
    }

    async fn resume(&self, bank_ref: &Opaque) -> Result<VerificationOutcome, ConnectorError> {
        let underway: ApplicationInProgress = bank_ref.read()?;
        let said = self
            .apply(Method::GET, underway.application, &[], None)
            .await?;
        let reason = said.reason.as_deref().map_or_else(String::new, word);
        let status = said.status.clone();
        let next = |step: &str| {
            VerificationOutcome::Verified(Next::Step {
                name: step.into(),
                data: said.offered(),
                bank_ref: Some(bank_ref.clone()),
            })
        };
        Ok(match status.as_str() {
            "verifying" => VerificationOutcome::Undecided {
                poll_after: LOOK_AGAIN,
            },
            "ask_again" => VerificationOutcome::Refused { reason },
            "source_of_funds" => next(SOURCE_OF_FUNDS),
            "offered" => next(CONTRACT),
            "rejected" | "withdrawn" => VerificationOutcome::Failed { reason },
            _ => return Err(ConnectorError::BadAnswer("an unknown status")),
        })
    }

    async fn decide(&self, bank_ref: &Opaque, decision: Decision) -> Result<(), ConnectorError> {
        let underway: ApplicationInProgress = bank_ref.read()?;
        let body = json!({ "decision": decision });
        self.apply(
            Method::POST,
            underway.application,
            &["decision"],
            Some(body),
        )
        .await?;
        Ok(())
    }

    async fn document(
        &self,
        held: ConnectorState,
        document: Document,
    ) -> Result<(), ConnectorError> {
        let underway: ApplicationInProgress = match held {
            ConnectorState::InProgress(bank_ref) => bank_ref.read()?,
            ConnectorState::Granted(grant) => grant.0.read::<Key>()?.underway,
        };
        let (id, part) = (underway.application.to_string(), document.key.to_string());
        let parts = [
            "applications",
            &id,
            "parts",
            &part,
            "documents",
            &document.kind,
        ];
        let body = Piped::new(document.bytes, document.size);
        let request = self
            .bank
            .as_client(Method::PUT, self.address(&parts)?)
            .header(CONTENT_TYPE, document.media_type)
            .body(reqwest::Body::wrap(body));
        accepted(self.bank.http.send(request).await?)?;
        Ok(())
    }

    async fn stop(&self, bank_ref: &Opaque) -> Result<(), ConnectorError> {
        let underway: ApplicationInProgress = bank_ref.read()?;
        let id = underway.application.to_string();
        gone(
            self.call(Method::DELETE, &["applications", &id], None)
                .await,
        )
    }

    async fn finish(&self, _: ProviderCallback) -> Result<ConsentOutcome, ConnectorError> {
        Err(ConnectorError::BadAnswer("nobody is sent to its pages"))
    }

    async fn products(&self, grant: &Grant) -> Result<Vec<BankProduct>, ConnectorError> {
        let key: Key = grant.0.read()?;
        let id = key.product.to_string();
        let answer = self.call(Method::GET, &["products", &id], None).await;
        let answer = answer.map_err(|error| match error {
            // It is no longer shared with us.
            ConnectorError::Rejected { .. } => ConnectorError::Unauthorized,
            error => error,
        })?;
        let product: Product = answer.json()?;
        Ok(vec![product.into()])
    }

    async fn accounts(&self, _: &Grant) -> Result<Vec<BankAccount>, ConnectorError> {
        Err(ConnectorError::BadAnswer("a product has no accounts"))
    }

    async fn transactions(
        &self,
        _: &Grant,
        _: &str,
        _: PageRequest,
    ) -> Result<BankTransactionPage, ConnectorError> {
        Err(ConnectorError::BadAnswer("a product has no transactions"))
    }

    async fn revoke(&self, grant: &Grant) -> Result<(), ConnectorError> {
        let key: Key = grant.0.read()?;
        let id = key.product.to_string();
        gone(
            self.call(Method::DELETE, &["products", &id, "access"], None)
                .await,
        )
    }
}

fn under_way(submission: &Submission) -> Result<ApplicationInProgress, ConnectorError> {
    let kept = submission.bank_ref.as_ref();
    kept.ok_or(ConnectorError::BadAnswer("no application was begun"))?
        .read()
}

fn text<'a>(data: &'a Value, name: &str) -> &'a str {
    data.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Turns a rejection into success: if the bank no longer knows it, it has ended, as was wanted.
fn gone(answer: Result<ProviderResponse, ConnectorError>) -> Result<(), ConnectorError> {
    match answer {
        Ok(_) | Err(ConnectorError::Rejected { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Returns a successful answer, or the error that a refusal stands for.
fn accepted(answer: ProviderResponse) -> Result<ProviderResponse, ConnectorError> {
    #[derive(Deserialize)]
    struct No {
        error: String,
    }
    match answer.status {
        status if status.is_success() => Ok(answer),
        StatusCode::TOO_MANY_REQUESTS => Err(ConnectorError::TooManyRequests {
            retry_after: answer.retry_after(),
        }),
        StatusCode::SERVICE_UNAVAILABLE => Err(ConnectorError::Unavailable {
            retry_after: answer.retry_after(),
        }),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(ConnectorError::Forbidden),
        status if status.is_client_error() => {
            let no: No = answer.json()?;
            Err(ConnectorError::Rejected {
                code: word(&no.error),
            })
        }
        _ => Err(ConnectorError::BadAnswer("it is neither a yes nor a no")),
    }
}

impl From<Product> for BankProduct {
    fn from(product: Product) -> Self {
        Self {
            id: product.id.to_string(),
            kind: product.kind,
            status: product.status,
            name: product.name,
            reference: Some(product.reference),
            terms: product.terms.into(),
        }
    }
}

impl From<Terms> for ProductTerms {
    fn from(terms: Terms) -> Self {
        Self {
            currency: terms.currency,
            principal: terms.principal,
            period_months: terms.period_months,
            interest_rate: terms.interest_rate,
            starts_on: terms.starts_on,
            matures_on: terms.matures_on,
            maturity_amount: terms.maturity_amount,
            credit_limit: terms.credit_limit,
        }
    }
}
