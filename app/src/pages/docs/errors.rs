//! One page for each code of the catalogue: what it means, what to do, whose fault it is.

use leptos::prelude::*;

use super::{ERRORS, page as framed, plain};
use crate::domain::problem::{Code, Fault};
use crate::links;
use crate::pages::samples::Lang;
use crate::pages::{Answer, ScreenResult, Visit};
use crate::portal::PortalError;
use crate::ui::{Chip, Facts, HttpStatus, Table, TableColumn, Tone, prose};

/// Every code.
pub(crate) fn index(visit: Visit) -> Answer {
    if visit.markdown {
        return Answer::markdown(plain::errors());
    }
    let lang = Lang::of(visit.query.get("lang"));
    framed(
        &visit,
        "Errors",
        "Every error code of the API, with its cause and fix.",
        lang,
        || {
            let columns = vec![
                TableColumn::text("Code"),
                TableColumn::text("Status"),
                TableColumn::text("Meaning"),
                TableColumn::text("Retry"),
            ];
            let rows = Code::ALL
            .iter()
            .map(|code| {
                let entry = code.entry();
                view! {
                    <tr>
                        <th scope="row"><a href=links::docs_error(entry.code)><code>{entry.code}</code></a></th>
                        <td><HttpStatus code=entry.http /></td>
                        <td>{entry.title}</td>
                        <td class="spare">{if entry.retryable { "helps" } else { "" }}</td>
                    </tr>
                }
            })
            .collect_view();
            view! {
                <h1>"Errors"</h1>
                <p class="lead">"Every error of the API is one object. Its code is one of these, and each has a page."</p>
                <Table caption="Error codes" columns=columns linked=true folds=true>{rows}</Table>
            }
        },
    )
}

/// One code.
pub(crate) fn page(visit: Visit) -> ScreenResult {
    let code = Code::parse(visit.params.get("code")).ok_or(PortalError::NotFound)?;
    if visit.markdown {
        return Ok(Answer::markdown(plain::error(code)));
    }
    let lang = Lang::of(visit.query.get("lang"));
    let site = visit.site.clone();
    Ok(framed(
        &visit,
        code.as_str(),
        code.entry().title,
        lang,
        move || {
            let entry = code.entry();
            let whose = match entry.fault {
                Fault::Caller => "Your request: it has to change",
                Fault::Bank => "The bank or provider",
                Fault::Us => "This server",
                Fault::EndUser => "The end-user: they decided, or took too long",
            };
            let again = if entry.retryable {
                "Yes: the same request may succeed later"
            } else {
                "No: the same request will fail again"
            };
            let facts = vec![
                (
                    "Status",
                    view! { <HttpStatus code=entry.http /> }.into_any(),
                ),
                (
                    "Type",
                    view! { <code>{entry.kind.as_str()}</code> }.into_any(),
                ),
                ("Caused by", whose.into_any()),
                ("Retry?", again.into_any()),
            ];
            let sample = serde_json::json!({
                "id": "0d9c5a1e-57a4-4a2c-9f0e-8c31b7c02f61",
                "type": entry.kind.as_str(),
                "http": entry.http,
                "code": entry.code,
                "message": entry.cause,
                "hint": entry.fix,
                "docs": format!("{}{}", site.public_url, links::docs_error(entry.code)),
            });
            let sample = serde_json::to_string_pretty(&sample).unwrap_or_default();
            view! {
                <p class="faint"><a href=ERRORS>"Errors"</a></p>
                <h1><code>{entry.code}</code> " " {entry.retryable.then(|| view! { <Chip tone=Tone::Warn text="Retryable" /> })}</h1>
                <p class="lead">{entry.title}</p>
                <h2>"Cause"</h2>
                <p>{prose(entry.cause)}</p>
                <h2>"Fix"</h2>
                <p>{prose(entry.fix)}</p>
                <Facts facts=facts />
                <h2>"Example"</h2>
                {super::block("sample-1", "json", &sample, None)}
            }
        },
    ))
}
