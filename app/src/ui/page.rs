//! The head of a page and its tabs.

use leptos::prelude::*;

/// Title, one declarative line, and the page's actions at the right (the children).
#[component]
pub fn PageHead(
    #[prop(into)] title: String,
    /// A chip or the like beside the title.
    #[prop(optional, into)]
    beside: Option<AnyView>,
    #[prop(optional, into)] lead: Option<String>,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    view! {
        <div class="head">
            <div>
                <h1>{title} " " {beside}</h1>
                {lead.map(|lead| view! { <p class="lead">{lead}</p> })}
            </div>
            {children.map(|children| view! { <div class="actions">{children()}</div> })}
        </div>
    }
}

/// One tab: a link to a page of its own.
#[derive(Clone, Debug)]
pub struct Tab {
    pub name: String,
    pub href: String,
    pub current: bool,
}

impl Tab {
    pub fn new(name: impl Into<String>, href: impl Into<String>, current: bool) -> Self {
        Self {
            name: name.into(),
            href: href.into(),
            current,
        }
    }
}

/// Tabs as links: each has its address, works without scripts and opens in a new window.
#[component]
pub fn Tabs(#[prop(into)] label: String, tabs: Vec<Tab>) -> impl IntoView {
    view! {
        <nav class="tabs" aria-label=label>
            {tabs
                .into_iter()
                .map(|tab| {
                    view! {
                        <a href=tab.href aria-current=tab.current.then_some("page")>
                            {tab.name}
                        </a>
                    }
                })
                .collect_view()}
        </nav>
    }
}
