//! Strangers who register with somebody's address before or after them, in every order: they get nothing of hers, and she
//! is put into nothing of theirs.

use super::*;
use crate::services::portal::audit::ProductionProof;
use crate::services::portal::servicers;
use crate::storage::testing::on_both;

on_both!(
    a_click_on_a_strangers_letter_gives_the_stranger_nothing,
    a_click_in_any_order_moves_no_servicer,
    both_passwords_bring_one_account_into_the_other,
    an_owner_brings_in_what_was_cut_off_by_its_password_alone,
    newer_strangers_lock_nobody_out,
    a_forgotten_password_is_for_whom_the_reader_chooses,
    a_forgotten_password_of_one_unproved_account_hands_over_no_live_key,
    an_unproved_account_reaches_no_production,
    an_operators_link_ends_what_was_there_and_alone_makes_an_operator,
    an_operator_for_an_address_with_strangers_is_none_of_them,
    a_claim_reaches_whoever_has_the_token_and_no_address,
);

const HERS: &str = "ana@example.com";
/// The stranger's.
const PLANTED: &str = "nine grey herons wading";

async fn a_click_on_a_strangers_letter_gives_the_stranger_nothing(db: Db) {
    let world = world(db).await;
    let stranger = world.start_with(HERS, PLANTED).await;
    let browser = world.browser(stranger.person, HERS).await;
    let planted = world.token(HERS).await;
    let hers = world.start_with(HERS, OTHER).await;
    for password in ["", OTHER, "some other password"] {
        let clicked = world.confirm_with(&planted, password, OTHER).await;
        assert_eq!(refused(clicked)[0].0, "password");
    }
    let her_browser = world.browser(hers.person, HERS).await;
    let given = GivenPasswords::default();
    let signed_in = world
        .services
        .verify(Some(&her_browser), &planted, given, &source_at("a"))
        .await;
    assert_eq!(
        refused(signed_in)[0].0,
        "password",
        "signed in as herself she still cannot confirm the stranger's account"
    );
    assert_eq!(world.servicers(stranger.person).await, [stranger.servicer]);
    assert_eq!(world.servicers(hers.person).await, [hers.servicer]);
    let seen = world
        .services
        .verify_link(Some(&browser), &planted, &source_at("a"))
        .await
        .unwrap();
    assert!(seen.signed_in && !seen.confirmed_elsewhere);
    assert_eq!(world.sign_in(HERS, OTHER).await, Ok(hers.person));
}

async fn a_click_in_any_order_moves_no_servicer(db: Db) {
    let world = world(db).await;
    for (round, stranger_first) in [true, false].into_iter().enumerate() {
        let email = format!("ana{round}@example.com");
        let passwords = if stranger_first {
            [PLANTED, OTHER]
        } else {
            [OTHER, PLANTED]
        };
        let one = world.start_with(&email, passwords[0]).await;
        let first = world.token(&email).await;
        let two = world.start_with(&email, passwords[1]).await;
        let second = world.token(&email).await;
        let (hers, her_link, their_link) = if stranger_first {
            (&two, &second, &first)
        } else {
            (&one, &first, &second)
        };
        // The stranger's letter first, then hers, then the stranger's again.
        assert!(world.confirm_with(their_link, OTHER, "").await.is_err());
        let confirmed = world.confirm_with(her_link, OTHER, "").await;
        assert_eq!(confirmed, Ok(hers.person));
        for (own, confirmed) in [
            (OTHER, OTHER),
            ("", OTHER),
            (PLANTED, ""),
            (PLANTED, PLANTED),
        ] {
            assert!(
                world
                    .confirm_with(their_link, own, confirmed)
                    .await
                    .is_err()
            );
        }
        assert_eq!(world.servicers(one.person).await, [one.servicer]);
        assert_eq!(world.servicers(two.person).await, [two.servicer]);
        assert_eq!(world.sign_in(&email, OTHER).await, Ok(hers.person));
        assert!(world.sign_in(&email, PLANTED).await.is_err());
    }
}

