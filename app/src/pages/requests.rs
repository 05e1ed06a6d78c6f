//! The request log: every API call of the servicer, newest first, live.

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use super::{Answer, Fields, Frame, Page, Shown, Visit};
use crate::domain::ids::{KeyId, TenantId};
use crate::islands::LiveTail;
use crate::links;
use crate::portal::requests::{RequestFilter, RequestRow};
use crate::ui::{Column, Empty, Entry, HttpStatus, NoMatch, PageHead, Select, Stamp, Table, time};

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

pub(super) async fn list(visit: Visit) -> Shown {
    let actor = visit.actor()?;
    let filter = filter(&visit.query);
    let rows = visit.portal.requests(actor, &filter).await?;
    let tenants = visit.portal.tenants(actor, "").await?;
    let names = tenants
        .into_iter()
        .map(|tenant| (tenant.id.to_string(), tenant.name))
        .collect();
    let query = visit.query.clone();
    let filtered = FILTERS.iter().any(|name| !query.get(name).is_empty());
    let newest_page = filter.before.is_none();
    Ok(Page::new(Frame::App, "Requests", move || {
        let body = if rows.is_empty() && !filtered && newest_page {
            no_requests().into_any()
        } else {
            view! {
                {filters(&query, names)}
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

/// The rows that came after the newest one shown, as the table holds them: what the live tail asks for.
pub(super) async fn tail(visit: Visit) -> Shown {
    let mut filter = filter(&visit.query);
    filter.after = visit.query.parse("after");
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

fn filter(query: &Fields) -> RequestFilter {
    let text = |name| Some(query.get(name).trim().to_owned()).filter(|text| !text.is_empty());
    RequestFilter {
        tenant: query.parse::<TenantId>("tenant"),
        status: text("status"),
        method: text("method"),
        q: text("q"),
        source: text("source"),
        session: query.parse("session"),
        keys: query.parse::<KeyId>("key").into_iter().collect(),
        before: query.parse("before"),
        after: None,
    }
}

/// A path with the filters that are set.
fn address(path: &str, query: &Fields) -> String {
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

fn filters(query: &Fields, tenants: Vec<(String, String)>) -> impl IntoView + use<> {
    let entry = |name: &'static str| Entry {
        name: name.into(),
        value: query.get(name).to_owned(),
        ..Entry::default()
    };
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
    let set = FILTERS.iter().any(|name| !query.get(name).is_empty());
    let linked = LINKED
        .iter()
        .map(|(name, words)| (*name, *words, query.get(name).to_owned()))
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
                <input type="search" id="q" name="q" value=query.get("q").to_owned() />
            </div>
            <Select entry=entry("tenant") label="Tenant" options=choices />
            <Select entry=entry("status") label="Status" options=statuses />
            <Select entry=entry("method") label="Method" options=methods />
            <Select entry=entry("source") label="Source" options=sources />
            {hidden}
            <div class="actions">
                <button class="btn">"Filter"</button>
                {set.then(|| view! { <a class="btn quiet" href=links::REQUESTS>"Clear"</a> })}
            </div>
        </form>
        {said}
    }
}

/// What a table of calls shows besides the calls.
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
        Column::text("Time, UTC"),
        Column::text("Status"),
        Column::text("Operation"),
    ];
    match beside {
        Beside::Nothing => {}
        Beside::Tenant => columns.extend([Column::text("Tenant"), Column::text("Source")]),
        Beside::Key(_) => columns.push(Column::text("Key")),
    }
    columns.push(Column::number("Duration"));
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

fn pager(query: &Fields, rows: &[RequestRow], newest_page: bool) -> impl IntoView + use<> {
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
        let query = Fields(vec![
            pair("q", "a b&c"),
            pair("status", "4xx"),
            pair("method", ""),
            pair("before", "x"),
        ]);
        assert_eq!(
            address(links::REQUESTS, &query),
            "/requests?q=a%20b%26c&status=4xx"
        );
        assert_eq!(filter(&query).status.as_deref(), Some("4xx"));
        assert_eq!(filter(&query).method, None);
    }

    #[test]
    fn short_and_long_calls_are_readable() {
        assert_eq!(took(0.62), "0.6 ms");
        assert_eq!(took(84.2), "84 ms");
        assert_eq!(took(1234.0), "1.2 s");
    }
}
