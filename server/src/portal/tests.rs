//! The door from outside: forms, cookies, headers, and what the shell of a page must not do.

use axum::body::Body;
use axum::http::{Method, Response as Answer, StatusCode};
use tower::ServiceExt as _;

use super::*;
use crate::services::portal::Services;
use crate::skills::Registry;
use crate::storage::Db;
use crate::storage::testing::{on_both, sqlite};
use crate::testing::{Browser, World, cookie_of, header, state, text};

on_both!(
    one_form_signs_in_and_shows_the_keys_once,
    a_planted_session_id_is_not_the_one_signed_in,
    leaving_ends_the_session_everywhere,
    strangers_are_sent_to_sign_in_and_back,
    idle_and_old_sessions_end,
    forms_of_other_sites_do_nothing,
    new_keys_are_saved_as_a_file_without_a_script,
    bad_forms_are_refused_with_a_page,
    a_nul_reaches_no_database,
    a_failure_of_ours_says_what_is_true,
    every_answer_has_its_headers,
    the_theme_is_kept_in_a_cookie,
    built_files_are_kept_for_ever_and_public_ones_are_at_the_root
);

const OWN: &str = "http://127.0.0.1:3000";
const PASSWORD: &str = "kumquat+lamps+over+gravel";

async fn browser(db: Db) -> Browser {
    Browser::of(
        World::builder(state(db))
            .skills(Registry::default())
            .build()
            .await,
    )
}

async fn one_form_signs_in_and_shows_the_keys_once(db: Db) {
    let browser = browser(db).await;
    let (answer, cookie) = browser.start("").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(header(&answer, "cache-control"), "no-store");
    let attributes = header(&answer, "set-cookie");
    assert!(
        attributes.contains("HttpOnly") && attributes.contains("SameSite=Lax"),
        "{attributes}"
    );
    let page = text(answer).await;
    assert!(page.contains("tsr_sbx_cs_") && page.contains("tsr_sbx_ak_"));
    let overview = browser.get(app::links::OVERVIEW, &cookie).await;
    assert_eq!(overview.status(), StatusCode::OK);
    assert!(!text(overview).await.contains("tsr_sbx_cs_"));
}

/// Returns the text between `start` and `end`. Panics if either is missing.
fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let (_, rest) = text.split_once(start).expect("the start");
    rest.split_once(end).expect("the end").0
}

async fn new_keys_are_saved_as_a_file_without_a_script(db: Db) {
    let browser = browser(db).await;
    let (answer, cookie) = browser.start("").await;
    let page = text(answer).await;
    let tenant = between(&page, "action=\"/tenants/", "/keys/env\"");
    let secret = between(&page, "name=\"client_secret\" value=\"", "\"");
    let to = format!("/tenants/{tenant}/keys/env");
    let file = browser
        .post(&to, &cookie, &format!("client_secret={secret}"))
        .await;
    assert_eq!(file.status(), StatusCode::OK);
    assert_eq!(
        header(&file, "content-disposition"),
        "attachment; filename=\"tessera.env\""
    );
    assert_eq!(header(&file, "cache-control"), "no-store");
    let saved = text(file).await;
    assert!(saved.contains(&format!("TESSERA_CLIENT_ID={tenant}\n")));
    assert!(saved.contains(&format!("TESSERA_CLIENT_SECRET={secret}\n")));
    let other = format!("client_secret=tsr_sbx_cs_{}", "0".repeat(49));
    let refused = browser.post(&to, &cookie, &other).await;
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    assert!(header(&refused, "content-disposition").is_empty());
}

async fn a_planted_session_id_is_not_the_one_signed_in(db: Db) {
    let browser = browser(db).await;
    let planted = "tessera=AAAAAAAAAAAAAAAAAAAAAA";
    let (_, cookie) = browser.start(planted).await;
    assert_ne!(cookie, planted);
    let form = format!("email=ana%40example.com&password={PASSWORD}");
    let again = browser.post(app::links::SIGN_IN, &cookie, &form).await;
    let fresh = cookie_of(&again).expect("a new id at each sign-in");
    assert_ne!(fresh, cookie);
    let old = browser.get(app::links::OVERVIEW, &cookie).await;
    assert_eq!(old.status(), StatusCode::SEE_OTHER, "the old id is dead");
    let new = browser.get(app::links::OVERVIEW, &fresh).await;
    assert_eq!(new.status(), StatusCode::OK);

    let proof = format!("password={PASSWORD}");
    let proved = browser.post(app::links::PROVE, &fresh, &proof).await;
    assert_eq!(proved.status(), StatusCode::SEE_OTHER);
    let after = cookie_of(&proved).expect("a new id after a proof");
    assert_ne!(after, fresh);
    let replayed = browser.get(app::links::OVERVIEW, &fresh).await;
    assert_eq!(replayed.status(), StatusCode::SEE_OTHER);
    let goes_on = browser.get(app::links::OVERVIEW, &after).await;
    assert_eq!(goes_on.status(), StatusCode::OK);
}

