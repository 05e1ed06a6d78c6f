//! People's rules on both databases: who gets in, who does not, and what an outsider can learn.

use std::sync::Arc;

use app::domain::ids::ServicerId;
use app::domain::person::Role;
use app::domain::servicer::{LegalForm, ServicerKind, ServicerStatus};
use app::portal::admin::Admin as _;
use app::portal::people::People as _;
use app::portal::{Membership, Trouble};
use chrono::Duration;
use uuid::Uuid;

use super::*;
use crate::jobs::worker;
use crate::mail::{Letter, Memory};
use crate::services::servicers;
use crate::state::testing;
use crate::storage::Db;
use crate::storage::portal_sessions::SessionRow;
use crate::storage::testing::on_both;

on_both!(
    one_form_makes_everything_and_mails_the_servicer_id,
    starting_answers_alike_whether_or_not_the_address_is_known,
    a_start_whose_audit_row_cannot_be_written_did_not_happen,
    a_pair_is_wrong_in_one_way_only,
    an_outsider_cannot_make_the_owner_wait,
    guesses_at_once_are_counted_before_they_are_checked,
    a_claim_token_makes_one_owner_whoever_comes_first,
    an_unproved_address_is_held_by_nobody,
    proving_an_address_twice_gives_one_person_both_servicers,
    a_password_link_works_once_and_ends_every_session,
    sixty_four_uses_of_one_password_link_change_one_password,
    forgetting_a_password_is_told_to_nobody_else,
    changing_the_password_ends_the_other_sessions,
    a_proof_counts_for_its_own_session,
    operators_are_made_by_a_link_and_suspend_at_once
);

const PASSWORD: &str = "kumquat lamps over gravel";
const OTHER: &str = "seven oboes in a barn";

struct World {
    services: Services,
    mail: Memory,
}

fn world(db: Db) -> World {
    let mail = Memory::default();
    let mut state = testing::state(db);
    state.mailer = Arc::new(mail.clone());
    World {
        services: Services::new(state),
        mail,
    }
}

fn from(ip: &str) -> Source {
    Source {
        ip: ip.to_owned(),
        user_agent: "test".to_owned(),
    }
}

fn form(email: &str) -> Start {
    Start {
        name: "Example Ltd".to_owned(),
        email: email.to_owned(),
        password: PASSWORD.to_owned(),
        legal_form: LegalForm::Company,
        country: "ro".to_owned(),
    }
}

impl World {
    async fn start(&self, email: &str) -> Started {
        let started = self.services.start(form(email), &from("a")).await.unwrap();
        // Sent before anything else is wanted: the clock stands still, and jobs of one instant have no order.
        self.letters(email).await;
        started
    }

    async fn sign_in(&self, email: &str, password: &str) -> Answered<PersonId> {
        self.services.sign_in(email, password, &from("a")).await
    }

    /// Runs every job that is due, then gives the letters to an address since last time asked.
    async fn letters(&self, to: &str) -> Vec<Letter> {
        while worker::run_one(&self.services.state).await.unwrap() {}
        let letters = self.mail.letters();
        letters.into_iter().filter(|it| it.to == to).collect()
    }

    /// The token at the end of the link in the last letter to an address.
    async fn token(&self, to: &str) -> String {
        let letter = self.letters(to).await.pop().expect("a letter");
        let link = letter
            .body
            .lines()
            .find(|line| line.starts_with("http://127.0.0.1:3000/"))
            .expect("a link")
            .to_owned();
        link.rsplit('/').next().unwrap().to_owned()
    }

    /// Signs a browser in, as the portal door does.
    async fn browser(&self, person: PersonId, email: &str) -> Actor {
        let state = &self.services.state;
        let (handle, now) = (state.clock.id(), state.clock.now());
        let row = SessionRow {
            handle,
            person_id: Some(person),
            data: "{}".to_owned(),
            user_agent: "test".to_owned(),
            ip: "a".to_owned(),
            created_at: now,
            seen_at: now,
            proved_at: Some(now),
            expires_at: now + Duration::hours(12),
        };
        let mut tx = state.db.write().await.unwrap();
        let digest = state.pepper.digest("session", &handle.to_string());
        tx.add_portal_session(&digest, &row).await.unwrap();
        let servicer = tx.servicers_of(person).await.unwrap().first().copied();
        tx.commit().await.unwrap();
        Actor {
            person,
            email: app::domain::person::Email::parse(email).unwrap(),
            verified: false,
            admin: false,
            membership: servicer.map(|servicer| Membership {
                servicer,
                name: "Example Ltd".to_owned(),
                status: ServicerStatus::Sandbox,
                role: Role::Owner,
            }),
            proved_at: now,
            session: handle,
        }
    }

