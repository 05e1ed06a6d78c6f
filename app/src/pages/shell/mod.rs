//! What surrounds a page: the document, its head, the four frames. Pages are rendered here, in one go.

mod signed_in;

use leptos::prelude::*;
use leptos::tachys::view::any_view::AnyView;

use super::{Assets, Frame, Page, Visit};
use crate::domain::tenant::Environment;
use crate::islands;
use crate::links;
use crate::ui::{Icon, escaped};
use signed_in::{ShellLocation, shell};

/// Renders a whole page. `nonce` is the one of the answer's Content-Security-Policy: the only inline script, which
/// wakes the islands, carries it. Pages without an island get no script at all.
pub fn render(page: Page, visit: &Visit, nonce: &str) -> String {
    let owner = Owner::new_root(None);
    let html = owner.with(|| {
        let Page {
            title,
            frame,
            trail,
            environment,
            wide,
            description,
            body,
            ..
        } = page;
        let body = body().to_html();
        let islands = body.contains("<leptos-island");
        let around = match frame {
            Frame::Public => public(visit, body).into_any(),
            Frame::Card => card(visit, body).into_any(),
            Frame::Focus => {
                focus(visit, environment == Some(Environment::Sandbox), body).into_any()
            }
            Frame::App | Frame::Admin => {
                let place = ShellLocation {
                    here: last(&title),
                    trail,
                    wide,
                    admin: frame == Frame::Admin,
                    sandbox: environment == Some(Environment::Sandbox),
                };
                shell(visit, place, body).into_any()
            }
        };
        let description = description.unwrap_or_else(|| described(&title, visit));
        let title = if title.is_empty() {
            visit.site.brand.clone()
        } else {
            format!("{title} · {}", visit.site.brand)
        };
        let wake = visit.site.assets.as_ref().filter(|_| islands);
        let at_once = matches!(frame, Frame::Focus | Frame::App | Frame::Admin);
        document(
            visit,
            (title, description),
            around,
            wake.map(|built| wake_script(built, nonce, at_once)),
        )
        .to_html()
    });
    format!("<!DOCTYPE html>{html}")
}

/// Returns the description, for search results and previews, of a page that has none of its own.
fn described(title: &str, visit: &Visit) -> String {
    let brand = &visit.site.brand;
    if title.is_empty() {
        format!("{brand}: one API over many banks, with a sandbox that answers at once.")
    } else {
        format!("{title}. {brand}: one API over many banks, with a sandbox that answers at once.")
    }
}

/// The first part of `Keys · Budget app`: the name of the page itself.
fn last(title: &str) -> String {
    title.split(" · ").next().unwrap_or_default().to_owned()
}

fn document(
    visit: &Visit,
    (title, description): (String, String),
    around: AnyView,
    script: Option<impl IntoView>,
) -> impl IntoView {
    let css = visit
        .site
        .assets
        .as_ref()
        .map(|built| view! { <link rel="stylesheet" href=built.css.clone() /> });
    view! {
        <html lang="en" data-theme=visit.theme>
            <head>
                <meta charset="utf-8" />
                <meta name="viewport" content="width=device-width, initial-scale=1" />
                <meta name="color-scheme" content=visit.theme.unwrap_or("light dark") />
                <title inner_html=escaped(&title)></title>
                <meta name="description" content=description />
                <link rel="icon" href="/icon.svg" type="image/svg+xml" />
                {css}
                {script}
            </head>
            <body>
                <a class="skip" href="#main">
                    "Skip to content"
                </a>
                {around}
            </body>
        </html>
    }
}

