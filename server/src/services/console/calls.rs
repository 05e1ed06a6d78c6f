//! The calls of a run: what each one sends, and what its answer means for the run.

use app::domain::console::RunStage;
use app::domain::ids::SessionId;
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use super::held::{Held, HeldNonce, Hidden};
use crate::storage::console::RunRow;

/// Nonces live for half an hour (`api.md`, section 2).
const NONCE_LIFE: Duration = Duration::minutes(30);
/// How many transactions one look at the console fetches.
const PAGE: u32 = 50;

/// A call about to be made.
pub struct Outgoing {
    pub title: String,
    pub path: String,
    /// As sent: the grant in the request's extensions stands in for the tenant's key.
    pub body: Value,
    /// The same with every key and token as the name of a variable: what a tenant's own code would send.
    pub shown: Value,
    pub browser_safe: bool,
}

/// What a run needs to know about an answer.
pub struct Answer<'a> {
    /// The call's position in the run.
    pub position: i64,
    pub at: DateTime<Utc>,
    pub status: u16,
    pub body: &'a Value,
    /// Seconds a `temp_token` lives.
    pub temp_token_life: i64,
}

/// The next call of a run; none where no call can be made, or where the run lacks what the call needs.
pub fn next(run: &RunRow, held: &Held) -> Option<Outgoing> {
    let client = run.tenant_id.to_string();
    match run.next_call {
        RunStage::OpenSession => Some(outgoing(
            "Open session",
            "/v1/sessions".into(),
            json!({"client_id": client, "skill": run.skill}),
            &[("client_app_key", "$TESSERA_CLIENT_APP_KEY")],
            true,
        )),
        RunStage::Step => step(run, held, &client),
        RunStage::Ask => {
            let body = json!({"client_id": client, "nonce": held.nonce()?.value.expose()});
            let path = format!("/v1/sessions/{}/get", run.session_id?);
            let shown = [
                ("client_app_key", "$TESSERA_CLIENT_APP_KEY"),
                ("nonce", "$NONCE"),
            ];
            Some(outgoing("Ask what comes next", path, body, &shown, true))
        }
        RunStage::Exchange => {
            let body =
                json!({"client_id": client, "temp_token": held.temp_token.as_ref()?.expose()});
            let shown = [
                ("client_secret", "$TESSERA_CLIENT_SECRET"),
                ("temp_token", "$TEMP_TOKEN"),
            ];
            Some(outgoing(
                "Exchange token",
                "/v1/token".into(),
                body,
                &shown,
                false,
            ))
        }
        RunStage::Accounts => data("Accounts", "/v1/accounts/get", held, &client, None),
        RunStage::Transactions => data(
            "Transactions",
            "/v1/transactions/get",
            held,
            &client,
            Some(PAGE),
        ),
        RunStage::Bank | RunStage::Done | RunStage::DeadEnd => None,
    }
}

fn step(run: &RunRow, held: &Held, client: &str) -> Option<Outgoing> {
    let data: Value = serde_json::from_str(&held.data).ok()?;
    let body = json!({
        "client_id": client,
        "nonce": held.nonce()?.value.expose(),
        "skill": run.skill,
        "step": held.step,
        "data": data,
    });
    let path = format!("/v1/sessions/{}/steps", run.session_id?);
    let title = format!("Step {}", held.step);
    Some(outgoing(&title, path, body, &[("nonce", "$NONCE")], true))
}

fn data(
    title: &str,
    path: &str,
    held: &Held,
    client: &str,
    limit: Option<u32>,
) -> Option<Outgoing> {
    let mut body = json!({
        "client_id": client,
        "credentials_id": held.credentials_id.as_ref()?,
        "access_token": held.access_token.as_ref()?.expose(),
    });
    if let (Some(limit), Some(fields)) = (limit, body.as_object_mut()) {
        fields.insert("limit".into(), limit.into());
    }
    let shown = [
        ("client_secret", "$TESSERA_CLIENT_SECRET"),
        ("access_token", "$ACCESS_TOKEN"),
    ];
    Some(outgoing(title, path.into(), body, &shown, false))
}

/// `shown` fields take the place of the sent ones, or stand after `client_id` where the grant spoke for them.
fn outgoing(
    title: &str,
    path: String,
    body: Value,
    shown: &[(&str, &str)],
    browser_safe: bool,
) -> Outgoing {
    let mut fields = serde_json::Map::new();
    let sent = body.as_object().cloned().unwrap_or_default();
    for (name, value) in &sent {
        let value = shown
            .iter()
            .find(|(of, _)| of == name)
            .map_or_else(|| value.clone(), |(_, as_what)| (*as_what).into());
        fields.insert(name.clone(), value);
        if name == "client_id" {
            let keys = shown.iter().filter(|(of, _)| !sent.contains_key(*of));
            fields.extend(keys.map(|(of, as_what)| ((*of).to_owned(), (*as_what).into())));
        }
    }
    Outgoing {
        title: title.to_owned(),
        path,
        body,
        shown: Value::Object(fields),
        browser_safe,
    }
}

