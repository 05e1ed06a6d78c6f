//! The way on from a page that shows a secret, for whoever says that they have kept it.

use crate::links;
use crate::pages::tenant::load;
use crate::pages::{Answer, ScreenResult, Visit, first_call};

pub(in crate::pages) async fn screen(visit: Visit) -> ScreenResult {
    let tenant = load(&visit).await?;
    let keys = links::tenant_keys(tenant.id);
    let Some(form) = &visit.form else {
        return Ok(Answer::See(keys));
    };
    if form.get("saved") != "on" {
        return Ok(Answer::See(links::with(&keys, "done", "unsaved")));
    }
    visit.portal.secret_saved(visit.actor()?, tenant.id).await?;
    match form.get("to") {
        "all" => first_call::all(&visit, &tenant).await,
        "first" => first_call::first(&visit, &tenant).await,
        "tenant" => Ok(Answer::See(links::tenant(tenant.id))),
        _ => Ok(Answer::See(keys)),
    }
}
