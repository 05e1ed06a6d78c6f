//! A button that copies the text of an element.

use leptos::prelude::*;

/// Copies the text of the element with the id `from`. Says "Copied" in its own label and to screen readers. Inside an
/// element marked `data-ticks`, it ticks the box of the id that stands there.
#[island]
pub fn CopyButton(
    /// The id of the element whose text is copied.
    from: String,
    /// Accessible name of the button, for those who cannot see what it belongs to: `Copy client_id`.
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
    let element = window
        .document()
        .and_then(|document| document.get_element_by_id(from));
    let text = element
        .as_ref()
        .and_then(|element| element.text_content())
        .unwrap_or_default();
    let written = window.navigator().clipboard().write_text(&text);
    leptos::task::spawn_local(async move {
        if wasm_bindgen_futures::JsFuture::from(written).await.is_ok() {
            copied.set(true);
            element.and_then(|element| tick_for(&element));
            set_timeout(move || copied.set(false), std::time::Duration::from_secs(2));
        }
    });
}

/// Ticks the box that keeping this element's text is asked by.
#[cfg(feature = "hydrate")]
fn tick_for(element: &web_sys::Element) -> Option<()> {
    use wasm_bindgen::JsCast as _;

    let marked = element.closest("[data-ticks]").ok()??;
    let id = marked.get_attribute("data-ticks")?;
    let tick = web_sys::window()?.document()?.get_element_by_id(&id)?;
    let tick: web_sys::HtmlInputElement = tick.dyn_into().ok()?;
    tick.set_checked(true);
    Some(())
}

#[cfg(not(feature = "hydrate"))]
fn copy_text(_from: &str, _copied: RwSignal<bool>) {}
