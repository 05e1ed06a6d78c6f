//! Keeps people on a page that shows something once until they have it.

use leptos::prelude::*;

/// Makes the browser ask before the page is left while the box with the id `tick` is empty. Downloading, and copying
/// (see [`CopyButton`](super::CopyButton)), from inside an element marked `data-ticks` with that id ticks it. From then on the address
/// is `page`, where the same is shown masked: going back and reloading lead there, and not to a form sent again.
#[island]
pub fn LeaveGuard(page: String, tick: String) -> impl IntoView {
    watch(&page, tick);
}

#[cfg(feature = "hydrate")]
fn watch(page: &str, tick: String) {
    use wasm_bindgen::{JsCast as _, JsValue};

    let Some(window) = web_sys::window() else {
        return;
    };
    if let Ok(history) = window.history() {
        let _ = history.replace_state_with_url(&JsValue::NULL, "", Some(page));
    }
    let of_form = tick.clone();
    window_event_listener(leptos::ev::submit, move |event| {
        let form = event
            .target()
            .and_then(|target| target.dyn_into::<web_sys::Element>().ok());
        let marked = form.and_then(|form| form.closest("[data-ticks]").ok().flatten());
        if marked
            .and_then(|marked| marked.get_attribute("data-ticks"))
            .as_deref()
            == Some(&of_form)
            && let Some(tick) = input(&of_form)
        {
            tick.set_checked(true);
        }
    });
    window_event_listener(leptos::ev::beforeunload, move |event| {
        if input(&tick).is_some_and(|tick| !tick.checked()) {
            event.prevent_default();
            event.set_return_value("unsaved");
        }
    });
}

#[cfg(feature = "hydrate")]
fn input(id: &str) -> Option<web_sys::HtmlInputElement> {
    use wasm_bindgen::JsCast as _;

    let element = web_sys::window()?.document()?.get_element_by_id(id)?;
    element.dyn_into().ok()
}

#[cfg(not(feature = "hydrate"))]
fn watch(_page: &str, _tick: String) {}
