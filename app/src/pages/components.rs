//! Product words as they look everywhere: environments, states, keys and where each may live.

use leptos::prelude::*;

use super::Visit;
use crate::domain::ids::TenantId;
use crate::domain::key::KeyKind;
use crate::domain::servicer::ServicerStatus;
use crate::domain::tenant::{Environment, TenantStatus};
use crate::islands::{CopyButton, LeaveGuard, ShowPassword};
use crate::links;
use crate::ui::{Chip, CodeBlock, Field, FormField, Notice, PostButton, Tone};

/// The field of a password that is being chosen, with the rule for it.
pub(super) fn new_password(entry: FormField, label: &'static str, emptied: bool) -> impl IntoView {
    let of = entry.name.to_string();
    let hint = if emptied {
        "At least 12 characters. Enter it again: we never send a password back to the page."
    } else {
        "At least 12 characters."
    };
    view! {
        <Field
            entry=entry
            label=label
            kind="password"
            hint=hint
            autocomplete="new-password"
        >
            <ShowPassword of=of />
        </Field>
    }
}

/// The field of the password one has.
pub(super) fn own_password(entry: FormField) -> impl IntoView {
    password_field(entry, "Password")
}

/// The field of a password that exists already.
pub(super) fn password_field(entry: FormField, label: &'static str) -> impl IntoView {
    let of = entry.name.to_string();
    view! {
        <Field entry=entry label=label kind="password" autocomplete="current-password">
            <ShowPassword of=of />
        </Field>
    }
}

/// Sandbox or production.
pub(super) fn environment_chip(environment: Environment) -> AnyView {
    match environment {
        Environment::Sandbox => view! { <Chip tone=Tone::Warn text="Sandbox" /> }.into_any(),
        Environment::Production => view! { <Chip tone=Tone::Ok text="Production" /> }.into_any(),
    }
}

/// Shown only when a tenant is not simply working.
pub(super) fn paused_chip(status: TenantStatus) -> Option<AnyView> {
    (status == TenantStatus::Paused).then(|| view! { <Chip text="Paused" /> }.into_any())
}

/// Renders the status of a servicer.
pub(super) fn servicer_chip(status: ServicerStatus) -> AnyView {
    let (tone, text) = match status {
        ServicerStatus::Sandbox => (Tone::Warn, "Sandbox"),
        ServicerStatus::Approved => (Tone::Ok, "Approved"),
        ServicerStatus::Suspended => (Tone::Err, "Suspended"),
    };
    view! { <Chip tone=tone text=text /> }.into_any()
}

/// Renders the tag that says where a value may be held. Every key has it, on every page.
pub(super) fn holder_chip(browser_safe: bool) -> AnyView {
    if browser_safe {
        view! { <Chip tone=Tone::Accent plain=true text="Browser-safe" /> }.into_any()
    } else {
        view! { <Chip tone=Tone::Err plain=true text="Server only" /> }.into_any()
    }
}

/// Renders the tag that says where a kind of key may be held.
pub(super) fn key_chip(kind: KeyKind) -> AnyView {
    holder_chip(kind == KeyKind::AppKey)
}

/// Returns the purpose of a kind of key, in one line.
pub(super) const fn key_purpose(kind: KeyKind) -> &'static str {
    match kind {
        KeyKind::Secret => {
            "Proves that your server is calling. Never put it into a browser or an app."
        }
        KeyKind::AppKey => "Starts a session. May live in a browser or an app.",
    }
}

/// One value with its copy button, its tag and what it is for.
pub(super) fn key_row(
    name: &'static str,
    value: String,
    chip: AnyView,
    note: impl IntoView + 'static,
) -> AnyView {
    view! {
        <div class="key" data-ticks=(name == KeyKind::Secret.as_str()).then_some(SAVED)>
            <strong class="name">{name}</strong>
            <div class="value">
                <code id=name>{value}</code>
                <CopyButton from=name.to_owned() label=format!("Copy {name}") />
            </div>
            {chip}
            <p class="note">{note.into_view()}</p>
        </div>
    }
    .into_any()
}

/// The skill that the guides and the first call use, where a tenant may.
pub(super) const FIRST_SKILL: &str = "xyz_ro_aisp_sbx_#1.0";
/// The box of the page that shows a secret: ticked by whoever has kept it, or by copying it.
const SAVED: &str = "saved";

/// The three elements of a tenant, `client_id` and its two keys, right after they were made.
pub(super) struct NewKeys {
    pub id: TenantId,
    pub environment: Environment,
    pub app_key: String,
    pub secret: String,
}

/// The three, and where to call, as the text of a `.env` file; a tenant whose app key was stopped has two.
pub(super) fn dotenv(visit: &Visit, id: TenantId, app_key: Option<&str>, secret: &str) -> String {
    let url = &visit.site.public_url;
    let app_key = app_key.map_or_else(String::new, |key| format!("TESSERA_CLIENT_APP_KEY={key}\n"));
    format!(
        "# Load into a shell: set -a; . ./{DOTENV}; set +a\n\
         TESSERA_URL={url}\nTESSERA_CLIENT_ID={id}\n{app_key}TESSERA_CLIENT_SECRET={secret}\n"
    )
}

