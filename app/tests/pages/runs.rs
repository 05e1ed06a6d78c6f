//! Runs of the console in each state they can be in, and the documentation's pages.

use app::domain::console::{Offer, RunStage};
use app::domain::ids::*;
use app::domain::problem::Code;
use app::domain::skill::{SkillName, SkillType};
use app::pages::{Answer, SCREENS};
use app::portal::console::{ConsoleCall, NextCall, NonceUse, Run, RunSummary, StepName};
use chrono::Duration;

use crate::fake::{HOSTILE, World, actor, fields, id, now, visit};
use crate::preview::Shot;
use crate::{matched, open, show};

/// Numbers of the runs' ids, and the stage of each.
const STATES: [(u128, &str); 9] = [
    (401, "open"),
    (402, "step"),
    (403, "bank"),
    (404, "refused"),
    (405, "exchange"),
    (406, "done"),
    (407, "failed"),
    (408, "dead-end"),
    (409, "hostile"),
];

/// Every page of this file, for those who look.
pub fn shots() -> Vec<Shot> {
    let full =
        |name: &'static str, who: char, path: &str| (name, World::Full, who, path.to_owned(), None);
    let mut shots = vec![
        full("console", 'd', "/console"),
        (
            "console-empty",
            World::Empty,
            'd',
            "/console".to_owned(),
            None,
        ),
        full("docs", '-', "/docs"),
        full("docs-quick-start", '-', "/docs/quick-start"),
        full(
            "docs-quick-start-js",
            '-',
            "/docs/quick-start?lang=javascript",
        ),
        full("docs-session-flow", '-', "/docs/session-flow"),
        full("docs-security", '-', "/docs/security"),
        full("docs-errors", '-', "/docs/errors"),
        full("docs-error", '-', "/docs/errors/invalid_nonce"),
        full("docs-api", '-', "/docs/api"),
        full(
            "docs-operation",
            '-',
            "/docs/api/post-v1-sessions-session_id-steps",
        ),
    ];
    for (n, name) in STATES {
        let name: &'static str = Box::leak(format!("run-{name}").into_boxed_str());
        shots.push((
            name,
            World::Full,
            'd',
            format!("/console/runs/{}", id(n)),
            None,
        ));
    }
    shots.push((
        "run-code",
        World::Full,
        'd',
        format!("/console/runs/{}?call=2&pane=code&lang=javascript", id(406)),
        None,
    ));
    shots
}

/// The list of runs.
pub fn runs(world: World) -> Vec<RunSummary> {
    if matches!(world, World::Empty | World::Started) {
        return Vec::new();
    }
    let row = |n, stage, calls, ago| RunSummary {
        id: RunId(id(n)),
        tenant_name: "Budget app".into(),
        skill: skill(),
        started_at: now() - Duration::minutes(ago),
        stage,
        calls,
    };
    vec![
        row(406, RunStage::Done, 5, 3),
        row(404, RunStage::Ask, 2, 50),
        row(408, RunStage::DeadEnd, 2, 3000),
    ]
}

/// One run; none for an id that is not in the list.
pub fn run(run: RunId) -> Option<Run> {
    let (n, _) = STATES.into_iter().find(|(n, _)| RunId(id(*n)) == run)?;
    let calls = [0, 1, 2, 2, 2, 5, 1, 2, 5][usize::try_from(n - 401).ok()?];
    let step = NextCall::Step {
        name: "sca".into(),
        title: "Consent at the bank".into(),
        schema: serde_json::json!({"type": "object", "required": ["psu_redirect_link"], "properties": {
            "psu_redirect_link": {"type": "string", "title": "Return link"}}}),
        data: "{\n  \"psu_redirect_link\": \"http://127.0.0.1:3000/console/return\"\n}".into(),
    };
    let next = match n {
        401 => NextCall::OpenSession,
        402 | 407 => step,
        403 => NextCall::Bank,
        404 => NextCall::Ask,
        405 => NextCall::Exchange,
        408 => NextCall::DeadEnd("The session was completed, failed, cancelled or expired.".into()),
        _ => NextCall::Done,
    };
    let mut all = all_calls(n == 409);
    all.truncate(calls);
    if n == 407 {
        all.push(refused("invalid_redirect_link"));
    }
    if n == 408 {
        all.pop();
        all.push(refused("session_ended"));
    }
    Some(Run {
        id: run,
        tenant: TenantId(id(1)),
        tenant_name: if n == 409 {
            HOSTILE.into()
        } else {
            "Budget app".into()
        },
        skill: skill(),
        kind: Some(SkillType::AccountInformation),
        steps: vec![StepName {
            name: "sca".into(),
            title: "Consent at the bank".into(),
            redirects: true,
            waits: false,
        }],
        started_at: now() - Duration::minutes(3),
        offers: if n == 406 {
            vec![Offer::Balances]
        } else {
            Vec::new()
        },
        files: Vec::new(),
        calls: all,
        nonces: nonces(n, calls),
        session: (calls > 0).then(|| SessionId(id(410))),
        session_status: Some("SESSION_IN_PROGRESS".into()),
        bank_url: (n == 403).then(|| "http://127.0.0.1:4000/authorise?state=x".into()),
        temp_token: (n == 405).then(|| "9c2f…41d7".into()),
        temp_token_expires_at: (n == 405).then(|| now() + Duration::seconds(581)),
        credentials_id: (n == 406).then(|| id(411).to_string()),
        next,
        forget_at: now() + Duration::days(1),
        refusal: (n == 404).then(|| "access_denied".into()),
        reason: None,
    })
}

