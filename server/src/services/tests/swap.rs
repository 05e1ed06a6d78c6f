//! The consent swap: somebody opens a session, and somebody else is sent the bank's link and consents. Whatever the one
//! who opened it shows, what the consent brings goes to the tenant's link or to its server.

use super::*;
use crate::services::sessions::{SessionProof, SessionState};
use crate::storage::testing::on_both;
use app::domain::session::SessionStatus;

on_both!(
    who_opened_a_session_gets_nothing_of_who_consents,
    nor_from_the_step_after_a_return,
    nor_from_a_verification_after_a_return,
    nor_by_coming_back_without_the_banks_code,
    nor_by_repeating_a_return_of_their_own
);

/// Returns the session's state as the attacker sees it with a nonce.
async fn seen(world: &World, session: SessionId, nonce: &str) -> SessionState {
    let proof = SessionProof::Nonce(nonce);
    sessions::get(&world.state, &world.client, session, proof)
        .await
        .unwrap()
}

/// Returns `true` if the answer holds nothing but the session's status.
fn is_bare(standing: &SessionState) -> bool {
    standing.nonce.is_none()
        && standing.temp_token.is_none()
        && standing.next_step.is_none()
        && standing.step_id.is_none()
        && standing.data.is_none()
}

/// Sends a return with nothing but the `state` of the bank's link.
async fn without_code(world: &World) -> Result<String, ApiError> {
    let arrival = AuthorizationResponse {
        state: world.provider.sent.lock().unwrap().clone().into(),
        code: None,
        refused: true,
    };
    match crate::services::sessions::callbacks::handle_callback(&world.state, arrival).await? {
        CallbackResult::Link(link) => Ok(link),
        CallbackResult::Wait => Ok("wait".into()),
    }
}

fn returns(world: &World, returned: ConsentOutcome) {
    let mut finishes = world.provider.finishes.lock().unwrap();
    finishes.push_back(Ok(returned));
}

async fn who_opened_a_session_gets_nothing_of_who_consents(db: Db) {
    let world = World::scripted(db).await;
    let opened = world.at_bank().await;
    assert!(is_bare(
        &seen(&world, opened.session_id, &opened.nonce).await
    ));
    let link = world.come_back("the-victims-code").await.unwrap();
    let standing = seen(&world, opened.session_id, &opened.nonce).await;
    assert_eq!(standing.status, SessionStatus::Completed);
    assert!(is_bare(&standing));
    // The server is told, and so was the browser that consented.
    let told = world.client.standing(opened.session_id).await.temp_token;
    assert_eq!(told, query(&link, "temp_token"));
    // A server that shows the nonce besides is a server.
    let both = SessionProof::Both(&opened.nonce);
    let both = sessions::get(&world.state, &world.client, opened.session_id, both).await;
    assert_eq!(both.unwrap().temp_token, told);
    let lie = SessionProof::Both("made up");
    let lie = sessions::get(&world.state, &world.client, opened.session_id, lie).await;
    assert_eq!(code(lie), Code::InvalidNonce);
}

async fn nor_from_the_step_after_a_return(db: Db) {
    let world = World::scripted(db).await;
    let opened = world.at_bank().await;
    returns(
        &world,
        ConsentOutcome::Consented(Next::Step {
            name: "sca".into(),
            data: json!({ "whose": "the victim's" }),
            bank_ref: None,
        }),
    );
    let link = world.come_back("the-victims-code").await.unwrap();
    let nonce = query(&link, "nonce").unwrap();
    assert!(is_bare(
        &seen(&world, opened.session_id, &opened.nonce).await
    ));
    // The app of whoever consented goes on with the nonce of its link.
    let standing = seen(&world, opened.session_id, &nonce).await;
    assert_eq!(standing.next_step.as_deref(), Some("sca"));
    assert_eq!(standing.nonce.as_ref(), Some(&nonce));
    world
        .client
        .submit(opened.session_id, &nonce, sca())
        .await
        .unwrap();
    world.come_back("another-code").await.unwrap();
    for nonce in [&opened.nonce, &nonce] {
        let proof = SessionProof::Nonce(nonce);
        let got = sessions::get(&world.state, &world.client, opened.session_id, proof).await;
        assert!(got.is_err() || is_bare(&got.unwrap()));
    }
}

async fn nor_from_a_verification_after_a_return(db: Db) {
    let world = World::scripted(db).await;
    let opened = world.at_bank().await;
    returns(
        &world,
        ConsentOutcome::Consented(Next::Pending {
            poll_after: POLL_AFTER,
            data: Value::Null,
            bank_ref: Opaque::new(b"case-1".to_vec()),
        }),
    );
    let link = world.come_back("the-victims-code").await.unwrap();
    assert!(query(&link, "nonce").is_none() && query(&link, "error").is_none());
    let standing = seen(&world, opened.session_id, &opened.nonce).await;
    assert!(is_bare(&standing) && standing.status == SessionStatus::Pending);
    let done = VerificationOutcome::Verified(Next::Done {
        granted: granted(),
        data: json!({}),
    });
    world.provider.verdicts.lock().unwrap().push_back(Ok(done));
    world.advance(5);
    world.work().await;
    let standing = seen(&world, opened.session_id, &opened.nonce).await;
    assert!(is_bare(&standing) && standing.status == SessionStatus::Completed);
    assert!(
        query(&without_code(&world).await.unwrap(), "temp_token").is_none(),
        "the address alone proves no browser"
    );
    // Whoever consented loads their return again, or the server asks.
    let link = world.come_back("the-victims-code").await.unwrap();
    let token = query(&link, "temp_token").unwrap();
    assert_eq!(
        world.client.standing(opened.session_id).await.temp_token,
        Some(token)
    );
}

async fn nor_by_coming_back_without_the_banks_code(db: Db) {
    let world = World::scripted(db).await;
    world.at_bank().await;
    world.come_back("the-victims-code").await.unwrap();
    let link = without_code(&world).await.unwrap();
    assert!(query(&link, "temp_token").is_none(), "{link}");
    assert_eq!(
        code(world.come_back("a-guess").await),
        Code::TppRedirectError
    );
}

async fn nor_by_repeating_a_return_of_their_own(db: Db) {
    let world = World::scripted(db).await;
    let opened = world.at_bank().await;
    let own_way = world.provider.sent.lock().unwrap().clone();
    returns(
        &world,
        ConsentOutcome::Consented(Next::Step {
            name: "sca".into(),
            data: json!({}),
            bank_ref: None,
        }),
    );
    // The attacker signs the first page, and has somebody else sign the second.
    let link = world.come_back("the-attackers-code").await.unwrap();
    let nonce = query(&link, "nonce").unwrap();
    world
        .client
        .submit(opened.session_id, &nonce, sca())
        .await
        .unwrap();
    world.come_back("the-victims-code").await.unwrap();
    *world.provider.sent.lock().unwrap() = own_way;
    let link = world.come_back("the-attackers-code").await.unwrap();
    assert!(query(&link, "temp_token").is_none(), "{link}");
    assert!(query(&link, "nonce").is_none(), "{link}");
    assert!(is_bare(&seen(&world, opened.session_id, &nonce).await));
}