async fn leaving_ends_the_session_everywhere(db: Db) {
    let browser = browser(db).await;
    let (_, cookie) = browser.start("").await;
    let asked = browser.get(app::links::SIGN_OUT, &cookie).await;
    assert_eq!(
        asked.status(),
        StatusCode::OK,
        "a link alone signs nobody out"
    );
    let still = browser.get(app::links::OVERVIEW, &cookie).await;
    assert_eq!(still.status(), StatusCode::OK);
    let left = browser.post(app::links::SIGN_OUT, &cookie, "").await;
    assert_eq!(left.status(), StatusCode::SEE_OTHER);
    assert_eq!(
        header(&left, "clear-site-data"),
        "\"cache\", \"storage\"",
        "no page of theirs is left in the browser, and what is not theirs stays"
    );
    let stolen = browser.get(app::links::OVERVIEW, &cookie).await;
    assert_eq!(stolen.status(), StatusCode::SEE_OTHER);
}

async fn strangers_are_sent_to_sign_in_and_back(db: Db) {
    let browser = browser(db).await;
    let asked = browser.get("/requests?status=4xx", "").await;
    assert_eq!(asked.status(), StatusCode::SEE_OTHER);
    let to = header(&asked, "location");
    assert_eq!(to, "/signin?next=%2Frequests%3Fstatus%3D4xx");
    let (_, cookie) = browser.start("").await;
    let form = format!("email=ana%40example.com&password={PASSWORD}");
    let back = browser.post(&to, &cookie, &form).await;
    assert_eq!(header(&back, "location"), "/requests?status=4xx");
    for elsewhere in ["https://evil.example/", "//evil.example", "/\\evil.example"] {
        let to = app::links::with(app::links::SIGN_IN, "next", elsewhere);
        let back = browser.post(&to, "", &form).await;
        assert_eq!(header(&back, "location"), app::links::OVERVIEW);
    }
    // Signing in changed the cookie's value: the one from before is nobody's now.
    let stale = browser.get(app::links::OVERVIEW, &cookie).await;
    assert_eq!(stale.status(), StatusCode::SEE_OTHER);
    let (_, cookie) = browser.start("").await;
    let admin = browser.get(app::links::ADMIN_SERVICERS, &cookie).await;
    assert_eq!(admin.status(), StatusCode::NOT_FOUND);
    let nothing = browser.get("/no/such/page", &cookie).await;
    assert_eq!(nothing.status(), StatusCode::NOT_FOUND);
}

async fn idle_and_old_sessions_end(db: Db) {
    let browser = browser(db).await;
    let (_, cookie) = browser.start("").await;
    // Used every hour, it lives twelve; then it ends, however busy.
    for _ in 0..11 {
        browser
            .world
            .state
            .clock
            .advance(chrono::Duration::hours(1));
        let used = browser.get(app::links::OVERVIEW, &cookie).await;
        assert_eq!(used.status(), StatusCode::OK);
    }
    browser
        .world
        .state
        .clock
        .advance(chrono::Duration::hours(1));
    let old = browser.get(app::links::OVERVIEW, &cookie).await;
    assert_eq!(old.status(), StatusCode::SEE_OTHER);

    let form = format!("email=ana%40example.com&password={PASSWORD}");
    let again = browser.post(app::links::SIGN_IN, "", &form).await;
    let cookie = cookie_of(&again).unwrap();
    browser
        .world
        .state
        .clock
        .advance(chrono::Duration::hours(2));
    let idle = browser.get(app::links::OVERVIEW, &cookie).await;
    assert_eq!(idle.status(), StatusCode::SEE_OTHER);
}