    async fn sessions(&self, person: PersonId) -> Vec<Uuid> {
        let state = &self.services.state;
        let mut tx = state.db.read().await.unwrap();
        let rows = tx.portal_sessions_of(person, state.clock.now()).await;
        rows.unwrap().into_iter().map(|row| row.handle).collect()
    }

    async fn servicers(&self, person: PersonId) -> Vec<ServicerId> {
        let mut tx = self.services.state.db.read().await.unwrap();
        tx.servicers_of(person).await.unwrap()
    }
}

fn refused(answer: Answered<impl std::fmt::Debug>) -> Vec<(&'static str, String)> {
    match answer.unwrap_err() {
        Trouble::Refused(errors) => errors
            .into_iter()
            .map(|error| (error.name, error.message))
            .collect(),
        other => panic!("{other:?}"),
    }
}

async fn one_form_makes_everything_and_mails_the_servicer_id(db: Db) {
    let world = world(db);
    let started = world.start("ana@example.com").await;
    assert!(started.client_secret.starts_with("tsr_sbx_cs_"));
    assert!(started.client_app_key.starts_with("tsr_sbx_ak_"));
    assert_eq!(world.servicers(started.person).await, [started.servicer]);
    let letters = world.letters("ana@example.com").await;
    assert_eq!(letters.len(), 1);
    assert!(letters[0].body.contains(&started.servicer.to_string()));
    let signed_in = world.sign_in("Ana@Example.com", PASSWORD).await.unwrap();
    assert_eq!(signed_in, started.person, "no mail has to be opened first");

    let wrong = Start {
        name: " ".to_owned(),
        email: "ana".to_owned(),
        password: "short".to_owned(),
        country: "Romania".to_owned(),
        ..form("")
    };
    let errors = refused(world.services.start(wrong, &from("a")).await);
    let names: Vec<_> = errors.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["name", "country", "email"], "all at once");
    let weak = Start {
        password: "example ltd 2026".to_owned(),
        ..form("ana@example.com")
    };
    assert_eq!(
        refused(world.services.start(weak, &from("a")).await)[0].0,
        "password"
    );
}

