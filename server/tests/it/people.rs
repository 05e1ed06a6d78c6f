//! People at the real doors: strangers with somebody's address, operators, and who works where.

use crate::world::browser::{Browser, End};
use crate::world::people::{PASSWORD, fill_in, see};
use crate::world::{Database, World, on_both};

on_both!(
    a_strangers_letter_gives_the_stranger_nothing_of_hers,
    an_operator_lands_on_the_operators_page_and_old_sessions_end,
    a_second_servicer_is_one_more_place_and_not_another_account,
    three_letters_a_day_go_to_an_address_that_nobody_proved,
);

const HERS: &str = "seven oboes in a barn";

async fn start(world: &World, email: &str, password: &str, name: &str) -> Browser {
    let mut browser = Browser::default();
    let form = [
        ("name", name),
        ("email", email),
        ("password", password),
        ("legal_form", "company"),
        ("country", "BR"),
    ];
    let page = fill_in(&mut browser, &world.api("/start"), &form).await;
    assert!(page.html.contains("tsr_sbx_cs_"), "{}", page.html);
    browser
}

async fn sign_in(world: &World, email: &str, password: &str) -> (Browser, u16) {
    let mut browser = Browser::default();
    let form = [("email", email), ("password", password)];
    let page = fill_in(&mut browser, &world.api("/signin"), &form).await;
    (browser, page.status)
}

async fn a_strangers_letter_gives_the_stranger_nothing_of_hers(database: Database) {
    let world = World::own(database).await;
    let email = "ana@example.com";
    let mut stranger = start(&world, email, PASSWORD, "Strange Ltd").await;
    let planted = world.api(&world.mailed(email, "/verify/", 1).await);
    let mut hers = start(&world, email, HERS, "Honest Ltd").await;
    let own = world.api(&world.mailed(email, "/verify/", 2).await);
    assert_ne!(planted, own);

    // A look confirms nothing, for anybody; a click needs the stranger's password.
    let mut nobody = Browser::default();
    for browser in [&mut nobody, &mut hers] {
        let page = see(browser, &planted).await;
        assert!(page.html.contains("name=\"password\""), "{}", page.html);
        let clicked = fill_in(browser, &planted, &[("password", HERS)]).await;
        assert_eq!(clicked.status, 422, "{}", clicked.html);
    }
    let settings = see(&mut stranger, &world.api("/settings")).await;
    assert!(settings.html.contains("Not confirmed"), "{}", settings.html);

    // Hers, signed in, in one click; after it the stranger is signed out, and can confirm nothing.
    let done = fill_in(&mut hers, &own, &[]).await;
    assert!(
        done.url.ends_with("/settings?done=verified"),
        "{}",
        done.url
    );
    let out = see(&mut stranger, &world.api("/tenants")).await;
    assert!(out.url.contains("/signin"), "{}", out.url);
    assert_eq!(sign_in(&world, email, PASSWORD).await.1, 422);
    let late = fill_in(&mut nobody, &planted, &[("password", PASSWORD)]).await;
    assert_eq!(late.status, 422, "hers is missing: {}", late.html);
    let (mut again, status) = sign_in(&world, email, HERS).await;
    assert_eq!(status, 200);
    let overview = see(&mut again, &world.api("/overview")).await;
    assert!(overview.html.contains("Honest Ltd"), "{}", overview.html);
    assert!(!overview.html.contains("Strange Ltd"));
}

