//! What every page keeps to, whatever it is about.

use app::domain::key::KeyKind;
use app::pages::{SCREENS, ScreenAccess};

use crate::fake::{HOSTILE, World, actor, fields, key, tenant_id, visit};
use crate::preview::every_state;
use crate::show;

#[test]
fn every_screen_in_every_state_is_well_formed() {
    for (name, _, html) in every_state() {
        assert!(
            html.starts_with("<!DOCTYPE html><html lang=\"en\""),
            "{name}"
        );
        assert_eq!(html.matches("<h1").count(), 1, "{name} has one heading");
        assert_eq!(html.matches("<main").count(), 1, "{name} has one main");
        assert!(
            html.contains("href=\"#main\""),
            "{name} can be skipped into"
        );
        assert!(html.contains("<title>"), "{name}");
        assert!(
            !html.contains(" style=\""),
            "{name} styles by class: the CSP forbids more"
        );
        let tags = html.split('<').filter_map(|tag| tag.split('>').next());
        assert!(
            !tags.into_iter().any(|tag| tag.contains(" onclick=")),
            "{name} has no inline handler"
        );
        unique_ids(name, &html);
        labelled(name, &html);
    }
}

/// Ids are what labels, descriptions and copy buttons hold on to.
fn unique_ids(name: &str, html: &str) {
    let mut ids: Vec<_> = attributes(html, " id=\"").collect();
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(all, ids.len(), "{name} uses an id twice");
    for wanted in attributes(html, " for=\"")
        .chain(attributes(html, " aria-describedby=\"").flat_map(str::split_whitespace))
    {
        assert!(
            ids.contains(&wanted),
            "{name} points at #{wanted}, which is not there"
        );
    }
}

fn labelled(name: &str, html: &str) {
    for control in html
        .split("<input ")
        .skip(1)
        .chain(html.split("<select ").skip(1))
    {
        let tag = control.split('>').next().unwrap();
        if tag.contains("type=\"hidden\"")
            || tag.contains("type=\"radio\"")
            || tag.contains("type=\"checkbox\"")
        {
            continue;
        }
        let id = attributes(&format!(" {tag}"), " id=\"")
            .next()
            .map(str::to_owned);
        let id = id.unwrap_or_else(|| panic!("{name}: a control without id: {tag}"));
        assert!(
            html.contains(&format!("for=\"{id}\"")),
            "{name}: #{id} has no label"
        );
    }
}

fn attributes<'a>(html: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    html.split(start)
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
}

#[test]
fn names_that_attack_are_text() {
    let paths = [
        "/tenants".to_owned(),
        format!("/tenants/{}", tenant_id()),
        format!("/tenants/{}/keys", tenant_id()),
        format!("/tenants/{}/keys/rotate/client_secret", tenant_id()),
        format!("/tenants/{}/settings", tenant_id()),
        "/skills/xyz_aisp_sbx_%231.0".to_owned(),
        "/admin/servicers".to_owned(),
    ];
    for path in paths {
        let (_, html) = show(visit(World::Hostile, &path, Some(actor(true))));
        assert!(!html.contains("<img"), "{path}");
        assert!(html.contains("&lt;img src=x"), "{path} shows the name");
    }
    let (_, html) = show(visit(World::Full, "/tenants?q=xyz", Some(actor(false))));
    assert!(html.contains("No tenant matches"));
    assert!(HOSTILE.contains("<img"));
}

#[test]
fn public_pages_load_no_wasm_by_themselves() {
    let (_, landing) = show(visit(World::Full, "/", None));
    assert!(
        !landing.contains("<script"),
        "the landing page has no script at all"
    );
    let (_, sign_in) = show(visit(World::Full, "/signin", None));
    assert!(sign_in.contains("nonce=\"n0nce\""));
    assert!(
        !sign_in.contains("preload"),
        "nothing is fetched before somebody reaches for it"
    );
    assert!(sign_in.contains("pointerover"));
}

#[test]
fn a_whole_secret_is_on_no_page_but_the_answer_that_made_it() {
    let secrets = [
        key(KeyKind::Secret, 1),
        key(KeyKind::Secret, 3),
        key(KeyKind::Secret, 4),
    ];
    for (name, _, html) in every_state() {
        let shown = secrets.iter().any(|secret| html.contains(secret));
        let made = matches!(name, "start-keys" | "tenant-new-keys" | "keys-rotated");
        assert_eq!(shown, made, "{name}");
    }
}

#[test]
fn a_password_is_never_given_back() {
    let typed = "hunter2hunter2";
    for (path, form) in [
        ("/signin", format!("email=a@example.com&password={typed}")),
        ("/start", format!("name=&email=dev&password={typed}")),
        ("/signup", format!("servicer_id=x&password={typed}")),
        ("/settings", format!("act=password&old={typed}&new={typed}")),
    ] {
        let mut visit = visit(
            World::Full,
            path,
            (path == "/settings").then(|| actor(false)),
        );
        visit.form = Some(fields(&form));
        let (status, html) = show(visit);
        assert_eq!(status, 422, "{path}");
        assert!(!html.contains(typed), "{path}");
    }
}

#[test]
fn the_theme_of_the_cookie_is_in_the_first_byte() {
    let mut visit = visit(World::Full, "/overview", Some(actor(false)));
    visit.theme = Some("dark");
    let (_, html) = show(visit);
    assert!(html.contains("<html lang=\"en\" data-theme=\"dark\">"));
    assert!(html.contains("value=\"dark\" aria-pressed=\"true\""));
}

#[test]
fn the_screen_table_names_no_path_twice_and_guards_the_operators() {
    let mut paths: Vec<_> = SCREENS.iter().map(|screen| screen.path).collect();
    let all = paths.len();
    paths.sort_unstable();
    paths.dedup();
    assert_eq!(paths.len(), all);
    for screen in SCREENS {
        let admins = screen.path.starts_with("/admin");
        assert_eq!(screen.who == ScreenAccess::Admin, admins, "{}", screen.path);
        let tenants = screen.path.starts_with("/tenants") || screen.path.starts_with("/requests");
        assert!(
            !tenants || matches!(screen.who, ScreenAccess::May(_)),
            "{}",
            screen.path
        );
    }
}