fn nonces(n: u128, calls: usize) -> Vec<NonceUse> {
    if calls == 0 {
        return Vec::new();
    }
    vec![NonceUse {
        label: "nonce 1".into(),
        masked: "F3YX…bm9u".into(),
        made_by: 0,
        used_by: (calls > 1 && n != 408).then_some(1),
        expires_at: now() + Duration::minutes(28),
    }]
}

fn skill() -> SkillName {
    SkillName::parse("xyz_ro_aisp_sbx_#1.0").unwrap()
}

pub fn call(
    n: u128,
    title: &str,
    path: &str,
    request: &str,
    response: String,
    browser_safe: bool,
) -> ConsoleCall {
    ConsoleCall {
        request: RequestId(id(420 + n)),
        at: now() - Duration::seconds(100),
        title: title.into(),
        method: "POST".into(),
        path: path.into(),
        status: 200,
        latency_ms: 6.4,
        request_body: request.into(),
        response_body: response,
        browser_safe,
    }
}

fn refused(code: &str) -> ConsoleCall {
    let entry = Code::parse(code).unwrap().entry();
    let path = format!("/v1/sessions/{}/steps", id(410));
    let body = format!(
        "{{\"code\": \"{code}\", \"http\": {}, \"message\": \"{}\"}}",
        entry.http,
        entry.cause.replace('`', "")
    );
    ConsoleCall {
        status: entry.http,
        ..call(9, "Step sca", &path, "{}", body, true)
    }
}

fn all_calls(hostile: bool) -> Vec<ConsoleCall> {
    let session = id(410);
    let info = if hostile {
        HOSTILE.replace('"', "")
    } else {
        "Salary March".to_owned()
    };
    let account = id(412);
    let accounts = format!(
        r#"[{{"id": "{account}", "data": {{"account_schemes": [{{"scheme_name": "IBAN", "identification": "RO49AAAA1B31007593840000"}}],
        "account_type": "Personal current account", "account_sub_type": "CurrentAccount", "currency": "RON", "name": "Family account", "nickname": "",
        "balances": [{{"balance_amount": "15231.07", "balance_currency": "RON", "credit_debit_indicator": "debit"}}]}}}}]"#
    );
    let row = |amount: &str, sign: &str, status: &str, info: &str| {
        format!(
            r#"{{"id": "x", "account_id": "{account}", "data": {{"amount": "{amount}", "currency": "RON", "credit_debit_indicator": "{sign}",
            "status": "{status}", "booking_date_time": "2026-01-30T00:00:00Z", "info": "{info}"}}}}"#
        )
    };
    let transactions = format!(
        "[{},{},{}]",
        row(
            "12.50",
            "debit",
            "pending",
            "Card purchase, a corner shop with a rather long name"
        ),
        row("7450.00", "credit", "booked", &info),
        row("1830.20", "debit", "booked", "Rent")
    );
    vec![
        call(1, "Open session", "/v1/sessions", "{\n  \"client_id\": \"x\",\n  \"client_app_key\": \"$TESSERA_CLIENT_APP_KEY\",\n  \"skill\": \"xyz_ro_aisp_sbx_#1.0\"\n}", format!("{{\n  \"nonce\": \"F3YX…bm9u\",\n  \"session_id\": \"{session}\",\n  \"status\": \"SESSION_CREATED\"\n}}"), true),
        call(2, "Step sca", &format!("/v1/sessions/{session}/steps"), "{\n  \"nonce\": \"$NONCE\",\n  \"step\": \"sca\"\n}", "{\n  \"status\": \"SESSION_IN_PROGRESS\",\n  \"data\": {\n    \"method\": \"GET\",\n    \"url\": \"http://127.0.0.1:4000/authorise?response_type=code&state=abcdefghijklmnopqrstuvwxyz\"\n  }\n}".into(), true),
        call(3, "Exchange token", "/v1/token", "{\n  \"client_secret\": \"$TESSERA_CLIENT_SECRET\",\n  \"temp_token\": \"$TEMP_TOKEN\"\n}", format!("{{\n  \"credentials_id\": \"{}\",\n  \"access_token\": \"MDAx…9ff0\"\n}}", id(411)), false),
        call(4, "Accounts", "/v1/accounts/get", "{}", accounts, false),
        call(5, "Transactions", "/v1/transactions/get", "{}", transactions, false),
    ]
}

