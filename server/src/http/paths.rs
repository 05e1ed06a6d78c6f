//! Which paths are whose, and what somebody meant who wrote one with a slip.

use percent_encoding::percent_decode_str;

/// Base of the paths that banks redirect end-users to: under the API's base, but opened by people in a browser.
pub const RETURNS: &str = "/v1/redirects/";

/// Returns `true` if a path is opened by people in a browser: everything but the API and its health checks.
pub fn is_for_people(path: &str) -> bool {
    is_return(path) || !(is_api(path) || matches!(path, "/livez" | "/readyz" | "/graphql"))
}

/// Returns `true` if banks redirect end-users to the path.
pub fn is_return(path: &str) -> bool {
    path.starts_with(RETURNS)
}

/// Returns `true` if a path is routed to the API as it stands.
pub fn is_api(path: &str) -> bool {
    ["/v1", "/v1s"].iter().any(|base| {
        path.strip_prefix(base)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Returns `true` if a call of the API can be sent again later without harm. Sessions, steps and tokens, which an end-user waits
/// for, and the callback from a bank, which works once, cannot.
pub fn is_reading(path: &str) -> bool {
    let noun = path.split('/').nth(2).unwrap_or_default();
    is_api(path)
        && !matches!(
            noun,
            "sessions" | "steps" | "token" | "tokens" | "redirects"
        )
}

/// Returns `true` if a path was meant for the API but would be routed elsewhere: another case, doubled slashes, letters
/// written as `%73`, or the `*` of `OPTIONS *`.
pub fn is_slip(path: &str) -> bool {
    !is_api(path) && (path == "*" || is_api(&straight(path)))
}

/// A path without slips: decoded where it may be, one slash at a time, in lower case up to the first id, with none at its
/// end, with dot segments followed (RFC 3986, section 5.2.4) and without parameters of its segments.
fn straight(path: &str) -> String {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let mut parts: Vec<String> = Vec::new();
    for part in decoded.split(['/', '\\']) {
        let part = part.split([';', '?']).next().unwrap_or_default();
        let part = part.trim_matches(|c: char| c.is_whitespace() || c.is_control());
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part.to_ascii_lowercase()),
        }
    }
    format!("/{}", parts.join("/"))
}

/// Returns a path as if it began with the API's base, for one that was sent elsewhere by a program: `/sessions`, `/api/v1/sessions`,
/// `/v2/sessions`, `/v1.0/sessions`.
fn rebased(straight: &str) -> String {
    let is_base = |part: &str| {
        let rest = part.strip_prefix('v').unwrap_or(part);
        rest.starts_with(|c: char| c.is_ascii_digit())
            && rest.len() <= 4
            && rest.chars().all(|c| c.is_ascii_digit() || c == '.')
    };
    let parts = straight
        .split('/')
        .filter(|part| !part.is_empty() && *part != "api");
    let rest: Vec<&str> = parts.skip_while(|part| is_base(part)).collect();
    format!("/v1/{}", rest.join("/"))
}

/// Returns advice on a path that the API does not have, given the templates of those it has; `None` if no template is
/// close.
pub fn advice(path: &str, templates: &[String]) -> Option<String> {
    if path == "*" {
        return Some(
            "OPTIONS asks about one path: send it to /v1/sessions, for example.".to_owned(),
        );
    }
    if path.contains('#') || skill_in(path).is_some_and(|skill| skill.ends_with('_')) {
        return Some(NUMBER_SIGN.to_owned());
    }
    let straight = straight(path);
    let (base, asked) = match straight.strip_prefix("/v1s") {
        Some(rest) if rest.starts_with('/') => ("/v1s", format!("/v1{rest}")),
        _ if !is_api(&straight) => ("/v1", rebased(&straight)),
        _ => ("/v1", straight),
    };
    let asked = asked.trim_end_matches('.');
    let asked = asked.strip_suffix(".json").unwrap_or(asked);
    let asked: Vec<&str> = asked.split('/').collect();
    let distances = templates.iter().filter_map(|template| {
        let distance = distance(&asked, template)?;
        Some((distance, template))
    });
    let (_, template) = distances.min_by_key(|(distance, template)| (*distance, template.len()))?;
    let meant = template.split('/').zip(&asked).map(|(part, asked)| {
        if part.starts_with('{') {
            asked.replace('#', "%23")
        } else {
            part.to_owned()
        }
    });
    let meant = meant.collect::<Vec<_>>().join("/").replacen("/v1", base, 1);
    let slip = match path {
        _ if path.len() > 1 && path.ends_with('/') => " (without a slash at the end)",
        _ if path.contains("//") => " (one slash at a time)",
        _ if path.contains('%') => " (letters are not percent-encoded)",
        _ if path.chars().any(|c| c.is_ascii_uppercase()) => " (in lower case)",
        _ => "",
    };
    Some(format!("Most likely you mean {meant}{slip}."))
}

/// Advice on the `#` that every skill's name has and no URL can hold.
pub const NUMBER_SIGN: &str = "A skill's name holds a #, and a URL ends there: write %23 for #, as in /v1/catalog/skills/xyz_ro_aisp_sbx_%231.0.";

/// The skill that a path of the catalog names.
fn skill_in(path: &str) -> Option<&str> {
    path.trim_end_matches('/')
        .rsplit_once("/skills/")
        .map(|(_, skill)| skill)
}

/// Returns the distance of a path from a template, in edits of letters; `None` if the path has another number of parts
/// or a part differs by more than two letters.
fn distance(asked: &[&str], template: &str) -> Option<usize> {
    let parts: Vec<&str> = template.split('/').collect();
    if parts.len() != asked.len() {
        return None;
    }
    let mut sum = 0;
    for (part, asked) in parts.iter().zip(asked) {
        if part.starts_with('{') {
            continue;
        }
        let letters = edits(part, asked);
        if letters > 2 {
            return None;
        }
        sum += letters;
    }
    Some(sum)
}

/// The edits that make one word of another (Levenshtein), for short words.
fn edits(a: &str, b: &str) -> usize {
    if a.len().abs_diff(b.len()) > 2 || b.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut before = i;
        let mut next = vec![i + 1];
        for (to, above) in b.chars().zip(row.iter().skip(1)) {
            let left = next.last().copied().unwrap_or(i);
            let change = before + usize::from(from != to);
            before = *above;
            next.push(change.min(left + 1).min(above + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_belongs_to_the_api_in_whatever_way_it_is_written() {
        for path in [
            "/v1",
            "/v1/",
            "/v1/sessions",
            "/v1s/token",
            "/v1//sessions",
            "/v1/%73essions",
        ] {
            assert!(is_api(path) && !is_slip(path), "{path}");
        }
        for path in [
            "//v1/sessions",
            "/V1/Sessions",
            "/V1S/token",
            "///v1",
            "/%761/sessions",
            "/v%31/x",
            "*",
            "/%2Fv1/x",
        ] {
            assert!(is_slip(path), "{path}");
        }
        for path in [
            "/",
            "/v10",
            "/v1x",
            "/docs",
            "/tenants/v1",
            "/v2/sessions",
            "//docs",
        ] {
            assert!(!is_api(path) && !is_slip(path), "{path}");
        }
    }

    #[test]
    fn whoever_slips_is_told_what_was_meant() {
        let templates = [
            "/v1/sessions",
            "/v1/sessions/{session_id}/steps",
            "/v1/token",
            "/v1/catalog/skills/{skill}",
            "/v1/accounts",
        ];
        let templates: Vec<String> = templates.iter().map(|it| (*it).to_owned()).collect();
        for (path, part) in [
            ("//v1/sessions", "/v1/sessions (one slash"),
            ("/V1/Sessions", "/v1/sessions (in lower case"),
            ("/v1/sessions/", "/v1/sessions (without a slash"),
            ("/v1/%73essions", "/v1/sessions (letters"),
            ("/v1s//token", "/v1s/token (one slash"),
            ("/v1/session", "/v1/sessions."),
            ("/v1/acounts", "/v1/accounts."),
            ("/v1//sessions/7/steps", "/v1/sessions/7/steps"),
            ("/v1/catalog/skills/xyz_ro_aisp_sbx_", "write %23 for #"),
            ("*", "OPTIONS"),
            ("/v1/./sessions", "/v1/sessions"),
            ("/v1/x/../sessions", "/v1/sessions"),
            ("/v1/sessions;jsessionid=7", "/v1/sessions"),
            ("/v1/sessions.json", "/v1/sessions"),
            ("/v1/sessions%00", "/v1/sessions"),
            ("/v1\\sessions", "/v1/sessions"),
            ("/sessions", "/v1/sessions"),
            ("/api/v1/sessions", "/v1/sessions"),
            ("/v2/sessions", "/v1/sessions"),
            ("/v1.0/sessions", "/v1/sessions"),
            ("/1/sessions", "/v1/sessions"),
            (
                "/v1/catalog/skills/xyz_ro_aisp_sbx_%231.0/",
                "/v1/catalog/skills/xyz_ro_aisp_sbx_%231.0 (",
            ),
        ] {
            let advice = advice(path, &templates).unwrap_or_default();
            assert!(advice.contains(part), "{path}: {advice}");
        }
        assert_eq!(advice("/v1/nothing/here", &templates), None);
    }
}
