//! Adding a key.

use leptos::prelude::*;

use super::under_signing;
use crate::domain::signature::may_be_private;
use crate::links;
use crate::pages::form::Form;
use crate::pages::{Answer, Frame, Page, ScreenResult, Visit};
use crate::portal::signing::NewSigningKey;
use crate::ui::{ErrorSummary, Field, PageHead, TextArea};

const FIELDS: &[&str] = &["issuer", "material"];

pub(in crate::pages) async fn screen(visit: Visit) -> ScreenResult {
    let actor = visit.actor()?;
    let Some(mut fields) = visit.form.clone() else {
        return Ok(page(Form::default()).into());
    };
    let new = NewSigningKey {
        issuer: fields.get("issuer").to_owned(),
        material: fields.get("material").to_owned(),
    };
    match visit
        .portal
        .add_signing_key(actor, new, &visit.source)
        .await
    {
        Ok(()) => Ok(Answer::See(links::with(links::SIGNING, "done", "added"))),
        // A private key is not sent back over the wire once more, nor left on a screen.
        Err(error) if may_be_private(fields.get("material")) => {
            fields.0.retain(|(name, _)| name != "material");
            Ok(page(Form::refused(fields, error)?).into())
        }
        Err(error) => Ok(page(Form::refused(fields, error)?).into()),
    }
}

fn page(form: Form) -> Page {
    let shown = form.clone();
    under_signing(form.status(Page::new(Frame::App, "Add signing key", move || {
        view! {
            <PageHead
                title="Add signing key"
                lead="To rotate, add the new key first, let your servers sign with it, and stop the old one when it is no longer used."
            />
            <form method="post" action=links::NEW_SIGNING_KEY class="form">
                <ErrorSummary errors=shown.errors(FIELDS) />
                <Field
                    entry=shown.entry("issuer")
                    label="Issuer"
                    hint="What your signatures say in iss: commonly the e-mail address of a service account."
                    mono=true
                    autocomplete="off"
                    maxlength="254"
                />
                <TextArea
                    entry=shown.entry("material")
                    label="Public key, or URL of a key set"
                    hint="PEM (public key or certificate), JWK, or the https:// address of a JWKS. RSA of at least 2048 bits, P-256 or Ed25519."
                    rows=10
                    mono=true
                />
                <div class="actions">
                    <button class="btn primary">"Add key"</button>
                    <a class="btn quiet" href=links::SIGNING>
                        "Cancel"
                    </a>
                </div>
            </form>
        }
    })))
}