async fn both_passwords_bring_one_account_into_the_other(db: Db) {
    let world = world(db).await;
    let first = world.start_with(HERS, OTHER).await;
    world.confirm(HERS, OTHER).await.unwrap();
    let second = world.start_with(HERS, PASSWORD).await;
    let link = world.token(HERS).await;
    let seen = world
        .services
        .verify_link(None, &link, &source_at("a"))
        .await;
    let seen = seen.unwrap();
    assert!(seen.confirmed_elsewhere && !seen.signed_in);
    assert_eq!(seen.servicers, ["Example Ltd"]);
    let half = world.confirm_with(&link, PASSWORD, "").await;
    assert_eq!(refused(half)[0].0, "confirmed");
    let browser = world.browser(second.person, HERS).await;
    let given = GivenPasswords {
        own: String::new(),
        confirmed: OTHER.to_owned(),
    };
    let whole = world
        .services
        .verify(Some(&browser), &link, given, &source_at("a"))
        .await;
    assert_eq!(whole, Ok(first.person));
    assert_eq!(
        world.places(first.person).await,
        [first.servicer, second.servicer],
        "she works in both, and the first stays the first"
    );
    assert!(world.servicers(second.person).await.is_empty());
    assert!(world.sessions(second.person).await.is_empty());
}

async fn an_owner_brings_in_what_was_cut_off_by_its_password_alone(db: Db) {
    let world = world(db).await;
    let first = world.start_with(HERS, PASSWORD).await;
    let stranger = world.start_with(HERS, PLANTED).await;
    let second = world.start_with(HERS, OTHER).await;
    world.confirm(HERS, OTHER).await.unwrap();
    assert!(world.sign_in(HERS, PASSWORD).await.is_err(), "cut off");
    let mut actor = world.browser(second.person, HERS).await;
    assert_eq!(world.services.unconfirmed(&actor).await, Ok(0));
    actor.verified = true;
    assert_eq!(world.services.unconfirmed(&actor).await, Ok(2));
    let wrong = world
        .services
        .bring_in(&actor, OTHER, &source_at("a"))
        .await;
    assert_eq!(refused(wrong)[0].0, "other_password");
    let brought = world
        .services
        .bring_in(&actor, PASSWORD, &source_at("a"))
        .await;
    assert_eq!(brought, Ok(()));
    assert_eq!(
        world.places(second.person).await,
        [first.servicer, second.servicer]
    );
    assert_eq!(world.servicers(stranger.person).await, [stranger.servicer]);
    world.services.state.clock.advance(Duration::minutes(11));
    let late = world
        .services
        .bring_in(&actor, PLANTED, &source_at("a"))
        .await;
    assert_eq!(late, Err(PortalError::ProofNeeded));
}

async fn newer_strangers_lock_nobody_out(db: Db) {
    let world = world(db).await;
    let hers = world.start_with(HERS, OTHER).await;
    for n in 0..6 {
        world.start_with(HERS, &format!("{PLANTED} {n}")).await;
    }
    assert_eq!(world.sign_in(HERS, OTHER).await, Ok(hers.person));
    // Strangers who were there before her: her own browser finds her all the same.
    let email = "eva@example.com";
    for n in 0..6 {
        world.start_with(email, &format!("{PLANTED} {n}")).await;
    }
    let late = world.start_with(email, OTHER).await;
    let mut at_home = source_at("b");
    at_home.device = devices::cookie(&world.services.state, late.person, &at_home).unwrap();
    let known = world.services.sign_in(email, OTHER, &at_home).await;
    assert_eq!(known, Ok(late.person));
}

