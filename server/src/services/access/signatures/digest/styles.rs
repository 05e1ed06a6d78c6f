//! How the usual libraries of other languages write JSON.

use json::Style;

const SHORT: Style = Style::COMPACT;
const SPACED: Style = Style {
    after_comma: " ",
    colon: ": ",
    ..SHORT
};
const TWO: Style = Style::PRETTY;
/// Characters that Go escapes, and .NET and Gson besides them.
const GO: &str = "&<>\u{2028}\u{2029}";
const DOTNET: &str = "\"&'+<>`\u{7f}";
const GSON: &str = "&'<=>\u{2028}\u{2029}";

/// Ways to write JSON, the likelier ones first: what to call it, what to do about it if there is a name for that, and how it
/// is written.
pub const STYLES: &[(&str, &str, Style)] = &[
    ("the JSON written anew without spaces", "", SHORT),
    (
        "the JSON with spaces after commas and colons",
        "In Python: json.dumps(body, separators=(',', ':'), ensure_ascii=False).",
        SPACED,
    ),
    (
        "the JSON as Python’s json.dumps writes it unasked, with spaces after commas and colons and everything beyond ASCII escaped",
        "In Python: json.dumps(body, separators=(',', ':'), ensure_ascii=False).",
        Style {
            ascii: true,
            ..SPACED
        },
    ),
    (
        "the JSON with everything beyond ASCII escaped as \\u (ensure_ascii)",
        "In Python: ensure_ascii=False; in PHP: JSON_UNESCAPED_UNICODE; in JavaScript nothing does so unasked.",
        Style {
            ascii: true,
            ..SHORT
        },
    ),
    (
        "the JSON with PHP’s escaped slashes (\\/)",
        "In PHP: json_encode($body, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE).",
        Style {
            slashes: true,
            ..SHORT
        },
    ),
    (
        "the JSON as PHP’s json_encode writes it unasked, with escaped slashes (\\/) and everything beyond ASCII escaped",
        "In PHP: json_encode($body, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE).",
        Style {
            slashes: true,
            ascii: true,
            ..SHORT
        },
    ),
    (
        "the JSON as Go’s json.Marshal writes it unasked, with &, < and > escaped as \\u0026, \\u003c and \\u003e",
        "In Go: an Encoder with SetEscapeHTML(false), and without the line feed that it adds.",
        Style {
            escaped: GO,
            ..SHORT
        },
    ),
    (
        "the JSON as .NET’s System.Text.Json writes it unasked, with quotes, &, +, < and > and everything beyond ASCII escaped in capital digits (\\u00E9)",
        "In .NET: JavaScriptEncoder.UnsafeRelaxedJsonEscaping.",
        Style {
            escaped: DOTNET,
            ascii: true,
            capitals: true,
            ..SHORT
        },
    ),
    (
        "the JSON with everything beyond ASCII escaped as \\u in capital digits (\\u00E9)",
        "In .NET: JavaScriptEncoder.UnsafeRelaxedJsonEscaping; in Java: without ESCAPE_NON_ASCII.",
        Style {
            ascii: true,
            capitals: true,
            ..SHORT
        },
    ),
    (
        "the JSON as Java’s Gson writes it unasked, with &, ', <, = and > escaped",
        "In Gson: new GsonBuilder().disableHtmlEscaping().",
        Style {
            escaped: GSON,
            ..SHORT
        },
    ),
    (
        "the JSON with &, < and > escaped in capital digits (\\u0026, \\u003C)",
        "Turn HTML escaping off in your JSON library.",
        Style {
            escaped: "&<>",
            capitals: true,
            ..SHORT
        },
    ),
    (
        "the JSON as Ruby on Rails writes it, with &, < and > escaped",
        "In Rails: ActiveSupport::JSON::Encoding.escape_html_entities_in_json = false.",
        Style {
            escaped: "&<>\u{2028}\u{2029}",
            ..SHORT
        },
    ),
    (
        "the JSON with its keys sorted",
        "",
        Style {
            sorted: true,
            ..SHORT
        },
    ),
    (
        "the JSON with its keys sorted and spaces after commas and colons",
        "In Python: without sort_keys, and with separators=(',', ':').",
        Style {
            sorted: true,
            ..SPACED
        },
    ),
    (
        "the JSON with its keys sorted, spaces after commas and colons and everything beyond ASCII escaped",
        "In Python: without sort_keys, and with separators=(',', ':') and ensure_ascii=False.",
        Style {
            sorted: true,
            ascii: true,
            ..SPACED
        },
    ),
    (
        "the JSON with its numbers as JavaScript writes them (1.0 becomes 1)",
        "Digest the text before it is parsed, not what it parses to.",
        Style {
            floats: true,
            ..SHORT
        },
    ),
    (
        "the JSON with its keys sorted and its numbers as JavaScript writes them (RFC 8785)",
        "The body is not canonicalised here: digest the bytes that you send.",
        Style {
            sorted: true,
            floats: true,
            ..SHORT
        },
    ),
    ("the JSON indented by two spaces", "", TWO),
    (
        "the JSON indented by four spaces",
        "",
        Style {
            indent: Some("    "),
            ..TWO
        },
    ),
    (
        "the JSON indented by tabs",
        "",
        Style {
            indent: Some("\t"),
            ..TWO
        },
    ),
    (
        "the JSON indented by two spaces, with lines that end in CR LF",
        "Windows does so: digest the bytes that you send.",
        Style {
            line: "\r\n",
            ..TWO
        },
    ),
    (
        "the JSON indented by four spaces, with lines that end in CR LF",
        "Windows does so: digest the bytes that you send.",
        Style {
            indent: Some("    "),
            line: "\r\n",
            ..TWO
        },
    ),
    (
        "the JSON indented by tabs, with lines that end in CR LF",
        "Windows does so: digest the bytes that you send.",
        Style {
            indent: Some("\t"),
            line: "\r\n",
            ..TWO
        },
    ),
    (
        "the JSON as Python’s json.dumps indents it, with everything beyond ASCII escaped",
        "In Python: without indent, and with ensure_ascii=False.",
        Style { ascii: true, ..TWO },
    ),
    (
        "the JSON as Python’s json.dumps indents it by four spaces, with everything beyond ASCII escaped",
        "In Python: without indent, and with ensure_ascii=False.",
        Style {
            ascii: true,
            indent: Some("    "),
            ..TWO
        },
    ),
    (
        "the JSON as PHP’s JSON_PRETTY_PRINT writes it, with escaped slashes (\\/)",
        "In PHP: without JSON_PRETTY_PRINT, and with JSON_UNESCAPED_SLASHES.",
        Style {
            slashes: true,
            indent: Some("    "),
            ..TWO
        },
    ),
    (
        "the JSON as PHP’s JSON_PRETTY_PRINT writes it, with escaped slashes (\\/) and everything beyond ASCII escaped",
        "In PHP: without JSON_PRETTY_PRINT, and with JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE.",
        Style {
            slashes: true,
            ascii: true,
            indent: Some("    "),
            ..TWO
        },
    ),
    (
        "the JSON as Java’s Jackson indents it, with spaces around colons",
        "In Jackson: without INDENT_OUTPUT.",
        Style {
            colon: " : ",
            ..TWO
        },
    ),
    (
        "the JSON with spaces around colons, on one line",
        "",
        Style {
            colon: " : ",
            after_comma: " ",
            ..SHORT
        },
    ),
    (
        "the JSON as Windows PowerShell’s ConvertTo-Json writes it",
        "In PowerShell: ConvertTo-Json -Compress.",
        Style {
            colon: ":  ",
            indent: Some("    "),
            line: "\r\n",
            escaped: "&'<>",
            ..TWO
        },
    ),
    (
        "the JSON as Apple’s JSONEncoder writes it, with escaped slashes (\\/) and sorted keys",
        "In Swift: outputFormatting = [.withoutEscapingSlashes].",
        Style {
            slashes: true,
            sorted: true,
            ..SHORT
        },
    ),
    (
        "the JSON with its keys sorted, indented by two spaces",
        "",
        Style {
            sorted: true,
            ..TWO
        },
    ),
    (
        "the JSON with its keys sorted, indented by four spaces",
        "",
        Style {
            sorted: true,
            indent: Some("    "),
            ..TWO
        },
    ),
];
