//! Clumsy people at the portal's real door: double clicks, forms sent late or in part, links that a mail program spoilt, and
//! filters that nothing can meet.

mod searches;

use reqwest::{Method, StatusCode};

use crate::world::browser::Browser;
use crate::world::people::{PASSWORD, fill_in, see, tenant_in};
use crate::world::{Database, SKILL, World, client, on_both};

on_both!(
    a_form_sent_several_times_at_once_makes_one_key,
    a_key_is_stopped_by_the_first_click_and_by_the_second,
    a_form_sent_after_its_session_ended_is_told_so,
    a_form_in_part_changes_nothing,
    settings_changed_elsewhere_are_shown_beside_what_was_typed,
    a_mailed_link_outlives_scanners_and_mail_programs,
    a_second_click_on_a_mailed_link_tells_no_wrong_way,
    a_wrong_turn_at_the_portal_is_no_dead_end,
);

/// An answer of the portal, not followed.
struct Answer {
    status: StatusCode,
    to: String,
    keeping: String,
    html: String,
}

/// Asks as a browser with these cookies, and follows nothing.
async fn ask(
    world: &World,
    cookies: &str,
    (method, path): (Method, &str),
    form: Option<&[(&str, &str)]>,
) -> Answer {
    let mut request = client()
        .request(method, world.api(path))
        .header("cookie", cookies)
        .header("sec-fetch-site", "same-origin");
    if let Some(form) = form {
        request = request.form(form);
    }
    let answer = request.send().await.unwrap();
    let header = |name: &str| {
        let value = answer.headers().get(name);
        value.map_or(String::new(), |value| value.to_str().unwrap().to_owned())
    };
    Answer {
        status: answer.status(),
        to: header("location"),
        keeping: header("cache-control"),
        html: answer.text().await.unwrap(),
    }
}

async fn look(world: &World, browser: &Browser, path: &str) -> Answer {
    ask(world, &browser.cookies(), (Method::GET, path), None).await
}

async fn send(world: &World, browser: &Browser, path: &str, form: &[(&str, &str)]) -> Answer {
    ask(world, &browser.cookies(), (Method::POST, path), Some(form)).await
}

/// The owner of a new servicer, and its first tenant.
async fn owner(world: &World, email: &str) -> (Browser, String) {
    let browser = world.start(email).await;
    let tenants = look(world, &browser, "/tenants").await;
    (browser, tenant_in(&tenants.html))
}

/// The value of a form's field.
fn field(html: &str, name: &str) -> String {
    let mark = format!("name=\"{name}\" value=\"");
    let (_, rest) = html
        .split_once(&mark)
        .unwrap_or_else(|| panic!("no {name}: {html}"));
    rest.split('"').next().unwrap().to_owned()
}

/// The secret on a page that shows one.
fn secret(html: &str) -> Option<String> {
    let (_, rest) = html.split_once("id=\"client_secret\">")?;
    Some(rest.split('<').next()?.to_owned())
}

async fn is_taken(world: &World, tenant: &str, secret: &str) -> bool {
    let call = client().get(world.api("/v1/consents"));
    let answer = call.basic_auth(tenant, Some(secret)).send().await.unwrap();
    answer.status() == StatusCode::OK
}

async fn a_form_sent_several_times_at_once_makes_one_key(database: Database) {
    let world = World::shared(database).await;
    let (browser, tenant) = owner(&world, "twice@example.com").await;
    let path = format!("/tenants/{tenant}/keys/rotate/client_secret");
    for round in 0..4 {
        let page = look(&world, &browser, &path).await;
        let key = field(&page.html, "key");
        let form = [("key", key.as_str()), ("overlap", "0")];
        let answers = (0..8).map(|_| send(&world, &browser, &path, &form));
        let answers = futures_util::future::join_all(answers).await;
        let made: Vec<_> = answers.iter().filter_map(|it| secret(&it.html)).collect();
        assert_eq!(made.len(), 1, "round {round}");
        assert!(is_taken(&world, &tenant, &made[0]).await, "round {round}");
        for other in answers.iter().filter(|it| secret(&it.html).is_none()) {
            let keys = format!("/tenants/{tenant}/keys?done=unsaved");
            assert_eq!(
                (other.status.as_u16(), &other.to),
                (303, &keys),
                "{}",
                other.html
            );
        }
    }
}