/// Loads the islands' code, and calls what is an island of ours by its name and nothing else that the module holds: at once where people work, on public pages only when somebody reaches for an island.
/// A click that came before the code is repeated when it is there. A load that failed, or that leaving the page cut off,
/// is no error: everything works without it, and the next reach tries again.
fn wake_script(built: &Assets, nonce: &str, at_once: bool) -> impl IntoView + use<> {
    let (js, wasm) = (&built.js, &built.wasm);
    let start = if at_once {
        "(window.requestIdleCallback??setTimeout)(()=>wake())"
    } else {
        "for(const t of ['pointerover','focusin','touchstart'])addEventListener(t,e=>{\
         if(e.target.closest?.('leptos-island'))wake()},{passive:true})"
    };
    let known = islands::NAMES.join("|");
    let script = format!(
        "let woken,awake,missed;\
         const wake=()=>woken??=import('{js}').then(async m=>{{\
         await m.default({{module_or_path:'{wasm}'}});return m}})\
         .catch(e=>{{woken=null;console.warn(e)}}).then(m=>{{if(!m)return;m.hydrate();\
         for(const i of document.querySelectorAll('leptos-island')){{const c=i.dataset.component;\
         if(/^({known})_\\d+$/.test(c)&&Object.hasOwn(m,c))m[c](i)}}\
         awake=true;missed?.click()}});\
         addEventListener('click',e=>{{const b=e.target.closest?.('leptos-island button');\
         if(b&&!awake){{missed=b;wake()}}}});{start}"
    );
    view! { <script type="module" nonce=nonce.to_owned() inner_html=script></script> }
}

fn brand(visit: &Visit, href: &'static str) -> impl IntoView + use<> {
    view! {
        <a class="brand" href=href>
            <Icon name="brand" />
            {visit.site.brand.clone()}
        </a>
    }
}

fn public(visit: &Visit, body: String) -> impl IntoView + use<> {
    let docs = visit.path.starts_with(links::DOCS);
    let account = match &visit.actor {
        Some(_) => view! { <a class="btn" href=links::OVERVIEW>"Open the portal"</a> }.into_any(),
        None => view! { <a href=links::SIGN_IN>"Sign in"</a> }.into_any(),
    };
    view! {
        <div class="public">
            <header class="site-header">
                {brand(visit, links::HOME)}
                <nav aria-label="Main">
                    <a href=links::DOCS aria-current=docs.then_some("true")>
                        "Docs"
                    </a>
                    <span class="spacer"></span>
                    {account}
                </nav>
            </header>
            <main id="main" tabindex="-1" inner_html=body></main>
            {footer(visit)}
        </div>
    }
}

fn focus(visit: &Visit, sandbox: bool, body: String) -> impl IntoView + use<> {
    view! {
        {sandbox.then(|| view! { <div class="strip"></div> })}
        <div class="focused">
            <header class="site-header">
                <span class="brand">
                    <Icon name="brand" />
                    {visit.site.brand.clone()}
                </span>
            </header>
            <main id="main" tabindex="-1" class="content" inner_html=body></main>
        </div>
    }
}

fn card(visit: &Visit, body: String) -> impl IntoView + use<> {
    view! {
        <div class="carded">
            <header class="site-header">{brand(visit, links::HOME)}</header>
            <main id="main" tabindex="-1" inner_html=body></main>
            {footer(visit)}
        </div>
    }
}

fn footer(visit: &Visit) -> impl IntoView + use<> {
    view! {
        <footer class="site-footer">
            <span>{visit.site.brand.clone()} " · sandbox and API"</span>
            <a href=links::DOCS>"Docs"</a>
            <a href=links::CHANGELOG>"Changelog"</a>
            <span class="spacer"></span>
            {theme_form(visit)}
        </footer>
    }
}

/// Three buttons of one form: system, light, dark.
fn theme_form(visit: &Visit) -> impl IntoView + use<> {
    let current = visit.theme.unwrap_or("system");
    let button = |value: &'static str, icon: &'static str, label: &'static str| {
        let on = if value == current { "true" } else { "false" };
        view! {
            <button name="theme" value=value aria-pressed=on>
                <Icon name=icon />
                {label}
            </button>
        }
    };
    view! {
        <form method="post" action=links::THEME class="segments" aria-label="Theme">
            <input type="hidden" name="to" value=visit.path.clone() />
            {button("system", "system", "Auto")}
            {button("light", "sun", "Light")}
            {button("dark", "moon", "Dark")}
        </form>
    }
}
