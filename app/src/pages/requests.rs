//! The request log: every API call of the servicer, newest first, live.

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use super::form::Form;
use super::request_filter::{filter, one_of_mine};
use super::{Answer, FormFields, Frame, Page, ScreenResult, Visit};
use crate::domain::ids::KeyId;
use crate::islands::LiveTail;
use crate::links;
use crate::portal::PortalError;
use crate::portal::requests::RequestRow;
use crate::ui::{
    Empty, ErrorSummary, HttpStatus, NoMatch, PageHead, Select, Stamp, Table, TableColumn, time,
};

/// Rows on one page.
const PAGE: usize = 50;
/// The filters that a page keeps when it is turned.
const FILTERS: &[&str] = &[
    "q", "tenant", "status", "method", "source", "session", "key",
];
/// Filters that are set by a link alone, and the words that say so.
const LINKED: &[(&str, &str)] = &[
    ("session", "Only calls of the session "),
    ("key", "Only calls with the key "),
];

pub(super) async fn list(visit: Visit) -> ScreenResult {
    let actor = visit.actor()?;
    let tenants = visit.portal.tenants(actor, "").await?;
    let names: Vec<(String, String)> = tenants
        .into_iter()
        .map(|tenant| (tenant.id.to_string(), tenant.name))
        .collect();
    let query = visit.query.clone();
    let filter = match filter(&query).and_then(|filter| one_of_mine(filter, &names)) {
        Ok(filter) => filter,
        Err(wrong) => return Ok(refused(query, names, wrong)?.into()),
    };
    let rows = visit.portal.requests(actor, &filter).await?;
    let filtered = FILTERS.iter().any(|name| !query.get(name).is_empty());
    let newest_page = filter.before.is_none();
    Ok(Page::new(Frame::App, "Requests", move || {
        let body = if rows.is_empty() && !filtered && newest_page {
            no_requests().into_any()
        } else {
            view! {
                {filters(&Form::typed(query.clone()), names)}
                {request_rows("Requests", rows.clone(), &Beside::Tenant)}
                {pager(&query, &rows, newest_page)}
            }
            .into_any()
        };
        let tail = newest_page.then(|| {
            let url = address(links::REQUESTS_TAIL, &query);
            view! { <LiveTail url=url into="log".to_owned() /> }
        });
        view! {
            <PageHead
                title="Requests"
                lead="Every API call of your tenants, within a second. Secrets are redacted before storage."
            >
                {tail}
                <a class="btn without-js" href=address(links::REQUESTS, &query)>
                    "Refresh"
                </a>
            </PageHead>
            {body}
        }
    })
    .wide()
    .into())
}

/// The page for filters that nothing can meet: what is wrong with each, and no list that would look like an answer.
fn refused(
    query: FormFields,
    names: Vec<(String, String)>,
    wrong: PortalError,
) -> Result<Page, PortalError> {
    let form = Form::refused(query, wrong)?;
    let shown = form.clone();
    let page = Page::new(Frame::App, "Requests", move || {
        view! {
            <PageHead title="Requests" lead="No search was made: a filter has a value that no call can have.">
                <a class="btn primary" href=links::REQUESTS>
                    "Clear the filters"
                </a>
            </PageHead>
            <ErrorSummary errors=shown.errors(&["q", "tenant", "status", "method", "source"]) />
            {filters(&shown, names)}
        }
    });
    Ok(form.status(page.wide()))
}

/// The rows that came after the newest one shown, as the table holds them: what the live tail asks for.
pub(super) async fn tail(visit: Visit) -> ScreenResult {
    let filter = filter(&visit.query)?;
    let rows = visit.portal.requests(visit.actor()?, &filter).await?;
    let owner = Owner::new_root(None);
    let body = owner.with(|| {
        rows.into_iter()
            .map(|row| line(row, &Beside::Tenant))
            .collect_view()
            .to_html()
    });
    Ok(Answer::Text {
        content_type: "text/html; charset=utf-8",
        body,
    })
}

