//! What screens answer: statuses, redirects, and what happens to a refused form.

use app::domain::key::KeyKind;
use app::pages::Answer;

use crate::fake::{World, actor, fields, tenant_id, visit};
use crate::{open, show};

fn post(path: &str, form: &str, signed_in: bool) -> Answer {
    let mut visit = visit(World::Full, path, signed_in.then(|| actor(false)));
    visit.form = Some(fields(form));
    open(visit).0
}

fn goes_to(answer: Answer) -> String {
    match answer {
        Answer::See(to) | Answer::SignedIn { to, .. } | Answer::Proved { to } => to,
        _ => panic!("no redirect"),
    }
}

#[test]
fn a_refused_form_is_422_and_keeps_what_was_typed() {
    let mut visit = visit(World::Full, "/start", None);
    visit.form = Some(fields(
        "name=My project&email=dev&password=short&country=DE",
    ));
    let (status, html) = show(visit);
    assert_eq!(status, 422);
    assert!(html.contains("value=\"My project\""));
    assert!(html.contains("value=\"dev\""));
    assert!(html.contains("<option value=\"DE\" selected"));
    assert!(html.contains("aria-invalid=\"true\""));
    assert!(html.contains("id=\"email-error\""));
    assert!(html.contains("aria-describedby=\"password-hint password-error\""));
}

#[test]
fn more_than_two_errors_are_summed_up_with_links() {
    let mut visit = visit(World::Full, "/start", None);
    visit.form = Some(fields("name=&email=dev&password=short"));
    let (_, html) = show(visit);
    assert!(html.contains("Fix 3 fields"));
    assert!(html.contains("href=\"#email\""));
}

