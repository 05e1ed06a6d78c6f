//! Exchanging tokens, and consents from then on.

use super::*;
use crate::services::access::idempotency::{self, KeyedRequest};
use crate::services::consents::{self, accounts};
use crate::services::sessions::tokens::{self, ExchangeResult};
use crate::storage::consents::ConsentFilter;
use crate::storage::testing::crash::{Sweeps, break_off};
use crate::storage::testing::on_both;
use app::domain::session::ConsentStatus;

on_both!(
    a_token_is_exchanged_once_in_time_by_its_tenant,
    a_late_second_use_ends_what_the_first_opened,
    the_same_call_again_gets_the_first_answer_and_ends_nothing,
    an_exchange_broken_off_anywhere_is_done_once,
    a_challenge_needs_its_verifier,
    an_end_user_that_was_named_stays_the_same,
    a_consent_ends_at_the_instant,
    a_deleted_consent_reads_nothing_and_its_data_goes
);

async fn a_token_is_exchanged_once_in_time_by_its_tenant(db: Db) {
    let world = World::scripted(db).await;
    let token = world.temp_token().await;
    let stranger = world.beside().await;
    assert_eq!(
        code(stranger.client.exchange(&token).await),
        Code::InvalidTempToken
    );
    assert_eq!(
        code(world.client.exchange("x").await),
        Code::InvalidTempToken
    );
    world.advance(599);
    let exchanged = world.client.exchange(&token).await.unwrap();
    let now = world.state.clock.now();
    assert_eq!(exchanged.consent_exp - now, chrono::Duration::days(90));
    assert_eq!(
        exchanged.max_data_retention - now,
        chrono::Duration::days(120)
    );
    let late = world.temp_token().await;
    world.advance(600);
    assert_eq!(
        code(world.client.exchange(&late).await),
        Code::TempTokenExpired
    );
}

async fn a_late_second_use_ends_what_the_first_opened(db: Db) {
    let world = World::scripted(db).await;
    let token = world.temp_token().await;
    let pair = pair(world.client.exchange(&token).await.unwrap());
    world.advance(10);
    assert_eq!(
        code(world.client.exchange(&token).await),
        Code::TempTokenUsed
    );
    accounts::list(&world.state, &world.client, &pair)
        .await
        .unwrap();
    world.advance(1);
    assert_eq!(
        code(world.client.exchange(&token).await),
        Code::TempTokenUsed
    );
    assert_eq!(
        code(accounts::list(&world.state, &world.client, &pair).await),
        Code::InactiveCredentials
    );
    assert_eq!(world.audited("consent.revoked").await, 1);
}

/// The exchange of a call with a key; what is kept is the token.
async fn exchange_under(world: &World, token: &str, key: &str) -> Result<ExchangeResult, ApiError> {
    let asked = KeyedRequest {
        tenant: world.client.tenant(),
        operation: "tokens.exchange",
        key,
        fingerprint: token.as_bytes().to_vec(),
        secret: None,
        request: app::domain::ids::RequestId(world.state.clock.id()),
        keep: chrono::Duration::hours(1),
    };
    let once = idempotency::prepare(&world.state, asked).await?;
    let exchange = Exchange {
        temp_token: token.to_owned().into(),
        code_verifier: None,
        tenant_user_id: None,
        pair: None,
    };
    let written = |done: &Exchanged| done.access_token.expose_secret().as_bytes().to_vec();
    tokens::exchange_once(&world.state, &world.client, exchange, Some(once), written).await
}

