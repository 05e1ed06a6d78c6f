//! The live end of the request log: asks for newer rows every two seconds and puts them on top.

use leptos::prelude::*;

/// Keeps the table body with the id `into` fresh. `url` answers rows newer than `after=`, ready to be inserted;
/// each row carries its id as `data-id`. Waits while the page is hidden or somebody has paused it.
#[island]
pub fn LiveTail(url: String, into: String) -> impl IntoView {
    let live = RwSignal::new(true);
    let news = RwSignal::new(0_usize);
    watch(url, into, live, news);
    let turn = move |_| live.update(|live| *live = !*live);
    view! {
        <button
            type="button"
            class="btn needs-js"
            aria-pressed=move || if live.get() { "true" } else { "false" }
            on:click=turn
        >
            <span class=move || if live.get() { "chip ok" } else { "chip" }>
                {move || if live.get() { "Live" } else { "Paused" }}
            </span>
        </button>
        <span class="sr-only" role="status">
            {move || match news.get() {
                0 => String::new(),
                1 => "1 new request".to_owned(),
                count => format!("{count} new requests"),
            }}
        </span>
    }
}

#[cfg(feature = "hydrate")]
fn watch(url: String, into: String, live: RwSignal<bool>, news: RwSignal<usize>) {
    use std::time::Duration;

    let ask = move || {
        if live.get_untracked() && !hidden() {
            let (url, into) = (url.clone(), into.clone());
            leptos::task::spawn_local(async move {
                if let Some(count) = refresh(&url, &into).await {
                    news.set(count);
                }
            });
        }
    };
    // Lives as long as the page does.
    let _ = set_interval_with_handle(ask, Duration::from_secs(2));
}

#[cfg(not(feature = "hydrate"))]
fn watch(_url: String, _into: String, _live: RwSignal<bool>, _news: RwSignal<usize>) {}

#[cfg(feature = "hydrate")]
fn hidden() -> bool {
    web_sys::window()
        .and_then(|window| window.document())
        .is_none_or(|document| document.hidden())
}

/// Asks once; the number of rows that came, if any did.
#[cfg(feature = "hydrate")]
async fn refresh(url: &str, into: &str) -> Option<usize> {
    use wasm_bindgen::JsCast as _;
    use wasm_bindgen_futures::JsFuture;

    let window = web_sys::window()?;
    let body = window.document()?.get_element_by_id(into)?;
    let newest = body
        .first_element_child()
        .and_then(|row| row.get_attribute("data-id"))
        .unwrap_or_default();
    let mark = if url.contains('?') { '&' } else { '?' };
    let asked = window.fetch_with_str(&format!("{url}{mark}after={newest}"));
    let answer: web_sys::Response = JsFuture::from(asked).await.ok()?.dyn_into().ok()?;
    // A sign-in page instead of rows means that the session is over: leave the table alone.
    if !answer.ok() || answer.redirected() {
        return None;
    }
    let rows = JsFuture::from(answer.text().ok()?)
        .await
        .ok()?
        .as_string()?;
    if rows.is_empty() {
        return None;
    }
    let before = body.child_element_count();
    body.insert_adjacent_html("afterbegin", &rows).ok()?;
    Some((body.child_element_count() - before) as usize)
}
