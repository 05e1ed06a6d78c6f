//! Code and JSON, with a button that copies them.

use leptos::prelude::*;

use super::markup::escape;
use crate::islands::CopyButton;

/// Text to be read or copied as it is. `id` must be unique on the page: the copy button finds the text by it.
#[component]
pub fn CodeBlock(
    #[prop(into)] id: String,
    #[prop(into)] code: String,
    /// Name of the text, which the copy button says: `Copy <label>`.
    #[prop(into)]
    label: String,
    #[prop(optional)] wrap: bool,
) -> impl IntoView {
    view! {
        <div class=if wrap { "code wrap" } else { "code" }>
            <pre id=id.clone() tabindex="0" role="region" aria-label=label.clone()>{code}</pre>
            <CopyButton from=id label=format!("Copy {label}") />
        </div>
    }
}

/// JSON with its names, texts and numbers told apart. Anything that is no JSON is shown as it is.
#[component]
pub fn Json(
    #[prop(into)] id: String,
    #[prop(into)] text: String,
    #[prop(into)] label: String,
) -> impl IntoView {
    view! {
        <div class="code">
            <pre
                id=id.clone()
                tabindex="0"
                role="region"
                aria-label=label.clone()
                inner_html=json_html(&text)
            ></pre>
            <CopyButton from=id label=format!("Copy {label}") />
        </div>
    }
}

/// A text in which backticks mark code, as the error catalogue and the OpenAPI document write it. One that has an odd
/// backtick is shown as it is.
pub fn prose(text: &str) -> AnyView {
    if !text.matches('`').count().is_multiple_of(2) {
        return text.to_owned().into_any();
    }
    text.split('`')
        .enumerate()
        .map(|(at, part)| {
            let part = part.to_owned();
            if at % 2 == 1 {
                view! { <code>{part}</code> }.into_any()
            } else {
                part.into_any()
            }
        })
        .collect_view()
        .into_any()
}

/// Marks the tokens of a JSON text with the classes of `code.css`; everything is escaped.
pub fn json_html(text: &str) -> String {
    let mut html = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (len, class) = match first {
            '"' => {
                let len = string_len(rest);
                let name = rest
                    .get(len..)
                    .is_some_and(|after| after.trim_start().starts_with(':'));
                (len, if name { "k" } else { "s" })
            }
            '-' | '0'..='9' => (
                run_len(rest, |c| {
                    c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | 'e' | 'E')
                }),
                "n",
            ),
            'a'..='z' => (run_len(rest, |c| c.is_ascii_lowercase()), "n"),
            _ => (first.len_utf8(), ""),
        };
        let (token, after) = rest.split_at(len);
        if class.is_empty() {
            escape(token, &mut html);
        } else {
            html.push_str("<span class=\"");
            html.push_str(class);
            html.push_str("\">");
            escape(token, &mut html);
            html.push_str("</span>");
        }
        rest = after;
    }
    html
}

/// The length of the quoted text at the start, its quotes included.
fn string_len(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn run_len(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_marked_and_escaped() {
        assert_eq!(
            json_html(r#"{"a": "<b>", "n": -1.5, "t": true}"#),
            "{<span class=\"k\">&quot;a&quot;</span>: <span class=\"s\">&quot;&lt;b&gt;&quot;</span>, \
             <span class=\"k\">&quot;n&quot;</span>: <span class=\"n\">-1.5</span>, \
             <span class=\"k\">&quot;t&quot;</span>: <span class=\"n\">true</span>}"
        );
    }

    #[test]
    fn backticks_mark_code() {
        let html = |text: &str| Owner::new_root(None).with(|| prose(text).to_html());
        let marked = html("Send `a<b` once.");
        assert!(marked.contains("<code>a&lt;b<"), "{marked}");
        assert!(!marked.contains('`'));
        assert!(html("one ` alone").contains("one ` alone"));
    }

    #[test]
    fn broken_json_is_shown_as_it_is() {
        for text in ["\"open", "\"a\\", "é<x>", "{\"a\":"] {
            let html = json_html(text);
            assert!(!html.contains("<x>"), "{html}");
        }
    }
}
