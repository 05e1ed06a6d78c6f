//! Joining a servicer that exists: its id and the one-time claim token, as mailed or handed over by an operator.

use leptos::prelude::*;

use super::components::new_password;
use super::form::Form;
use super::{Answer, FormFields, Frame, Page, ScreenResult, Visit};
use crate::links;
use crate::portal::people::SignUp;
use crate::ui::{ErrorSummary, Field};

const FIELDS: &[&str] = &["servicer_id", "claim_token", "email", "password"];

pub(super) async fn screen(visit: Visit) -> ScreenResult {
    if visit.actor.is_some() {
        return join(visit).await;
    }
    let Some(fields) = visit.form.clone() else {
        return Ok(page(Form::fresh(&given(&visit.query))).into());
    };
    match visit.portal.sign_up(read(&fields), &visit.source).await {
        Ok(person) => Ok(Answer::SignedIn {
            person,
            to: links::OVERVIEW.into(),
        }),
        Err(error) => Ok(page(Form::refused(fields, error)?).into()),
    }
}

/// The fields that the link fills in. Mail programs write `&` as `&amp;` and `=` as `=3D` into it, and take the full stop
/// of a sentence for its end.
fn given(query: &FormFields) -> [(&'static str, &str); 2] {
    let claim = ["claim", "amp;claim"].map(|name| query.get(name));
    let claim = claim.into_iter().find(|claim| !claim.is_empty());
    [
        ("servicer_id", whole(query.get("servicer"), 36)),
        ("claim_token", whole(claim.unwrap_or_default(), 43)),
    ]
}

/// Returns the id or token of so many characters that a link was made with.
fn whole(given: &str, length: usize) -> &str {
    let kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let text = given.trim_matches(|c| !kept(c));
    let unspoilt = text.strip_prefix("3D");
    let unspoilt = unspoilt.filter(|rest| rest.len() == length);
    unspoilt.unwrap_or(if text.len() == length { text } else { given })
}

/// For somebody who has an account: the servicer becomes one more that they work in.
async fn join(visit: Visit) -> ScreenResult {
    let actor = visit.actor()?;
    let email = actor.email.to_string();
    let Some(fields) = visit.form.clone() else {
        return Ok(join_page(Form::fresh(&given(&visit.query)), email).into());
    };
    let (id, token) = (fields.get("servicer_id"), fields.get("claim_token"));
    match visit.portal.join(actor, id, token, &visit.source).await {
        Ok(()) => Ok(Answer::See(links::OVERVIEW.into())),
        Err(error) => Ok(join_page(Form::refused(fields, error)?, email).into()),
    }
}

fn join_page(form: Form, email: String) -> Page {
    let shown = form.clone();
    form.status(Page::new(Frame::Card, "Join a servicer", move || {
        view! {
            <div class="card">
                <h1>"Join a servicer"</h1>
                <p class="lead">
                    "As " <strong>{email}</strong> ", with the servicer id and the claim token of the company."
                </p>
                <form method="post" action=links::SIGN_UP class="form">
                    <ErrorSummary errors=shown.errors(FIELDS) />
                    {claim_fields(&shown)}
                    <button class="btn primary big full">"Join"</button>
                </form>
            </div>
            <p class="aside">
                <a href=links::OVERVIEW>"Cancel"</a>
            </p>
        }
    }))
}

/// The two texts that let somebody into a servicer.
fn claim_fields(form: &Form) -> impl IntoView + use<> {
    view! {
        <Field
            entry=form.entry("servicer_id")
            label="Servicer id"
            mono=true
            autocomplete="off"
            placeholder="0d9c5a1e-6b1f-4e0a-9a55-8c31b7c02f61"
        />
        <Field
            entry=form.entry("claim_token")
            label="Claim token"
            mono=true
            autocomplete="off"
            hint="It came with the id, works once and for seven days. The id alone lets nobody in."
        />
    }
}

fn read(fields: &FormFields) -> SignUp {
    let text = |name| fields.get(name).trim().to_owned();
    SignUp {
        servicer_id: text("servicer_id"),
        claim_token: text("claim_token"),
        email: text("email"),
        password: fields.get("password").to_owned(),
    }
}

fn page(form: Form) -> Page {
    let shown = form.clone();
    form.status(Page::new(Frame::Card, "Sign up", move || {
        view! {
            <div class="card">
                <h1>"Sign up"</h1>
                <p class="lead">
                    "With the servicer id and the claim token of your company. The first to join becomes its owner; those who
                    join later get in once they have confirmed their email address."
                </p>
                <form method="post" action=links::SIGN_UP class="form">
                    <ErrorSummary errors=shown.errors(FIELDS) />
                    {claim_fields(&shown)}
                    <Field
                        entry=shown.entry("email")
                        label="Work email"
                        kind="email"
                        autocomplete="username"
                    />
                    {new_password(shown.entry("password"), "Password", shown.was_refused())}
                    <button class="btn primary big full">"Create account"</button>
                </form>
            </div>
            <p class="aside">
                "No servicer id? " <a href=links::START>"Get sandbox keys"</a> " now. Have an account? "
                <a href=links::SIGN_IN>"Sign in"</a> "."
            </p>
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_a_mail_program_spoilt_fills_the_form_in() {
        let id = "01a22755-58ed-7d10-ba81-9800ec74b75d";
        let token = "-PooqA_ZWd3KvDV3Qk3_ZTc2octge1IMssplwmU2y3D";
        let query = |pairs: [(&str, String); 2]| {
            FormFields(pairs.map(|(name, value)| (name.to_owned(), value)).to_vec())
        };
        for query in [
            query([("servicer", id.into()), ("claim", token.into())]),
            query([("servicer", id.into()), ("amp;claim", token.into())]),
            query([
                ("servicer", format!("3D{id}")),
                ("claim", format!("3D{token}")),
            ]),
            query([
                ("servicer", format!(" {id}")),
                ("claim", format!("{token}.")),
            ]),
            query([("servicer", id.into()), ("claim", format!("{token}>\r\n"))]),
        ] {
            let filled = given(&query);
            assert_eq!(
                filled,
                [("servicer_id", id), ("claim_token", token)],
                "{query:?}"
            );
        }
        let cut = query([("servicer", "01a2".into()), ("claim", String::new())]);
        assert_eq!(given(&cut), [("servicer_id", "01a2"), ("claim_token", "")]);
    }
}
