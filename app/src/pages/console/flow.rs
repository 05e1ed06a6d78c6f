//! The conversation of a run so far, as arrows: what was called, what came back, where each nonce was made and used.

use serde_json::Value;

use crate::portal::console::{ConsoleCall, NextCall, NonceUse, Run};
use crate::ui::sequence::{ArrowKind, Mark, Message};

const FRONT: usize = 0;
const API: usize = 1;
const BANK: usize = 2;
const BACK: usize = 3;

/// The lanes, in their order.
pub(crate) const LANES: [&str; 4] = ["Your front end", "Tessera", "Bank", "Your back end"];
/// The part of the drawing that may run in a browser or app.
pub(crate) const ZONE: (usize, &str) = (API, "may run in a browser or app");

/// Every arrow so far, and the one that comes next.
pub(super) fn messages(run: &Run) -> Vec<Message> {
    let mut arrows: Vec<Message> = Vec::new();
    for (first, at) in folded(run) {
        let Some(call) = run.calls.get(at) else {
            continue;
        };
        let answer: Value = serde_json::from_str(&call.response_body).unwrap_or_default();
        if call.browser_safe {
            conversation(run, (first, at), call, &answer, &mut arrows);
        } else {
            server_side(call, &answer, &mut arrows);
        }
        if left_for_bank(run, at) {
            at_the_bank(run, at, &mut arrows);
        }
    }
    arrows.extend(next(&run.next));
    arrows
}

/// The calls that are drawn, as the first and last of each group: asking for a decision again and again is drawn once.
pub(super) fn folded(run: &Run) -> Vec<(usize, usize)> {
    let mut groups: Vec<(usize, usize)> = Vec::new();
    for at in 0..run.calls.len() {
        match groups.last_mut() {
            Some((_, last)) if still_waits(run, *last) && is_asking_for_decision(run, at) => {
                *last = at;
            }
            _ => groups.push((at, at)),
        }
    }
    groups
}

/// Returns `true` if a call asked for a decision that was not there yet.
fn still_waits(run: &Run, at: usize) -> bool {
    let answer = run.calls.get(at).map(|call| call.response_body.as_str());
    let answer: Value = serde_json::from_str(answer.unwrap_or_default()).unwrap_or_default();
    is_asking_for_decision(run, at)
        && answer.get("status").and_then(Value::as_str) == Some("SESSION_PENDING")
}

fn conversation(
    run: &Run,
    (first, at): (usize, usize),
    call: &ConsoleCall,
    answer: &Value,
    arrows: &mut Vec<Message>,
) {
    let times = if at > first {
        format!("{}, asked {} times", request_label(call), at - first + 1)
    } else {
        request_label(call)
    };
    let mut request = Message::new(ArrowKind::Call, FRONT, API, times);
    if let Some(nonce) = run.nonces.iter().find(|nonce| nonce.used_by == Some(at)) {
        request = request.noted(format!("● {} used", nonce.label), Mark::First);
    }
    if call.path.ends_with("/upload") {
        // Files go with the nonce of their step, whatever was handed out since.
        let used = |nonce: &&NonceUse| nonce.used_by.is_some_and(|by| by < at);
        let of_step = run.nonces.iter().rfind(used);
        request = match of_step {
            Some(nonce) => request.noted(format!("● {}", nonce.label), Mark::First),
            None => request,
        };
    }
    arrows.push(request);
    if call.status >= 300 {
        arrows.push(refusal(call, answer, API, FRONT));
        return;
    }
    if answer.pointer("/data/url").is_some() {
        arrows.push(Message::new(ArrowKind::Call, API, BANK, "ask for consent"));
        arrows.push(Message::new(
            ArrowKind::Answer,
            API,
            FRONT,
            "link to the bank",
        ));
        return;
    }
    let pending = answer.get("status").and_then(Value::as_str) == Some("SESSION_PENDING");
    if pending && call.path.ends_with("/steps") {
        arrows.push(Message::new(ArrowKind::Call, API, BANK, "ask to verify"));
    }
    if !pending && is_asking_for_decision(run, at) {
        arrows.push(Message::new(ArrowKind::Answer, BANK, API, "decision"));
    }
    let said = if pending {
        "200 pending".to_owned()
    } else {
        call.status.to_string()
    };
    let mut reply = Message::new(ArrowKind::Answer, API, FRONT, said);
    if let Some(nonce) = run.nonces.iter().find(|nonce| nonce.made_by == at) {
        reply = reply.noted(format!("● {}", nonce.label), Mark::First);
    }
    if answer.get("temp_token").is_some() {
        reply = reply.noted("◆ temp_token", Mark::Second);
    }
    arrows.push(reply);
}

/// Returns `true` if a call asked a session whose provider was deciding.
fn is_asking_for_decision(run: &Run, at: usize) -> bool {
    let call = run.calls.get(at);
    call.is_some_and(|call| call.path.ends_with("/get") && call.title.ends_with("decision"))
}

/// Returns `true` if a call's answer led the end-user to the bank, and they have come back since.
pub(super) fn left_for_bank(run: &Run, at: usize) -> bool {
    let answer = run
        .calls
        .get(at)
        .map(|call| call.response_body.as_str())
        .unwrap_or_default();
    let answer: Value = serde_json::from_str(answer).unwrap_or_default();
    let still_there = at + 1 == run.calls.len() && run.next == NextCall::Bank;
    answer.pointer("/data/url").is_some() && !still_there
}

