//! Payments at the sandbox bank: single, future-dated, periodic and bulk, in EUR and RON.
//!
//! The bank is asked what became of a payment, whatever the end-user's browser says: a payment that was authorised is
//! never given up as refused, and one that is given up is cancelled first, so that nobody can authorise it afterwards.

use app::domain::payment::PaymentStatus;
use kernel::crypto::named_uuid;
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use super::{Sandbox, success, token_answer, wire};
use crate::skills::connector::*;
use crate::skills::payment_intent::{PaymentInfo, PaymentIntent, Transfer};

/// State that is kept while the end-user is at the bank.
#[derive(Serialize, Deserialize)]
pub struct PaymentInProgress {
    payment: PaymentLocation,
    /// PKCE (RFC 7636).
    verifier: String,
}

/// Location of a payment at the bank. A payment's grant holds nothing else, as the bank asks for no token.
#[derive(Serialize, Deserialize)]
pub struct PaymentLocation {
    service: String,
    product: String,
    payment_id: String,
}

/// End-user's decision on a payment.
enum Decision {
    /// Not decided yet.
    Open,
    /// Authorised, whatever happened to the payment since.
    Yes,
    No(PaymentStatus),
}

impl Decision {
    const fn of(status: PaymentStatus) -> Self {
        match status {
            PaymentStatus::Received | PaymentStatus::PartiallyAcceptedTechnical => Self::Open,
            PaymentStatus::Rejected | PaymentStatus::Cancelled => Self::No(status),
            _ => Self::Yes,
        }
    }
}

impl Sandbox {
    /// Orders a payment. Ordering the same again for the same step is the same payment at the bank.
    pub(super) async fn order(&self, submission: Submission) -> Result<Next, ConnectorError> {
        let intent = PaymentIntent::read(&submission.data)
            .ok_or(ConnectorError::BadAnswer("the step's data is no payment"))?;
        let info = intent.info();
        let (service, product) = (service(info), product(info.currency()));
        let order = order(info);
        // Corrected data is another order. The first, whose page nobody was sent to, runs out.
        let id = named_uuid(&format!(
            "{}/{service}/{product}/{order}",
            submission.request_id
        ));
        let address = self.address(&format!("/v1/{service}/{product}"))?;
        let request = self.as_client_once(Method::POST, address, id);
        let mut request = Self::for_psu(request, &submission).json(&order);
        if let Some(psu) = &intent.psu_id {
            request = request.header("psu-id", psu);
        }
        let ordered: wire::NewPayment = success(self.http.send(request).await?)?.json()?;
        let verifier = self.clock.token();
        let scope = format!("PIS:{}", ordered.payment_id);
        let page = &ordered.links.sca_oauth.href;
        let url = self.authorization(page, &scope, &submission.return_state, &verifier)?;
        let bank_ref = Opaque::of(&PaymentInProgress {
            payment: PaymentLocation {
                service: service.to_owned(),
                product: product.to_owned(),
                payment_id: ordered.payment_id,
            },
            verifier,
        })?;
        Ok(Next::Redirect { url, bank_ref })
    }

    /// Finishes the redirect of a payment. A code that the bank does not take says nothing about the payment, which counts
    /// if it was authorised; but nothing about who came back, either.
    pub(super) async fn finish_payment(
        &self,
        underway: &PaymentInProgress,
        returned: &ProviderCallback,
    ) -> Result<ConsentOutcome, ConnectorError> {
        let redeemed = self.redeem(returned, &underway.verifier).await;
        let proved = match redeemed.and_then(token_answer) {
            Ok(_) => true,
            Err(error) if error.is_passing() => return Err(error),
            Err(_) => false,
        };
        let settled = self.settle_payment(underway, true).await?;
        match settled {
            Some(ConsentOutcome::Consented(next)) if !proved => Ok(ConsentOutcome::Settled(next)),
            Some(settled) => Ok(settled),
            None => Err(ConnectorError::BadAnswer(
                "the payment is neither open nor closed",
            )),
        }
    }

    /// Asks for the result of a payment; `None` if it is undecided. With `close`, an undecided one is cancelled.
    pub(super) async fn settle_payment(
        &self,
        underway: &PaymentInProgress,
        close: bool,
    ) -> Result<Option<ConsentOutcome>, ConnectorError> {
        let place = &underway.payment;
        let mut decision = Decision::of(self.status(place).await?);
        if close && matches!(decision, Decision::Open) {
            // Too late for that means that it was decided in this very moment.
            decision = match self.cancel(place).await? {
                Cancellation::Cancelled => Decision::No(PaymentStatus::Cancelled),
                Cancellation::TooLate => Decision::of(self.status(place).await?),
            };
        }
        Ok(match decision {
            Decision::Open => None,
            Decision::No(status) => Some(ConsentOutcome::Refused {
                reason: status.as_str().to_owned(),
            }),
            Decision::Yes => Some(ConsentOutcome::Consented(Next::done(Granted {
                grant: Grant(Opaque::of(place)?),
                valid_until: None,
            }))),
        })
    }