async fn forms_of_other_sites_do_nothing(db: Db) {
    let browser = browser(db).await;
    let (_, cookie) = browser.start("").await;
    for (name, value) in [
        ("sec-fetch-site", "cross-site"),
        ("origin", "https://evil.example"),
        ("x-none", "of both"),
    ] {
        let request = Request::post(app::links::SIGN_OUT)
            .header("cookie", &cookie)
            .header(name, value)
            .header("content-type", "application/x-www-form-urlencoded");
        let answer = browser.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{name}");
        assert!(text(answer).await.contains(OWN), "it says what to do");
    }
    let still = browser.get(app::links::OVERVIEW, &cookie).await;
    assert_eq!(still.status(), StatusCode::OK, "nobody was signed out");
}

async fn bad_forms_are_refused_with_a_page(db: Db) {
    let browser = browser(db).await;
    let request = Request::post(app::links::SIGN_IN)
        .header("origin", OWN)
        .header("content-type", "application/json");
    let answer = browser.send(request.body(Body::from("{}")).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let large = format!("email={}", "x".repeat(70_000));
    let answer = browser.post(app::links::SIGN_IN, "", &large).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
    let answer = browser.post(app::links::SIGN_IN, "", "email=%ff").await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let answer = browser.get("/signin?next=%ff", "").await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let put = Request::builder()
        .method(Method::PUT)
        .uri(app::links::SIGN_IN)
        .header("origin", OWN);
    let answer = browser.send(put.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED);
}

async fn a_nul_reaches_no_database(db: Db) {
    let browser = browser(db).await;
    let (_, cookie) = browser.start("").await;
    for screen in app::pages::SCREENS {
        let path = screen.path.replace('{', "%00").replace('}', "");
        for path in [format!("{path}?q=%00&status=%00&tenant=%00&next=%00"), path] {
            let answer = browser.get(&path, &cookie).await;
            assert!(
                answer.status().as_u16() < 500,
                "{path}: {}",
                answer.status()
            );
        }
        let form = "name=a%00b&email=%00&act=%00&q=%00";
        let answer = browser
            .post(&screen.path.replace(['{', '}'], ""), &cookie, form)
            .await;
        assert!(
            answer.status().as_u16() < 500,
            "{}: {}",
            screen.path,
            answer.status()
        );
    }
    for path in ["/tenants?q=%00", "/requests?q=%00", "/requests?source=a%00"] {
        let answer = browser.get(path, &cookie).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}");
    }
}

async fn every_answer_has_its_headers(db: Db) {
    let browser = browser(db).await;
    let mut nonces = Vec::new();
    for path in ["/", "/signin", "/overview", "/no/such/page", "/pkg/none.js"] {
        let answer = browser.get(path, "").await;
        let csp = header(&answer, "content-security-policy");
        assert!(
            csp.contains("frame-ancestors 'none'") && csp.contains("form-action 'self'"),
            "{path}: {csp}"
        );
        assert!(!csp.contains("unsafe-inline"), "{path}");
        let nonce = csp.split("'nonce-").nth(1).unwrap();
        nonces.push(nonce.split('\'').next().unwrap().to_owned());
        assert_eq!(header(&answer, "x-content-type-options"), "nosniff");
        assert_eq!(header(&answer, "referrer-policy"), "same-origin");
        assert!(!header(&answer, "x-request-id").is_empty());
        assert!(!header(&answer, "cache-control").is_empty());
    }
    let count = nonces.len();
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), count, "a nonce of its own for each answer");
}

async fn the_theme_is_kept_in_a_cookie(db: Db) {
    let browser = browser(db).await;
    let form = "theme=dark&to=%2Fsignin";
    let answer = browser.post(app::links::THEME, "", form).await;
    assert_eq!(header(&answer, "location"), "/signin");
    let set = header(&answer, "set-cookie").clone();
    let parts: Vec<&str> = set.split("; ").collect();
    for part in ["theme=dark", "Path=/", "HttpOnly", "SameSite=Lax"] {
        assert!(parts.contains(&part), "{set}");
    }
    let dark = text(browser.get("/signin", "theme=dark").await).await;
    assert!(dark.contains("data-theme=\"dark\""));
    let odd = text(browser.get("/signin", "theme=%22%3E").await).await;
    assert!(!odd.contains("data-theme=\""));
}

