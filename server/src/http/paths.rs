//! Which paths are whose, and what somebody meant who wrote one with a slip.

use percent_encoding::percent_decode_str;

/// Where banks send end-users back to: under the API's base, and yet for people.
pub const RETURNS: &str = "/v1/redirects/";

/// Whether whoever asks for a path is a person with a browser: everything but the API and its health checks.
pub fn is_for_people(path: &str) -> bool {
    is_return(path) || !(is_api(path) || matches!(path, "/livez" | "/readyz" | "/graphql"))
}

/// Whether a path is where banks send end-users back to.
pub fn is_return(path: &str) -> bool {
    path.starts_with(RETURNS)
}

/// Whether a path is routed to the API as it stands.
pub fn is_api(path: &str) -> bool {
    ["/v1", "/v1s"].iter().any(|base| {
        path.strip_prefix(base)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Whether a path was meant for the API and would be routed elsewhere: another case, doubled slashes, letters written
/// as `%73`, or the `*` of `OPTIONS *`.
pub fn is_slip(path: &str) -> bool {
    !is_api(path) && (path == "*" || is_api(&straight(path)))
}

/// A path without slips: decoded where it may be, one slash at a time, in lower case up to the first id, and with none at its end.
fn straight(path: &str) -> String {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let parts = decoded
        .split('/')
        .map(str::trim)
        .filter(|part| !part.is_empty());
    let parts = parts.map(str::to_ascii_lowercase).collect::<Vec<_>>();
    format!("/{}", parts.join("/"))
}

/// What to say to whoever asked for a path of the API that is none, given the templates of those there are.
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
        _ => ("/v1", straight),
    };
    let asked: Vec<&str> = asked.split('/').collect();
    let distances = templates.iter().filter_map(|template| {
        let distance = distance(&asked, template)?;
        Some((distance, template))
    });
    let (_, template) = distances.min_by_key(|(distance, template)| (*distance, template.len()))?;
    let meant = template.split('/').zip(&asked).map(|(part, asked)| {
        if part.starts_with('{') {
            (*asked).to_owned()
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

/// What a URL needs in place of the `#` that every skill's name has.
pub const NUMBER_SIGN: &str = "A skill's name holds a #, and a URL ends there: write %23 for #, as in /v1/catalog/skills/xyz_ro_aisp_sbx_%231.0.";

/// The skill that a path of the catalog names.
fn skill_in(path: &str) -> Option<&str> {
    path.trim_end_matches('/')
        .rsplit_once("/skills/")
        .map(|(_, skill)| skill)
}

/// How far a path is from a template, in letters; none if they cannot be meant for each other.
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
        ] {
            let advice = advice(path, &templates).unwrap_or_default();
            assert!(advice.contains(part), "{path}: {advice}");
        }
        assert_eq!(advice("/v1/nothing/here", &templates), None);
    }
}