async fn the_same_call_again_gets_the_first_answer_and_ends_nothing(db: Db) {
    let world = World::scripted(db).await;
    let token = world.temp_token().await;
    let ExchangeResult::First(first) = exchange_under(&world, &token, "one").await.unwrap() else {
        panic!("nobody exchanged it before")
    };
    let kept = first.access_token.expose_secret().as_bytes().to_vec();
    let pair = pair(first);
    for seconds in [0, 12, 67, 3_520] {
        world.advance(seconds);
        match exchange_under(&world, &token, "one").await.unwrap() {
            ExchangeResult::Replay(200, body) => assert_eq!(body, kept),
            other => panic!("{other:?}"),
        }
    }
    // The hour is over: the answer is gone, and it is the same call all the same.
    world.advance(1);
    let again = exchange_under(&world, &token, "one").await;
    assert_eq!(code(again), Code::TempTokenUsed);
    accounts::list(&world.state, &world.client, &pair)
        .await
        .unwrap();
    // Another key is none.
    let other = exchange_under(&world, &token, "two").await;
    assert_eq!(code(other), Code::TempTokenUsed);
    let read = accounts::list(&world.state, &world.client, &pair).await;
    assert_eq!(code(read), Code::InactiveCredentials);
}

async fn an_exchange_broken_off_anywhere_is_done_once(db: Db) {
    let world = World::scripted(db).await;
    let mut sweeps = Sweeps::of(1);
    'sweeps: loop {
        for times in 1.. {
            let token = world.temp_token().await;
            let done = break_off(exchange_under(&world, &token, &token), times).await;
            // Whatever became of the first, the same call again has the one answer there is, at once.
            world.advance(61);
            let again = exchange_under(&world, &token, &token).await.unwrap();
            let access_token = match &again {
                ExchangeResult::First(exchanged) => {
                    exchanged.access_token.expose_secret().to_owned()
                }
                ExchangeResult::Replay(_, body) => String::from_utf8(body.clone()).unwrap(),
            };
            let mut tx = world.state.db.read().await.unwrap();
            let digest = consents::access_digest(&world.state, &access_token);
            let mut all = tx
                .consents_of_tenant(
                    world.client.tenant(),
                    &ConsentFilter::default(),
                    world.state.clock.now(),
                    None,
                    1,
                )
                .await
                .unwrap();
            assert!(all.pop().unwrap().access_token == Some(digest));
            drop(tx);
            if let Some(done) = done {
                done.unwrap();
                assert!(matches!(again, ExchangeResult::Replay(200, _)));
                if sweeps.end_with(times) {
                    break 'sweeps;
                }
                break;
            }
        }
    }
}

async fn a_challenge_needs_its_verifier(db: Db) {
    let world = World::scripted(db).await;
    // RFC 7636, appendix B.
    let verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
    let new = NewSession {
        code_challenge: Some(challenge.into()),
        ..new_session(AISP)
    };
    let opened = sessions::create(&world.state, &world.client, new)
        .await
        .unwrap();
    world
        .client
        .submit(opened.session_id, &opened.nonce, sca())
        .await
        .unwrap();
    let token = query(&world.come_back("code-1").await.unwrap(), "temp_token").unwrap();
    let exchange = |verifier: Option<&str>| {
        let exchange = Exchange {
            temp_token: token.clone().into(),
            code_verifier: verifier.map(|text| text.to_owned().into()),
            tenant_user_id: None,
            pair: None,
        };
        crate::services::sessions::tokens::exchange(&world.state, &world.client, exchange)
    };
    assert_eq!(code(exchange(None).await), Code::MissingFields);
    assert_eq!(
        code(exchange(Some(challenge)).await),
        Code::InvalidCodeVerifier
    );
    exchange(Some(verifier)).await.unwrap();
    let short = NewSession {
        code_challenge: Some("plain".into()),
        ..new_session(AISP)
    };
    assert_eq!(
        code(sessions::create(&world.state, &world.client, short).await),
        Code::InvalidField
    );
}

