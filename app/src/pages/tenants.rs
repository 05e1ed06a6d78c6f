//! The list of tenants.

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use super::components::{environment_chip, paused_chip};
use super::{Frame, Page, ScreenResult, Visit};
use crate::links;
use crate::portal::tenants::TenantSummary;
use crate::ui::number::group;
use crate::ui::{Ago, Empty, NoMatch, PageHead, Search, Table, TableColumn};

pub(super) async fn list(visit: Visit) -> ScreenResult {
    let query = visit.query.get("q").trim().to_owned();
    let rows = visit.portal.tenants(visit.actor()?, &query).await?;
    let now = visit.now;
    Ok(Page::new(Frame::App, "Tenants", move || {
        let body = if rows.is_empty() && query.is_empty() {
            no_tenants().into_any()
        } else {
            view! {
                <Search action=links::TENANTS label="Name or client_id" query=query.clone() />
                {table(rows, &query, now)}
            }
            .into_any()
        };
        view! {
            <PageHead
                title="Tenants"
                lead="One for each of your apps. Each has its own keys, its own environment and its own list of skills."
            >
                <a class="btn primary" href=links::NEW_TENANT>
                    "Create tenant"
                </a>
            </PageHead>
            {body}
        }
    })
    .into())
}

/// Renders the empty list: what a tenant is, and the link to create the first.
pub(super) fn no_tenants() -> impl IntoView {
    view! {
        <Empty icon="tenants" title="Create your first tenant">
            <p>"A tenant is your app as the API knows it: it holds the keys and the list of skills that your software uses."</p>
            <div class="actions">
                <a class="btn primary" href=links::NEW_TENANT>
                    "Create tenant"
                </a>
            </div>
        </Empty>
    }
}

fn table(rows: Vec<TenantSummary>, query: &str, now: DateTime<Utc>) -> impl IntoView + use<> {
    let columns = vec![
        TableColumn::text("Name"),
        TableColumn::text("Environment"),
        TableColumn::number("Skills"),
        TableColumn::number("Requests, 24 h"),
        TableColumn::number("Errors, 24 h"),
        TableColumn::text("Last request"),
        TableColumn::text("Created"),
    ];
    let none = rows.is_empty().then(|| {
        let sentence = format!("No tenant matches “{query}”.");
        let columns = columns.len();
        view! { <NoMatch columns=columns sentence=sentence all=links::TENANTS label="Show all tenants" /> }
    });
    let rows = rows
        .into_iter()
        .map(|row| tenant_row(row, now))
        .collect_view();
    view! {
        <Table caption="Your tenants" columns=columns linked=none.is_none() folds=true>
            {rows}
            {none}
        </Table>
    }
}

fn tenant_row(row: TenantSummary, now: DateTime<Utc>) -> impl IntoView {
    let last = row.last_request_at.map_or_else(
        || "never".into_any(),
        |at| view! { <Ago at=at now=now /> }.into_any(),
    );
    view! {
        <tr>
            <th scope="row">
                <a href=links::tenant(row.id)>{row.name}</a>
            </th>
            <td>{environment_chip(row.environment)} " " {paused_chip(row.status)}</td>
            <td class="num spare">{group(row.skills)}</td>
            <td class="num" data-label="Requests">{group(row.requests_24h)}</td>
            <td class="num" data-label="Errors">{group(row.errors_24h)}</td>
            <td class="nowrap" data-label="Last">{last}</td>
            <td class="nowrap spare">
                <Ago at=row.created_at now=now />
            </td>
        </tr>
    }
}