    pub(super) async fn read_payment(
        &self,
        place: &PaymentLocation,
    ) -> Result<BankPayment, ConnectorError> {
        let request = self.as_client(Method::GET, self.payment_address(place, None)?);
        let payment: wire::PaymentResponse =
            asked(success(self.http.send(request).await?))?.json()?;
        payment.read()
    }

    pub(super) async fn cancel(
        &self,
        place: &PaymentLocation,
    ) -> Result<Cancellation, ConnectorError> {
        let request = self.as_client(Method::DELETE, self.payment_address(place, None)?);
        let answer = self.http.send(request).await?;
        match answer.status {
            StatusCode::NO_CONTENT => Ok(Cancellation::Cancelled),
            StatusCode::METHOD_NOT_ALLOWED => Ok(Cancellation::TooLate),
            _ => asked(success(answer)).and(Err(ConnectorError::BadAnswer(
                "a cancellation is done or refused",
            ))),
        }
    }

    async fn status(&self, place: &PaymentLocation) -> Result<PaymentStatus, ConnectorError> {
        let request = self.as_client(Method::GET, self.payment_address(place, Some("status"))?);
        let status: wire::PaymentState = asked(success(self.http.send(request).await?))?.json()?;
        wire::payment_status(&status.transaction_status)
    }

    fn payment_address(
        &self,
        place: &PaymentLocation,
        what: Option<&str>,
    ) -> Result<Url, ConnectorError> {
        let mut url = self.address("/v1")?;
        if let Ok(mut path) = url.path_segments_mut() {
            path.extend([&place.service, &place.product, &place.payment_id]);
            path.extend(what);
        }
        Ok(url)
    }
}

/// A refusal to answer about a payment we ordered is no word about the payment: it may be asked again.
fn asked<T>(answer: Result<T, ConnectorError>) -> Result<T, ConnectorError> {
    answer.map_err(|error| match error {
        ConnectorError::Rejected { .. }
        | ConnectorError::Unauthorized
        | ConnectorError::Forbidden => {
            ConnectorError::BadAnswer("it says nothing about a payment it took")
        }
        other => other,
    })
}

fn service(info: &PaymentInfo) -> &'static str {
    match (&info.frequency, info.transfers.len()) {
        (Some(_), _) => "periodic-payments",
        (None, 1) => "payments",
        (None, _) => "bulk-payments",
    }
}

/// The bank has a product for each of the currencies that the step's schema lets through.
fn product(currency: &str) -> &'static str {
    match currency {
        "EUR" => "sepa-credit-transfers",
        _ => "domestic-credit-transfers",
    }
}

/// The order in the Berlin Group's words.
fn order(info: &PaymentInfo) -> Value {
    let mut order = match (&info.frequency, info.transfers.as_slice()) {
        (_, [one]) => transfer(one, info),
        (_, several) => {
            let payments: Vec<Value> = several
                .iter()
                .map(|one| Value::Object(transfer(one, info)))
                .collect();
            Map::from_iter([("payments".to_owned(), Value::Array(payments))])
        }
    };
    let debtor = info.debtor_account.as_ref();
    put(
        &mut order,
        "debtorAccount",
        debtor.map(|account| json!({ "iban": account.iban, "currency": info.currency() })),
    );
    put(
        &mut order,
        "requestedExecutionDate",
        info.requested_execution_date,
    );
    put(&mut order, "frequency", info.frequency.as_ref());
    put(&mut order, "startDate", info.start_date);
    put(&mut order, "endDate", info.end_date);
    put(&mut order, "dayOfExecution", info.day_of_execution.as_ref());
    put(&mut order, "executionRule", info.execution_rule.as_ref());
    Value::Object(order)
}

fn transfer(one: &Transfer, info: &PaymentInfo) -> Map<String, Value> {
    let amount = &one.amount.instructed_amount;
    let id = one.payment_id.as_ref();
    let mut transfer = Map::new();
    put(
        &mut transfer,
        "endToEndIdentification",
        id.and_then(|id| id.end_to_end_id.as_ref()),
    );
    put(
        &mut transfer,
        "instructionIdentification",
        id.and_then(|id| id.instruction_id.as_ref()),
    );
    put(
        &mut transfer,
        "instructedAmount",
        Some(json!({ "currency": amount.currency, "amount": amount.amount })),
    );
    put(
        &mut transfer,
        "creditorAccount",
        Some(json!({ "iban": one.creditor_account.iban })),
    );
    put(
        &mut transfer,
        "creditorAgent",
        one.creditor_agent.as_ref().map(|agent| &agent.bic),
    );
    put(&mut transfer, "creditorName", Some(&one.creditor.name));
    put(&mut transfer, "chargeBearer", info.charge_bearer.as_ref());
    put(
        &mut transfer,
        "remittanceInformationUnstructured",
        one.remittance_information
            .as_ref()
            .map(|text| &text.unstructured),
    );
    transfer
}

/// Adds a member unless there is nothing to say.
fn put(object: &mut Map<String, Value>, name: &str, value: Option<impl Serialize>) {
    if let Some(value) = value {
        object.insert(name.to_owned(), json!(value));
    }
}
