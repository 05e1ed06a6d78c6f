//! The end-user's way back.

use super::*;
use crate::services::sessions::Proof;
use crate::storage::testing::on_both;
use app::domain::session::SessionStatus;

on_both!(
    a_return_ends_at_the_tenants_link,
    a_refusal_ends_the_attempt_and_the_session_goes_on,
    a_repeated_return_gets_a_fresh_token_until_one_is_exchanged,
    a_failing_bank_leaves_the_return_good,
    a_redirect_that_was_not_last_goes_on_with_the_next_step
);

async fn a_return_ends_at_the_tenants_link(db: Db) {
    let world = World::new(db).await;
    let new = NewSession {
        state: Some("a b&c".into()),
        ..new_session(AISP)
    };
    let opened = sessions::create(&world.state, &world.client, new)
        .await
        .unwrap();
    let taken = world
        .submit(opened.session_id, &opened.nonce, sca())
        .await
        .unwrap();
    assert_eq!(
        (taken.data["method"].as_str(), taken.nonce),
        (Some("GET"), None)
    );
    assert!(
        taken.data["url"]
            .as_str()
            .unwrap()
            .starts_with("https://bank.example.com/")
    );
    let standing = sessions::get(
        &world.state,
        &world.client,
        opened.session_id,
        Proof::Secret,
    )
    .await
    .unwrap();
    assert_eq!(standing.data, Some(taken.data));
    let link = world.come_back("code-1").await.unwrap();
    assert!(link.starts_with("myapp://return?temp_token="), "{link}");
    assert_eq!(
        query(&link, "session_id"),
        Some(opened.session_id.to_string())
    );
    assert_eq!(query(&link, "state").as_deref(), Some("a b&c"));
    world
        .exchange(&query(&link, "temp_token").unwrap())
        .await
        .unwrap();
    *world.provider.sent.lock().unwrap() = "made-up".into();
    assert_eq!(
        code(world.come_back("code-1").await),
        Code::TppRedirectError
    );
}

async fn a_refusal_ends_the_attempt_and_the_session_goes_on(db: Db) {
    let world = World::new(db).await;
    let refused = Returned::Refused {
        reason: "access_denied".into(),
    };
    world
        .provider
        .finishes
        .lock()
        .unwrap()
        .push_back(Ok(refused));
    let opened = world.at_bank().await;
    for _ in 0..2 {
        let link = world.come_back("code-1").await.unwrap();
        assert_eq!(query(&link, "error").as_deref(), Some("access_denied"));
        assert!(query(&link, "temp_token").is_none());
    }
    // Its life starts when it is asked for.
    world.advance(3600);
    let standing = sessions::get(
        &world.state,
        &world.client,
        opened.session_id,
        Proof::Nonce(&opened.nonce),
    )
    .await
    .unwrap();
    assert_eq!(
        (standing.status, standing.next_step.as_deref()),
        (SessionStatus::InProgress, Some("sca"))
    );
    world
        .submit(opened.session_id, &standing.nonce.unwrap(), sca())
        .await
        .unwrap();
    let link = world.come_back("code-2").await.unwrap();
    world
        .exchange(&query(&link, "temp_token").unwrap())
        .await
        .unwrap();
}

async fn a_repeated_return_gets_a_fresh_token_until_one_is_exchanged(db: Db) {
    let world = World::new(db).await;
    world.at_bank().await;
    let first = query(&world.come_back("code-1").await.unwrap(), "temp_token").unwrap();
    let second = query(&world.come_back("code-1").await.unwrap(), "temp_token").unwrap();
    assert_ne!(first, second);
    assert_eq!(code(world.exchange(&first).await), Code::TempTokenExpired);
    assert_eq!(
        code(world.come_back("another-code").await),
        Code::TppRedirectError
    );
    world.exchange(&second).await.unwrap();
    let link = world.come_back("code-1").await.unwrap();
    assert_eq!(
        query(&link, "error_code").as_deref(),
        Some("temp_token_used")
    );
}

async fn a_failing_bank_leaves_the_return_good(db: Db) {
    let world = World::new(db).await;
    world
        .provider
        .finishes
        .lock()
        .unwrap()
        .push_back(Err(ConnectorError::Unreachable));
    world.at_bank().await;
    let link = world.come_back("code-1").await.unwrap();
    assert_eq!(query(&link, "error").as_deref(), Some("bank_error"));
    let link = world.come_back("code-1").await.unwrap();
    assert!(query(&link, "temp_token").is_some());
}

async fn a_redirect_that_was_not_last_goes_on_with_the_next_step(db: Db) {
    let world = World::new(db).await;
    world
        .provider
        .finishes
        .lock()
        .unwrap()
        .push_back(Ok(Returned::Next {
            step: "sca".into(),
            data: json!({ "then": "again" }),
            bank_ref: None,
        }));
    let opened = world.at_bank().await;
    let link = world.come_back("code-1").await.unwrap();
    assert!(query(&link, "temp_token").is_none() && query(&link, "error").is_none());
    let standing = sessions::get(
        &world.state,
        &world.client,
        opened.session_id,
        Proof::Nonce(&opened.nonce),
    )
    .await
    .unwrap();
    world
        .submit(opened.session_id, &standing.nonce.unwrap(), sca())
        .await
        .unwrap();
    let link = world.come_back("code-2").await.unwrap();
    world
        .exchange(&query(&link, "temp_token").unwrap())
        .await
        .unwrap();
}
