//! Stopping a key at once: leaked, or not needed any more.

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use super::{in_keys, use_note};
use crate::domain::ids::KeyId;
use crate::links;
use crate::pages::tenant::load;
use crate::pages::{Answer, Frame, Page, ScreenResult, Visit};
use crate::portal::tenants::{Tenant, TenantKey};
use crate::ui::{Icon, PageHead};

pub(in crate::pages) async fn screen(visit: Visit) -> ScreenResult {
    let tenant = load(&visit).await?;
    let id: KeyId = visit.param("key")?;
    let actor = visit.actor()?;
    if visit.form.is_some() {
        visit
            .portal
            .stop_key(actor, tenant.id, id, &visit.source)
            .await?;
        let to = links::with(&links::tenant_keys(tenant.id), "done", "stopped");
        return Ok(Answer::See(to));
    }
    let keys = visit.portal.keys(actor, tenant.id).await?;
    let others = |kind| keys.iter().filter(|key| key.kind == kind).count() > 1;
    let Some(key) = keys.iter().find(|key| key.id == id) else {
        // It was stopped meanwhile, or its time is over: the tenant's keys show what there is.
        return Ok(Answer::See(links::tenant_keys(tenant.id)));
    };
    Ok(confirm_stop(&tenant, key, others(key.kind), visit.now).into())
}

fn confirm_stop(tenant: &Tenant, key: &TenantKey, another: bool, now: DateTime<Utc>) -> Page {
    let kind = key.kind.as_str();
    let (id, name, key) = (tenant.id, tenant.name.clone(), key.clone());
    let page = Page::new(Frame::App, format!("Stop {kind} · {name}"), move || {
        let then = if another {
            "The other one goes on working."
        } else {
            "There is no other: this tenant cannot call until you make a new one."
        };
        view! {
            <PageHead
                title=format!("Stop {kind} …{} of {name}", key.tail)
                lead="Every call with it is refused within a second, everywhere. This cannot be undone."
            />
            <div class="form">
                <ul class="plain">
                    <li>
                        <Icon name="info" />
                        <span>{use_note(id, &key, now)}</span>
                    </li>
                    <li>
                        <Icon name=if another { "info" } else { "alert" } />
                        <span>{then}</span>
                    </li>
                </ul>
                <form method="post" action=links::stop_key(id, key.id) class="actions">
                    <button class="btn danger">{format!("Stop {kind} now")}</button>
                    <a class="btn quiet" href=links::tenant_keys(id)>
                        "Cancel"
                    </a>
                </form>
            </div>
        }
    });
    in_keys(page, tenant)
}
