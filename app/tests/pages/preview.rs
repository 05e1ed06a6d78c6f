//! Writes every screen in every state to a folder, to be looked at in a browser: set `TESSERA_PREVIEW` to the folder.

use std::path::PathBuf;

use app::portal::PortalError;

use crate::fake::{World, actor, fields, tenant_id, visit};
use crate::{page, show};

/// Name, world, who (`-` nobody, `d` developer, `a` admin), path, form.
pub type Shot = (&'static str, World, char, String, Option<&'static str>);

#[expect(clippy::too_many_lines, reason = "a table, one line for each state")]
fn own_shots() -> Vec<Shot> {
    use World::{Empty, Full, Hostile, Started};
    let t = format!("/tenants/{}", tenant_id());
    let id = |n| crate::fake::id(n);
    let at = |path: &str| path.to_owned();
    vec![
        ("landing", Full, '-', at("/"), None),
        ("start", Full, '-', at("/start"), None),
        (
            "start-refused",
            Full,
            '-',
            at("/start"),
            Some("name=&email=dev&password=short"),
        ),
        (
            "start-keys",
            Full,
            '-',
            at("/start"),
            Some("name=Budget app&email=dev@example.com&password=correct horse battery"),
        ),
        (
            "signup",
            Full,
            '-',
            at("/signup?servicer=0d9c5a1e&claim=clm_1"),
            None,
        ),
        (
            "signup-refused",
            Full,
            '-',
            at("/signup"),
            Some("servicer_id=x"),
        ),
        ("signin", Full, '-', at("/signin?next=/tenants"), None),
        (
            "signin-refused",
            Full,
            '-',
            at("/signin"),
            Some("email=dev@example.com&password=x"),
        ),
        ("signout", Full, 'd', at("/signout"), None),
        ("forgot", Full, '-', at("/forgot"), None),
        (
            "forgot-sent",
            Full,
            '-',
            at("/forgot"),
            Some("email=dev@example.com"),
        ),
        ("reset", Full, '-', at("/reset/abc"), None),
        ("reset-dead", Full, '-', at("/reset/dead"), None),
        ("verify", Full, '-', at("/verify/abc"), None),
        ("prove", Full, 'd', at("/prove?next=/tenants"), None),
        ("overview-empty", Empty, 'd', at("/overview"), None),
        ("overview-started", Started, 'd', at("/overview"), None),
        ("overview", Full, 'd', at("/overview"), None),
        ("tenants-empty", Empty, 'd', at("/tenants"), None),
        ("tenants", Full, 'd', at("/tenants"), None),
        ("tenants-none", Full, 'd', at("/tenants?q=xyz"), None),
        ("tenants-hostile", Hostile, 'd', at("/tenants"), None),
        ("tenant-new", Full, 'd', at("/tenants/new"), None),
        (
            "tenant-new-refused",
            Full,
            'd',
            at("/tenants/new"),
            Some("name=&environment=sandbox&skills=xyz_aisp_sbx_#1.0"),
        ),
        (
            "tenant-new-keys",
            Full,
            'd',
            at("/tenants/new"),
            Some("name=Shop&environment=sandbox&skills=xyz_aisp_sbx_#1.0"),
        ),
        ("tenant", Full, 'd', t.clone(), None),
        ("tenant-started", Started, 'd', t.clone(), None),
        ("keys", Full, 'd', format!("{t}/keys"), None),
        (
            "keys-rotate",
            Full,
            'd',
            format!("{t}/keys/rotate/client_secret"),
            None,
        ),
        (
            "keys-rotated",
            Full,
            'd',
            format!("{t}/keys/rotate/client_secret"),
            Some("key=0192f3a4-7c1e-7000-8000-00000000000c&overlap=1440"),
        ),
        (
            "keys-stop",
            Full,
            'd',
            format!("{t}/keys/{}/stop", id(12)),
            None,
        ),
        (
            "tenant-skills",
            Full,
            'd',
            format!("{t}/skills?done=allowed"),
            None,
        ),
        (
            "tenant-terms",
            Full,
            'd',
            format!("{t}/skills/xyz_aisp_sbx_%231.0"),
            None,
        ),
        (
            "tenant-terms-refused",
            Full,
            'd',
            format!("{t}/skills/xyz_aisp_sbx_%231.0"),
            Some("consent_duration=soon&cache_max_data_retention=60"),
        ),
        (
            "tenant-settings",
            Full,
            'd',
            format!("{t}/settings?done=links"),
            None,
        ),
        (
            "tenant-settings-refused",
            Full,
            'd',
            format!("{t}/settings"),
            Some("act=links&redirect_links=javascript:alert(1)&origins="),
        ),
        ("skills", Full, 'd', at("/skills"), None),
        ("skills-empty", Empty, 'd', at("/skills"), None),
        ("skill", Full, 'd', at("/skills/xyz_aisp_sbx_%231.0"), None),
        ("requests", Full, 'd', at("/requests"), None),
        ("requests-empty", Empty, 'd', at("/requests"), None),
        ("verifications", Full, 'd', at("/verifications"), None),
        (
            "verifications-empty",
            Empty,
            'd',
            at("/verifications"),
            None,
        ),
        (
            "requests-none",
            Full,
            'd',
            at("/requests?q=xyz&status=4xx"),
            None,
        ),
        ("request", Full, 'd', format!("/requests/{}", id(100)), None),
        ("signing", Full, 'd', at("/signing"), None),
        ("signing-new", Full, 'd', at("/signing/new"), None),
        ("signing-debugger", Full, 'd', at("/signing/debugger"), None),
        ("settings", Full, 'd', at("/settings"), None),
        (
            "settings-refused",
            Full,
            'd',
            at("/settings"),
            Some("act=password&old=x&new=y"),
        ),
        ("admin", Full, 'a', at("/admin/servicers"), None),
        ("admin-empty", Empty, 'a', at("/admin/servicers"), None),
        ("admin-new", Full, 'a', at("/admin/servicers/new"), None),
        (
            "admin-created",
            Full,
            'a',
            at("/admin/servicers/new"),
            Some("name=Example Ltd&kind=consumer"),
        ),
        (
            "admin-suspend",
            Full,
            'a',
            format!("/admin/servicers/{}/suspend", id(80)),
            None,
        ),
        ("not-found", Full, 'd', format!("/tenants/{}", id(77)), None),
    ]
}

