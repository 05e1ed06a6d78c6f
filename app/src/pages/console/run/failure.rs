//! Why the last call of a run failed, and what to do.

use leptos::prelude::*;
use serde_json::Value;

use super::super::step::StepErrors;
use crate::domain::problem::Code;
use crate::links;
use crate::portal::console::{ConsoleCall, Run};
use crate::ui::{Notice, Tone, prose};

/// The last call, if it was refused.
pub(super) fn refused_call(run: &Run) -> Option<&ConsoleCall> {
    run.calls.last().filter(|call| call.status >= 300)
}

/// Returns the errors that the API found in the fields of the last call, as paths and messages; empty if it was not
/// refused.
pub(super) fn wrong_fields(run: &Run) -> StepErrors {
    let answer: Value = refused_call(run)
        .and_then(|call| serde_json::from_str(&call.response_body).ok())
        .unwrap_or_default();
    let fields = answer.get("fields").and_then(Value::as_array);
    let text = |field: &Value, name: &str| {
        let text = field.get(name).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let fields = fields.into_iter().flatten();
    fields
        .map(|field| (text(field, "path"), text(field, "message")))
        .collect()
}

/// Renders the reason the last call failed and the remedy, from the answer or else the catalogue; `None` if it did not
/// fail with a known code. `left` are the wrong fields that no control shows.
pub(super) fn failure(run: &Run, left: &[(String, String)]) -> Option<AnyView> {
    let call = refused_call(run)?;
    let answer: Value = serde_json::from_str(&call.response_body).ok()?;
    let code = Code::parse(answer.get("code")?.as_str()?)?;
    let said = |name: &str, catalogue: &'static str| {
        let text = answer.get(name).and_then(Value::as_str);
        text.unwrap_or(catalogue).to_owned()
    };
    let message = said("message", code.entry().cause);
    let hint = said("hint", code.entry().fix);
    let mend = match code {
        Code::UnauthorizedTenant => Some((links::tenant_skills(run.tenant), "Whitelist the skill")),
        Code::InvalidRedirectLink | Code::TenantPaused => Some((
            links::tenant_settings(run.tenant),
            "Open the tenant’s settings",
        )),
        _ => None,
    };
    let left = left.iter().map(|(path, message)| {
        view! { <li><code>{path.clone()}</code> ": " {prose(message)}</li> }
    });
    let left = left.collect::<Vec<_>>();
    let left = (!left.is_empty()).then(|| view! { <ul>{left}</ul> });
    Some(
        view! {
            <Notice tone=Tone::Err title=format!("{} · {}", call.status, code.entry().title)>
                <p>{prose(&message)}</p>
                {left}
                <p>{prose(&hint)} " " <a href=links::docs_error(code.as_str())>"More on " <code>{code.as_str()}</code></a></p>
                {mend.map(|(href, label)| view! { <p class="actions"><a class="btn" href=href>{label}</a></p> })}
            </Notice>
        }
        .into_any(),
    )
}
