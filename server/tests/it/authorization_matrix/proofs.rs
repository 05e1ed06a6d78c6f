//! The table of the portal's forms: which ask for fresh proof, and that nothing is done without it.

use std::collections::BTreeSet;

use app::pages::{SCREENS, ScreenAccess};

use super::screens::{PUBLIC_KEY, first_servicer};
use crate::world::people::fill_in;
use crate::world::{Database, SKILL, World, client, on_both};

on_both!(acts_on_production_ask_for_fresh_proof);

/// Condition under which a form needs a password that was given within ten minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    Never,
    /// If the form is about a production tenant.
    Production,
    Always,
}
use Proof::{Always, Never, Production};

type Sent = &'static [(&'static str, &'static str)];

/// Every screen of people signed in that takes forms: what needs fresh proof, and the forms that are tried.
const PROOFS: &[(&str, Proof, &[Sent])] = &[
    ("/prove", Never, &[]),
    (
        "/settings",
        Always,
        &[
            &[
                ("act", "end"),
                ("device", "00000000-0000-0000-0000-000000000000"),
            ],
            &[
                ("act", "bring_in"),
                ("other_password", "nine grey herons wading"),
            ],
        ],
    ),
    ("/first-call", Never, &[]),
    (
        "/tenants/new",
        Always,
        &[&[
            ("name", "Live"),
            ("environment", "production"),
            ("redirect_links", "https://app.example.com/return"),
        ]],
    ),
    (
        "/tenants/{tenant}/keys/rotate/{kind}",
        Production,
        &[
            &[("overlap", "0"), ("key", "{key}")],
            &[("overlap", "1440"), ("key", "{key}")],
        ],
    ),
    (
        "/tenants/{tenant}/keys/{key}/stop",
        Production,
        &[&[("stop", "now")]],
    ),
    ("/tenants/{tenant}/keys/env", Never, &[]),
    // Says that somebody kept the keys they were shown; no key changes by it.
    ("/tenants/{tenant}/keys/saved", Never, &[]),
    (
        "/tenants/{tenant}/skills",
        Production,
        &[
            &[("skill", SKILL), ("on", "true")],
            &[("skill", SKILL), ("on", "false")],
        ],
    ),
    ("/tenants/{tenant}/skills/{skill}", Production, &[]),
    (
        "/tenants/{tenant}/settings",
        Production,
        &[
            &[("act", "rename"), ("version", "1"), ("name", "Other")],
            &[
                ("act", "links"),
                ("version", "1"),
                ("redirect_links", "https://app.example.com/2"),
                ("origins", ""),
            ],
            &[
                ("act", "networks"),
                ("version", "1"),
                ("networks", "203.0.113.0/24"),
                ("leaves_me_out", "on"),
            ],
            &[
                ("act", "signing"),
                ("version", "1"),
                ("signed_only", "yes"),
                ("signature_seconds", "60"),
            ],
            &[("act", "pause")],
            &[("act", "resume")],
        ],
    ),
    ("/skills/{skill}", Production, &[&[("tenant", "{tenant}")]]),
    ("/verifications", Never, &[]),
    (
        "/signing/new",
        Always,
        &[&[
            ("issuer", "second@app.example.com"),
            ("material", PUBLIC_KEY),
        ]],
    ),
    ("/signing/{signing_key}/stop", Always, &[&[("stop", "now")]]),
    ("/signing/debugger", Never, &[]),
    (
        "/admin/servicers",
        Always,
        &[
            &[("act", "approve"), ("servicer", "{servicer}")],
            &[("act", "resume"), ("servicer", "{servicer}")],
        ],
    ),
    (
        "/admin/servicers/new",
        Always,
        &[&[("name", "Second Ltd"), ("kind", "both")]],
    ),
    (
        "/admin/servicers/{servicer}/suspend",
        Always,
        &[&[("reason", "No contract.")]],
    ),
    ("/console", Never, &[]),
    ("/console/runs/{run}", Never, &[]),
];

