//! A bank that puts what is secret, and what is about somebody, into everything that it answers: none of it reaches a log
//! line or the body of a problem.

use std::io::Write;
use std::sync::Mutex;

use app::domain::ids::SessionId;

use super::*;
use crate::problem::Problem;
use crate::services::consents::provider_access::provider_refusal;

/// Begins every canary, so that one search finds any part of any.
const MARK: &str = "CANARINA";

/// What the log wrote, kept by the test.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Answers with canaries wherever an answer has room for them.
fn answers() -> Vec<(u16, String)> {
    let name = format!("{MARK}_ZSOFIA_QUILL");
    let bare = MARK.to_owned();
    let iban = format!("RO49{MARK}0000750071");
    let mut bodies = vec![String::new(), name.clone(), format!("<html>{name}</html>")];
    for text in [&name, &bare, &iban] {
        let message = json!({"category": text, "code": text, "text": text, "path": text});
        bodies.push(json!({"tppMessages": [message], text.as_str(): text}).to_string());
        bodies.push(json!({"code": text, "error": text, "error_description": text}).to_string());
        // Yes, in fields that are there and have another shape, or another sense.
        bodies.push(
            json!({"accounts": text, "transactions": text, "consentStatus": text}).to_string(),
        );
        bodies.push(
            json!({"accounts": [{"resourceId": text, "iban": text, "currency": text, "name": text, "cashAccountType": text}],
                   "consentId": text, "consentStatus": text, "access_token": 7, "scaStatus": text,
                   "transactionStatus": text, "state": text, "status": text, "reason": text,
                   "transactions": {"booked": [{"entryReference": text, "bookingDate": text, "transactionAmount": {"amount": text, "currency": text}}],
                                    "_links": {"next": {"href": text}}},
                   "_links": {"scaRedirect": {"href": text}}}).to_string(),
        );
        bodies.push(json!({"access_token": text, "token_type": text}).to_string());
        bodies.push(json!([{"id": text, "offer": text}]).to_string());
    }
    let statuses = [200, 201, 302, 400, 401, 403, 404, 409, 422, 429, 500, 503];
    let all = statuses
        .iter()
        .flat_map(|status| bodies.iter().map(|body| (*status, body.clone())));
    all.collect()
}

/// Asks the connectors everything; the errors.
async fn ask(bank: &SandboxBank) -> Vec<ConnectorError> {
    let clock = Clock::mock("2026-01-01T09:00:00Z".parse().unwrap(), 3);
    let sandbox = Sandbox::new(bank.clone(), clock.clone()).unwrap();
    let http = Outbound::new("sandbox_products", &Metrics::default()).unwrap();
    let market = Marketplace::with_http(bank.clone(), clock, http).unwrap();
    let mut errors = Vec::new();
    for connector in [&sandbox as &dyn Connector, &market] {
        let first = PageRequest::First { from: None };
        let mut card = submission();
        card.skill = SkillName::parse("xyz_card_sbx_#1.0").unwrap();
        card.step = "card_form".into();
        card.data = json!({"limit": "5000", "currency": "RON"});
        card.session_id = SessionId(uuid::Uuid::nil());
        errors.extend(connector.submit(submission()).await.err());
        errors.extend(connector.submit(card).await.err());
        errors.extend(connector.accounts(&grant()).await.err());
        errors.extend(connector.transactions(&grant(), "a", first).await.err());
        errors.extend(connector.products(&grant()).await.err());
        errors.extend(connector.payment(&grant()).await.err());
        errors.extend(connector.revoke(&grant()).await.err());
    }
    errors
}

#[tokio::test]
async fn what_a_bank_says_reaches_no_log_and_no_problem() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let kept = tracing::subscriber::set_default(subscriber);
    // While there is one subscriber alone, `tracing` asks the thread at hand what is wanted, which may be another test's that
    // has none, and then nothing is. Of two it asks each.
    let sink = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(std::io::sink)
        .finish();
    let _second = tracing::Dispatch::new(sink);
    let answer: Arc<Mutex<(u16, String)>> = Arc::default();
    let says = answer.clone();
    let bank = Router::new().fallback(any(move || {
        let (status, body) = says.lock().unwrap().clone();
        let status = StatusCode::from_u16(status).unwrap();
        let headers = [
            ("retry-after", format!("{MARK}0")),
            ("location", format!("http://{MARK}.example/")),
        ];
        std::future::ready((status, headers, body))
    }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let reached = SandboxBank {
        url: format!("http://{}", listener.local_addr().unwrap()),
        client_id: "tpp".into(),
        client_secret: format!("{MARK}-secret").into(),
    };
    let task = tokio::spawn(async move { axum::serve(listener, bank).await.unwrap() });
    // A line of code that another test logs from for the first time while this subscriber begins may never know of it: all
    // are passed once, and told again who listens.
    *answer.lock().unwrap() = (500, String::new());
    ask(&reached).await;
    tracing::callsite::rebuild_interest_cache();
    lines.0.lock().unwrap().clear();
    let skill = SkillName::parse("xyz_aisp_sbx_#1.0").unwrap();
    let (mut asked, mut problems) = (0, Vec::new());
    for given in answers() {
        *answer.lock().unwrap() = given;
        for error in ask(&reached).await {
            asked += 1;
            let problem = Problem::from(provider_refusal(&skill, &error));
            problems.extend(problem.text(uuid::Uuid::nil(), "https://portal.example.com"));
            problems.extend(format!("{error:?}").into_bytes());
        }
    }
    task.abort();
    drop(kept);
    let said = lines.0.lock().unwrap().clone();
    assert!(asked > 1_000, "{asked} errors");
    let ours = |line: &&str| line.contains("a provider did not do what it was asked");
    let said = String::from_utf8(said).unwrap();
    assert_eq!(said.lines().filter(ours).count(), asked, "each is told");
    // What the libraries trace of a connection at the finest level is not asked for by any filter of ours.
    let lines = said.lines().filter(|line| line.contains(" server::"));
    let hits: Vec<_> = lines
        .filter(|line| line.to_uppercase().contains(MARK))
        .collect();
    assert!(hits.is_empty(), "{hits:#?}");
    let problems = String::from_utf8(problems).unwrap();
    assert!(!problems.to_uppercase().contains(MARK));
}
