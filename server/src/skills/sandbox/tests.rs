//! The connector against the real bank, and against banks that misbehave.

mod canaries;
mod payments;

use std::sync::Arc;
use std::time::Duration as StdDuration;

use app::domain::account::{AccountUsage, BalanceType};
use app::domain::ids::SessionId;
use app::domain::skill::SkillName;
use app::domain::transaction::BookingStatus;
use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{any, get};
use rust_decimal::Decimal;
use serde_json::json;

use super::*;
use crate::storage::Db;
use crate::storage::testing::on_both;
use crate::testing::{NextDoor, walk};

on_both!(
    an_account_is_read_from_consent_to_revocation,
    a_refusal_and_a_used_code_are_told_apart
);

const CALLBACK: &str = "http://127.0.0.1:9/v1/redirects/aisp";

/// The connector, and the bank that it reaches.
struct Connected {
    connector: Sandbox,
    bank: NextDoor,
}

async fn connected(db: Db) -> Connected {
    let clock = Clock::mock("2026-01-01T09:00:00Z".parse().unwrap(), 3);
    let bank = NextDoor::open(&db, &clock).await;
    Connected {
        connector: Sandbox::new(bank.reached.clone(), clock).unwrap(),
        bank,
    }
}

fn submission() -> Submission {
    Submission {
        session_id: SessionId(uuid::Uuid::nil()),
        skill: SkillName::parse("xyz_aisp_sbx_#1.0").unwrap(),
        step: "sca".into(),
        data: json!({ "psu_redirect_link": "myapp://return" }),
        bank_ref: None,
        return_state: RedirectTarget {
            state: "the-state".to_owned().into(),
            callback: CALLBACK.into(),
            expires_at: "2026-01-01T10:00:00Z".parse().unwrap(),
        },
        psu: Psu {
            ip: Some("127.0.0.1".parse().unwrap()),
            user_agent: Some("a browser".into()),
        },
        asker: RequestingApp {
            name: "Budget app".into(),
            now: "2026-01-01T09:00:00Z".parse().unwrap(),
            until: "2026-04-01T09:00:00Z".parse().unwrap(),
        },
        request_id: uuid::Uuid::nil(),
    }
}

impl Connected {
    /// Submits the step; the bank's page and what to remember.
    async fn submit(&self) -> (String, Opaque) {
        match self.connector.submit(submission()).await.unwrap() {
            Next::Redirect { url, bank_ref } => (url, bank_ref),
            _ => panic!("the only step leads to the bank"),
        }
    }

    /// Walks the bank's pages like a browser; the query of the address it ends at.
    async fn walk(
        &self,
        url: &str,
        username: &str,
        decision: &[(&str, &str)],
    ) -> Vec<(String, String)> {
        let end = walk(url, username, decision).await;
        assert!(end.as_str().starts_with(CALLBACK));
        end.query_pairs().into_owned().collect()
    }

    async fn finish(
        &self,
        query: &[(String, String)],
        bank_ref: &Opaque,
    ) -> Result<ConsentOutcome, ConnectorError> {
        let value = |name: &str| {
            query
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
                .unwrap_or_default()
        };
        assert_eq!(value("state"), "the-state");
        let returned = ProviderCallback {
            code: value("code").into(),
            state: value("state").into(),
            callback: CALLBACK.into(),
            bank_ref: bank_ref.clone(),
        };
        self.connector.finish(returned).await
    }

    async fn close(self) {
        drop(self.connector);
        self.bank.close().await;
    }
}

