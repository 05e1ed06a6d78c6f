//! Text as markup, for the few places that Leptos does not escape by itself: it writes the children of raw-text elements
//! (`textarea`, `script`, `style`, `noscript`) as they are, and ends a text in `title` with a comment that the HTML
//! standard shows there (13.1.2.2, escapable raw text). Such places set `inner_html` to what these functions return.

/// Returns a text as HTML that shows it, in content and in quoted attributes alike.
pub fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 16);
    escape(text, &mut html);
    html
}

/// Writes a text as HTML that shows it.
pub(super) fn escape(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        assert_eq!(
            escaped("</title><b a=\"x\" c='y'>&amp;"),
            "&lt;/title&gt;&lt;b a=&quot;x&quot; c=&#39;y&#39;&gt;&amp;amp;"
        );
    }
}
