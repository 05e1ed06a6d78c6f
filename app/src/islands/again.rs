//! A button that is pressed by itself after a while: for a page that waits for somebody's decision.

use leptos::prelude::*;

/// Presses the button with the id `of` every so many seconds, while the page is seen and nobody has paused it.
#[island]
pub fn PressLater(of: String, seconds: u32) -> impl IntoView {
    let on = RwSignal::new(true);
    wait(of, seconds, on);
    let turn = move |_| on.update(|on| *on = !*on);
    view! {
        <button
            type="button"
            class="btn needs-js"
            aria-pressed=move || if on.get() { "true" } else { "false" }
            on:click=turn
        >
            <span class=move || if on.get() { "chip ok" } else { "chip" }>
                {move || if on.get() { "Checks by itself" } else { "Paused" }}
            </span>
        </button>
    }
}

#[cfg(feature = "hydrate")]
fn wait(of: String, seconds: u32, on: RwSignal<bool>) {
    use std::time::Duration;

    use wasm_bindgen::JsCast as _;

    let press = move || {
        let document = web_sys::window().and_then(|window| window.document());
        let Some(document) = document.filter(|document| on.get_untracked() && !document.hidden())
        else {
            return;
        };
        let button = document.get_element_by_id(&of);
        let button = button.and_then(|button| button.dyn_into::<web_sys::HtmlElement>().ok());
        if let Some(button) = button {
            button.click();
        }
    };
    // Whoever leaves the page by a link is not called back to it.
    let left = move |_| on.set(false);
    window_event_listener(leptos::ev::beforeunload, left);
    // Lives as long as the page does.
    let _ = set_interval_with_handle(press, Duration::from_secs(seconds.max(1).into()));
}

#[cfg(not(feature = "hydrate"))]
fn wait(_of: String, _seconds: u32, _on: RwSignal<bool>) {}
