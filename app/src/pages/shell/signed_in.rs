//! The frame that people work in: where they are, where they can go, and who they are.

use leptos::prelude::*;

use super::{brand, theme_form};
use crate::links;
use crate::pages::Visit;
use crate::portal::Actor;
use crate::ui::{Icon, PostButton};

/// Place of a page in the signed-in shell.
pub(super) struct ShellLocation {
    pub here: String,
    pub trail: Vec<(String, String)>,
    pub wide: bool,
    pub admin: bool,
    pub sandbox: bool,
}

pub(super) fn shell(visit: &Visit, place: ShellLocation, body: String) -> impl IntoView + use<> {
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

fn trail(visit: &Visit, place: ShellLocation) -> impl IntoView + use<> {
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
    ("Signing", "signing", links::SIGNING),
];
const OBSERVE: &[Item] = &[
    ("Requests", "requests", links::REQUESTS),
    ("Verifications", "check", links::VERIFICATIONS),
];
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
            {switcher(visit)}
            <a href=links::SETTINGS>"Settings"</a>
            <hr />
            {theme_form(visit)}
            <hr />
            <PostButton action=links::SIGN_OUT label="Sign out" />
        </div>
    }
}

/// The other servicers of whoever is signed in, one button each: nothing is there for who works in one alone.
fn switcher(visit: &Visit) -> Option<impl IntoView + use<>> {
    let here = visit.actor.as_ref()?.membership.as_ref()?.servicer;
    if visit.places.len() < 2 {
        return None;
    }
    let others = visit
        .places
        .iter()
        .filter(|(servicer, _)| *servicer != here)
        .map(|(servicer, name)| {
            let fields = vec![
                ("act", "work_in".to_owned()),
                ("servicer", servicer.to_string()),
            ];
            view! { <PostButton action=links::SETTINGS label=format!("Switch to {name}") fields=fields /> }
        })
        .collect_view();
    Some(view! {
        <div role="group" aria-label="Servicers">{others}</div>
        <hr />
    })
}