/// Adds the arrows of the end-user's visit to the bank, between the link to the bank and the next call.
fn at_the_bank(run: &Run, at: usize, arrows: &mut Vec<Message>) {
    let last = at + 1 == run.calls.len();
    arrows.push(Message::new(
        ArrowKind::Call,
        FRONT,
        BANK,
        "end-user signs in and decides",
    ));
    let exchanged = run.calls.get(at + 1).is_some_and(|call| !call.browser_safe);
    if exchanged || (last && run.refusal.is_none()) {
        let back = Message::new(ArrowKind::Answer, BANK, FRONT, "your return link");
        arrows.push(back.noted("◆ temp_token", Mark::Second));
    } else {
        let error = run
            .refusal
            .as_deref()
            .filter(|_| last)
            .unwrap_or("without a token");
        arrows.push(Message::new(
            ArrowKind::Refusal,
            BANK,
            FRONT,
            format!("your return link: {error}"),
        ));
    }
}

fn server_side(call: &ConsoleCall, answer: &Value, arrows: &mut Vec<Message>) {
    if call.path.ends_with("/token") {
        arrows.push(Message::new(
            ArrowKind::Call,
            FRONT,
            BACK,
            "hand temp_token to your server",
        ));
    }
    arrows.push(Message::new(
        ArrowKind::Call,
        BACK,
        API,
        request_label(call),
    ));
    if call.status >= 300 {
        arrows.push(refusal(call, answer, API, BACK));
        return;
    }
    let reply = match answer {
        Value::Array(rows) => Message::new(ArrowKind::Answer, API, BACK, row_count(rows.len())),
        _ if call.path.contains("/payments/") => {
            let status = answer.get("status").and_then(Value::as_str);
            Message::new(ArrowKind::Answer, API, BACK, status.unwrap_or("200"))
        }
        _ => Message::new(ArrowKind::Answer, API, BACK, "200").noted("■ access_token", Mark::Third),
    };
    arrows.push(reply);
}

fn row_count(rows: usize) -> String {
    if rows == 1 {
        "1 row".into()
    } else {
        format!("{rows} rows")
    }
}

fn refusal(call: &ConsoleCall, answer: &Value, from: usize, to: usize) -> Message {
    let code = answer
        .get("code")
        .and_then(Value::as_str)
        .unwrap_or_default();
    Message::new(
        ArrowKind::Refusal,
        from,
        to,
        format!("{} {code}", call.status),
    )
}

/// `POST …/steps`: the version, ids and what stands before them left out, as people speak of it.
fn request_label(call: &ConsoleCall) -> String {
    let path = call.path.strip_prefix("/v1").unwrap_or(&call.path);
    match path.rsplit_once('/') {
        Some((before, last)) if before.len() > 36 => format!("{} …/{last}", call.method),
        _ => format!("{} {path}", call.method),
    }
}

fn next(next: &NextCall) -> Option<Message> {
    let arrow = |from, to, text: &str| Some(Message::new(ArrowKind::Next, from, to, text));
    match next {
        NextCall::OpenSession => arrow(FRONT, API, "POST /sessions"),
        NextCall::Step { name, .. } => arrow(FRONT, API, &step(name)),
        NextCall::Bank => arrow(FRONT, BANK, "end-user signs in and decides"),
        NextCall::Uploads { .. } => arrow(FRONT, API, "POST …/upload"),
        NextCall::Pending { .. } | NextCall::Ask => arrow(FRONT, API, "POST …/get"),
        NextCall::Exchange => arrow(BACK, API, "POST /token"),
        NextCall::Accounts => arrow(BACK, API, "POST /accounts/get"),
        NextCall::Transactions => arrow(BACK, API, "POST /transactions/get"),
        NextCall::Payment => arrow(BACK, API, "POST /payments/get"),
        NextCall::Products => arrow(BACK, API, "POST /products/get"),
        NextCall::Done | NextCall::DeadEnd(_) => None,
    }
}

/// A step to come, as far as the arrow is long.
fn step(name: &str) -> String {
    if name.len() > 12 {
        format!("…/steps {name}")
    } else {
        format!("POST …/steps {name}")
    }
}

/// The whole conversation of an account-information session, for the guides: nothing of it has happened.
pub(crate) fn guide() -> Vec<Message> {
    let arrow = Message::new;
    vec![
        arrow(ArrowKind::Call, FRONT, API, "POST /v1/sessions"),
        arrow(ArrowKind::Answer, API, FRONT, "session_id").noted("● nonce 1", Mark::First),
        arrow(ArrowKind::Call, FRONT, API, "POST …/steps sca").noted("● nonce 1", Mark::First),
        arrow(ArrowKind::Call, API, BANK, "ask for consent"),
        arrow(ArrowKind::Answer, API, FRONT, "link to the bank: data.url"),
        arrow(
            ArrowKind::Call,
            FRONT,
            BANK,
            "end-user signs in and decides",
        ),
        arrow(ArrowKind::Answer, BANK, API, "one-time code"),
        arrow(ArrowKind::Answer, API, FRONT, "your return link")
            .noted("◆ temp_token", Mark::Second),
        arrow(
            ArrowKind::Call,
            FRONT,
            BACK,
            "hand temp_token to your server",
        ),
        arrow(ArrowKind::Call, BACK, API, "POST /v1/token").noted("◆ temp_token", Mark::Second),
        arrow(ArrowKind::Answer, API, BACK, "credentials_id").noted("■ access_token", Mark::Third),
        arrow(ArrowKind::Call, BACK, API, "POST /v1/accounts/get")
            .noted("■ access_token", Mark::Third),
        arrow(ArrowKind::Answer, API, BACK, "accounts"),
    ]
}
