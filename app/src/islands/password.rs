//! A button that shows what is typed into a password field.

use leptos::prelude::*;

/// Shows or hides the text of the input with the id `of`.
#[island]
pub fn ShowPassword(of: String) -> impl IntoView {
    let shown = RwSignal::new(false);
    let controls = of.clone();
    let turn = move |_| {
        shown.update(|shown| *shown = !*shown);
        set_kind(&of, shown.get_untracked());
    };
    view! {
        <button
            type="button"
            class="btn quiet needs-js"
            aria-label="Show password"
            aria-controls=controls
            aria-pressed=move || if shown.get() { "true" } else { "false" }
            on:click=turn
        >
            <span aria-hidden="true">{move || if shown.get() { "Hide" } else { "Show" }}</span>
        </button>
    }
}

#[cfg(feature = "hydrate")]
fn set_kind(of: &str, shown: bool) {
    use wasm_bindgen::JsCast as _;

    let input = web_sys::window()
        .and_then(|window| window.document())
        .and_then(|document| document.get_element_by_id(of))
        .and_then(|element| element.dyn_into::<web_sys::HtmlInputElement>().ok());
    if let Some(input) = input {
        input.set_type(if shown { "text" } else { "password" });
    }
}

#[cfg(not(feature = "hydrate"))]
fn set_kind(_of: &str, _shown: bool) {}