async fn built_files_are_kept_for_ever_and_public_ones_are_at_the_root(db: Db) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("pkg")).unwrap();
    std::fs::create_dir(folder.path().join("sdk")).unwrap();
    for (name, text) in [
        ("robots.txt", "User-agent: *"),
        ("sdk/browser.js", "export {};"),
        ("sdk/browser.d.ts", "export {};"),
        ("pkg/portal.1.css", "main {}"),
        (
            "pkg/assets.json",
            r#"{"js": "/pkg/a.js", "wasm": "/pkg/a.wasm", "css": "/pkg/portal.1.css"}"#,
        ),
    ] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let mut config = crate::config::Config::default();
    config.http.site_dir = folder.path().display().to_string();
    let browser = Browser::of(World::with(db, config).await);
    let built = browser.get("/pkg/portal.1.css", "").await;
    assert_eq!(built.status(), StatusCode::OK);
    assert!(header(&built, "cache-control").contains("immutable"));
    let names = browser.get("/pkg/assets.json", "").await;
    assert!(!header(&names, "cache-control").contains("immutable"));
    let public = browser.get("/robots.txt", "").await;
    assert_eq!(public.status(), StatusCode::OK);
    assert_eq!(text(public).await, "User-agent: *");
    for (path, kind) in [
        ("/sdk/browser.js", "text/javascript"),
        ("/sdk/browser.d.ts", "text/plain; charset=utf-8"),
    ] {
        let module = browser.get(path, "").await;
        assert_eq!(module.status(), StatusCode::OK, "{path}");
        assert_eq!(header(&module, "content-type"), kind);
        assert_eq!(header(&module, "access-control-allow-origin"), "*");
        assert_eq!(
            header(&module, "cross-origin-resource-policy"),
            "cross-origin"
        );
        assert!(header(&module, "etag").starts_with('"'), "{path}");
    }
    let page = text(browser.get("/", "").await).await;
    assert!(page.contains("href=\"/pkg/portal.1.css\""));
    for path in [
        "/pkg/../robots.txt",
        "/..%2frobots.txt",
        "/pkg/%2e%2e/robots.txt",
        "/sdk/../robots.txt",
        "/sdk/%2e%2e/robots.txt",
        "/sdk",
    ] {
        let answer = browser.get(path, "").await;
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
    }
}

async fn fails() -> Answer<Body> {
    panic!("a screen that fails")
}

async fn a_failure_of_ours_says_what_is_true(db: Db) {
    let browser = browser(db.clone()).await;
    let (_, cookie) = browser.start("").await;
    db.break_audit_log().await;
    let form = "name=Second&environment=sandbox";
    let sent = browser.post(app::links::NEW_TENANT, &cookie, form).await;
    assert_eq!(sent.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let page = text(sent).await;
    assert!(page.contains("We cannot say whether"), "{page}");
    assert!(page.contains("<code id=\"reference\">"), "{page}");

    let router = Router::new().fallback(fails);
    let site = Site {
        brand: "Tessera".into(),
        support: None,
        public_url: OWN.into(),
        security_contact: String::new(),
        assets: None,
        openapi: Arc::new(serde_json::json!({})),
    };
    let door = PortalContext {
        state: browser.world.state.clone(),
        portal: Arc::new(Services::new(browser.world.state.clone())),
        site: Arc::new(site),
    };
    let router = router.layer(middleware::from_fn_with_state(door, survive));
    for (method, words) in [
        (Method::GET, "Nothing was changed by asking"),
        (Method::POST, "We cannot say whether"),
    ] {
        let request = Request::builder().method(method).uri("/overview");
        let answer = router.clone().oneshot(request.body(Body::empty()).unwrap());
        let answer = answer.await.unwrap();
        assert_eq!(answer.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(text(answer).await.contains(words), "{words}");
    }
}

/// RFC 9110, section 12.5.1.
#[tokio::test]
async fn documentation_is_markdown_for_whoever_ranks_it_above_html() {
    let folder = tempfile::tempdir().unwrap();
    let browser = browser(sqlite(&folder).await).await;
    let kind = async |accept: &str| {
        let request = Request::get("/docs/quick-start").header("accept", accept);
        let answer = browser.send(request.body(Body::empty()).unwrap()).await;
        assert!(header(&answer, "vary").contains("Accept"), "{accept}");
        header(&answer, "content-type")
    };
    for accept in [
        "text/markdown",
        "Text/Markdown, text/html;q=0.9",
        "text/html;q=0.1, text/markdown;q=0.2, */*",
    ] {
        assert!(kind(accept).await.starts_with("text/markdown"), "{accept}");
    }
    for accept in [
        "*/*",
        "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        "text/markdown;q=0, text/html;q=0",
        "text/markdown;q=0.5, text/html",
        "text/markdown;q=nonsense",
    ] {
        assert!(kind(accept).await.starts_with("text/html"), "{accept}");
    }
}
