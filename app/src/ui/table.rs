//! Tables and lists of facts.

use leptos::prelude::*;

/// The head of one column.
#[derive(Clone, Copy, Debug)]
pub struct TableColumn {
    name: &'static str,
    class: &'static str,
    hidden: bool,
}

impl TableColumn {
    pub const fn text(name: &'static str) -> Self {
        Self {
            name,
            class: "",
            hidden: false,
        }
    }

    /// Numbers stand at the right.
    pub const fn number(name: &'static str) -> Self {
        Self {
            name,
            class: "num",
            hidden: false,
        }
    }

    /// A column of buttons: its name is for screen readers only.
    pub const fn actions(name: &'static str) -> Self {
        Self {
            name,
            class: "num",
            hidden: true,
        }
    }
}

/// A table with a caption for those who cannot see it; too wide, it scrolls inside its own focusable box.
/// The children are rows. `linked`: a row leads where its first cell's link leads. `folds`: on narrow screens
/// each row becomes two lines.
#[component]
pub fn Table(
    #[prop(into)] caption: String,
    columns: Vec<TableColumn>,
    #[prop(optional)] linked: bool,
    #[prop(optional)] folds: bool,
    #[prop(optional)] id: &'static str,
    children: Children,
) -> impl IntoView {
    let linked = if linked { "linked" } else { "" };
    let folds = if folds { "folds" } else { "" };
    let name = caption.clone();
    let head = columns
        .into_iter()
        .map(|column| {
            let hidden = column.hidden.then_some("sr-only");
            view! {
                <th scope="col" class=column.class>
                    <span class=hidden>{column.name}</span>
                </th>
            }
        })
        .collect_view();
    view! {
        <div
            class=format!("table {linked} {folds}")
            role="region"
            aria-label=name
            tabindex="0"
        >
            <table>
                <caption class="sr-only">{caption}</caption>
                <thead>
                    <tr>{head}</tr>
                </thead>
                <tbody id=(!id.is_empty()).then_some(id)>{children()}</tbody>
            </table>
        </div>
    }
}

/// Names and values, one below the other.
#[component]
pub fn Facts(facts: Vec<(&'static str, AnyView)>) -> impl IntoView {
    let rows = facts
        .into_iter()
        .map(|(name, value)| view! { <dt>{name}</dt> <dd>{value}</dd> })
        .collect_view();
    view! { <dl class="facts-list">{rows}</dl> }
}