/// Not a check but a tool; `every_screen_in_every_state_is_well_formed` asserts over the same states.
#[test]
#[ignore = "writes files for people to look at: TESSERA_PREVIEW=<folder> cargo test -p app --features ssr -- --ignored"]
fn writes_previews() {
    let folder =
        PathBuf::from(std::env::var("TESSERA_PREVIEW").expect("TESSERA_PREVIEW names a folder"));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, _, html) in every_state() {
        std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
    }
}

/// Every screen in every state, as it is asked for.
pub fn shots() -> Vec<Shot> {
    let mut all = own_shots();
    all.extend(crate::runs::shots());
    all.extend(crate::sandbox::shots());
    all
}

/// Every screen in every state: name, status, HTML.
pub fn every_state() -> Vec<(&'static str, u16, String)> {
    let mut all: Vec<_> = shots()
        .into_iter()
        .map(|(name, world, who, path, form)| {
            let actor = (who != '-').then(|| actor(who == 'a'));
            let mut visit = visit(world, &path, actor);
            visit.form = form.map(fields);
            let (status, html) = show(visit);
            (name, status, html)
        })
        .collect();
    let troubles = [
        (
            "trouble-forbidden",
            PortalError::Forbidden(
                "Your role here is analyst. Ask an owner of Example Ltd to do this.".into(),
            ),
        ),
        (
            "trouble-conflict",
            PortalError::Conflict("There are two live secrets already. Stop one first.".into()),
        ),
        ("trouble-wait", PortalError::Wait(42)),
        ("trouble-unavailable", PortalError::Unavailable),
        (
            "trouble-internal",
            PortalError::Internal("0192f3a4-7c1e".into()),
        ),
        (
            "trouble-internal-form",
            PortalError::Internal("0192f3a4-7c1e".into()),
        ),
    ];
    for (name, error) in troubles {
        let mut visit = visit(World::Full, "/tenants", Some(actor(false)));
        visit.form = (name == "trouble-internal-form").then(|| fields("name=x"));
        let page = page(app::pages::error_page::answer(error, &visit));
        let status = page.status;
        all.push((
            name,
            status,
            app::pages::shell::render(page, &visit, "n0nce"),
        ));
    }
    all
}
