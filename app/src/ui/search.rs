//! Searching a list: the field above it, and the row that says that nothing was found.

use leptos::prelude::*;

/// One search field; the list is at `action`, and reads `q`.
#[component]
pub fn Search(
    action: &'static str,
    /// Label of the field: the things that can be searched for.
    label: &'static str,
    /// Text that was searched for.
    #[prop(into)]
    query: String,
) -> impl IntoView {
    view! {
        <form class="filters" method="get" action=action role="search">
            <div class="field grow">
                <label for="q">{label}</label>
                <input type="search" id="q" name="q" value=query />
            </div>
            <button class="btn">"Search"</button>
        </form>
    }
}

/// The only row of a table in which nothing was found.
#[component]
pub fn NoMatch(
    /// Number of columns of the table.
    columns: usize,
    #[prop(into)] sentence: String,
    /// Link to the whole list, and its text.
    all: &'static str,
    label: &'static str,
) -> impl IntoView {
    view! {
        <tr>
            <td colspan=columns.to_string()>
                {sentence} " " <a href=all>{label}</a>
            </td>
        </tr>
    }
}
