//! The keys as a file of variables. The secret comes with the form, from the page that shows it this once: no store
//! has it, so a form without it gets nothing.

use crate::domain::key::KeyKind;
use crate::links;
use crate::pages::components::{DOTENV, dotenv};
use crate::pages::tenant::load;
use crate::pages::{Answer, ScreenResult, Visit};

pub(in crate::pages) async fn screen(visit: Visit) -> ScreenResult {
    let tenant = load(&visit).await?;
    let Some(form) = &visit.form else {
        return Ok(Answer::See(links::tenant_keys(tenant.id)));
    };
    let (actor, secret) = (visit.actor()?, form.get("client_secret"));
    visit.portal.holds_secret(actor, tenant.id, secret).await?;
    visit.portal.secret_saved(actor, tenant.id).await?;
    let keys = visit.portal.keys(actor, tenant.id).await?;
    let app_key = keys
        .iter()
        .find(|key| key.kind == KeyKind::AppKey)
        .and_then(|key| key.value.as_deref());
    Ok(Answer::File {
        name: DOTENV,
        body: dotenv(&visit, tenant.id, app_key, secret),
    })
}
