//! A button that saves the text of an element as a file, without a request.

use leptos::prelude::*;

/// Saves the text of the element with the id `from` under the file name `name`.
#[island]
pub fn DownloadButton(from: String, name: String, label: String) -> impl IntoView {
    let link = NodeRef::<leptos::html::A>::new();
    let fill = move |_| fill_link(&from, link);
    view! {
        <a class="btn needs-js" href="#" download=name node_ref=link on:click=fill>
            {label}
        </a>
    }
}

#[cfg(feature = "hydrate")]
fn fill_link(from: &str, link: NodeRef<leptos::html::A>) {
    let text = web_sys::window()
        .and_then(|window| window.document())
        .and_then(|document| document.get_element_by_id(from))
        .and_then(|element| element.text_content())
        .unwrap_or_default();
    if let Some(link) = link.get_untracked() {
        let encoded = String::from(js_sys::encode_uri_component(&text));
        // Set in the click itself: the browser follows the address after its handlers ran.
        let _ = link.set_attribute("href", &format!("data:text/plain;charset=utf-8,{encoded}"));
    }
}

#[cfg(not(feature = "hydrate"))]
fn fill_link(_from: &str, _link: NodeRef<leptos::html::A>) {}
