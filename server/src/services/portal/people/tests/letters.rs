//! Letters that strangers cause: few, and with nothing of the strangers' in them.

use super::*;
use crate::storage::testing::on_both;

on_both!(
    an_unproved_address_gets_three_letters_a_day_whatever_is_asked_for,
    letters_at_once_are_counted_one_by_one,
    a_strangers_name_stands_in_no_subject,
);

async fn an_unproved_address_gets_three_letters_a_day_whatever_is_asked_for(db: Db) {
    let world = world(db).await;
    let email = "ana@example.com";
    let started = world.start(email).await;
    let actor = world.browser(started.person, email).await;
    world.services.forgot(email, &source_at("a")).await.unwrap();
    world.services.send_verification(&actor).await.unwrap();
    assert_eq!(world.letters(email).await.len(), 3);
    for _ in 0..4 {
        world.start(email).await;
        world.services.forgot(email, &source_at("b")).await.unwrap();
        let again = world.services.send_verification(&actor).await;
        assert!(matches!(again, Err(PortalError::Conflict(_))), "{again:?}");
        let changed = world
            .services
            .change_password(&actor, PASSWORD, PASSWORD, &source_at("a"))
            .await;
        assert_eq!(changed, Ok(()));
    }
    assert_eq!(world.letters(email).await.len(), 3);
    assert_eq!(world.letters("Ana@Example.com").await.len(), 0);
    world.services.state.clock.advance(Duration::hours(24));
    world.start("ANA@example.com").await;
    let all = world.letters(email).await.len() + world.letters("ANA@example.com").await.len();
    assert_eq!(all, 4, "one more a day later, to the same mailbox");
}

async fn letters_at_once_are_counted_one_by_one(db: Db) {
    let world = world(db).await;
    let state = &world.services.state;
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let state = state.clone();
            tokio::spawn(async move {
                let mut tx = state.db.write().await.unwrap();
                let key = "ana@example.com";
                let may = login_throttle::may_write_to_unproved(&state, &mut tx, key).await;
                tx.commit().await.unwrap();
                may.unwrap()
            })
        })
        .collect();
    let mut sent = 0;
    for task in tasks {
        sent += usize::from(task.await.unwrap());
    }
    assert_eq!(sent, 3);
}

async fn a_strangers_name_stands_in_no_subject(db: Db) {
    let world = world(db).await;
    let mut form = start_form("ana@example.com");
    form.name = "URGENT: open https://evil.example/pay now".to_owned();
    world.services.start(form, &source_at("a")).await.unwrap();
    let letter = world.letters("ana@example.com").await.remove(0);
    assert!(!letter.subject.contains("URGENT"), "{}", letter.subject);
    assert!(!letter.body.contains("evil.example"), "{}", letter.body);
    assert!(
        letter
            .body
            .contains("\"URGENT open https evil example pay now\"")
    );
}