async fn an_operator_lands_on_the_operators_page_and_old_sessions_end(database: Database) {
    let world = World::own(database).await;
    let email = "ops@example.com";
    let mut old = start(&world, email, PASSWORD, "Example Ltd").await;
    world.confirm(&mut old, email).await;
    let made = world.operator(&["admin", "create", "--email", email]).await;
    let out = see(&mut old, &world.api("/overview")).await;
    assert!(out.url.contains("/signin"), "{}", out.url);
    assert_eq!(sign_in(&world, email, PASSWORD).await.1, 422);
    let url = made["password_url"].as_str().unwrap();
    let path = url.splitn(4, '/').nth(3).unwrap();
    let mut operator = Browser::default();
    let reset = world.api(&format!("/{path}"));
    fill_in(&mut operator, &reset, &[("password", HERS)]).await;
    let admin = see(&mut operator, &world.api("/admin/servicers")).await;
    assert_eq!(admin.status, 200);

    let mut alone = world.admin("alone@example.com").await;
    let landed = see(&mut alone, &world.api("/overview")).await;
    assert!(landed.url.ends_with("/admin/servicers"), "{}", landed.url);
    assert_eq!(landed.status, 200);
    let refused = see(&mut alone, &world.api("/tenants")).await;
    assert_eq!(refused.status, 403);
    assert!(
        refused.html.contains("href=\"/admin/servicers\""),
        "{}",
        refused.html
    );
}

async fn a_second_servicer_is_one_more_place_and_not_another_account(database: Database) {
    let world = World::own(database).await;
    let email = "ana@example.com";
    let mut first = start(&world, email, PASSWORD, "First Ltd").await;
    world.confirm(&mut first, email).await;
    let mut second = start(&world, email, HERS, "Second Ltd").await;
    let link = world.api(&world.mailed(email, "/verify/", 2).await);
    let asked = see(&mut second, &link).await;
    assert!(asked.html.contains("name=\"confirmed\""), "{}", asked.html);
    let half = fill_in(&mut second, &link, &[]).await;
    assert_eq!(half.status, 422);
    let whole = fill_in(&mut second, &link, &[("confirmed", PASSWORD)]).await;
    assert!(
        whole.url.ends_with("/settings?done=verified"),
        "{}",
        whole.url
    );

    // The first stays where she works, here and elsewhere, until she goes to the other.
    let here = see(&mut first, &world.api("/overview")).await;
    assert!(here.html.contains("Switch to Second Ltd"), "{}", here.html);
    let switch = here.html.split("Switch to Second Ltd").next().unwrap();
    let servicer = switch.rsplit("name=\"servicer\" value=\"").next().unwrap();
    let servicer = servicer.split('"').next().unwrap().to_owned();
    let form = [("act", "work_in"), ("servicer", servicer.as_str())];
    let there = fill_in(&mut first, &world.api("/settings"), &form).await;
    assert!(there.url.ends_with("/overview"), "{}", there.url);
    assert!(there.html.contains("Switch to First Ltd"), "{}", there.html);
    let (mut elsewhere, _) = sign_in(&world, email, PASSWORD).await;
    let page = see(&mut elsewhere, &world.api("/overview")).await;
    assert!(page.html.contains("Switch to First Ltd"), "{}", page.html);
    let cookies = elsewhere.cookies();
    assert!(cookies.contains("tessera-device="), "{cookies}");
    assert!(
        matches!(first.open(&world.api("/tenants")).await, End::Page(page) if page.status == 200)
    );
}

async fn three_letters_a_day_go_to_an_address_that_nobody_proved(database: Database) {
    let world = World::own(database).await;
    let other = world.another_server().await;
    let email = "ana@example.com";
    for n in 0..6 {
        let mut browser = Browser::default();
        let url = if n % 2 == 0 {
            &world.server.url
        } else {
            &other.url
        };
        let form = [
            ("name", "URGENT open https://evil.example/pay"),
            ("email", email),
            ("password", PASSWORD),
            ("legal_form", "company"),
            ("country", "RO"),
        ];
        fill_in(&mut browser, &format!("{url}/start"), &form).await;
        fill_in(&mut browser, &format!("{url}/forgot"), &[("email", email)]).await;
    }
    world.mailed(email, "/verify/", 1).await;
    let sql = world.sql().await;
    for _ in 0..500 {
        let waiting = "SELECT kind FROM jobs WHERE kind IN ('send_mail', 'password_link') AND failed_at IS NULL";
        if sql.texts(waiting).await.is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let letters = world.letters(email);
    assert_eq!(letters.len(), 3, "by both servers together");
    for letter in letters {
        let head = letter.split("\r\n\r\n").next().unwrap();
        assert!(!head.contains("URGENT"), "{head}");
        assert!(!letter.contains("evil.example"), "{letter}");
    }
}
