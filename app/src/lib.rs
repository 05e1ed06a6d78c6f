//! What people see, and the words it is said in. Knows no SQL and no HTTP server.
//!
//! Compiled twice: for the server (`ssr`: pages, guides, the seam) and for the browser (`hydrate`: the islands alone).

pub mod domain;
pub mod islands;
pub mod links;
#[cfg(feature = "ssr")]
pub mod pages;
#[cfg(feature = "ssr")]
pub mod portal;
#[cfg(feature = "ssr")]
pub mod text;
#[cfg(feature = "ssr")]
pub mod ui;

/// Wakes the islands of the page; called by the page's own module script.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    leptos::mount::hydrate_islands();
}