async fn an_end_user_that_was_named_stays_the_same(db: Db) {
    let world = World::scripted(db).await;
    let new = NewSession {
        tenant_user_id: Some("user-1".into()),
        ..new_session(AISP)
    };
    let opened = sessions::create(&world.state, &world.client, new)
        .await
        .unwrap();
    world
        .client
        .submit(opened.session_id, &opened.nonce, sca())
        .await
        .unwrap();
    let token = query(&world.come_back("code-1").await.unwrap(), "temp_token").unwrap();
    let exchange = |user: Option<&str>| {
        let exchange = Exchange {
            temp_token: token.clone().into(),
            code_verifier: None,
            tenant_user_id: user.map(str::to_owned),
            pair: None,
        };
        crate::services::sessions::tokens::exchange(&world.state, &world.client, exchange)
    };
    assert_eq!(code(exchange(None).await), Code::MissingFields);
    assert_eq!(
        code(exchange(Some("user-2")).await),
        Code::InvalidTenantUserId
    );
    let mut pair = pair(exchange(Some("user-1")).await.unwrap());
    assert_eq!(
        code(accounts::list(&world.state, &world.client, &pair).await),
        Code::MissingFields
    );
    consents::get(&world.state, &world.client, &pair)
        .await
        .unwrap();
    pair.tenant_user_id = Some("user-2".into());
    assert_eq!(
        code(accounts::list(&world.state, &world.client, &pair).await),
        Code::InvalidTenantUserId
    );
    pair.tenant_user_id = Some("user-1".into());
    accounts::list(&world.state, &world.client, &pair)
        .await
        .unwrap();
}

async fn a_consent_ends_at_the_instant(db: Db) {
    let world = World::scripted(db).await;
    let pair = world.pair().await;
    accounts::list(&world.state, &world.client, &pair)
        .await
        .unwrap();
    world.advance(90 * 86_400 - 1);
    accounts::list(&world.state, &world.client, &pair)
        .await
        .unwrap();
    world.advance(1);
    assert_eq!(
        code(accounts::list(&world.state, &world.client, &pair).await),
        Code::ExpiredCredentials
    );
    let info = consents::get(&world.state, &world.client, &pair)
        .await
        .unwrap();
    assert_eq!(info.status, ConsentStatus::Expired);
}

async fn a_deleted_consent_reads_nothing_and_its_data_goes(db: Db) {
    let world = World::scripted(db).await;
    let pair = world.pair().await;
    accounts::list(&world.state, &world.client, &pair)
        .await
        .unwrap();
    assert_eq!(world.cached(pair.id).await, 3);
    let delete = |minutes| consents::delete(&world.state, &world.client, &pair, minutes);
    assert_eq!(code(delete(Some(-1)).await), Code::InvalidPcdDataRetention);
    assert_eq!(
        code(delete(Some(172_801)).await),
        Code::InvalidPcdDataRetention
    );
    delete(Some(60)).await.unwrap();
    delete(None).await.unwrap();
    assert_eq!(
        code(accounts::list(&world.state, &world.client, &pair).await),
        Code::InactiveCredentials
    );
    let info = consents::get(&world.state, &world.client, &pair)
        .await
        .unwrap();
    assert_eq!(info.status, ConsentStatus::Deleted);
    world.advance(3599);
    crate::services::sessions::erasure::erase(&world.state)
        .await
        .unwrap();
    assert_eq!(world.cached(pair.id).await, 3);
    world.advance(1);
    crate::services::sessions::erasure::erase(&world.state)
        .await
        .unwrap();
    assert_eq!(world.cached(pair.id).await, 0);
    let mut tx = world.state.db.read().await.unwrap();
    let row = tx.consent(pair.id).await.unwrap().unwrap();
    assert!(row.bank_grant.is_none() && row.erased_at.is_some());
    drop(tx);
    while crate::worker::run_one(&world.state).await.unwrap() {}
    assert_eq!(
        world.provider.revoked.load(Ordering::SeqCst),
        1,
        "the bank is told once"
    );
}

impl World {
    async fn cached(&self, id: app::domain::ids::CredentialsId) -> usize {
        let mut tx = self.state.db.read().await.unwrap();
        let filter = crate::storage::transactions::TransactionConditions::default();
        tx.transactions(id, &filter, None, 100).await.unwrap().len()
    }

    async fn audited(&self, action: &str) -> i64 {
        let mut tx = self.state.db.read().await.unwrap();
        tx.count_audited(action).await.unwrap()
    }
}
