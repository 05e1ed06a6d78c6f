//! The calls of a run: what each one sends, and what is shown of it.

use app::domain::console::{Offer, RunStage};
use bytes::Bytes;
use json::ReadLimits;
use serde_json::{Value, json};

use super::run_state::RunState;
use crate::storage::console::RunRow;

/// Transactions that one call of the console fetches.
const PAGE: u32 = 50;
/// Name of the nonce's field, and the variable shown in place of its value.
pub const NONCE: (&str, &str) = ("nonce", "$NONCE");

/// A call about to be made.
pub struct Outgoing {
    pub title: String,
    pub path: String,
    /// Body as sent. It lacks the tenant's key: the grant that goes along stands in for it.
    pub content: Content,
    /// The body with every key and token replaced by the name of a variable: what a tenant's own code would send.
    pub shown: Value,
    pub browser_safe: bool,
    pub means: CallPurpose,
}

/// The body of a call.
pub enum Content {
    Json(Value),
    /// `multipart/form-data` with this boundary.
    Form {
        boundary: String,
        bytes: Bytes,
    },
}

/// Purpose of a call in its run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum CallPurpose {
    /// It is the call that the run waits for.
    Next,
    /// It sends a file of the step submitted last.
    Upload,
    /// It is made besides, and does not advance the run.
    Offered,
}

/// Returns the next call of a run; `None` where no call can be made, or where the run lacks what the call needs.
pub fn next(run: &RunRow, held: &RunState) -> Option<Outgoing> {
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
        RunStage::Pending => ask("Ask for the decision", run, held, &client),
        RunStage::Ask => ask("Ask what comes next", run, held, &client),
        RunStage::Exchange => exchange(held, &client),
        RunStage::Accounts => data("Accounts", "/v1/accounts/get", held, &client, None),
        RunStage::Transactions => data(
            "Transactions",
            "/v1/transactions/get",
            held,
            &client,
            Some(PAGE),
        ),
        RunStage::Payment => data("Payment", "/v1/payments/get", held, &client, None),
        RunStage::Products => data("Products", "/v1/products/get", held, &client, None),
        RunStage::Uploads | RunStage::Bank | RunStage::Done | RunStage::DeadEnd => None,
    }
}

/// Returns a call that is offered besides; `None` if the run lacks the credentials for it.
pub fn offered(run: &RunRow, held: &RunState, offer: Offer) -> Option<Outgoing> {
    let (title, path) = match offer {
        Offer::Balances => ("Balances", "/v1/balances/get"),
        Offer::Payment => ("Payment", "/v1/payments/get"),
        Offer::CancelPayment => ("Cancel payment", "/v1/payments/cancel"),
        Offer::Products => ("Products", "/v1/products/get"),
    };
    let call = data(title, path, held, &run.tenant_id.to_string(), None)?;
    Some(Outgoing {
        means: CallPurpose::Offered,
        ..call
    })
}

fn step(run: &RunRow, held: &RunState, client: &str) -> Option<Outgoing> {
    let data = json::read(held.data.as_bytes(), ReadLimits::BODY).ok()?;
    let data = data.to_value().ok()?;
    let body = json!({
        "client_id": client,
        "nonce": held.nonce()?.value.expose(),
        "skill": run.skill,
        "step": held.step,
        "data": data,
    });
    let path = format!("/v1/sessions/{}/steps", run.session_id?);
    let title = format!("Step {}", held.step);
    Some(outgoing(&title, path, body, &[NONCE], true))
}

/// Builds the call that asks for the session's state. The caller proves itself with the nonce used last; once the
/// end-user was sent to a provider, only the server is answered.
fn ask(title: &str, run: &RunRow, held: &RunState, client: &str) -> Option<Outgoing> {
    let path = format!("/v1/sessions/{}/get", run.session_id?);
    if held.sent_away {
        let body = json!({ "client_id": client });
        let shown = [("client_secret", "$TESSERA_CLIENT_SECRET")];
        return Some(outgoing(title, path, body, &shown, false));
    }
    let body = json!({"client_id": client, "nonce": held.nonce()?.value.expose()});
    let shown = [("client_app_key", "$TESSERA_CLIENT_APP_KEY"), NONCE];
    Some(outgoing(title, path, body, &shown, true))
}

fn exchange(held: &RunState, client: &str) -> Option<Outgoing> {
    let body = json!({"client_id": client, "temp_token": held.temp_token.as_ref()?.expose()});
    let shown = [
        ("client_secret", "$TESSERA_CLIENT_SECRET"),
        ("temp_token", "$TEMP_TOKEN"),
    ];
    let path = "/v1/token".to_owned();
    Some(outgoing("Exchange token", path, body, &shown, false))
}

fn data(
    title: &str,
    path: &str,
    held: &RunState,
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
        content: Content::Json(body),
        shown: Value::Object(fields),
        browser_safe,
        means: CallPurpose::Next,
    }
}
