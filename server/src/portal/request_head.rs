//! The head of a visit: its cookies, its preferences and its address.

use app::links;
use app::pages::{SCREENS, Visit};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use cookie::Cookie;

use crate::state::AppState;

pub const THEME_COOKIE: &str = "theme";

/// Returns `true` if the address of a visit holds a one-time token, which its page repeats.
pub fn holds_token(visit: &Visit) -> bool {
    let claims = visit.query.0.iter();
    let mut claims = claims.filter(|(name, _)| name.ends_with("claim"));
    !visit.params.get("token").is_empty() || claims.any(|(_, value)| !value.is_empty())
}

/// The address of a page that was asked for with slashes at its end; `None` if there is no such page.
pub fn without_last_slash(parts: &Parts) -> Option<String> {
    let path = parts.uri.path();
    let meant = path.trim_end_matches('/');
    let looks = matches!(parts.method, Method::GET | Method::HEAD);
    let is_page = || SCREENS.iter().any(|screen| fits(screen.path, meant));
    if meant.len() == path.len() || !looks || !is_page() {
        return None;
    }
    let query = parts.uri.query().map(|query| format!("?{query}"));
    let meant = format!("{meant}{}", query.unwrap_or_default());
    links::local(&meant).map(str::to_owned)
}

/// Returns `true` if a path is one of those that a template stands for.
fn fits(template: &str, path: &str) -> bool {
    let (mut parts, mut asked) = (template.split('/'), path.split('/'));
    loop {
        match (parts.next(), asked.next()) {
            (None, None) => return true,
            (Some(part), Some(asked)) if part == asked => {}
            (Some(part), Some(asked)) if part.starts_with('{') && !asked.is_empty() => {}
            _ => return false,
        }
    }
}

/// Returns whether `Accept` ranks `text/markdown` above HTML (RFC 9110, section 12.5.1). Wildcards count for HTML.
pub fn prefers_markdown(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter();
    let ranges = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            let weight: f32 = weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
            (media, weight)
        });
    let (mut markdown, mut html) = (0.0, 0.0);
    for (media, weight) in ranges {
        match media.as_str() {
            "text/markdown" => markdown = weight,
            "text/html" | "application/xhtml+xml" => html = weight,
            _ => {}
        }
    }
    markdown > html
}

/// The cookie of browsers that an account signed in with.
pub fn device_cookie(state: &AppState) -> &'static str {
    if state.public_url.starts_with("https:") {
        "__Host-tessera-device"
    } else {
        "tessera-device"
    }
}

/// Returns the value of the first cookie of a name; `None` if the browser sent none.
pub fn cookie(headers: &HeaderMap, wanted: &str) -> Option<String> {
    let lines = headers.get_all(header::COOKIE).iter();
    let mut cookies = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(Cookie::split_parse)
        .flatten();
    cookies
        .find(|cookie| cookie.name() == wanted)
        .map(|cookie| cookie.value().to_owned())
}

/// The theme of the cookie, if it is one.
pub fn theme(headers: &HeaderMap) -> Option<&'static str> {
    match cookie(headers, THEME_COOKIE).as_deref() {
        Some("light") => Some("light"),
        Some("dark") => Some("dark"),
        _ => None,
    }
}