#[test]
fn the_start_answers_with_keys_and_the_first_request() {
    let form = "name=Budget app&email=dev@example.com&password=correct horse battery";
    let mut visit = visit(World::Full, "/start", None);
    visit.form = Some(fields(form));
    let (status, html) = show(visit);
    assert_eq!(status, 200);
    for text in [
        "tsr_sbx_cs_",
        "tsr_sbx_ak_",
        "TESSERA_CLIENT_SECRET=",
        "value=\"first\"",
        "value=\"all\"",
        "id=\"saved\" name=\"saved\" required",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert!(!html.contains("<nav"), "no link leads away from the secret");
    let file = html.find("TESSERA_CLIENT_SECRET=").unwrap();
    let rows = html.find("id=\"client_secret\"").unwrap();
    assert!(file < rows, "the file of variables comes first");
}

#[test]
fn a_page_with_a_secret_is_left_by_who_has_saved_it() {
    let path = format!("/tenants/{}/keys/saved", tenant_id());
    let keys = format!("/tenants/{}/keys", tenant_id());
    assert_eq!(
        goes_to(post(&path, "to=all", true)),
        format!("{keys}?done=unsaved")
    );
    let (_, html) = show(visit(
        World::Full,
        &format!("{keys}?done=unsaved"),
        Some(actor(false)),
    ));
    assert!(html.contains(&format!("href=\"{keys}/rotate/client_secret\"")));
    assert!(html.contains("Do you have the client_secret?"));
    for to in ["all", "first"] {
        let run = goes_to(post(&path, &format!("saved=on&to={to}"), true));
        assert!(run.starts_with("/console/runs/"), "{run}");
    }
    let tenant = goes_to(post(&path, "saved=on&to=tenant", true));
    assert_eq!(tenant, format!("/tenants/{}", tenant_id()));
}

#[test]
fn the_first_request_ends_in_the_console() {
    let form = format!("tenant={}", tenant_id());
    let to = goes_to(post("/first-call", &form, true));
    assert!(to.starts_with("/console/runs/"), "{to}");
}

#[test]
fn signing_in_leads_only_inside_the_portal() {
    let form = "email=dev@example.com&password=right";
    for (next, to) in [
        ("", "/overview"),
        ("?next=/requests", "/requests"),
        ("?next=//evil.example", "/overview"),
        ("?next=https://evil.example", "/overview"),
        ("?next=/\\evil.example", "/overview"),
    ] {
        assert_eq!(
            goes_to(post(&format!("/signin{next}"), form, false)),
            to,
            "{next}"
        );
        assert_eq!(
            goes_to(post(&format!("/prove{next}"), form, true)),
            to,
            "{next}"
        );
    }
}

#[test]
fn too_many_tries_say_how_long_to_wait() {
    let mut visit = visit(World::Full, "/signin", None);
    visit.form = Some(fields("email=dev@example.com&password=often"));
    let (status, html) = show(visit);
    assert_eq!(status, 429);
    assert!(html.contains("Wait 30 s"));
}

#[test]
fn breaking_acts_ask_for_the_password_and_keep_what_was_sent() {
    let path = format!("/tenants/{}/keys/rotate/client_secret", tenant_id());
    let mut actor = actor(false);
    actor.proved_at = crate::fake::now() - chrono::Duration::minutes(11);
    let mut visit = visit(World::Full, &path, Some(actor));
    visit.form = Some(fields(&format!("key={}&overlap=0", crate::fake::id(12))));
    let (status, html) = show(visit);
    assert_eq!(status, 403);
    assert!(html.contains("We won't ask again for 10 minutes"), "{html}");
    for kept in [
        format!(r#"action="{path}""#),
        format!(r#"name="key" value="{}""#, crate::fake::id(12)),
        r#"name="overlap" value="0""#.to_owned(),
        r#"name="proof_password""#.to_owned(),
    ] {
        assert!(html.contains(&kept), "{kept}: {html}");
    }
    assert!(!html.contains("This is the only time we show it"));
}

#[test]
fn an_account_without_a_servicer_is_led_on() {
    let alone = |admin| {
        let mut actor = actor(admin);
        actor.membership = None;
        visit(World::Full, "/overview", Some(actor))
    };
    let (answer, _) = open(alone(true));
    assert!(matches!(answer, Answer::See(to) if to == "/admin/servicers"));
    let (status, html) = show(alone(false));
    assert_eq!(status, 200);
    assert!(html.contains(r#"href="/signup""#), "{html}");
}

#[test]
fn a_suspended_servicer_is_told_why_and_offered_nothing() {
    let mut actor = actor(false);
    if let Some(membership) = &mut actor.membership {
        membership.status = app::domain::servicer::ServicerStatus::Suspended;
        membership.suspended_reason = Some("No contract <yet>.".into());
    }
    let (_, html) = show(visit(World::Full, "/overview", Some(actor.clone())));
    assert!(html.contains("Reason: No contract &lt;yet&gt;."), "{html}");
    assert!(!html.contains("Create tenant"), "{html}");
    let refused = actor.may(app::domain::person::Permission::ManageSandboxTenants);
    let Err(app::portal::PortalError::Forbidden(why)) = refused else {
        panic!("{refused:?}")
    };
    assert!(why.ends_with("Reason: No contract <yet>."), "{why}");
}

#[test]
fn every_country_may_register_and_none_is_preset() {
    let (_, html) = show(visit(World::Empty, "/start", None));
    let select = html.split("<select").nth(1).unwrap();
    assert_eq!(select.matches("<option").count(), 250, "249 and a question");
    assert!(select.contains("Brazil") && select.contains("Japan"));
    assert_eq!(select.matches(" selected").count(), 1);
    assert!(select.contains("<option value=\"\" selected>Choose a country"));
}

#[test]
fn nobody_is_told_to_write_where_nobody_reads() {
    let broken = app::portal::PortalError::Internal("ref".into());
    let mut visit = visit(World::Full, "/overview", Some(actor(false)));
    let page = app::pages::error_page::page(broken.clone(), &visit);
    let html = app::pages::shell::render(page, &visit, "n");
    assert!(!html.contains("write to"), "{html}");
    let site = app::pages::Site {
        support: Some("help@example.com".into()),
        ..(*visit.site).clone()
    };
    visit.site = std::sync::Arc::new(site);
    let page = app::pages::error_page::page(broken, &visit);
    let html = app::pages::shell::render(page, &visit, "n");
    assert!(html.contains("write to help@example.com"), "{html}");
}

#[test]
fn confirming_asks_for_the_passwords_it_takes() {
    let asked = |token: &str, signed_in: bool| {
        let path = format!("/verify/{token}");
        show(visit(World::Full, &path, signed_in.then(|| actor(false))))
    };
    for (token, signed_in, own, confirmed) in [
        ("good", false, true, false),
        ("good", true, false, false),
        ("confirmed", false, true, true),
        ("confirmed", true, false, true),
    ] {
        let (status, html) = asked(token, signed_in);
        assert_eq!(status, 200);
        assert_eq!(html.contains(r#"name="password""#), own, "{token}");
        assert_eq!(html.contains(r#"name="confirmed""#), confirmed, "{token}");
    }
    assert_eq!(asked("dead", false).0, 410);
}

#[test]
fn a_stale_form_is_shown_again_beside_what_is_stored() {
    let path = format!("/tenants/{}/settings", tenant_id());
    let mut visit = visit(World::Full, &path, Some(actor(false)));
    visit.form = Some(fields("act=rename&version=2&name=Mine"));
    let (status, html) = show(visit);
    assert_eq!(status, 422);
    assert!(html.contains("somebody changed the name"), "{html}");
    assert!(html.contains(r#"value="Mine""#), "what was typed is kept");
    assert!(html.contains("Stored now"), "{html}");
    assert!(html.contains(r#"name="version" value="3""#), "{html}");
}

#[test]
fn people_of_several_servicers_may_switch() {
    let mut visit = visit(World::Full, "/overview", Some(actor(false)));
    let (_, html) = show(visit.clone());
    assert!(!html.contains("Switch to"), "nothing to switch to");
    let place = |n, name: &str| {
        (
            app::domain::ids::ServicerId(crate::fake::id(n)),
            name.to_owned(),
        )
    };
    visit.places = vec![place(80, "Example Ltd"), place(81, "Second Ltd")];
    let (_, html) = show(visit);
    assert!(html.contains("Switch to Second Ltd"), "{html}");
    assert!(!html.contains("Switch to Example Ltd"), "{html}");
}

#[test]
fn an_overlap_that_was_not_offered_changes_nothing() {
    let path = format!("/tenants/{}/keys/rotate/client_secret", tenant_id());
    let mut visit = visit(World::Started, &path, Some(actor(false)));
    visit.form = Some(fields("overlap=99999999"));
    let (_, html) = show(visit);
    assert!(
        html.contains("The old key keeps working for"),
        "asked again"
    );
    assert!(!html.contains("This is the only time we show it"));
}

#[test]
fn foreign_and_malformed_ids_look_the_same() {
    for path in [
        "/tenants/0192f3a4-7c1e-7000-8000-00000000ffff",
        "/tenants/nonsense",
    ] {
        let (status, html) = show(visit(World::Full, path, Some(actor(false))));
        assert_eq!(status, 404, "{path}");
        assert!(html.contains("There is nothing at this address"));
    }
}

#[test]
fn the_operators_area_does_not_exist_for_others() {
    let (status, _) = show(visit(World::Full, "/admin/servicers", Some(actor(false))));
    assert_eq!(status, 404);
}

#[test]
fn a_dead_link_is_gone_and_offers_another() {
    let (status, html) = show(visit(World::Full, "/reset/dead", None));
    assert_eq!(status, 410);
    assert!(html.contains("href=\"/forgot\""));
}

#[test]
fn signing_out_by_a_link_asks_first() {
    let (answer, _) = open(visit(World::Full, "/signout", Some(actor(false))));
    assert!(matches!(answer, Answer::Page(_)));
    assert!(matches!(
        post("/signout", "", true),
        Answer::SignedOut { .. }
    ));
}

#[test]
fn the_live_tail_answers_rows_alone() {
    let path = format!("/requests/tail?after={}", crate::fake::id(100));
    let (answer, _) = open(visit(World::Full, &path, Some(actor(false))));
    let Answer::Text { content_type, body } = answer else {
        panic!("no text");
    };
    assert_eq!(content_type, "text/html; charset=utf-8");
    assert!(body.starts_with("<tr data-id=\""), "{body}");
    assert!(!body.contains("<html"));
}

#[test]
fn what_was_done_comes_from_a_closed_set() {
    let path = format!("/tenants/{}/settings?done=Send+money+to+me", tenant_id());
    let (_, html) = show(visit(World::Full, &path, Some(actor(false))));
    assert!(!html.contains("Send"));
}

#[test]
fn a_live_key_can_be_stopped_without_a_new_one() {
    let path = format!("/tenants/{}/keys/rotate/client_app_key", tenant_id());
    let (_, html) = show(visit(World::Full, &path, Some(actor(false))));
    let stop = format!("/tenants/{}/keys/{}/stop", tenant_id(), crate::fake::id(11));
    assert!(html.contains(&stop));
}

#[test]
fn a_reloaded_rotation_rotates_nothing() {
    let path = format!("/tenants/{}/keys/rotate/client_secret", tenant_id());
    let form = format!("key={}&overlap=60", crate::fake::id(13));
    let to = goes_to(post(&path, &form, true));
    assert_eq!(to, format!("/tenants/{}/keys?done=unsaved", tenant_id()));
}

#[test]
fn the_form_for_a_tenant_carries_its_mark_and_makes_one() {
    let (_, html) = show(visit(World::Full, "/tenants/new", Some(actor(false))));
    let mark = format!("name=\"form\" value=\"{}\"", crate::fake::id(700));
    assert!(html.contains(&mark), "{html}");
    let again = format!("form={}&name=Budget app", crate::fake::id(701));
    let to = goes_to(post("/tenants/new", &again, true));
    assert_eq!(to, format!("/tenants/{}/keys?done=unsaved", tenant_id()));
}

#[test]
fn a_refused_form_for_a_tenant_keeps_its_mark() {
    let mut visit = visit(World::Full, "/tenants/new", Some(actor(false)));
    let form = format!("form={}&name=&environment=sandbox", crate::fake::id(702));
    visit.form = Some(fields(&form));
    let (status, html) = show(visit);
    assert_eq!(status, 422);
    assert!(html.contains(&crate::fake::id(702).to_string()));
}

#[test]
fn the_env_file_is_made_around_the_secret_that_the_form_brings() {
    let path = format!("/tenants/{}/keys/env", tenant_id());
    let secret = crate::fake::key(KeyKind::Secret, 1);
    let answer = post(&path, &format!("client_secret={secret}"), true);
    let Answer::File { name, body } = answer else {
        panic!("no file");
    };
    assert_eq!(name, "tessera.env");
    let (id, app_key) = (tenant_id(), crate::fake::key(KeyKind::AppKey, 2));
    assert_eq!(
        body,
        format!(
            "# Load into a shell: set -a; . ./tessera.env; set +a\n\
             TESSERA_URL=http://127.0.0.1:3000\nTESSERA_CLIENT_ID={id}\n\
             TESSERA_CLIENT_APP_KEY={app_key}\nTESSERA_CLIENT_SECRET={secret}\n"
        )
    );
    let wrong = post(&path, "client_secret=tsr_sbx_cs_x", true);
    assert!(matches!(wrong, Answer::Page(page) if page.status == 409));
    let read = open(visit(World::Full, &path, Some(actor(false)))).0;
    assert_eq!(goes_to(read), format!("/tenants/{}/keys", tenant_id()));
}

#[test]
fn each_key_leads_to_its_own_calls() {
    let path = format!("/tenants/{}/keys", tenant_id());
    let (_, html) = show(visit(World::Full, &path, Some(actor(false))));
    for key in [11, 12, 13] {
        let log = format!(
            "/requests?tenant={}&amp;key={}",
            tenant_id(),
            crate::fake::id(key)
        );
        assert!(html.contains(&log), "{log}");
    }
    assert!(html.contains(" (old)<!></td>") && html.contains(" (new)<!></td>"));
    let (_, none) = show(visit(World::Started, &path, Some(actor(false))));
    assert!(none.contains("Steps are authorised by a nonce"));
}

#[test]
fn terms_are_set_for_a_skill_on_the_whitelist_alone() {
    let skills = format!("/tenants/{}/skills", tenant_id());
    let form = "version=3&consent_duration=60&cache_max_data_retention=120";
    let to = goes_to(post(&format!("{skills}/xyz_aisp_sbx_%231.0"), form, true));
    assert_eq!(to, format!("{skills}?done=terms"));
    let typed = "consent_duration=soon&cache_max_data_retention=120";
    let mut refused = visit(
        World::Full,
        &format!("{skills}/xyz_aisp_sbx_%231.0"),
        Some(actor(false)),
    );
    refused.form = Some(fields(typed));
    let (status, html) = show(refused);
    assert_eq!(status, 422);
    assert!(html.contains("value=\"soon\"") && html.contains("value=\"120\""));
    assert!(html.contains("Enter 1 to 180 days. For less than a day, add a unit: 36 h, 45 min."));
    for other in ["xyz_ro_aisp_sbx_%231.0", "nonsense"] {
        let (status, _) = show(visit(
            World::Full,
            &format!("{skills}/{other}"),
            Some(actor(false)),
        ));
        assert_eq!(status, 404, "{other}");
    }
}

#[test]
fn a_failed_call_says_what_its_own_response_says() {
    let path = format!("/requests/{}", crate::fake::id(100));
    let (_, html) = show(visit(World::Full, &path, Some(actor(false))));
    let why = html.split("id=\"why\"").nth(1).unwrap();
    let why = why.split("</section>").next().unwrap();
    for text in [
        "A client_secret was sent as client_app_key.",
        "This is a client_secret; a client_app_key is needed here.",
        "<code>client_app_key<",
        "It begins like a secret.",
        "Caused by: your request",
    ] {
        assert!(why.contains(text), "{text}: {why}");
    }
}

#[test]
fn a_form_for_production_offers_what_production_takes() {
    let path = "/tenants/new?environment=production";
    let (status, html) = show(visit(World::Full, path, Some(actor(false))));
    assert_eq!(status, 200);
    assert!(html.contains("value=\"production\" checked"));
    assert!(!html.contains("_sbx_"), "no sandbox skill is offered");
    assert!(!html.contains("http://127.0.0.1/return"));
    let (_, html) = show(visit(World::Full, "/tenants/new", Some(actor(false))));
    assert!(html.contains("xyz_aisp_sbx_#1.0"));
    assert!(html.contains("href=\"/tenants/new?environment=production\""));
}
