//! What machines look for: every link that is listed leads to a screen, and Markdown is there for whoever asks for it.

use app::domain::problem::Code;
use app::pages::{Answer, SCREENS, Visit};

use crate::fake::{World, visit};

fn answer(visit: Visit) -> Answer {
    crate::open(visit).0
}

fn text(path: &str) -> (String, String) {
    match answer(visit(World::Empty, path, None)) {
        Answer::Text { content_type, body } => (content_type.to_owned(), body),
        _ => panic!("{path} is no text"),
    }
}

/// The paths of all absolute links to this server in a text.
fn own_links(body: &str) -> Vec<String> {
    let begin = "http://127.0.0.1:3000";
    let ends = |c: char| matches!(c, ')' | '<' | '"' | '>') || c.is_whitespace();
    body.split(begin)
        .skip(1)
        .map(|rest| rest.split(ends).next().unwrap().to_owned())
        .collect()
}

fn is_there(path: &str) -> bool {
    // The API's, and what its own tests see.
    if path.starts_with("/v1") || path == "/readyz" {
        return true;
    }
    let parts: Vec<&str> = path.split('/').collect();
    SCREENS.iter().any(|screen| {
        let pattern: Vec<&str> = screen.path.split('/').collect();
        pattern.len() == parts.len()
            && pattern
                .iter()
                .zip(&parts)
                .all(|(known, part)| known == part || known.starts_with('{'))
    })
}

#[test]
fn every_listed_link_leads_to_a_screen() {
    for path in ["/llms.txt", "/sitemap.xml", "/.well-known/api-catalog"] {
        let (_, body) = text(path);
        let links = own_links(&body);
        assert!(links.len() >= 5, "{path}: {links:?}");
        for link in links {
            assert!(is_there(&link), "{path} lists {link}");
        }
    }
    let (kind, body) = text("/sitemap.xml");
    assert!(kind.starts_with("application/xml"));
    for code in Code::ALL {
        assert!(body.contains(&format!("/docs/errors/{}<", code.as_str())));
    }
    let (kind, body) = text("/.well-known/api-catalog");
    assert!(kind.starts_with("application/linkset+json"), "{kind}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let described = &body["linkset"][0]["service-desc"][0]["href"];
    assert_eq!(described, "http://127.0.0.1:3000/v1/openapi.json");
}

#[test]
fn a_security_contact_is_told_with_a_day_it_is_good_until_and_not_made_up() {
    let path = "/.well-known/security.txt";
    assert!(matches!(
        answer(visit(World::Empty, path, None)),
        Answer::Page(page) if page.status == 404
    ));

    let mut asked = visit(World::Empty, path, None);
    let mut site = (*asked.site).clone();
    site.security_contact = "mailto:security@example.com".into();
    asked.site = site.into();
    let now = asked.now;
    let Answer::Text { content_type, body } = answer(asked) else {
        panic!("no text");
    };
    assert_eq!(content_type, "text/plain; charset=utf-8");
    assert!(body.starts_with("Contact: mailto:security@example.com\n"));
    let expires = body.lines().find_map(|line| line.strip_prefix("Expires: "));
    let expires = chrono::DateTime::parse_from_rfc3339(expires.unwrap()).unwrap();
    let days = (expires.to_utc() - now).num_days();
    assert!((1..365).contains(&days), "{days}");
}

#[test]
fn every_page_of_the_docs_is_there_as_markdown() {
    let pages = [
        ("/docs", "# Tessera documentation"),
        ("/docs/quick-start", "# "),
        ("/docs/errors", "# Errors"),
        ("/docs/errors/invalid_nonce", "# `invalid_nonce`"),
        ("/docs/api", "# API reference"),
        ("/docs/api/post-v1-sessions-session_id-steps", "# "),
        ("/changelog", "# Changelog"),
    ];
    for (path, begin) in pages {
        let mut asked = visit(World::Empty, path, None);
        asked.markdown = true;
        let Answer::Text { content_type, body } = answer(asked) else {
            panic!("{path} is no Markdown");
        };
        assert_eq!(content_type, "text/markdown; charset=utf-8");
        assert!(body.starts_with(begin), "{path}: {body}");
        assert!(!body.contains("%API%"), "{path}");
    }
}