#[expect(clippy::too_many_lines, reason = "one story, told in one piece")]
async fn an_account_is_read_from_consent_to_revocation(db: Db) {
    let connected = connected(db).await;
    let (url, bank_ref) = connected.submit().await;
    let agree = [("decision", "approve"), ("accounts", "301")];
    let query = connected.walk(&url, "business", &agree).await;
    let Ok(ConsentOutcome::Consented(Next::Done { granted, .. })) =
        connected.finish(&query, &bank_ref).await
    else {
        panic!("agreed");
    };
    assert_eq!(
        granted.valid_until,
        Some("2026-04-02T00:00:00Z".parse().unwrap()),
        "the last day of the tenant's terms is included"
    );
    let accounts = connected.connector.accounts(&granted.grant).await.unwrap();
    assert_eq!(accounts.len(), 1);
    let account = &accounts[0];
    assert_eq!(
        (account.currency.as_str(), account.usage),
        ("RON", Some(AccountUsage::Organisation))
    );
    let types: Vec<_> = account
        .balances
        .iter()
        .map(|balance| balance.balance_type)
        .collect();
    assert_eq!(
        types,
        [
            BalanceType::ClosingBooked,
            BalanceType::Expected,
            BalanceType::InterimAvailable
        ]
    );

    let (mut all, mut page) = (Vec::new(), PageRequest::First { from: None });
    loop {
        let got = connected
            .connector
            .transactions(&granted.grant, &account.id, page)
            .await
            .unwrap();
        all.extend(got.transactions);
        match got.next {
            Some(next) => page = PageRequest::Next(next),
            None => break,
        }
    }
    assert_eq!(all.len(), 50_000);
    let ids: std::collections::HashSet<_> =
        all.iter().map(|entry| entry.id.clone().unwrap()).collect();
    assert_eq!(ids.len(), 50_000);
    let newest = all
        .iter()
        .find(|entry| entry.status == BookingStatus::Booked)
        .unwrap();
    assert_eq!(newest.balance_after, Some(account.balances[0].amount));
    let pending: Decimal = all
        .iter()
        .filter(|entry| entry.status == BookingStatus::Pending)
        .map(|entry| entry.amount)
        .sum();
    assert_eq!(
        account.balances[0].amount + pending,
        account.balances[1].amount
    );

    let from = newest.booking_date;
    let recent = connected
        .connector
        .transactions(&granted.grant, &account.id, PageRequest::First { from })
        .await
        .unwrap();
    assert!(
        recent
            .transactions
            .iter()
            .all(|entry| entry.booking_date.is_none_or(|date| Some(date) >= from))
    );
    assert!(recent.next.is_none() && recent.transactions.len() < 500);

    for _ in 0..2 {
        connected.connector.revoke(&granted.grant).await.unwrap();
    }
    assert_eq!(
        connected.connector.accounts(&granted.grant).await,
        Err(ConnectorError::Unauthorized)
    );
    connected.close().await;
}

async fn a_refusal_and_a_used_code_are_told_apart(db: Db) {
    let connected = connected(db).await;
    let (url, _) = connected.submit().await;
    let query = connected
        .walk(&url, "empty", &[("decision", "refuse")])
        .await;
    assert!(query.contains(&("error".to_owned(), "access_denied".to_owned())));

    let (url, bank_ref) = connected.submit().await;
    let query = connected
        .walk(
            &url,
            "student",
            &[("decision", "approve"), ("accounts", "101")],
        )
        .await;
    let (_, other_ref) = connected.submit().await;
    let invalid = |answer: Result<ConsentOutcome, ConnectorError>| {
        assert_eq!(
            answer.err(),
            Some(ConnectorError::Rejected {
                code: "invalid_grant".into()
            })
        );
    };
    // Another session's verifier does not redeem this code, and does not use it up.
    invalid(connected.finish(&query, &other_ref).await);
    assert!(matches!(
        connected.finish(&query, &bank_ref).await,
        Ok(ConsentOutcome::Consented(_))
    ));
    invalid(connected.finish(&query, &bank_ref).await);
    connected.close().await;
}

/// A bank that answers everything in one way; `next` for a call of its accounts.
async fn against(bank: Router) -> (Sandbox, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let task = tokio::spawn(async move { axum::serve(listener, bank).await.unwrap() });
    let reached = SandboxBank {
        url,
        client_id: "tpp".into(),
        client_secret: "s".to_owned().into(),
    };
    let clock = Clock::mock("2026-01-01T09:00:00Z".parse().unwrap(), 3);
    let http = Outbound::with_total(
        "sandbox",
        &Metrics::default(),
        StdDuration::from_millis(300),
    )
    .unwrap();
    (Sandbox::with_http(reached, clock, http).unwrap(), task)
}

fn grant() -> Grant {
    let key = Key {
        consent_id: "c".into(),
        access_token: "t".into(),
    };
    Grant(Opaque::of(&key).unwrap())
}

async fn answer_to(response: impl IntoResponse + Clone + Send + Sync + 'static) -> ConnectorError {
    let response = Arc::new(response);
    let bank = Router::new().fallback(any(move || {
        let response = response.clone();
        async move { (*response).clone() }
    }));
    let (connector, task) = against(bank).await;
    let error = connector.accounts(&grant()).await.unwrap_err();
    task.abort();
    error
}

