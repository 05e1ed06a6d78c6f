//! Icons from one sprite, `public/icons.svg`: no bytes in the page, no bytes of WASM.

use leptos::prelude::*;

/// Draws an icon of the sprite. Decoration only: the words beside it, or the label of its button, say what it means.
#[component]
pub fn Icon(name: &'static str) -> impl IntoView {
    view! {
        <svg class="icon" aria-hidden="true" width="20" height="20">
            <use_ href=format!("/icons.svg#{name}")></use_>
        </svg>
    }
}