/// A small OpenAPI document with one of everything the reference unfolds.
pub fn openapi() -> serde_json::Value {
    let string = |about: &str| serde_json::json!({"type": "string", "description": about});
    serde_json::json!({
        "paths": {
            "/v1/sessions/{session_id}/steps": {"post": {
                "tags": ["Sessions"], "summary": "Submits a step.", "description": "Each nonce authorises one step.",
                "parameters": [{"name": "session_id", "in": "path", "required": true, "schema": {"type": "string", "format": "uuid"}, "description": "From opening."}],
                "requestBody": {"content": {"application/json": {"schema": {"type": "object", "required": ["client_id", "nonce", "data"], "properties": {
                    "client_id": string("The tenant."), "nonce": string("Of the answer before."), "data": {"type": "object", "description": "The step's data."}}}}}},
                "responses": {"200": {"description": "What comes next.", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/StepTaken"}}}}}}},
            "/v1/catalog/skills": {"get": {"tags": ["catalog"], "summary": "Lists skills.", "responses": {}}},
            "/v1/transactions": {"get": {
                "tags": ["Transactions"], "summary": "Lists transactions.",
                "parameters": [{"name": "X-Access-Token", "in": "header", "required": true, "schema": {"type": "string"}}],
                "responses": {"200": {"description": "A page."}}}}
        },
        "components": {"schemas": {"StepTaken": {"type": "object", "required": ["step_id"], "properties": {
            "step_id": {"type": "string", "format": "uuid"}, "status": {"type": "string", "enum": ["SESSION_IN_PROGRESS", "SESSION_COMPLETED"]},
            "next": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Next"}]}}},
            "Next": {"type": "object", "properties": {"name": {"type": "string"}}}}}
    })
}

#[test]
fn the_return_from_the_bank_leads_to_a_clean_address() {
    let path = format!(
        "/console/return?temp_token=secret-token&session_id={}",
        id(410)
    );
    let (answer, _) = open(visit(World::Full, &path, Some(actor(false))));
    let Answer::See(to) = answer else {
        panic!("not a 303")
    };
    assert!(!to.contains("secret-token"), "{to}");
}

#[test]
fn step_data_that_is_no_json_is_kept() {
    let mut visit = visit(
        World::Full,
        &format!("/console/runs/{}", id(402)),
        Some(actor(false)),
    );
    visit.form = Some(fields("act=advance&at=1&data={oops"));
    let (status, html) = show(visit);
    assert_eq!(status, 422);
    assert!(
        html.contains("{oops") && html.contains("line 1, column 2"),
        "{html}"
    );
}

#[test]
fn a_run_says_how_many_calls_it_showed() {
    for (n, calls) in [(401, 0), (402, 1), (405, 2)] {
        let (_, html) = show(visit(
            World::Full,
            &format!("/console/runs/{}", id(n)),
            Some(actor(false)),
        ));
        assert!(
            html.contains(&format!("name=\"at\" value=\"{calls}\"")),
            "{n}"
        );
    }
}

/// Follows every link of the documentation that stays within it.
#[test]
fn every_link_of_the_documentation_leads_somewhere() {
    let mut seen = vec!["/docs".to_owned()];
    let mut at = 0;
    while let Some(path) = seen.get(at).cloned() {
        at += 1;
        let (answer, visit) = open(visit(World::Full, &path, None));
        let page = match answer {
            Answer::Page(page) => page,
            Answer::Text { .. } => continue,
            _ => panic!("{path} answers neither page nor text"),
        };
        assert_eq!(page.status, 200, "{path}");
        let html = app::pages::shell::render(page, &visit, "n");
        for link in html
            .split(" href=\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
        {
            let target = link.split(['#', '?']).next().unwrap_or_default();
            if let Some(anchor) = link.strip_prefix('#') {
                assert!(
                    html.contains(&format!("id=\"{anchor}\"")),
                    "{path}: #{anchor} is not there"
                );
            }
            let known = SCREENS
                .iter()
                .any(|screen| matched(screen, target).is_some());
            let file = [
                "/icons.svg",
                "/icon.svg",
                "/style/main.css",
                "/v1/openapi.json",
                "/v1/postman.json",
            ]
            .contains(&target);
            assert!(
                target.is_empty() || known || file || link.starts_with("http"),
                "{path} leads to {link}"
            );
            if target.starts_with("/docs") && !seen.iter().any(|other| other == target) {
                seen.push(target.to_owned());
            }
        }
    }
    for code in Code::ALL {
        let page = format!("/docs/errors/{code}");
        assert!(seen.contains(&page), "{page} is linked from nowhere");
    }
    assert!(
        seen.iter()
            .filter(|path| path.starts_with("/docs/api/"))
            .count()
            >= 2
    );
    assert!(seen.iter().any(|path| path.ends_with(".md")));
}