async fn a_forgotten_password_is_for_whom_the_reader_chooses(db: Db) {
    let world = world(db).await;
    let hers = world.start_with(HERS, OTHER).await;
    let stranger = world.start_with(HERS, PLANTED).await;
    world.services.forgot(HERS, &source_at("a")).await.unwrap();
    let token = world.token(HERS).await;
    let link = world
        .services
        .reset_link(&token, &source_at("a"))
        .await
        .unwrap();
    let offered: Vec<_> = link.choices.iter().map(|choice| choice.account).collect();
    assert_eq!(offered, [hers.person, stranger.person], "the oldest first");
    let reset = async |account: &str| {
        let services = &world.services;
        services
            .reset(&token, account, PASSWORD, &source_at("a"))
            .await
    };
    assert_eq!(refused(reset("").await)[0].0, "account", "none is preset");
    let elsewhere = world.start("eve@example.com").await;
    let foreign = reset(&elsewhere.person.to_string()).await;
    assert_eq!(refused(foreign)[0].0, "account");
    let chosen = reset(&hers.person.to_string()).await;
    assert_eq!(chosen, Ok(hers.person));
    assert_eq!(world.sign_in(HERS, PASSWORD).await, Ok(hers.person));
    assert!(world.sign_in(HERS, PLANTED).await.is_err());
    // The address is hers now: a later registration changes nothing about whom the next link is for.
    world.start_with(HERS, PLANTED).await;
    world.services.forgot(HERS, &source_at("a")).await.unwrap();
    let token = world.token(HERS).await;
    let link = world
        .services
        .reset_link(&token, &source_at("a"))
        .await
        .unwrap();
    assert!(link.choices.is_empty() && !link.unconfirmed);
    let again = world
        .services
        .reset(&token, "", OTHER, &source_at("a"))
        .await;
    assert_eq!(again, Ok(hers.person));
}

async fn a_forgotten_password_of_one_unproved_account_hands_over_no_live_key(db: Db) {
    let world = world(db).await;
    let stranger = world.start_with(HERS, PLANTED).await;
    let browser = world.browser(stranger.person, HERS).await;
    world.services.forgot(HERS, &source_at("a")).await.unwrap();
    let token = world.token(HERS).await;
    let link = world
        .services
        .reset_link(&token, &source_at("a"))
        .await
        .unwrap();
    assert!(link.unconfirmed && link.choices.is_empty());
    let reset = world
        .services
        .reset(&token, "", OTHER, &source_at("a"))
        .await;
    assert_eq!(reset, Ok(stranger.person));
    assert!(world.sessions(stranger.person).await.is_empty());
    let mut tx = world.services.state.db.read().await.unwrap();
    let now = world.services.state.clock.now();
    let live = tx.live_keys(stranger.tenant, now).await.unwrap();
    assert!(live.is_empty(), "what the stranger saved opens nothing");
    drop((tx, browser));
}

async fn an_unproved_account_reaches_no_production(db: Db) {
    use app::domain::person::Permission;
    let world = world(db).await;
    let started = world.start(HERS).await;
    let mut actor = world.browser(started.person, HERS).await;
    if let Some(membership) = &mut actor.membership {
        membership.status = ServicerStatus::Approved;
    }
    for permission in [
        Permission::ManageProductionKeys,
        Permission::ManageProductionTenants,
    ] {
        let refused = actor.may(permission).err();
        assert!(
            matches!(refused, Some(PortalError::Forbidden(_))),
            "{refused:?}"
        );
    }
    assert!(actor.may(Permission::ManageSandboxKeys).is_ok());
    actor.verified = true;
    assert!(actor.may(Permission::ManageProductionKeys).is_ok());
}

