//! The question before a key is stopped.

use leptos::prelude::*;

use super::under_signing;
use crate::domain::ids::SigningKeyId;
use crate::links;
use crate::pages::{Answer, Frame, Page, ScreenResult, Visit};
use crate::portal::PortalError;
use crate::portal::signing::SigningKey;
use crate::ui::{Ago, Icon, PageHead};

pub(in crate::pages) async fn screen(visit: Visit) -> ScreenResult {
    let id: SigningKeyId = visit.param("signing_key")?;
    let actor = visit.actor()?;
    if visit.form.is_some() {
        visit
            .portal
            .stop_signing_key(actor, id, &visit.source)
            .await?;
        return Ok(Answer::See(links::with(links::SIGNING, "done", "stopped")));
    }
    let keys = visit.portal.signing_keys(actor).await?;
    let key = keys
        .iter()
        .find(|key| key.id == id)
        .ok_or(PortalError::NotFound)?;
    let others = keys
        .iter()
        .filter(|other| other.issuer == key.issuer)
        .count()
        - 1;
    Ok(confirm(key.clone(), others, visit.now).into())
}

fn confirm(key: SigningKey, others: usize, now: chrono::DateTime<chrono::Utc>) -> Page {
    let title = format!("Stop the key of {}", key.issuer);
    under_signing(Page::new(Frame::App, title.clone(), move || {
        let used = key.last_used_at.map_or_else(
            || "It was never used.".into_any(),
            |at| view! { "It was last used " <Ago at=at now=now /> "." }.into_any(),
        );
        let then = match others {
            0 => {
                "This issuer has no other key: its requests to /v1s are refused until you add one."
                    .to_owned()
            }
            1 => "The issuer’s other key goes on working.".to_owned(),
            several => format!("The issuer’s {several} other keys go on working."),
        };
        view! {
            <PageHead
                title=title
                lead="Every signature made with it is refused at once. This cannot be undone; the key can be added again."
            />
            <div class="form">
                <ul class="plain">
                    <li>
                        <Icon name="info" />
                        <span>{used}</span>
                    </li>
                    <li>
                        <Icon name=if others == 0 { "alert" } else { "info" } />
                        <span>{then}</span>
                    </li>
                </ul>
                <form method="post" action=links::stop_signing_key(key.id) class="actions">
                    <button class="btn danger">"Stop key now"</button>
                    <a class="btn quiet" href=links::SIGNING>
                        "Cancel"
                    </a>
                </form>
            </div>
        }
    }))
}
