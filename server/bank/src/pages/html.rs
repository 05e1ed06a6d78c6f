//! The frame of every page. `maud` escapes whatever is put into one, by its type.

use maud::{DOCTYPE, Markup, html};

/// Renders a whole page around its main part.
pub fn page(title: &str, main: &Markup) -> String {
    let whole = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex";
                title { (title) " · XYZ Bank" }
                link rel="icon" href="/bank.svg" type="image/svg+xml";
                link rel="stylesheet" href="/bank.css";
            }
            body {
                header {
                    img src="/bank.svg" alt="" width="32" height="32";
                    span class="name" { "XYZ Bank" }
                    span class="tag" { "Sandbox" }
                }
                main { (main) }
                footer { "XYZ Bank is invented, and so is every account in it. No real money, no real people." }
            }
        }
    };
    whole.into_string()
}