/// What an answer makes of a run: where it stands next, and the session it is about.
pub fn settle(
    stage: RunStage,
    held: &mut Held,
    answer: &Answer<'_>,
) -> (RunStage, Option<SessionId>) {
    if answer.status >= 300 {
        return (refused(stage, held, answer), None);
    }
    // A step's nonce is used up by an answer that took effect, and by nothing else.
    if stage == RunStage::Step
        && let Some(nonce) = held.nonces.last_mut()
    {
        nonce.used_by = Some(answer.position);
    }
    let session = text(answer.body, "session_id").and_then(|id| id.parse().ok());
    let next = match stage {
        RunStage::OpenSession | RunStage::Step | RunStage::Ask => conversation(held, answer),
        RunStage::Exchange => exchanged(held, answer),
        RunStage::Accounts => RunStage::Transactions,
        other => {
            if other == RunStage::Transactions {
                RunStage::Done
            } else {
                other
            }
        }
    };
    (next, session)
}

/// The session's answers: a nonce, a link to the bank, or the token at the end.
fn conversation(held: &mut Held, answer: &Answer<'_>) -> RunStage {
    if let Some(step) = text(answer.body, "next_step") {
        step.clone_into(&mut held.step);
    }
    if let Some(token) = text(answer.body, "temp_token") {
        take_token(held, token, answer.at, answer.temp_token_life);
        return RunStage::Exchange;
    }
    if let Some(url) = answer.body.pointer("/data/url").and_then(Value::as_str) {
        held.bank_url = Some(url.to_owned());
        held.refusal = None;
        return RunStage::Bank;
    }
    if let Some(nonce) = text(answer.body, "nonce") {
        take_nonce(held, nonce, answer);
        held.refusal = None;
        return RunStage::Step;
    }
    let status = text(answer.body, "status").unwrap_or_default();
    if status == "SESSION_PENDING" {
        return RunStage::Ask;
    }
    held.dead_end = Some(format!(
        "The session stands at {status} and offers nothing to go on with."
    ));
    RunStage::DeadEnd
}

/// The nonce of an answer joins the chain, unless it is the one handed out before, whose life goes on.
fn take_nonce(held: &mut Held, nonce: &str, answer: &Answer<'_>) {
    if held
        .nonce()
        .is_some_and(|last| last.value.expose() == nonce)
    {
        return;
    }
    held.nonces.push(HeldNonce {
        value: Hidden::new(nonce),
        made_by: answer.position,
        used_by: None,
        expires_at: answer.at + NONCE_LIFE,
    });
}

/// Takes a `temp_token` into the run; the bank's page is left behind.
pub fn take_token(held: &mut Held, token: &str, at: DateTime<Utc>, life: i64) {
    held.temp_token = Some(Hidden::new(token));
    held.temp_token_expires_at = Some(at + Duration::seconds(life));
    held.bank_url = None;
    held.refusal = None;
}

fn exchanged(held: &mut Held, answer: &Answer<'_>) -> RunStage {
    held.credentials_id = text(answer.body, "credentials_id").map(str::to_owned);
    held.access_token = text(answer.body, "access_token").map(Hidden::new);
    RunStage::Accounts
}

/// A refusal leaves the run where it was, to be tried again, unless its code says that this way is closed.
fn refused(stage: RunStage, held: &mut Held, answer: &Answer<'_>) -> RunStage {
    let code = text(answer.body, "code").unwrap_or_default();
    match (code, stage) {
        ("expired_nonce", RunStage::Step) | ("temp_token_expired", RunStage::Exchange) => {
            RunStage::Ask
        }
        (
            "session_ended"
            | "invalid_session_id"
            | "invalid_nonce"
            | "expired_nonce"
            | "temp_token_used"
            | "invalid_temp_token"
            | "temp_token_expired"
            | "inactive_credentials"
            | "expired_credentials",
            _,
        ) => {
            held.dead_end = Some(
                text(answer.body, "message")
                    .unwrap_or("The session is over.")
                    .to_owned(),
            );
            RunStage::DeadEnd
        }
        _ => stage,
    }
}

fn text<'a>(body: &'a Value, name: &str) -> Option<&'a str> {
    body.get(name).and_then(Value::as_str)
}
