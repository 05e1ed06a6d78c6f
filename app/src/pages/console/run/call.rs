//! One call of a run: its answer, its request, and the same as code.

use leptos::prelude::*;

use super::{Looks, at};
use crate::links;
use crate::pages::samples::{self, Lang, Sample};
use crate::portal::console::{ConsoleCall, Run};
use crate::ui::{Ago, CodeBlock, HttpStatus, Json, Tab, Tabs};

/// Part of a call that is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pane {
    Response,
    Request,
    Code,
}

impl Pane {
    const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Response, "response", "Response"),
        (Self::Request, "request", "Request"),
        (Self::Code, "code", "Code"),
    ];

    pub(super) fn of(text: &str) -> Self {
        Self::ALL
            .iter()
            .find(|(_, word, _)| *word == text)
            .map_or(Self::Response, |(pane, _, _)| *pane)
    }
}

/// Request, response and code of one call.
pub(super) fn call_card(run: &Run, looks: &Looks) -> Option<AnyView> {
    let call = run.calls.get(looks.call)?;
    let tabs = Pane::ALL
        .iter()
        .map(|(pane, word, name)| {
            Tab::new(
                *name,
                at(run.id, looks.call, word, looks.lang),
                *pane == looks.pane,
            )
        })
        .collect();
    let body = match looks.pane {
        Pane::Response => {
            view! { <Json id="response" text=call.response_body.clone() label="response" /> }
                .into_any()
        }
        Pane::Request => {
            view! { <Json id="request" text=call.request_body.clone() label="request" /> }
                .into_any()
        }
        Pane::Code => code(run, call, looks),
    };
    Some(
        view! {
            <section class="card call" id="call" aria-label=format!("Call {}", looks.call + 1)>
                <div class="bar">
                    <HttpStatus code=call.status />
                    <code class="break">{format!("{} {}", call.method, call.path)}</code>
                    <span class="spacer"></span>
                    <span><Ago at=call.at now=looks.now /></span>
                </div>
                <Tabs label="Parts of the call" tabs=tabs />
                {body}
                <p class="faint pad">
                    <a href=links::request(call.request)>"Open in the request log"</a>
                    ". Keys and tokens are masked."
                </p>
            </section>
        }
        .into_any(),
    )
}

fn code(run: &Run, call: &ConsoleCall, looks: &Looks) -> AnyView {
    let body: Option<serde_json::Value> = serde_json::from_str(&call.request_body).ok();
    let text = |lang: Lang| {
        let url = format!("{}{}", looks.api, call.path);
        if call.path.ends_with("/upload") {
            return samples::form(&url, &form_fields(body.as_ref()), lang);
        }
        let sample = Sample {
            method: call.method.clone(),
            url,
            headers: Vec::new(),
            basic: None,
            body: body.clone(),
        };
        sample.write(lang)
    };
    let tabs = Lang::ALL
        .iter()
        .map(|lang| {
            Tab::new(
                lang.name(),
                at(run.id, looks.call, "code", *lang),
                *lang == looks.lang,
            )
        })
        .collect();
    view! {
        <Tabs label="Language" tabs=tabs />
        <CodeBlock id="code" code=text(looks.lang) label="code" />
    }
    .into_any()
}

/// The texts of a form with a file: all of the body but the file.
fn form_fields(body: Option<&serde_json::Value>) -> Vec<(String, String)> {
    let fields = body.and_then(serde_json::Value::as_object);
    let fields = fields.into_iter().flatten();
    let texts = fields.filter(|(name, _)| *name != "file");
    texts
        .map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()))
        .collect()
}