async fn starting_answers_alike_whether_or_not_the_address_is_known(db: Db) {
    let world = world(db);
    let first = world.start("ana@example.com").await;
    let token = world.token("ana@example.com").await;
    world.services.verify(&token).await.unwrap();
    let second = world.start("ana@example.com").await;
    assert_ne!(first.person, second.person);
    assert_ne!(first.servicer, second.servicer);
    let letters = world.letters("ana@example.com").await;
    let words = |letter: &Letter| {
        let lines = letter.body.lines();
        let plain = lines.filter(|line| !line.contains("servicer_id") && !line.contains("http"));
        plain.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(words(&letters[0]), words(&letters[1]));
}

async fn a_start_whose_audit_row_cannot_be_written_did_not_happen(db: Db) {
    let world = world(db.clone());
    db.break_audit_log().await;
    let answer = world
        .services
        .start(form("ana@example.com"), &from("a"))
        .await;
    assert!(matches!(answer, Err(Trouble::Internal(_))));
    db.mend_audit_log().await;
    let mut tx = db.read().await.unwrap();
    let key = "ana@example.com";
    assert!(tx.people_by_email(key).await.unwrap().is_empty());
    let now = world.services.state.clock.now();
    assert!(tx.servicers("", None, now).await.unwrap().is_empty());
    drop(tx);
    assert!(
        world.letters(key).await.is_empty(),
        "and no letter went out"
    );
}

async fn a_pair_is_wrong_in_one_way_only(db: Db) {
    let world = world(db);
    world.start("ana@example.com").await;
    let wrong = refused(world.sign_in("ana@example.com", OTHER).await);
    let unknown = refused(world.sign_in("eve@example.com", OTHER).await);
    let malformed = refused(world.sign_in("eve", OTHER).await);
    let huge = refused(world.sign_in("ana@example.com", &"x".repeat(2000)).await);
    assert_eq!(wrong, unknown);
    assert_eq!(wrong, malformed);
    assert_eq!(wrong, huge);
}

async fn an_outsider_cannot_make_the_owner_wait(db: Db) {
    let world = world(db);
    let started = world.start("ana@example.com").await;
    let mut waited = None;
    for _ in 0..8 {
        let try_one = world
            .services
            .sign_in("ana@example.com", OTHER, &from("outside"))
            .await;
        if let Err(Trouble::Wait(seconds)) = try_one {
            waited = Some(seconds);
            break;
        }
    }
    assert_eq!(waited, Some(1), "five failures, then a wait that grows");
    assert_eq!(
        world.sign_in("ana@example.com", PASSWORD).await,
        Ok(started.person)
    );
    let outside = from("outside");
    world.services.state.clock.advance(Duration::seconds(1));
    let again = world
        .services
        .sign_in("ana@example.com", OTHER, &outside)
        .await;
    assert!(matches!(again, Err(Trouble::Refused(_))));
    let then = world
        .services
        .sign_in("ana@example.com", OTHER, &outside)
        .await;
    assert_eq!(then, Err(Trouble::Wait(2)));
    world.services.state.clock.advance(Duration::seconds(2));
    let right = world
        .services
        .sign_in("ana@example.com", PASSWORD, &outside)
        .await;
    assert_eq!(right, Ok(started.person), "the right pair ends it");
}

async fn guesses_at_once_are_counted_before_they_are_checked(db: Db) {
    let world = world(db);
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            let services = world.services.clone();
            tokio::spawn(
                async move { services.sign_in("ana@example.com", OTHER, &from("a")).await },
            )
        })
        .collect();
    let mut checked = 0;
    for task in tasks {
        checked += usize::from(matches!(task.await.unwrap(), Err(Trouble::Refused(_))));
    }
    assert_eq!(checked, 5, "the clock stands still: no more than the limit");
}

async fn a_claim_token_makes_one_owner_whoever_comes_first(db: Db) {
    let world = world(db);
    let state = world.services.state.clone();
    let made = servicers::create(&state, &By::operator(), "Example Ltd", ServicerKind::Both)
        .await
        .unwrap();
    let sign_up = |claim: &str, n: usize| SignUp {
        servicer_id: made.id.to_string(),
        claim_token: claim.to_owned(),
        email: format!("dev{n}@example.com"),
        password: PASSWORD.to_owned(),
    };
    let without = refused(world.services.sign_up(sign_up("", 0), &from("a")).await);
    assert_eq!(without[0].0, "claim_token", "the id alone lets nobody in");
    let tasks: Vec<_> = (0..8)
        .map(|n| {
            let (services, form) = (world.services.clone(), sign_up(&made.claim_token, n));
            tokio::spawn(async move { services.sign_up(form, &from("a")).await })
        })
        .collect();
    let mut joined = Vec::new();
    for task in tasks {
        joined.extend(task.await.unwrap().ok());
    }
    assert_eq!(joined.len(), 1);
    let now = state.clock.now();
    let mut tx = state.db.read().await.unwrap();
    let row = tx
        .servicers("", Some(made.id), now)
        .await
        .unwrap()
        .remove(0);
    assert!(row.owner.unwrap().starts_with("dev"));
}

async fn an_unproved_address_is_held_by_nobody(db: Db) {
    let world = world(db);
    let stranger = world.start("ana@example.com").await;
    let browser = world.browser(stranger.person, "ana@example.com").await;
    world.services.state.clock.advance(Duration::seconds(1));
    let mut hers = form("ana@example.com");
    hers.password = OTHER.to_owned();
    let hers = world.services.start(hers, &from("b")).await.unwrap();
    assert_eq!(
        world.sign_in("ana@example.com", PASSWORD).await,
        Ok(stranger.person)
    );
    assert_eq!(
        world.sign_in("ana@example.com", OTHER).await,
        Ok(hers.person)
    );
    let token = world.token("ana@example.com").await;
    assert_eq!(world.services.verify(&token).await, Ok(hers.person));
    assert_eq!(
        world.services.verify(&token).await,
        Err(Trouble::NotFound),
        "a link works once"
    );
    assert!(world.sign_in("ana@example.com", PASSWORD).await.is_err());
    let left = world.sessions(stranger.person).await;
    assert!(!left.contains(&browser.session), "signed out, too");
    assert_eq!(
        world.sign_in("ana@example.com", OTHER).await,
        Ok(hers.person)
    );
}

