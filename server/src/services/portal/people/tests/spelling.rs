//! Accounts from a database in which domains were stored as they were typed.

use super::*;
use crate::services::portal::people::spelling;
use crate::storage::testing::on_both;

on_both!(
    an_address_stored_in_unicode_signs_in_after_the_upgrade,
    an_address_proved_in_two_spellings_is_lost_to_neither,
    a_stranger_in_the_other_spelling_is_cut_off,
    an_address_that_is_refused_today_still_signs_in,
    letters_that_count_as_one_today_sign_in_after_the_upgrade,
);

/// Stores an account's address as older versions did.
async fn aged(world: &World, person: PersonId, email: &str) {
    world.services.state.db.age_email(person, email).await;
}

async fn an_address_stored_in_unicode_signs_in_after_the_upgrade(db: Db) {
    let world = world(db.clone()).await;
    let email = "Ana@bücher.example";
    let proved = world.start(email).await;
    world
        .confirm("Ana@xn--bcher-kva.example", PASSWORD)
        .await
        .unwrap();
    let unproved = world.start("eva@пример.example").await;
    aged(&world, proved.person, email).await;
    aged(&world, unproved.person, "eva@пример.example").await;
    for _ in 0..2 {
        spelling::respell(&db).await.unwrap();
        for typed in [email, "ana@xn--bcher-kva.example", "ana@BÜCHER.example"] {
            assert_eq!(
                world.sign_in(typed, PASSWORD).await,
                Ok(proved.person),
                "{typed}"
            );
        }
        let typed = world.sign_in("eva@xn--e1afmkfd.example", PASSWORD).await;
        assert_eq!(typed, Ok(unproved.person));
    }
}

async fn an_address_proved_in_two_spellings_is_lost_to_neither(db: Db) {
    let world = world(db.clone()).await;
    let email = "ana@bücher.example";
    let one = world.start("first@example.com").await;
    world.confirm("first@example.com", PASSWORD).await.unwrap();
    let two = world.start_with("ana@xn--bcher-kva.example", OTHER).await;
    world
        .confirm("ana@xn--bcher-kva.example", OTHER)
        .await
        .unwrap();
    aged(&world, one.person, email).await;
    spelling::respell(&db).await.unwrap();
    assert_eq!(world.sign_in(email, PASSWORD).await, Ok(one.person));
    assert_eq!(world.sign_in(email, OTHER).await, Ok(two.person));
}

async fn a_stranger_in_the_other_spelling_is_cut_off(db: Db) {
    let world = world(db.clone()).await;
    let hers = world.start("first@example.com").await;
    world.confirm("first@example.com", PASSWORD).await.unwrap();
    let stranger = world.start_with("ana@xn--bcher-kva.example", OTHER).await;
    let browser = world
        .browser(stranger.person, "ana@xn--bcher-kva.example")
        .await;
    aged(&world, hers.person, "ana@bücher.example").await;
    spelling::respell(&db).await.unwrap();
    assert_eq!(
        world.sign_in("ana@bücher.example", PASSWORD).await,
        Ok(hers.person)
    );
    assert!(world.sign_in("ana@bücher.example", OTHER).await.is_err());
    assert!(
        !world
            .sessions(stranger.person)
            .await
            .contains(&browser.session)
    );
}

async fn an_address_that_is_refused_today_still_signs_in(db: Db) {
    let world = world(db.clone()).await;
    let started = world.start("ana@example.com").await;
    world.confirm("ana@example.com", PASSWORD).await.unwrap();
    aged(&world, started.person, "ana.@example.com").await;
    spelling::respell(&db).await.unwrap();
    assert_eq!(
        world.sign_in("Ana.@Example.com", PASSWORD).await,
        Ok(started.person)
    );
}

async fn letters_that_count_as_one_today_sign_in_after_the_upgrade(db: Db) {
    let world = world(db.clone()).await;
    let started = world.start("ana@example.com").await;
    world.confirm("ana@example.com", PASSWORD).await.unwrap();
    // Its key was `οδυσσευς` in those days: a sigma at the end of a word was another letter.
    aged(&world, started.person, "ΟΔΥΣΣΕΥΣ@example.com").await;
    spelling::respell(&db).await.unwrap();
    for typed in ["οδυσσευσ@example.com", "ΟΔΥΣΣΕΥΣ@example.com"] {
        let signed_in = world.sign_in(typed, PASSWORD).await;
        assert_eq!(signed_in, Ok(started.person), "{typed}");
    }
}