async fn a_key_is_stopped_by_the_first_click_and_by_the_second(database: Database) {
    let world = World::shared(database).await;
    let (browser, tenant) = owner(&world, "stops@example.com").await;
    let rotate = format!("/tenants/{tenant}/keys/rotate/client_secret");
    let old = field(&look(&world, &browser, &rotate).await.html, "key");
    let form = [("key", old.as_str()), ("overlap", "60")];
    assert!(secret(&send(&world, &browser, &rotate, &form).await.html).is_some());
    let stop = format!("/tenants/{tenant}/keys/{old}/stop");
    let again = look(&world, &browser, &rotate).await;
    assert!(
        again.html.contains(&format!("href=\"{stop}\"")),
        "{}",
        again.html
    );
    assert!(
        !again.html.contains("name=\"overlap\""),
        "no form that must fail"
    );
    for click in 0..2 {
        let stopped = send(&world, &browser, &stop, &[]).await;
        let keys = format!("/tenants/{tenant}/keys?done=stopped");
        assert_eq!(stopped.to, keys, "click {click}: {}", stopped.html);
    }
    let late = look(&world, &browser, &stop).await;
    assert_eq!(late.to, format!("/tenants/{tenant}/keys"));
    let (stranger, other) = owner(&world, "stranger@example.com").await;
    for path in [&stop, &format!("/tenants/{other}/keys/{old}/stop")] {
        let foreign = send(&world, &stranger, path, &[]).await;
        assert_eq!(foreign.status, StatusCode::NOT_FOUND, "{path}");
    }
}

async fn a_form_sent_after_its_session_ended_is_told_so(database: Database) {
    let world = World::shared(database).await;
    let (browser, tenant) = owner(&world, "late@example.com").await;
    let path = format!("/tenants/{tenant}/settings");
    send(&world, &browser, "/signout", &[]).await;
    let form = [("act", "rename"), ("version", "1"), ("name", "Mine")];
    let late = send(&world, &browser, &path, &form).await;
    let next = path.replace('/', "%2F");
    assert_eq!(late.to, format!("/signin?next={next}&done=unsent"));
    let page = look(&world, &browser, &late.to).await;
    assert!(
        page.html.contains("Your form was not sent"),
        "{}",
        page.html
    );
    let seen = look(&world, &browser, &path).await;
    assert_eq!(
        seen.to,
        format!("/signin?next={next}"),
        "a look loses nothing"
    );
}

async fn a_form_in_part_changes_nothing(database: Database) {
    let world = World::shared(database).await;
    let (browser, tenant) = owner(&world, "parts@example.com").await;
    let at = |rest: &str| format!("/tenants/{tenant}/{rest}");
    let before = look(&world, &browser, &at("settings")).await.html;
    let lowest = i64::MIN.to_string();
    for (path, form) in [
        (at("skills"), &[("skill", SKILL)][..]),
        (at("skills"), &[("skill", SKILL), ("on", "yes")]),
        (at("settings"), &[("act", "links"), ("version", "1")]),
        (
            at("settings"),
            &[("act", "links"), ("version", "1"), ("origins", "")],
        ),
        (at("settings"), &[("act", "networks"), ("version", "1")]),
        (
            at("settings"),
            &[
                ("act", "signing"),
                ("version", "1"),
                ("signature_seconds", "60"),
            ],
        ),
        (
            at("settings"),
            &[("act", "rename"), ("version", &lowest), ("name", "Mine")],
        ),
        (
            "/tenants/new".to_owned(),
            &[("name", "Mine"), ("environment", "Production")],
        ),
        (at("keys/rotate/client_secret"), &[("overlap", "7")]),
    ] {
        let answer = send(&world, &browser, &path, form).await;
        let status = answer.status.as_u16();
        assert!(matches!(status, 409 | 422), "{path} {form:?}: {status}");
    }
    let after = look(&world, &browser, &at("settings")).await.html;
    for name in ["version", "name"] {
        assert_eq!(field(&after, name), field(&before, name));
    }
    assert!(
        after.contains("myapp://return"),
        "the links are there: {after}"
    );
    let skills = look(&world, &browser, &at("skills")).await.html;
    assert!(skills.contains(&format!("Remove {SKILL}")), "{skills}");
    let tenants = look(&world, &browser, "/tenants").await.html;
    assert!(!tenants.contains("Mine"), "{tenants}");
}

async fn settings_changed_elsewhere_are_shown_beside_what_was_typed(database: Database) {
    let world = World::shared(database).await;
    let (browser, tenant) = owner(&world, "beside@example.com").await;
    let path = format!("/tenants/{tenant}/skills/{}", SKILL.replace('#', "%23"));
    let terms = |days: &'static str| {
        [
            ("version", "1"),
            ("consent_duration", days),
            ("cache_max_data_retention", "9"),
        ]
    };
    let first = send(&world, &browser, &path, &terms("17")).await;
    assert_eq!(first.status, StatusCode::SEE_OTHER, "{}", first.html);
    let second = send(&world, &browser, &path, &terms("23")).await;
    assert_eq!(second.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(second.html.contains("value=\"23\""), "what was typed");
    let (_, stored) = second.html.split_once("Stored now").unwrap();
    assert!(stored.contains("<div>17<"), "what is stored: {stored}");
}

