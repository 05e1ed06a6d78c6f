//! `Accept` of requests (RFC 9110, section 12.5.1), as far as the API must know it: JSON is all it answers.

use axum::http::{HeaderMap, header};

/// Tells whether `Accept` leaves no room for JSON. The most specific range that JSON falls under decides.
pub fn refuses_json(headers: &HeaderMap) -> bool {
    best(headers, "application", "json").is_some_and(|wanted| !wanted)
}

/// Tells whether a request is a program's that reads JSON alone: a browser takes pages, and most tools take anything.
pub fn wants_json_alone(headers: &HeaderMap) -> bool {
    let takes = |kind, sub| best(headers, kind, sub) == Some(true);
    takes("application", "json") && !takes("text", "html")
}

/// Returns `true` if `Accept` allows a media type, `false` if it excludes it, and `None` if there is no such header
/// (RFC 9110, section 12.5.1).
fn best(headers: &HeaderMap, kind: &str, sub: &str) -> Option<bool> {
    let fields = headers.get_all(header::ACCEPT).iter();
    let texts: Vec<&str> = fields.filter_map(|value| value.to_str().ok()).collect();
    let ranges = || {
        texts
            .iter()
            .flat_map(|text| text.split(','))
            .filter(|it| !it.trim().is_empty())
    };
    ranges().next()?;
    let found = ranges().filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let media = parts.next()?.to_ascii_lowercase();
        let specific = match media.split_once('/') {
            Some((k, s)) if k == kind && s == sub => 2,
            Some((k, "*")) if k == kind => 1,
            Some(("*", "*")) => 0,
            // What old Java clients mean by it.
            None if media == "*" => 0,
            _ => return None,
        };
        let wanted = !parts.any(is_zero);
        Some((specific, wanted))
    });
    Some(found.max().is_some_and(|(_, wanted)| wanted))
}

/// Tells whether a parameter is a weight of nothing.
fn is_zero(parameter: &str) -> bool {
    let weight = parameter
        .strip_prefix("q=")
        .or_else(|| parameter.strip_prefix("Q="));
    weight.is_some_and(|weight| weight.trim().parse() == Ok(0.0_f32))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn with(values: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::ACCEPT, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn the_most_specific_range_decides() {
        for taken in [
            &[][..],
            &[""],
            &["*/*"],
            &["*"],
            &["APPLICATION/JSON"],
            &["Application/*"],
            &["application/json; charset=utf-8"],
            &["application/json,"],
            &["text/html", "application/json"],
            &["text/html, */*;q=0.1"],
            &["*/*;q=0, application/json"],
            &["application/*;q=0, application/json;q=0.001"],
            &["text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"],
        ] {
            assert!(!refuses_json(&with(taken)), "{taken:?}");
        }
        for refused in [
            &["text/html"][..],
            &["application/json;q=0"],
            &["application/json;q=0.000, */*"],
            &["application/json; Q=0, */*;q=1"],
            &["application/*;q=0, */*"],
            &["*/*;q=0"],
            &["application/xml", "text/*"],
            &["application/jsonp"],
        ] {
            assert!(refuses_json(&with(refused)), "{refused:?}");
        }
    }

    #[test]
    fn a_program_is_told_from_a_browser_by_what_it_reads() {
        assert!(wants_json_alone(&with(&["application/json"])));
        assert!(wants_json_alone(&with(&["Application/JSON, text/plain"])));
        for other in [
            &[][..],
            &["*/*"],
            &["application/json, text/plain, */*"],
            &["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
            &["text/markdown"],
        ] {
            assert!(!wants_json_alone(&with(other)), "{other:?}");
        }
    }
}