async fn proving_an_address_twice_gives_one_person_both_servicers(db: Db) {
    let world = world(db);
    for round in 0..8 {
        let email = format!("ana{round}@example.com");
        let first = world.start(&email).await;
        let one = world.token(&email).await;
        world.services.state.clock.advance(Duration::minutes(10));
        let second = world.start(&email).await;
        let two = world.token(&email).await;
        let verify = |token: String| {
            let services = world.services.clone();
            tokio::spawn(async move { services.verify(&token).await })
        };
        // On two threads: each may hold a row that the other waits for.
        let (a, b) = tokio::join!(verify(one), verify(two));
        let owner = a.unwrap().unwrap();
        assert_eq!(
            b.unwrap(),
            Ok(owner),
            "at the same instant, and still one person"
        );
        let mut servicers = world.servicers(owner).await;
        servicers.sort();
        let mut wanted = [first.servicer, second.servicer];
        wanted.sort();
        assert_eq!(servicers, wanted);
    }
}

async fn a_password_link_works_once_and_ends_every_session(db: Db) {
    let world = world(db);
    let started = world.start("ana@example.com").await;
    world.browser(started.person, "ana@example.com").await;
    world
        .services
        .forgot("ana@example.com", &from("a"))
        .await
        .unwrap();
    let token = world.token("ana@example.com").await;
    let shown = world.services.reset_link(&token).await;
    assert_eq!(shown.as_deref(), Ok("an…@example.com"));
    let weak = world
        .services
        .reset(&token, "password1234", &from("a"))
        .await;
    assert_eq!(refused(weak)[0].0, "password", "and the link still works");
    let reset = world.services.reset(&token, OTHER, &from("a")).await;
    assert_eq!(reset, Ok(started.person));
    assert!(world.sessions(started.person).await.is_empty());
    assert!(world.sign_in("ana@example.com", PASSWORD).await.is_err());
    assert_eq!(
        world.sign_in("ana@example.com", OTHER).await,
        Ok(started.person)
    );
    let again = world.services.reset(&token, PASSWORD, &from("a")).await;
    assert_eq!(again, Err(Trouble::NotFound));

    world
        .services
        .forgot("ana@example.com", &from("a"))
        .await
        .unwrap();
    let token = world.token("ana@example.com").await;
    world.services.state.clock.advance(Duration::minutes(10));
    let late = world.services.reset_link(&token).await;
    assert_eq!(late, Err(Trouble::NotFound));
}

async fn sixty_four_uses_of_one_password_link_change_one_password(db: Db) {
    let world = world(db);
    world.start("ana@example.com").await;
    world
        .services
        .forgot("ana@example.com", &from("a"))
        .await
        .unwrap();
    let token = world.token("ana@example.com").await;
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (services, token) = (world.services.clone(), token.clone());
            tokio::spawn(async move { services.reset(&token, OTHER, &from("a")).await })
        })
        .collect();
    let (mut won, mut shed) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => won += 1,
            Err(Trouble::Wait(_)) => shed += 1,
            Err(other) => assert_eq!(other, Trouble::NotFound),
        }
    }
    assert_eq!(won, 1);
    assert!(shed <= 64 - 32, "the queue holds at least thirty-two");
}

async fn forgetting_a_password_is_told_to_nobody_else(db: Db) {
    let world = world(db);
    world.start("ana@example.com").await;
    let known = world.services.forgot("ana@example.com", &from("a")).await;
    let unknown = world.services.forgot("eve@example.com", &from("a")).await;
    assert_eq!((known, unknown), (Ok(()), Ok(())));
    assert_eq!(world.letters("ana@example.com").await.len(), 2);
    assert!(world.letters("eve@example.com").await.is_empty());
    for _ in 0..10 {
        let again = world.services.forgot("ana@example.com", &from("a")).await;
        assert_eq!(again, Ok(()), "nobody is told how many letters went out");
    }
    let letters = world.letters("ana@example.com").await.len();
    assert!(
        (3..=7).contains(&letters),
        "and a mailbox is not flooded: {letters}"
    );
}

