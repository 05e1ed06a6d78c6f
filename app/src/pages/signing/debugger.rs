//! The signature debugger: a request that was refused, or one that is typed in, with what every check finds.

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use super::findings::{findings, title};
use super::under_signing;
use crate::domain::ids::{RequestId, TenantId};
use crate::links;
use crate::pages::form::Form;
use crate::pages::{FormFields, Frame, Page, ScreenResult, Visit};
use crate::portal::PortalError;
use crate::portal::signing::{Diagnosis, RefusedSignature, Specimen};
use crate::portal::tenants::TenantSummary;
use crate::ui::{Ago, ErrorSummary, Field, Notice, PageHead, Select, Table, TableColumn, TextArea};

const FIELDS: &[&str] = &["tenant", "jws", "method", "url", "body"];

pub(in crate::pages) async fn screen(visit: Visit) -> ScreenResult {
    let actor = visit.actor()?;
    let tenants = visit.portal.tenants(actor, "").await?;
    if let Some(fields) = visit.form.clone() {
        let diagnosed = match specimen(&fields) {
            Ok(specimen) => visit.portal.diagnose(actor, specimen).await,
            Err(error) => Err(error),
        };
        return match diagnosed {
            Ok(diagnosis) => {
                Ok(page(&visit, tenants, Form::typed(fields), Seen::Typed(diagnosis)).into())
            }
            Err(error) => Ok(page(
                &visit,
                tenants,
                Form::refused(fields, error)?,
                Seen::Nothing(Vec::new()),
            )
            .into()),
        };
    }
    let asked: Option<RequestId> = visit.query.parse("request");
    let refused = visit.portal.refused_signatures(actor, asked).await?;
    let form = Form::fresh(&[("method", "POST"), ("url", "/v1s/sessions")]);
    let seen = match (asked, refused.into_iter().next()) {
        (Some(_), Some(one)) => Seen::Refused(one),
        (Some(_), None) => Seen::Gone,
        (None, _) => Seen::Nothing(visit.portal.refused_signatures(actor, None).await?),
    };
    Ok(page(&visit, tenants, form, seen).into())
}

/// Contents of the page above the form.
enum Seen {
    /// The latest refused signatures.
    Nothing(Vec<RefusedSignature>),
    Refused(RefusedSignature),
    /// Nothing is kept of the request that was asked for.
    Gone,
    Typed(Diagnosis),
}

fn specimen(fields: &FormFields) -> Result<Specimen, PortalError> {
    let tenant: Option<TenantId> = fields.parse("tenant");
    Ok(Specimen {
        tenant: tenant.ok_or_else(|| {
            PortalError::field("tenant", "Choose the tenant that sends the request.")
        })?,
        jws: fields.get("jws").to_owned(),
        method: fields.get("method").to_owned(),
        url: fields.get("url").to_owned(),
        body: sent(fields.get("body")),
    })
}

/// The body as it was typed: browsers send line ends as CR LF (HTML, section 4.10.21.7), which JSON bodies rarely have.
fn sent(typed: &str) -> Vec<u8> {
    typed.replace("\r\n", "\n").into_bytes()
}

fn page(visit: &Visit, tenants: Vec<TenantSummary>, form: Form, seen: Seen) -> Page {
    let (now, shown) = (visit.now, form.clone());
    let page = Page::new(Frame::App, "Signature debugger", move || {
        view! {
            <PageHead
                title="Signature debugger"
                lead="Makes every check of a signed request and shows the claim, or the byte, that differs. Nothing is used up."
            />
            {above(seen, now)}
            {request_form(tenants, &shown)}
        }
    });
    under_signing(form.status(page))
}

fn above(seen: Seen, now: DateTime<Utc>) -> AnyView {
    match seen {
        Seen::Typed(diagnosis) => view! {
            <section class="stack" aria-labelledby="found">
                <h2 id="found">"What the checks found"</h2>
                {findings(&diagnosis.findings)}
            </section>
        }
        .into_any(),
        Seen::Refused(one) => view! {
            <section class="stack" aria-labelledby="found">
                <h2 id="found">"A refused request"</h2>
                <p>
                    <span class="mono break">{format!("{} {}", one.method, one.path)}</span>
                    ", "
                    <Ago at=one.at now=now />
                    ". "
                    <a href=links::request(one.request)>"See the call"</a>
                </p>
                {findings(&one.findings)}
            </section>
        }
        .into_any(),
        Seen::Gone => view! {
            <Notice title="Nothing is kept of that request">
                <p>
                    "It carried no signature, or others were refused since: the latest fifty are kept. Type it in below."
                </p>
            </Notice>
        }
        .into_any(),
        Seen::Nothing(latest) => (!latest.is_empty())
            .then(|| refused_table(latest, now))
            .into_any(),
    }
}

fn refused_table(latest: Vec<RefusedSignature>, now: DateTime<Utc>) -> impl IntoView {
    let columns = vec![
        TableColumn::text("Refused"),
        TableColumn::text("Request"),
        TableColumn::text("Fails"),
    ];
    let rows = latest.into_iter().map(move |one| {
        let failed = one.findings.iter().find(|finding| finding.is_failed());
        let failed = failed.map_or("", |finding| title(finding.check));
        let to = links::with(
            links::SIGNATURE_DEBUGGER,
            "request",
            &one.request.to_string(),
        );
        view! {
            <tr>
                <th scope="row" class="nowrap">
                    <a href=to>
                        <Ago at=one.at now=now />
                    </a>
                </th>
                <td class="mono break">{format!("{} {}", one.method, one.path)}</td>
                <td>{failed}</td>
            </tr>
        }
    });
    view! {
        <Table caption="Signatures that were refused lately" columns=columns linked=true>
            {rows.collect_view()}
        </Table>
    }
}

fn request_form(tenants: Vec<TenantSummary>, form: &Form) -> impl IntoView + use<> {
    let options = tenants
        .into_iter()
        .map(|row| (row.id.to_string(), row.name))
        .collect();
    view! {
        <form method="post" action=links::SIGNATURE_DEBUGGER class="form" aria-labelledby="try">
            <h2 id="try">"Check a request"</h2>
            <ErrorSummary errors=form.errors(FIELDS) />
            <Select entry=form.entry("tenant") label="Tenant" options=options />
            <Field entry=form.entry("method") label="Method" mono=true autocomplete="off" maxlength="10" />
            <Field
                entry=form.entry("url")
                label="URL or path"
                mono=true
                autocomplete="off"
                maxlength="2000"
            />
            <TextArea
                entry=form.entry("jws")
                label="Signature"
                hint="The JWS, or the whole Authorization header."
                rows=5
                mono=true
            />
            <TextArea
                entry=form.entry("body")
                label="Body"
                hint="Exactly the bytes that were sent; empty for GET and DELETE. A line feed at the end counts."
                rows=6
                mono=true
                optional=true
            />
            <div class="actions">
                <button class="btn primary">"Check"</button>
            </div>
        </form>
    }
}
