//! One call: what was sent, what was answered and, if it failed, why and what to do.

use leptos::prelude::*;
use serde_json::Value;

use super::components::holder_chip;
use super::requests::took;
use super::{Frame, Page, ScreenResult, Visit};
use crate::domain::ids::RequestId;
use crate::domain::problem::Code;
use crate::islands::CopyButton;
use crate::links;
use crate::portal::requests::{Explanation, RequestDetail};
use crate::ui::{Chip, Facts, HttpStatus, Json, PageHead, Tone, prose, time};

pub(super) async fn screen(visit: Visit) -> ScreenResult {
    let id: RequestId = visit.param("request")?;
    let detail = visit.portal.request(visit.actor()?, id).await?;
    let title = format!("{} {}", detail.row.method, detail.row.path);
    Ok(Page::new(Frame::App, title.clone(), move || {
        let status = view! { <HttpStatus code=detail.row.status /> }.into_any();
        let lead = format!(
            "{} · answered in {}",
            time::full(detail.row.at),
            took(detail.row.latency_ms)
        );
        view! {
            <PageHead title=title beside=status lead=lead>
                {detail.row.tenant.map(|tenant| {
                    view! { <a class="btn" href=links::tenant(tenant)>"Open tenant"</a> }
                })}
            </PageHead>
            {detail.explanation.clone().map(|explanation| why(explanation, id, &parse_error(&detail.response_body)))}
            <div class="two">
                {body_card("Request", "request", &detail.request_headers, &detail.request_body)}
                {body_card("Response", "response", &[], &detail.response_body)}
            </div>
            <section class="section">
                <h2>"About this call"</h2>
                {facts(&detail)}
            </section>
        }
    })
    .under("Requests", links::REQUESTS)
    .wide()
    .into())
}

/// Message, hint and fields of a response's own error: it knows more of this one call than the catalogue does.
#[derive(Default)]
struct Said {
    message: String,
    hint: String,
    /// Path and message of each field that is wrong.
    fields: Vec<(String, String)>,
}

fn parse_error(body: &str) -> Said {
    let body: Value = serde_json::from_str(body).unwrap_or_default();
    let text = |of: &Value, name: &str| {
        let text = of.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let fields = body.get("fields").and_then(Value::as_array);
    let fields = fields.into_iter().flatten();
    Said {
        message: text(&body, "message"),
        hint: text(&body, "hint"),
        fields: fields
            .map(|field| (text(field, "path"), text(field, "message")))
            .collect(),
    }
}

/// The fields that are wrong, one line each.
fn wrong_fields(fields: &[(String, String)]) -> Option<AnyView> {
    if fields.is_empty() {
        return None;
    }
    let rows = fields.iter().map(|(path, message)| {
        view! {
            <li>
                <code>{path.clone()}</code>
                " "
                {prose(message)}
            </li>
        }
    });
    Some(view! { <ul class="wrong-fields">{rows.collect_view()}</ul> }.into_any())
}

/// Cause, fix and who caused it: what the response itself says first, then the catalogue.
fn why(explanation: Explanation, id: RequestId, said: &Said) -> impl IntoView + use<> {
    let retry = if explanation.retryable {
        "Retrying the same request may succeed."
    } else {
        "Retrying the same request will fail."
    };
    let cause = if said.message.is_empty() {
        &explanation.cause
    } else {
        &said.message
    };
    let mut facts = vec![("Cause", prose(cause))];
    if let Some(fields) = wrong_fields(&said.fields) {
        facts.push(("Fields", fields));
    }
    if !said.hint.is_empty() {
        facts.push(("Hint", prose(&said.hint)));
    }
    facts.push(("Fix", prose(&explanation.fix)));
    facts.push(("Retry?", retry.into_any()));
    let code = explanation.code;
    let debugger = (code == Code::InvalidSignature.as_str()).then(|| {
        let to = links::with(links::SIGNATURE_DEBUGGER, "request", &id.to_string());
        view! {
            <a class="btn primary" href=to>
                "See what differs"
            </a>
        }
    });
    view! {
        <section class="card why" aria-labelledby="why">
            <div class="bar">
                <h2 id="why">"Why it failed"</h2>
                <Chip tone=Tone::Err plain=true text=code.clone() />
                <span class="spacer"></span>
                <span>{format!("Caused by: {}", caused_by(&explanation.whose))}</span>
            </div>
            <div class="pad stack">
                <p>
                    <strong>{explanation.title}</strong>
                </p>
                <Facts facts=facts />
                <div class="actions">
                    {debugger}
                    <a class="btn" href=links::docs_error(&code)>
                        "Read about this error"
                    </a>
                </div>
            </div>
        </section>
    }
}

fn caused_by(whose: &str) -> &str {
    match whose {
        "caller" => "your request",
        "bank" => "the bank",
        "us" => "this server",
        "end_user" | "end-user" => "the end-user",
        other => other,
    }
}

fn body_card(
    title: &'static str,
    id: &'static str,
    headers: &[(String, String)],
    body: &str,
) -> impl IntoView + use<> {
    let lines: String = headers
        .iter()
        .map(|(name, value)| format!("{name}: {value}\n"))
        .collect();
    let content = if body.is_empty() {
        view! { <p class="pad muted">"No body."</p> }.into_any()
    } else {
        let label = format!("{id} body");
        view! { <Json id=id text=body.to_owned() label=label /> }.into_any()
    };
    view! {
        <section class="card" aria-labelledby=format!("{id}-title")>
            <div class="bar">
                <h2 id=format!("{id}-title")>{title}</h2>
            </div>
            {(!lines.is_empty())
                .then(|| {
                    view! {
                        <pre class="headers" tabindex="0" role="region" aria-label="Headers">
                            {lines}
                        </pre>
                    }
                })}
            {content}
        </section>
    }
}

fn facts(detail: &RequestDetail) -> impl IntoView + use<> {
    let row = &detail.row;
    let id = view! {
        <span class="actions">
            <code id="request-id">{row.id.to_string()}</code>
            <CopyButton from="request-id".to_owned() label="Copy request id".to_owned() />
        </span>
    };
    let mut facts = vec![
        ("Request id", id.into_any()),
        (
            "Operation",
            view! { <code>{row.operation.clone()}</code> }.into_any(),
        ),
        ("Tenant", row.tenant_name.clone().into_any()),
        (
            "Source",
            if row.source == "console" {
                "Console"
            } else {
                "Your code"
            }
            .into_any(),
        ),
    ];
    if let Some(session) = detail.session {
        let href = links::with(links::REQUESTS, "session", &session.to_string());
        let link = view! {
            <a class="mono" href=href>
                {session.to_string()}
            </a>
        };
        facts.push(("Session", link.into_any()));
    }
    if let Some(key) = detail.key.clone() {
        let safe = !key.starts_with("client_secret");
        let shown = view! { <code>{key}</code> " " {holder_chip(safe)} };
        facts.push(("Authorised by", shown.into_any()));
    }
    facts.push(("Client", detail.user_agent.clone().into_any()));
    facts.push((
        "Address",
        view! { <code>{detail.ip.clone()}</code> }.into_any(),
    ));
    view! {
        <div class="card">
            <div class="pad">
                <Facts facts=facts />
            </div>
        </div>
    }
}