async fn acts_on_production_ask_for_fresh_proof(database: Database) {
    let mounted = SCREENS.iter().filter(|screen| screen.takes_forms);
    let mounted = mounted.filter(|screen| screen.who != ScreenAccess::Anyone);
    let mounted: BTreeSet<&str> = mounted.map(|screen| screen.path).collect();
    let decided: BTreeSet<&str> = PROOFS.iter().map(|(path, ..)| *path).collect();
    assert_eq!(mounted, decided, "every form has its line in PROOFS");

    let world = World::own(database).await;
    let (owner, mut ids) = first_servicer(&world).await;
    world
        .operator(&["servicer", "approve", &ids.servicer])
        .await;
    let live = [
        "--environment",
        "production",
        "--redirect-link",
        "https://app.example.com/r",
    ];
    let live = world.tenant_of(&ids.servicer, &live).await;
    let sql = world.sql().await;
    ids.tenant.clone_from(&live.client_id);
    let key = format!(
        "SELECT {} FROM tenant_keys WHERE tenant_id = {} AND kind = 'client_secret'",
        sql.shown("id"),
        sql.id(&live.client_id)
    );
    // As the portal writes it, whichever database shows it.
    let key = sql.texts(&key).await.remove(0);
    ids.key = uuid::Uuid::parse_str(&key).unwrap().to_string();
    let admin = world.admin("operator@example.com").await;
    let stale = format!(
        "UPDATE portal_sessions SET proved_at = {}",
        sql.seconds_from_now(-601)
    );
    assert!(sql.run(&stale).await >= 2);
    let acts = async || {
        let count = "SELECT CAST(COUNT(*) AS TEXT) FROM audit_log WHERE action <> 'person.proved'";
        sql.texts(count).await.remove(0)
    };
    let before = acts().await;
    for (path, proof, forms) in PROOFS {
        let visitor = if path.starts_with("/admin") {
            &admin
        } else {
            &owner
        };
        let url = world.api(&ids.fill(path));
        for form in *forms {
            let form: Vec<(&str, String)> = form
                .iter()
                .map(|(name, value)| (*name, ids.fill(value)))
                .collect();
            let send = |extra: &[(&'static str, String)]| {
                let mut sent = form.clone();
                sent.extend_from_slice(extra);
                let request = client().post(&url).header("Sec-Fetch-Site", "same-origin");
                request
                    .header("Cookie", visitor.cookies())
                    .form(&sent)
                    .send()
            };
            let answer = send(&[]).await.unwrap();
            assert_ne!(*proof, Never, "{path} is tried");
            assert_eq!(answer.status().as_u16(), 403, "{path} {form:?}");
            let page = answer.text().await.unwrap();
            assert!(
                page.contains("name=\"proof_password\""),
                "{path} {form:?}: {page}"
            );
            let kept = form
                .iter()
                .all(|(name, _)| page.contains(&format!("name=\"{name}\"")));
            assert!(kept, "{path} keeps what was sent: {page}");
            let wrong = [("proof_password", "not the password".to_owned())];
            let answer = send(&wrong).await.unwrap();
            let status = answer.status().as_u16();
            assert!(status == 422 || status == 429, "{path} {form:?}: {status}");
        }
    }
    assert_eq!(acts().await, before, "nothing was done");
}

/// The form goes through with the password, under another cookie, and the next one asks for nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_form_sent_again_with_the_password_goes_through() {
    let world = World::own(Database::Sqlite).await;
    let mut admin = world.admin("operator@example.com").await;
    let sql = world.sql().await;
    let stale = format!(
        "UPDATE portal_sessions SET proved_at = {}",
        sql.seconds_from_now(-601)
    );
    sql.run(&stale).await;
    let url = world.api("/admin/servicers/new");
    let form = [("name", "Second Ltd"), ("kind", "both")];
    let asked = fill_in(&mut admin, &url, &form).await;
    assert_eq!(asked.status, 403, "{}", asked.html);
    let old = admin.cookies();
    let crate::world::browser::End::Page(done) = admin
        .submit(
            &asked,
            &[("proof_password", crate::world::people::PASSWORD)],
        )
        .await
    else {
        panic!("left the portal")
    };
    assert_eq!(done.status, 200);
    assert!(
        done.html.contains("Second Ltd is registered"),
        "{}",
        done.html
    );
    assert_ne!(admin.cookies(), old, "another session id");
    let third = fill_in(&mut admin, &url, &[("name", "Third Ltd"), ("kind", "both")]).await;
    assert!(
        third.html.contains("Third Ltd is registered"),
        "{}",
        third.html
    );
}