async fn an_operators_link_ends_what_was_there_and_alone_makes_an_operator(db: Db) {
    let world = world(db).await;
    let state = world.services.state.clone();
    let started = world.start_with(HERS, OTHER).await;
    world.confirm(HERS, OTHER).await.unwrap();
    let browser = world.browser(started.person, HERS).await;
    let email = app::domain::person::Email::parse(HERS).unwrap();
    let (person, link) = servicers::create_admin(&state, &ProductionProof::command_line(), &email)
        .await
        .unwrap();
    assert_eq!(person, started.person);
    let is_admin = async || {
        let mut tx = state.db.read().await.unwrap();
        tx.person(person).await.unwrap().unwrap().admin
    };
    assert!(!is_admin().await, "not before the link was used");
    assert!(!world.sessions(person).await.contains(&browser.session));
    assert!(world.sign_in(HERS, OTHER).await.is_err(), "useless");
    // A mailed link gives the account back, and no operator's right.
    world.services.forgot(HERS, &source_at("a")).await.unwrap();
    let mailed = world.token(HERS).await;
    let reset = world
        .services
        .reset(&mailed, "", PLANTED, &source_at("a"))
        .await;
    assert_eq!(reset, Ok(person));
    assert!(!is_admin().await);
    let mailed_browser = world.browser(person, HERS).await;
    let printed = link.rsplit('/').next().unwrap();
    let reset = world
        .services
        .reset(printed, "", PASSWORD, &source_at("a"))
        .await;
    assert_eq!(reset, Ok(person));
    assert!(is_admin().await);
    assert!(
        !world
            .sessions(person)
            .await
            .contains(&mailed_browser.session)
    );
    assert!(world.sign_in(HERS, PLANTED).await.is_err());
    assert_eq!(world.sign_in(HERS, PASSWORD).await, Ok(person));
}

async fn an_operator_for_an_address_with_strangers_is_none_of_them(db: Db) {
    let world = world(db).await;
    let state = world.services.state.clone();
    let strangers = [
        world.start_with(HERS, PLANTED).await,
        world.start_with(HERS, OTHER).await,
    ];
    let planted = world.token(HERS).await;
    let browser = world.browser(strangers[0].person, HERS).await;
    let email = app::domain::person::Email::parse(HERS).unwrap();
    let (person, link) = servicers::create_admin(&state, &ProductionProof::command_line(), &email)
        .await
        .unwrap();
    assert!(strangers.iter().all(|stranger| stranger.person != person));
    assert!(
        !world
            .sessions(strangers[0].person)
            .await
            .contains(&browser.session)
    );
    assert!(world.sign_in(HERS, PLANTED).await.is_err());
    let printed = link.rsplit('/').next().unwrap();
    let reset = world
        .services
        .reset(printed, "", PASSWORD, &source_at("a"))
        .await;
    assert_eq!(reset, Ok(person));
    // The stranger's own letter, with the stranger's password: the operator's is missing.
    let claimed = world.confirm_with(&planted, OTHER, "").await;
    assert_eq!(refused(claimed)[0].0, "confirmed");
    assert!(world.servicers(person).await.is_empty());
}

async fn a_claim_reaches_whoever_has_the_token_and_no_address(db: Db) {
    let world = world(db).await;
    let state = world.services.state.clone();
    let stranger = world.start_with(HERS, PLANTED).await;
    let made = servicers::create(
        &state,
        &ProductionProof::command_line(),
        "First Ltd",
        ServicerKind::Both,
    )
    .await
    .unwrap();
    let form = SignUp {
        servicer_id: made.id.to_string(),
        claim_token: made.claim_token.clone(),
        email: HERS.to_owned(),
        password: OTHER.to_owned(),
    };
    let hers = world.services.sign_up(form, &source_at("b")).await.unwrap();
    assert_eq!(world.servicers(hers).await, [made.id]);
    assert_eq!(world.servicers(stranger.person).await, [stranger.servicer]);
    let early = servicers::approve(&state, &ProductionProof::command_line(), made.id).await;
    assert!(early.is_err(), "its owner has confirmed nothing");
    world.confirm(HERS, OTHER).await.unwrap();
    servicers::approve(&state, &ProductionProof::command_line(), made.id)
        .await
        .unwrap();
    assert_eq!(world.servicers(stranger.person).await, [stranger.servicer]);
}
