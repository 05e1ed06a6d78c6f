//! Runs of the marketplace and of payments, in each state they can be in: forms made from schemas, files, a decision
//! that is awaited, and what is read at the end.

mod pages;

use std::cell::RefCell;

use app::domain::console::Offer;
use app::domain::ids::*;
use app::domain::skill::{SkillName, SkillType};
use app::portal::console::{
    ConsoleCall, File, NextCall, NonceUse, Run, RunAction, SentFile as Arrived, StepName,
    WantedFile,
};
use chrono::Duration;
use serde_json::{Value, json};

use crate::fake::{World, id, now};
use crate::preview::Shot;
use crate::runs::call;

const DEPOSIT: &str = include_str!("../../../../server/src/skills/manifests/xyz_sbx.json");
const PAYMENT: &str = include_str!("../../../../server/src/skills/manifests/xyz_pisp_sbx.json");

/// Numbers of the runs' ids, and the state of each.
const STATES: [(u128, &str); 9] = [
    (431, "form"),
    (432, "form-wrong"),
    (433, "files"),
    (434, "file-wrong"),
    (435, "pending"),
    (436, "tick"),
    (437, "products"),
    (438, "order"),
    (439, "payment"),
];

thread_local! {
    /// Action that the page asked of the portal last.
    static DONE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Notes what a page asked for.
pub fn note(act: RunAction<'_>) {
    let words = match act {
        RunAction::Next(data) => format!("next {}", data.unwrap_or_default()),
        RunAction::Upload { kind, file } => match file {
            File::Sample => format!("sample {kind}"),
            File::Chosen { name, bytes } => format!("file {kind} {name} {}", bytes.len()),
        },
        RunAction::Offered(offer) => format!("offer {offer}"),
    };
    DONE.with(|done| *done.borrow_mut() = Some(words));
}

/// Notes that a page asked for the whole rest of a run.
pub fn note_all() {
    DONE.with(|done| *done.borrow_mut() = Some("all".to_owned()));
}

fn done() -> Option<String> {
    DONE.with(|done| done.borrow_mut().take())
}

/// Every page of this file, for those who look.
pub fn shots() -> Vec<Shot> {
    let path = |n| format!("/console/runs/{}", id(n));
    let state = |(n, name): (u128, &str)| {
        let name: &'static str = Box::leak(format!("run-{name}").into_boxed_str());
        (name, World::Full, 'd', path(n), None)
    };
    let mut shots: Vec<Shot> = STATES.into_iter().map(state).collect();
    shots.push(("run-json", World::Full, 'd', path(431), Some(TO_JSON)));
    shots.push((
        "run-no-file",
        World::Full,
        'd',
        path(433),
        Some("act=upload&at=3&kind=selfie"),
    ));
    shots
}

const TO_JSON: &str =
    "act=advance&at=1&shape=form&to=json&data.value=500&data.currency=RON&data.period=6";

fn manifest(n: u128) -> Value {
    let text = if n >= 438 { PAYMENT } else { DEPOSIT };
    serde_json::from_str(text).unwrap()
}

fn step(manifest: &Value, name: &str, data: Option<Value>) -> NextCall {
    let steps = manifest["steps"].as_array().unwrap();
    let step = steps.iter().find(|step| step["name"] == name).unwrap();
    let data = data.unwrap_or_else(|| step["example"].clone());
    NextCall::Step {
        name: name.into(),
        title: step["title"].as_str().unwrap().into(),
        schema: step["schema"].clone(),
        data: serde_json::to_string_pretty(&data).unwrap(),
    }
}

/// One run; none for an id that is not in the list.
pub fn run(run: RunId) -> Option<Run> {
    let (n, _) = STATES.into_iter().find(|(n, _)| RunId(id(*n)) == run)?;
    let manifest = manifest(n);
    let wrong = json!({"value": "much", "currency": "EUR", "period": "12"});
    let next = match n {
        431 => step(&manifest, "product_form", None),
        432 => step(&manifest, "product_form", Some(wrong)),
        433 | 434 => wanted(),
        435 => NextCall::Pending { poll_after: 2 },
        436 => step(&manifest, "contract", None),
        438 => step(&manifest, "payment_intent", None),
        _ => NextCall::Done,
    };
    let payment = n >= 438;
    let calls = calls(n);
    Some(Run {
        id: run,
        tenant: TenantId(id(1)),
        tenant_name: "Budget app".into(),
        skill: SkillName::parse(if payment {
            "xyz_ro_pisp_sbx_#1.0"
        } else {
            "xyz_sbx_#3.0"
        })
        .unwrap(),
        kind: Some(if payment {
            SkillType::PaymentInitiation
        } else {
            SkillType::Marketplace
        }),
        steps: steps(&manifest),
        started_at: now() - Duration::minutes(3),
        nonces: nonces(calls.len()),
        calls,
        session: Some(SessionId(id(440))),
        session_status: Some("SESSION_IN_PROGRESS".into()),
        bank_url: None,
        temp_token: None,
        temp_token_expires_at: None,
        credentials_id: matches!(n, 437 | 439).then(|| id(441).to_string()),
        next,
        offers: match n {
            437 => vec![Offer::Products],
            439 => vec![Offer::Payment, Offer::CancelPayment],
            _ => Vec::new(),
        },
        files: if (435..=437).contains(&n) {
            vec![arrived("id_document"), arrived("selfie")]
        } else {
            Vec::new()
        },
        forget_at: now() + Duration::days(1),
        refusal: None,
        reason: (n == 431).then(|| "The document could not be read.".into()),
    })
}

fn wanted() -> NextCall {
    let file = |kind: &str, title: &str, sent| WantedFile {
        kind: kind.into(),
        title: title.into(),
        required: true,
        max_bytes: 10_485_760,
        sent,
    };
    NextCall::Uploads {
        step: "kyc".into(),
        wanted: vec![
            file("id_document", "Identity document", true),
            file("selfie", "Selfie", false),
        ],
    }
}

fn arrived(kind: &str) -> Arrived {
    Arrived {
        step: "kyc".into(),
        kind: kind.into(),
        upload_id: id(450).to_string(),
        size: 590,
        sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
    }
}

fn steps(manifest: &Value) -> Vec<StepName> {
    let steps = manifest["steps"].as_array().unwrap();
    let name = |step: &Value| StepName {
        name: step["name"].as_str().unwrap().into(),
        title: step["title"].as_str().unwrap().into(),
        redirects: step["redirect"] == true,
        waits: step["pending"] == true,
    };
    steps.iter().map(name).collect()
}

fn nonces(calls: usize) -> Vec<NonceUse> {
    vec![NonceUse {
        label: "nonce 1".into(),
        masked: "F3YX…bm9u".into(),
        made_by: 0,
        used_by: (calls > 1).then_some(1),
        expires_at: now() + Duration::minutes(28),
    }]
}

const ASKED: &str =
    "{\n  \"nonce\": \"$NONCE\",\n  \"kind\": \"selfie\",\n  \"file\": \"@portrait.png\"\n}";

fn made(place: u128, title: &str, path: &str, answer: &Value, browser_safe: bool) -> ConsoleCall {
    let answer = serde_json::to_string_pretty(answer).unwrap();
    call(place, title, path, ASKED, answer, browser_safe)
}

fn refused(of: ConsoleCall, fields: &Value) -> ConsoleCall {
    let answer = json!({"http": 400, "code": "invalid_input", "message": "The data is not valid.", "fields": fields});
    ConsoleCall {
        status: 400,
        response_body: answer.to_string(),
        ..of
    }
}

fn calls(n: u128) -> Vec<ConsoleCall> {
    let (session, steps) = (id(440), format!("/v1/sessions/{}/steps", id(440)));
    let answer = json!({"session_id": session, "nonce": "F3YX…bm9u"});
    let opened = made(1, "Open session", "/v1/sessions", &answer, true);
    let answer = json!({"credentials_id": id(441)});
    let token = made(5, "Exchange token", "/v1/token", &answer, false);
    if n == 439 {
        let answer = json!({"data": {"url": "http://127.0.0.1:4000/pay"}});
        let ordered = made(2, "Step payment_intent", &steps, &answer, true);
        let read = made(6, "Payment", "/v1/payments/get", &payment(), false);
        return vec![opened, ordered, token, read];
    }
    let answer = json!({"step_id": id(442), "nonce": "AbCd…1234", "next_step": "kyc"});
    let form = made(2, "Step product_form", &steps, &answer, true);
    if n == 432 {
        let fields = json!([
            {"path": "data.value", "code": "invalid_field", "message": "Must match ^[1-9][0-9]{2,6}$."},
            {"path": "data.colour", "code": "unknown_fields", "message": "There is no colour here."}]);
        return vec![opened, refused(form, &fields)];
    }
    let answer =
        json!({"step_id": id(443), "status": "SESSION_PENDING", "data": {"poll_after": 2}});
    let kyc = made(3, "Step kyc", &steps, &answer, true);
    let path = format!("{steps}/{}/upload", id(443));
    let mut upload = made(
        4,
        "Upload selfie",
        &path,
        &json!({"upload_id": id(450)}),
        true,
    );
    if n == 434 {
        let fields =
            json!([{"path": "file", "code": "invalid_field", "message": "PDF, PNG, JPEG or WebP"}]);
        upload = refused(upload, &fields);
    }
    let read = made(6, "Products", "/v1/products/get", &products(), false);
    let mut all = vec![opened, form, kyc, upload, token, read];
    all.truncate(match n {
        431 | 438 => 1,
        433 => 3,
        434..=436 => 4,
        _ => 6,
    });
    all
}

fn products() -> Value {
    json!([{"id": id(444), "data": {"kind": "deposit", "status": "active", "name": "Fixed deposit", "reference": "XYZ-DEP-0001",
        "terms": {"currency": "EUR", "principal": "100000.00", "period_months": 12, "interest_rate": "3.20", "matures_on": "2027-02-02", "maturity_amount": "103200.00"}}}])
}

fn payment() -> Value {
    json!({"id": id(445), "kind": "future_dated", "status": "ACTC", "status_text": "accepted", "final": false, "amount": "1250.50",
        "currency": "RON", "execution_date": "2026-03-02", "items": [{"status": "ACTC", "status_text": "accepted", "amount": "1250.50",
        "currency": "RON", "creditor_name": "Corner Shop", "creditor_account": {"iban": "RO49AAAA1B31007593840000"}}]})
}