/// A path with the filters that are set.
fn address(path: &str, query: &FormFields) -> String {
    FILTERS
        .iter()
        .filter(|name| !query.get(name).is_empty())
        .fold(path.to_owned(), |address, name| {
            links::with(&address, name, query.get(name))
        })
}

fn no_requests() -> impl IntoView {
    view! {
        <Empty icon="requests" title="No request yet">
            <p>"Send one from the console or from your own code; it is here within a second."</p>
            <div class="actions">
                <a class="btn primary" href=links::CONSOLE>
                    "Open console"
                </a>
                <a class="btn" href=links::docs("quick-start")>
                    "Read the quick start"
                </a>
            </div>
        </Empty>
    }
}

fn filters(form: &Form, tenants: Vec<(String, String)>) -> impl IntoView + use<> {
    let value = |name: &'static str| form.entry(name).value;
    let any = |rest: &[(&str, &str)]| -> Vec<(String, String)> {
        std::iter::once(("", "Any"))
            .chain(rest.iter().copied())
            .map(|(value, text)| (value.to_owned(), text.to_owned()))
            .collect()
    };
    let mut choices = any(&[]);
    choices.extend(tenants);
    let statuses = any(&[
        ("2xx", "2xx, success"),
        ("4xx", "4xx, client error"),
        ("5xx", "5xx, server error"),
        ("401", "401"),
        ("429", "429"),
    ]);
    let methods = any(&[("GET", "GET"), ("POST", "POST"), ("DELETE", "DELETE")]);
    let sources = any(&[("api", "Your code"), ("console", "Console")]);
    // A value from the address that no list offers is added to its list: sending the form would drop it.
    let with_own = |name, mut options: Vec<(String, String)>| {
        let own = value(name);
        if !options.iter().any(|(offered, _)| *offered == own) {
            options.push((own.clone(), own));
        }
        options
    };
    let choices = with_own("tenant", choices);
    let statuses = with_own("status", statuses);
    let methods = with_own("method", methods);
    let sources = with_own("source", sources);
    let set = FILTERS.iter().any(|name| !value(name).is_empty());
    let linked = LINKED
        .iter()
        .map(|(name, words)| (*name, *words, value(name)))
        .filter(|(_, _, value)| !value.is_empty());
    let (hidden, said): (Vec<_>, Vec<_>) = linked
        .map(|(name, words, value)| {
            let hidden = view! { <input type="hidden" name=name value=value.clone() /> };
            let said = view! { <p class="muted narrowed">{words} <code>{value}</code></p> };
            (hidden, said)
        })
        .unzip();
    view! {
        <form class="filters" method="get" action=links::REQUESTS role="search" aria-label="Filter requests">
            <div class="field grow">
                <label for="q">"Path, error code or any id"</label>
                <input type="search" id="q" name="q" value=value("q") />
            </div>
            <Select entry=form.entry("tenant") label="Tenant" options=choices />
            <Select entry=form.entry("status") label="Status" options=statuses />
            <Select entry=form.entry("method") label="Method" options=methods />
            <Select entry=form.entry("source") label="Source" options=sources />
            {hidden}
            <div class="actions">
                <button class="btn">"Filter"</button>
                {set.then(|| view! { <a class="btn quiet" href=links::REQUESTS>"Clear"</a> })}
            </div>
        </form>
        {said}
    }
}

/// Columns of a table of calls besides those about the calls themselves.
pub(super) enum Beside {
    /// Nothing: all are of one tenant.
    Nothing,
    /// Tenant and origin: the log itself, which a tail may put rows on top of.
    Tenant,
    /// The key that authorised the call, by the name the page gives it.
    Key(Vec<(KeyId, String)>),
}