async fn a_mailed_link_outlives_scanners_and_mail_programs(database: Database) {
    let world = World::own(database).await;
    let email = "ana@example.com";
    let browser = world.start(email).await;
    let link = world.mailed(email, "/verify/", 1).await;
    let nobody = Browser::default();
    for method in [Method::HEAD, Method::GET, Method::HEAD] {
        let scanned = ask(&world, "", (method, &link), None).await;
        assert_eq!(scanned.status, StatusCode::OK);
        assert_eq!(scanned.keeping, "no-store", "the page repeats the token");
    }
    for spoilt in [".", "%3E", ")", "%20", "=", "/", "?utm_source=mail"] {
        let path = format!("{link}{spoilt}");
        let mut opened = look(&world, &nobody, &path).await;
        if opened.status == StatusCode::SEE_OTHER {
            opened = look(&world, &nobody, &opened.to).await;
        }
        assert!(
            opened.html.contains("name=\"password\""),
            "{path}: {}",
            opened.html
        );
    }
    let cut = &link[..link.len() - 4];
    assert_eq!(look(&world, &nobody, cut).await.status, StatusCode::GONE);
    let confirmed = send(&world, &browser, &format!("{link}."), &[]).await;
    assert_eq!(
        confirmed.to, "/settings?done=verified",
        "{}",
        confirmed.html
    );
    let claim = look(&world, &nobody, "/signup?servicer=3D1&amp;claim=abc").await;
    assert_eq!(claim.keeping, "no-store", "the page repeats the token");
}

async fn a_second_click_on_a_mailed_link_tells_no_wrong_way(database: Database) {
    let world = World::own(database).await;
    let email = "ana@example.com";
    let browser = world.start(email).await;
    let link = world.mailed(email, "/verify/", 1).await;
    send(&world, &browser, &link, &[]).await;
    for answer in [
        send(&world, &browser, &link, &[]).await,
        look(&world, &browser, &link).await,
    ] {
        assert_eq!(answer.status, StatusCode::GONE);
        assert!(
            answer.html.contains("Your email address is confirmed"),
            "{}",
            answer.html
        );
    }
    let again = send(&world, &browser, "/settings", &[("act", "verify")]).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(again.html.contains("confirmed already"), "{}", again.html);
    let mut other = Browser::default();
    let form = [("email", email), ("password", PASSWORD)];
    fill_in(&mut other, &world.api("/signin"), &form).await;
    let settings = look(&world, &browser, "/settings").await.html;
    let device = field(&settings, "device");
    let end = [("act", "end"), ("device", device.as_str())];
    assert_eq!(
        send(&world, &browser, "/settings", &end).await.to,
        "/settings?done=ended"
    );
    let twice = send(&world, &browser, "/settings", &end).await;
    assert!(twice.html.contains("signed out already"), "{}", twice.html);
}

async fn a_wrong_turn_at_the_portal_is_no_dead_end(database: Database) {
    let world = World::shared(database).await;
    let (mut browser, tenant) = owner(&world, "turns@example.com").await;
    for (path, to) in [
        ("/tenants/", "/tenants".to_owned()),
        ("/tenants/?q=a%20b", "/tenants?q=a%20b".to_owned()),
        ("/docs//", "/docs".to_owned()),
        (&format!("/tenants/{tenant}/"), format!("/tenants/{tenant}")),
        (
            "/skills/xyz_ro_aisp_sbx_%25231.0",
            "/skills/xyz_ro_aisp_sbx_%231.0".to_owned(),
        ),
        (
            "/skills/xyz_ro_aisp_sbx_",
            "/skills?q=xyz_ro_aisp_sbx_".to_owned(),
        ),
    ] {
        let answer = look(&world, &browser, path).await;
        assert_eq!((answer.status.as_u16(), answer.to), (303, to), "{path}");
    }
    for path in [
        "//",
        "//evil.example/",
        "/nonsense/",
        "/skills/nonsense",
        "/sessions/",
    ] {
        let answer = look(&world, &browser, path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
    let found = see(&mut browser, &world.api("/skills?q=XYZ%20%20BANK")).await;
    assert!(
        found.html.contains(SKILL),
        "as the API finds them: {}",
        found.html
    );
    for (method, path) in [(Method::PUT, "/settings"), (Method::POST, "/tenants")] {
        let cookies = browser.cookies();
        let answer = ask(&world, &cookies, (method, path), Some(&[])).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert!(
            answer.html.contains("href=\"/overview\""),
            "{path}: a way on"
        );
    }
    for (body, status) in [("name=%E4", "400"), (&"n".repeat(70_000), "413")] {
        let request = client()
            .post(world.api("/tenants/new"))
            .header("cookie", browser.cookies())
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded");
        let answer = request.body(body.to_owned()).send().await.unwrap();
        assert_eq!(answer.status().as_str(), status);
        let html = answer.text().await.unwrap();
        let shown = format!("<p class=\"status\">{status}<");
        assert!(html.contains(&shown), "the status that is true: {html}");
    }
}