#[tokio::test]
async fn every_no_has_its_meaning() {
    let tpp =
        |code: &str| json!({ "tppMessages": [{ "category": "ERROR", "code": code }] }).to_string();
    let limited = answer_to((
        StatusCode::TOO_MANY_REQUESTS,
        [("retry-after", "7")],
        tpp("ACCESS_EXCEEDED"),
    ))
    .await;
    assert_eq!(
        limited,
        ConnectorError::TooManyRequests {
            retry_after: Some(StdDuration::from_secs(7))
        }
    );
    let closed = answer_to((
        StatusCode::SERVICE_UNAVAILABLE,
        [("retry-after", "1")],
        tpp("SERVICE_UNAVAILABLE"),
    ))
    .await;
    assert_eq!(
        closed,
        ConnectorError::Unavailable {
            retry_after: Some(StdDuration::from_secs(1))
        }
    );
    for (status, code, error) in [
        (401, "CONSENT_EXPIRED", ConnectorError::Unauthorized),
        (401, "TOKEN_UNKNOWN", ConnectorError::Unauthorized),
        (403, "CONSENT_UNKNOWN", ConnectorError::Unauthorized),
        (401, "CERTIFICATE_INVALID", ConnectorError::Forbidden),
        (403, "SERVICE_BLOCKED", ConnectorError::Forbidden),
        (
            404,
            "RESOURCE_UNKNOWN",
            ConnectorError::Rejected {
                code: "RESOURCE_UNKNOWN".into(),
            },
        ),
        (
            500,
            "INTERNAL_SERVER_ERROR",
            ConnectorError::BadAnswer("it is neither a yes nor a no"),
        ),
        (
            302,
            "",
            ConnectorError::BadAnswer("it is neither a yes nor a no"),
        ),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(
            answer_to((status, [("location", "http://127.0.0.1:9/")], tpp(code))).await,
            error,
            "{status} {code}"
        );
    }
    for body in ["<html>", "{}", "{\"accounts\":[{\"resourceId\":[]}]}", ""] {
        assert!(
            matches!(
                answer_to((StatusCode::OK, body)).await,
                ConnectorError::BadAnswer(_)
            ),
            "{body}"
        );
    }
    let huge = answer_to((StatusCode::OK, "x".repeat(6 * 1024 * 1024))).await;
    assert_eq!(huge, ConnectorError::BadAnswer("it is too large"));
}

#[tokio::test]
async fn silence_and_absence_are_told_apart() {
    let silent = Router::new().fallback(any(std::future::pending::<StatusCode>));
    let (connector, task) = against(silent).await;
    assert_eq!(
        connector.accounts(&grant()).await,
        Err(ConnectorError::Timeout)
    );
    task.abort();
    let gone = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", gone.local_addr().unwrap());
    drop(gone);
    let reached = SandboxBank {
        url,
        client_id: "tpp".into(),
        client_secret: "s".to_owned().into(),
    };
    let clock = Clock::mock("2026-01-01T09:00:00Z".parse().unwrap(), 3);
    let connector = Sandbox::new(reached, clock).unwrap();
    assert_eq!(
        connector.accounts(&grant()).await,
        Err(ConnectorError::Unreachable)
    );
}

#[tokio::test]
async fn next_links_lead_on_and_nowhere_else() {
    let page = |next: &str| {
        let report =
            json!({ "transactions": { "booked": [], "_links": { "next": { "href": next } } } });
        report.to_string()
    };
    let link = |next: &'static str| get(move || async move { page(next) });
    let bank = Router::new()
        .route(
            "/v1/accounts/away/transactions",
            link("http://127.0.0.1:9/v1/accounts"),
        )
        .route(
            "/v1/accounts/on/transactions",
            link("/v1/accounts/loop/transactions?key=1"),
        )
        .route(
            "/v1/accounts/loop/transactions",
            link("/v1/accounts/loop/transactions?key=1"),
        );
    let (connector, task) = against(bank).await;
    let first = PageRequest::First { from: None };
    let away = connector
        .transactions(&grant(), "away", first.clone())
        .await;
    assert_eq!(
        away,
        Err(ConnectorError::BadAnswer("a link leads away from the bank"))
    );
    // An empty page with a next link is not the end.
    let on = connector
        .transactions(&grant(), "on", first.clone())
        .await
        .unwrap();
    // One that leads in a circle is for the engine to see, which keeps what it has read.
    let again = PageRequest::Next(on.next.clone().unwrap());
    let looped = connector.transactions(&grant(), "loop", again).await;
    assert_eq!(looped.unwrap().next, on.next);
    let stranger = PageRequest::Next("https://evil.example/v1/accounts".into());
    assert!(
        connector
            .transactions(&grant(), "x", stranger)
            .await
            .is_err()
    );
    // An account id cannot climb out of its place in the address.
    assert!(
        connector
            .transactions(&grant(), "../consents/x", first)
            .await
            .is_err()
    );
    task.abort();
}