async fn changing_the_password_ends_the_other_sessions(db: Db) {
    let world = world(db);
    let started = world.start("ana@example.com").await;
    let here = world.browser(started.person, "ana@example.com").await;
    world.browser(started.person, "ana@example.com").await;
    let devices = world.services.devices(&here).await.unwrap();
    assert_eq!(devices.len(), 2);
    assert!(devices[0].current && !devices[1].current);
    let wrong = world
        .services
        .change_password(&here, OTHER, "ten violas on a roof", &from("a"))
        .await;
    assert_eq!(refused(wrong)[0].0, "old");
    let weak = world
        .services
        .change_password(&here, PASSWORD, "password1234", &from("a"))
        .await;
    assert_eq!(refused(weak)[0].0, "new");
    world
        .services
        .change_password(&here, PASSWORD, OTHER, &from("a"))
        .await
        .unwrap();
    assert_eq!(world.sessions(started.person).await, [here.session]);
    assert_eq!(
        world.sign_in("ana@example.com", OTHER).await,
        Ok(started.person)
    );
    let foreign = world
        .services
        .end_device(&here, &Uuid::nil().to_string())
        .await;
    assert_eq!(foreign, Err(Trouble::NotFound));
    let own = here.session.to_string();
    world.services.end_device(&here, &own).await.unwrap();
    assert!(world.sessions(started.person).await.is_empty());
}

async fn a_proof_counts_for_its_own_session(db: Db) {
    let world = world(db);
    let started = world.start("ana@example.com").await;
    let here = world.browser(started.person, "ana@example.com").await;
    let there = world.browser(started.person, "ana@example.com").await;
    world.services.state.clock.advance(Duration::minutes(30));
    let wrong = world.services.prove(&here, OTHER, &from("a")).await;
    assert_eq!(refused(wrong)[0].0, "password");
    world
        .services
        .prove(&here, PASSWORD, &from("a"))
        .await
        .unwrap();
    let state = &world.services.state;
    let now = state.clock.now();
    let mut tx = state.db.read().await.unwrap();
    let rows = tx.portal_sessions_of(started.person, now).await.unwrap();
    for row in rows {
        let fresh = row.proved_at == Some(now);
        assert_eq!(fresh, row.handle == here.session);
        assert!(row.handle == here.session || row.handle == there.session);
    }
}

async fn operators_are_made_by_a_link_and_suspend_at_once(db: Db) {
    let world = world(db);
    let state = world.services.state.clone();
    let email = app::domain::person::Email::parse("ops@example.com").unwrap();
    let (person, link) = servicers::create_admin(&state, &By::operator(), &email)
        .await
        .unwrap();
    let token = link.rsplit('/').next().unwrap();
    assert_eq!(
        world.services.reset(token, PASSWORD, &from("a")).await,
        Ok(person)
    );
    let mut admin = world.browser(person, "ops@example.com").await;
    let started = world.start("ana@example.com").await;
    let services = &world.services;
    assert_eq!(
        services.servicers(&admin, "").await.unwrap_err(),
        Trouble::NotFound,
        "for anybody else the admin area does not exist"
    );
    admin.admin = true;
    let listed = services.servicers(&admin, "example").await.unwrap();
    assert_eq!(listed[0].owner.as_deref(), Some("ana@example.com"));
    let id = started.servicer;
    services
        .approve_servicer(&admin, id, &from("a"))
        .await
        .unwrap();
    let twice = services.approve_servicer(&admin, id, &from("a")).await;
    assert!(matches!(twice, Err(Trouble::Conflict(_))));
    let silent = services.suspend_servicer(&admin, id, " ", &from("a")).await;
    assert_eq!(refused(silent)[0].0, "reason");
    services
        .suspend_servicer(&admin, id, "No contract.", &from("a"))
        .await
        .unwrap();
    let listed = services.servicers(&admin, &id.to_string()).await.unwrap();
    assert_eq!(listed[0].status, ServicerStatus::Suspended);
    let told = world.letters("ana@example.com").await;
    assert!(told.iter().any(|it| it.body.contains("No contract.")));
    services
        .resume_servicer(&admin, id, &from("a"))
        .await
        .unwrap();
    let listed = services.servicers(&admin, &id.to_string()).await.unwrap();
    assert_eq!(listed[0].status, ServicerStatus::Approved);
}
