//! Code as HTML whose classes say what each word is: no colours, no inline styles; `style/components/docs.css` has those.

use std::sync::LazyLock;

use syntect::html::{ClassStyle, ClassedHTMLGenerator};
use syntect::parsing::SyntaxSet;
use syntect::util::LinesWithEndings;

use crate::ui::code::json_html;

static SYNTAXES: LazyLock<SyntaxSet> = LazyLock::new(SyntaxSet::load_defaults_newlines);

/// Marks a text up; one of an unknown language is escaped and left plain.
pub fn html(text: &str, language: &str) -> String {
    let name = match language {
        "json" => return json_html(text),
        "sh" | "shell" => "sh",
        "javascript" => "js",
        _ => return plain(text),
    };
    let Some(syntax) = SYNTAXES.find_syntax_by_extension(name) else {
        return plain(text);
    };
    let style = ClassStyle::SpacedPrefixed { prefix: "h-" };
    let mut generator = ClassedHTMLGenerator::new_with_class_style(syntax, &SYNTAXES, style);
    for line in LinesWithEndings::from(text) {
        if generator
            .parse_html_for_line_which_includes_newline(line)
            .is_err()
        {
            return plain(text);
        }
    }
    generator.finalize()
}

fn plain(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_marked_and_escaped() {
        let html = html("curl \"https://x\" # <b>\n", "sh");
        assert!(
            html.contains("h-comment") && html.contains("&lt;b&gt;"),
            "{html}"
        );
        assert!(!html.contains("style="), "{html}");
        assert_eq!(super::html("<x>", "text"), "&lt;x&gt;");
    }
}
