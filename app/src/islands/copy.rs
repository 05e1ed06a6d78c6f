//! A button that copies the text of an element.

use leptos::prelude::*;

/// Copies the text of the element with the id `from`. Says "Copied" in its own label and to screen readers.
#[island]
pub fn CopyButton(
    /// The id of the element whose text is copied.
    from: String,
    /// What the button says to those who cannot see what it belongs to: `Copy client_id`.
    label: String,
) -> impl IntoView {
    let copied = RwSignal::new(false);
    let copy = move |_| copy_text(&from, copied);
    view! {
        <button type="button" class="btn needs-js" aria-label=label on:click=copy>
            <span aria-hidden="true">{move || if copied.get() { "Copied" } else { "Copy" }}</span>
        </button>
        <span class="sr-only" role="status">
            {move || if copied.get() { "Copied" } else { "" }}
        </span>
    }
}

#[cfg(feature = "hydrate")]
fn copy_text(from: &str, copied: RwSignal<bool>) {
    let Some(window) = web_sys::window() else {
        return;
    };
    let text = window
        .document()
        .and_then(|document| document.get_element_by_id(from))
        .and_then(|element| element.text_content())
        .unwrap_or_default();
    let written = window.navigator().clipboard().write_text(&text);
    leptos::task::spawn_local(async move {
        if wasm_bindgen_futures::JsFuture::from(written).await.is_ok() {
            copied.set(true);
            set_timeout(move || copied.set(false), std::time::Duration::from_secs(2));
        }
    });
}

#[cfg(not(feature = "hydrate"))]
fn copy_text(_from: &str, _copied: RwSignal<bool>) {}
