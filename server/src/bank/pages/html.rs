//! HTML by hand: whatever comes from outside goes through `esc`.

/// Text as HTML text or attribute value.
pub fn esc(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// A whole page around its main part.
pub fn page(title: &str, main: &str) -> String {
    format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>{title} · XYZ Bank</title>
<link rel="icon" href="/bank.svg" type="image/svg+xml">
<link rel="stylesheet" href="/bank.css">
</head>
<body>
<header><img src="/bank.svg" alt="" width="32" height="32"><span class="name">XYZ Bank</span><span class="tag">Sandbox</span></header>
<main>
{main}
</main>
<footer>XYZ Bank is invented, and so is every account in it. No real money, no real people.</footer>
</body>
</html>
"#,
        title = esc(title),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_from_outside_becomes_markup() {
        assert_eq!(
            esc("<a href='x'>\"&"),
            "&lt;a href=&#39;x&#39;&gt;&quot;&amp;"
        );
    }
}
