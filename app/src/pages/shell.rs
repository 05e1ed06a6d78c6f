//! What surrounds a page: the document, its head, the four frames. Pages are rendered here, in one go.

use leptos::prelude::*;
use leptos::tachys::view::any_view::AnyView;

use super::{Assets, Frame, Page, Visit};
use crate::domain::tenant::Environment;
use crate::links;
use crate::portal::Actor;
use crate::ui::{Icon, PostButton};

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
            body,
            ..
        } = page;
        let body = body().to_html();
        let islands = body.contains("<leptos-island");
        let around = match frame {
            Frame::Public => public(visit, body).into_any(),
            Frame::Card => card(visit, body).into_any(),
            Frame::App | Frame::Admin => {
                let place = Place {
                    here: last(&title),
                    trail,
                    wide,
                    admin: frame == Frame::Admin,
                    sandbox: environment == Some(Environment::Sandbox),
                };
                shell(visit, place, body).into_any()
            }
        };
        let title = if title.is_empty() {
            visit.site.brand.clone()
        } else {
            format!("{title} · {}", visit.site.brand)
        };
        let wake = visit.site.assets.as_ref().filter(|_| islands);
        let at_once = matches!(frame, Frame::App | Frame::Admin);
        document(
            visit,
            title,
            around,
            wake.map(|built| wake_script(built, nonce, at_once)),
        )
        .to_html()
    });
    format!("<!DOCTYPE html>{html}")
}

/// The first part of `Keys · Budget app`: the name of the page itself.
fn last(title: &str) -> String {
    title.split(" · ").next().unwrap_or_default().to_owned()
}

fn document(
    visit: &Visit,
    title: String,
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
                <title>{title}</title>
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

/// Loads the islands' code: at once where people work, on public pages only when somebody reaches for an island.
/// A click that came before the code is repeated when it is there.
fn wake_script(built: &Assets, nonce: &str, at_once: bool) -> impl IntoView + use<> {
    let (js, wasm) = (&built.js, &built.wasm);
    let start = if at_once {
        "(window.requestIdleCallback??setTimeout)(()=>wake())"
    } else {
        "for(const t of ['pointerover','focusin','touchstart'])addEventListener(t,e=>{\
         if(e.target.closest?.('leptos-island'))wake()},{passive:true})"
    };
    let script = format!(
        "let woken,awake,missed;\
         const wake=()=>woken??=import('{js}').then(async m=>{{\
         await m.default({{module_or_path:'{wasm}'}});m.hydrate();\
         for(const i of document.querySelectorAll('leptos-island'))m[i.dataset.component]?.(i);\
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

/// Where a page stands in the signed-in shell.
struct Place {
    here: String,
    trail: Vec<(String, String)>,
    wide: bool,
    admin: bool,
    sandbox: bool,
}

fn shell(visit: &Visit, place: Place, body: String) -> impl IntoView + use<> {
    let class = if place.admin { "shell admin" } else { "shell" };
    let home = if place.admin {
        links::ADMIN_SERVICERS
    } else {
        links::OVERVIEW
    };
    let content = if place.wide {
        "content wide"
    } else {
        "content"
    };
    let nav = nav(visit, place.admin);
    view! {
        {place.sandbox.then(|| view! { <div class="strip"></div> })}
        <div class=class>
            <header class="top">
                <button class="btn quiet icon menu-button" popovertarget="nav" aria-label="Menu">
                    <Icon name="menu" />
                </button>
                {brand(visit, home)}
                {trail(visit, place)}
                <span class="spacer"></span>
                {account(visit)}
            </header>
            <nav class="side" id="nav" popover="auto" aria-label="Main">
                {nav}
            </nav>
            <main id="main" tabindex="-1" class=content inner_html=body></main>
        </div>
    }
}

fn trail(visit: &Visit, place: Place) -> impl IntoView + use<> {
    let servicer = if place.admin {
        Some(("Operators".to_owned(), links::ADMIN_SERVICERS.to_owned()))
    } else {
        membership(visit.actor.as_ref()).map(|name| (name, links::OVERVIEW.to_owned()))
    };
    let above = servicer
        .into_iter()
        .chain(place.trail)
        .map(|(name, href)| view! { <li><a href=href>{name}</a></li> })
        .collect_view();
    view! {
        <nav aria-label="Breadcrumb" class="crumbs">
            <ol class="trail">
                {above}
                <li>
                    <span aria-current="page">{place.here}</span>
                </li>
            </ol>
        </nav>
    }
}

fn membership(actor: Option<&Actor>) -> Option<String> {
    actor?.membership.as_ref().map(|member| member.name.clone())
}

type Item = (&'static str, &'static str, &'static str);

const BUILD: &[Item] = &[
    ("Overview", "overview", links::OVERVIEW),
    ("Tenants", "tenants", links::TENANTS),
    ("Skills", "skills", links::SKILLS),
    ("Console", "console", links::CONSOLE),
];
const OBSERVE: &[Item] = &[("Requests", "requests", links::REQUESTS)];
const MORE: &[Item] = &[
    ("Docs", "docs", links::DOCS),
    ("Settings", "settings", links::SETTINGS),
];
const OPERATE: &[Item] = &[("Servicers", "admin", links::ADMIN_SERVICERS)];

fn nav(visit: &Visit, admin: bool) -> impl IntoView + use<> {
    let is_admin = visit.actor.as_ref().is_some_and(|actor| actor.admin);
    let at_home = visit
        .actor
        .as_ref()
        .is_none_or(|actor| actor.membership.is_some());
    let mut groups: Vec<(&'static str, &'static [Item])> = Vec::new();
    if at_home && !admin {
        groups.extend([("Build", BUILD), ("Observe", OBSERVE)]);
    }
    if is_admin {
        groups.push(("Operate", OPERATE));
    }
    if at_home && admin {
        groups.push(("Your servicer", BUILD));
    }
    groups.push(("More", MORE));
    groups
        .into_iter()
        .map(|(heading, items)| {
            view! {
                <h2>{heading}</h2>
                <ul>{items.iter().map(|item| nav_item(visit, *item)).collect_view()}</ul>
            }
        })
        .collect_view()
}

fn nav_item(visit: &Visit, (name, icon, href): Item) -> impl IntoView + use<> {
    let below = visit
        .path
        .strip_prefix(href)
        .is_some_and(|rest| rest.starts_with('/'));
    let current = if visit.path == href {
        Some("page")
    } else {
        below.then_some("true")
    };
    view! {
        <li>
            <a href=href aria-current=current>
                <Icon name=icon />
                {name}
            </a>
        </li>
    }
}

/// The account menu: a popover, so that it opens without scripts.
fn account(visit: &Visit) -> impl IntoView + use<> {
    let who = visit.actor.as_ref().map(|actor| {
        let role = actor
            .membership
            .as_ref()
            .map(|member| format!("{} of {}", member.role, member.name));
        view! {
            <p class="who">
                {actor.email.to_string()} <br /> <span class="faint">{role}</span>
            </p>
        }
    });
    let whose = visit
        .actor
        .as_ref()
        .map_or_else(|| "Your".to_owned(), |actor| actor.email.to_string());
    view! {
        <button class="avatar" popovertarget="account" aria-label=format!("{whose}, account")>
            <Icon name="person" />
        </button>
        <div class="float" id="account" popover="auto">
            {who}
            <a href=links::SETTINGS>"Settings"</a>
            <hr />
            {theme_form(visit)}
            <hr />
            <PostButton action=links::SIGN_OUT label="Sign out" />
        </div>
    }
}