/// The file's name. Browsers strip the dot that a name begins with.
pub(super) const DOTENV: &str = "tessera.env";

/// Saves the three as a file. The secret is on the page already and in nobody's store: the form brings it along, and
/// it is checked against its digest, put into the answer and forgotten. No script is needed for it.
pub(super) fn dotenv_button(id: TenantId, secret: String) -> impl IntoView {
    view! {
        <div data-ticks=SAVED>
            <PostButton
                action=links::tenant_dotenv(id)
                label="Download .env"
                fields=vec![("client_secret", secret)]
            />
        </div>
    }
}

/// The one time that a whole new tenant's keys are on screen: as a file of variables first, then one by one, then a
/// call to paste.
pub(super) fn made_keys(visit: &Visit, keys: NewKeys) -> impl IntoView + use<> {
    let variables = dotenv(visit, keys.id, Some(&keys.app_key), &keys.secret);
    let save = dotenv_button(keys.id, keys.secret.clone());
    let curl = (keys.environment == Environment::Sandbox).then(|| first_curl(visit, &keys));
    view! {
        <section class="card reveal keys-made" aria-labelledby="dotenv-title">
            <div class="bar">
                <h2 id="dotenv-title">"Save them as a file (.env)"</h2>
                <span class="spacer"></span>
                {save}
            </div>
            <div class="pad" data-ticks=SAVED>
                <CodeBlock id="dotenv" code=variables label=".env" wrap=true />
            </div>
        </section>
        <section class="card section" aria-labelledby="made">
            <div class="bar">
                <h2 id="made">"Your keys"</h2>
                <span class="spacer"></span>
                <span>"client_secret is shown only once: we store a hash of it"</span>
            </div>
            {key_row(
                "client_id",
                keys.id.to_string(),
                holder_chip(true),
                "Names your tenant. Authorises nothing by itself.",
            )}
            {key_row(
                "client_app_key",
                keys.app_key,
                key_chip(KeyKind::AppKey),
                key_purpose(KeyKind::AppKey),
            )}
            {key_row(
                "client_secret",
                keys.secret,
                key_chip(KeyKind::Secret),
                key_purpose(KeyKind::Secret),
            )}
        </section>
        {curl}
    }
}

/// A first call with the real ids: nothing in it is server-only.
fn first_curl(visit: &Visit, keys: &NewKeys) -> impl IntoView + use<> {
    let body = serde_json::json!({
        "client_id": keys.id.to_string(),
        "client_app_key": keys.app_key,
        "skill": FIRST_SKILL,
    });
    let curl = format!(
        "curl \"{}/v1/sessions\" --json '{body}'",
        visit.site.public_url
    );
    view! {
        <details class="section fold">
            <summary>"A first call, to paste into a terminal"</summary>
            <div class="stack">
                <CodeBlock id="first-call" code=curl label="curl" wrap=true />
            </div>
        </details>
    }
}

/// A single new key, the one time it is on screen.
pub(super) fn made_key(kind: KeyKind, value: String, note: String) -> impl IntoView {
    let name = kind.as_str();
    view! {
        <section class="card reveal" aria-labelledby="made">
            <div class="bar">
                <h2 id="made">{format!("New {name}")}</h2>
                <span class="spacer"></span>
                {(kind == KeyKind::Secret)
                    .then_some("This is the only time we show it: we store a hash of it")}
            </div>
            {key_row(name, value, key_chip(kind), note)}
        </section>
    }
}

/// One way on from a page that shows a secret: its value in `to`, the button's label and class.
pub(super) type NextLink = (&'static str, &'static str, &'static str);

/// The way on from a page that shows a secret. The box has to be ticked, which browsers see to without a script;
/// whoever leaves by another way is asked by the browser, where scripts run.
pub(super) fn leave_form(id: TenantId, ways: &'static [NextLink]) -> impl IntoView {
    let buttons = ways
        .iter()
        .map(|(to, label, class)| {
            view! {
                <button name="to" value=*to class=*class>
                    {*label}
                </button>
            }
        })
        .collect_view();
    view! {
        <form method="post" action=links::keys_saved(id) class="card section leave">
            <label class="choice">
                <input type="checkbox" id=SAVED name=SAVED required=true />
                <span>"I have saved client_secret"</span>
                <span class="about">"It cannot be shown again. If it is lost, you rotate it."</span>
            </label>
            <div class="actions">{buttons}</div>
            <LeaveGuard page=links::tenant_keys(id) tick=SAVED.to_owned() />
        </form>
    }
}

/// Renders a notice of the act just done, if the address names one of `known`: nobody can put words into the page
/// through its address.
pub(super) fn done_notice(visit: &Visit, known: &[(&str, &'static str)]) -> Option<AnyView> {
    done_notice_with(visit, known, None)
}

/// Renders a notice of the act just done, if the address names one of `known`, with a way to go on.
pub(super) fn done_notice_with(
    visit: &Visit,
    known: &[(&str, &'static str)],
    onward: Option<AnyView>,
) -> Option<AnyView> {
    let done = visit.query.get("done");
    let (_, words) = known.iter().find(|(name, _)| *name == done)?;
    let words = *words;
    Some(view! { <Notice tone=Tone::Ok title=words>{onward}</Notice> }.into_any())
}
