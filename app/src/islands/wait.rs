//! Waiting for somebody's decision without leaving the page.

use leptos::prelude::*;

/// Asks `url` every so many seconds, while the page is seen and nobody has paused it, until it answers `word`: then it says
/// so and presses the button with the id `press`. Until then nothing on the page moves, and the focus stays where it is.
#[island]
pub fn AwaitWord(url: String, word: String, press: String, seconds: u32) -> impl IntoView {
    let on = RwSignal::new(true);
    let there = RwSignal::new(false);
    watch(Asking { url, word, press }, seconds, on, there);
    let turn = move |_| on.update(|on| *on = !*on);
    view! {
        <button
            type="button"
            class="btn needs-js"
            aria-pressed=move || if on.get() { "true" } else { "false" }
            on:click=turn
        >
            <span class=move || if on.get() { "chip ok" } else { "chip" }>
                {move || if on.get() { "Checking automatically" } else { "Paused" }}
            </span>
        </button>
        <span class="sr-only" role="status">
            {move || if there.get() { "There is a decision. The page goes on." } else { "" }}
        </span>
    }
}

/// Address that is asked, answer that is awaited, and id of the button that is pressed then.
struct Asking {
    url: String,
    word: String,
    press: String,
}

#[cfg(feature = "hydrate")]
fn watch(asking: Asking, seconds: u32, on: RwSignal<bool>, there: RwSignal<bool>) {
    use std::rc::Rc;
    use std::time::Duration;

    use wasm_bindgen::JsCast as _;

    let asking = Rc::new(asking);
    let ask = move || {
        let document = web_sys::window().and_then(|window| window.document());
        let seen = document.is_some_and(|document| !document.hidden());
        if !seen || !on.get_untracked() || there.get_untracked() {
            return;
        }
        let asking = asking.clone();
        leptos::task::spawn_local(async move {
            if answer(&asking.url).await.as_deref() != Some(&asking.word) || there.get_untracked() {
                return;
            }
            there.set(true);
            let document = web_sys::window().and_then(|window| window.document());
            let button = document.and_then(|document| document.get_element_by_id(&asking.press));
            let button = button.and_then(|button| button.dyn_into::<web_sys::HtmlElement>().ok());
            if let Some(button) = button {
                button.click();
            }
        });
    };
    // Lives as long as the page does.
    let _ = set_interval_with_handle(ask, Duration::from_secs(seconds.max(1).into()));
}

/// Returns the text that an address of this site answers; `None` if it fails, or redirects because the session is over.
#[cfg(feature = "hydrate")]
async fn answer(url: &str) -> Option<String> {
    use wasm_bindgen::JsCast as _;
    use wasm_bindgen_futures::JsFuture;

    let asked = web_sys::window()?.fetch_with_str(url);
    let answer: web_sys::Response = JsFuture::from(asked).await.ok()?.dyn_into().ok()?;
    if !answer.ok() || answer.redirected() {
        return None;
    }
    JsFuture::from(answer.text().ok()?).await.ok()?.as_string()
}

#[cfg(not(feature = "hydrate"))]
fn watch(asking: Asking, _seconds: u32, _on: RwSignal<bool>, _there: RwSignal<bool>) {
    let Asking { url, word, press } = asking;
    drop((url, word, press));
}