/// A table of calls.
pub(super) fn request_rows(
    caption: &'static str,
    rows: Vec<RequestRow>,
    beside: &Beside,
) -> impl IntoView + use<> {
    let mut columns = vec![
        TableColumn::text("Time, UTC"),
        TableColumn::text("Status"),
        TableColumn::text("Operation"),
    ];
    match beside {
        Beside::Nothing => {}
        Beside::Tenant => {
            columns.extend([TableColumn::text("Tenant"), TableColumn::text("Source")]);
        }
        Beside::Key(_) => columns.push(TableColumn::text("Key")),
    }
    columns.push(TableColumn::number("Duration"));
    let none = rows.is_empty().then(|| {
        let columns = columns.len();
        view! {
            <NoMatch
                columns=columns
                sentence="No request matches."
                all=links::REQUESTS
                label="Clear the filters"
            />
        }
    });
    let linked = none.is_none();
    let rows = rows.into_iter().map(|row| line(row, beside)).collect_view();
    let log = matches!(beside, Beside::Tenant);
    view! {
        <Table
            caption=caption
            columns=columns
            linked=linked
            folds=true
            id=if log { "log" } else { "" }
        >
            {rows}
            {none}
        </Table>
    }
}

fn line(row: RequestRow, beside: &Beside) -> impl IntoView + use<> {
    let why = row
        .error_code
        .map(|code| view! { " " <span class="faint">{code}</span> });
    let more = match beside {
        Beside::Nothing => None,
        Beside::Tenant => {
            let from = if row.source == "console" {
                "Console"
            } else {
                "API"
            };
            let cells = view! {
                <td>{row.tenant_name}</td>
                <td class="muted">{from}</td>
            };
            Some(cells.into_any())
        }
        Beside::Key(names) => {
            let name = names.iter().find(|(id, _)| Some(*id) == row.key);
            let name = name.map(|(_, name)| name.clone());
            Some(view! { <td class="mono nowrap">{name}</td> }.into_any())
        }
    };
    view! {
        <tr class="call" data-id=row.id.to_string()>
            <td class="mono nowrap">
                <a href=links::request(row.id)>
                    <Stamp at=row.at />
                </a>
            </td>
            <td>
                <HttpStatus code=row.status />
            </td>
            <td class="mono break">{row.method} " " {row.path} {why}</td>
            {more}
            <td class="num mono">{took(row.latency_ms)}</td>
        </tr>
    }
}

/// `84 ms`, `0.6 ms`, `1.2 s`.
pub(super) fn took(ms: f64) -> String {
    if ms < 1.0 {
        format!("{ms:.1} ms")
    } else if ms < 1000.0 {
        format!("{ms:.0} ms")
    } else {
        format!("{:.1} s", ms / 1000.0)
    }
}

fn pager(query: &FormFields, rows: &[RequestRow], newest_page: bool) -> impl IntoView + use<> {
    let older = rows.last().filter(|_| rows.len() >= PAGE).map(|last| {
        let href = links::with(
            &address(links::REQUESTS, query),
            "before",
            &last.id.to_string(),
        );
        view! {
            <a class="btn" href=href rel="next">
                "Older"
            </a>
        }
    });
    let newest = (!newest_page).then(|| {
        view! {
            <a class="btn" href=address(links::REQUESTS, query)>
                "Newest"
            </a>
        }
    });
    let span: Option<(DateTime<Utc>, DateTime<Utc>)> = rows
        .last()
        .zip(rows.first())
        .map(|(last, first)| (last.at, first.at));
    let about = span.map(|(from, to)| {
        format!(
            "{} rows, from {} to {}",
            rows.len(),
            time::full(from),
            time::full(to)
        )
    });
    view! {
        <nav class="pager" aria-label="Pages">
            <span class="faint">{about}</span>
            <span class="actions">{newest} {older}</span>
        </nav>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_survive_the_turn_of_a_page() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let query = FormFields(vec![
            pair("q", "a b&c"),
            pair("status", "4xx"),
            pair("method", ""),
            pair("before", "x"),
        ]);
        assert_eq!(
            address(links::REQUESTS, &query),
            "/requests?q=a%20b%26c&status=4xx"
        );
    }

    #[test]
    fn short_and_long_calls_are_readable() {
        assert_eq!(took(0.62), "0.6 ms");
        assert_eq!(took(84.2), "84 ms");
        assert_eq!(took(1234.0), "1.2 s");
    }
}
