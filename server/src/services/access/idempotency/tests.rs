//! Races for a key, and processes that die while they hold it.

use std::sync::Arc;

use super::*;
use crate::storage::Db;
use crate::storage::testing::crash::break_off;
use crate::storage::testing::on_both;
use crate::testing::World;

on_both!(
    of_many_at_once_one_goes_first_and_all_hear_its_answer,
    a_holder_that_died_is_followed_and_its_late_answer_is_nobodys,
    a_request_broken_off_anywhere_is_answered_once,
    an_answer_is_told_to_the_secret_it_was_made_with
);

const ANSWER: &[u8] = b"{\"nonce\":\"n\"}";

/// Asks with a key; which request it is and with which secret is up to the test.
async fn ask(world: &World, key: &str, secret: &str) -> Result<Attempt, ApiError> {
    let state = &world.state;
    let asked = KeyedRequest {
        tenant: world.client.tenant(),
        operation: "steps.submit",
        key,
        fingerprint: b"path and body".to_vec(),
        secret: Some(&secret.to_owned().into()),
        request: RequestId(state.clock.id()),
        keep: Duration::hours(24),
    };
    begin(state, asked).await
}

fn code(refused: Result<Attempt, ApiError>) -> (Code, Option<u64>) {
    match refused {
        Err(ApiError::Refused(refusal)) => (refusal.code, refusal.retry_after),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("was not refused"),
    }
}

fn first(turn: Result<Attempt, ApiError>) -> IdempotentRequest {
    match turn {
        Ok(Attempt::First(attempt)) => attempt,
        Ok(Attempt::Replay(..)) => panic!("nobody was before"),
        Err(other) => panic!("{other}"),
    }
}

fn again(turn: Result<Attempt, ApiError>) -> Vec<u8> {
    match turn {
        Ok(Attempt::Replay(200, body)) => body,
        _ => panic!("its answer is kept"),
    }
}

async fn of_many_at_once_one_goes_first_and_all_hear_its_answer(db: Db) {
    let world = Arc::new(World::new(db).await);
    for round in 0..5 {
        let key = format!("key-{round}");
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let (world, key) = (world.clone(), key.clone());
                tokio::spawn(async move { ask(&world, &key, "s").await })
            })
            .collect();
        let mut firsts = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                Ok(Attempt::First(attempt)) => firsts.push(attempt),
                other => assert_eq!(code(other), (Code::IdempotencyInFlight, Some(1))),
            }
        }
        assert_eq!(firsts.len(), 1);
        let holder = firsts.remove(0);
        holder.keep(&world.state, 200, ANSWER).await.unwrap();
        assert_eq!(again(ask(&world, &key, "s").await), ANSWER);
    }
}

async fn a_holder_that_died_is_followed_and_its_late_answer_is_nobodys(db: Db) {
    let world = World::new(db).await;
    let asleep = first(ask(&world, "key", "s").await);
    world.state.clock.advance(LEASE - Duration::seconds(1));
    let waiting = code(ask(&world, "key", "s").await);
    assert_eq!(waiting, (Code::IdempotencyInFlight, Some(1)));
    world.state.clock.advance(Duration::seconds(1));
    let second = first(ask(&world, "key", "s").await);
    asleep.keep(&world.state, 200, b"late").await.unwrap();
    let waiting = code(ask(&world, "key", "s").await);
    assert_eq!(waiting.0, Code::IdempotencyInFlight);
    second.keep(&world.state, 200, ANSWER).await.unwrap();
    assert_eq!(again(ask(&world, "key", "s").await), ANSWER);
}

async fn a_request_broken_off_anywhere_is_answered_once(db: Db) {
    let world = World::new(db).await;
    for times in 1.. {
        let key = format!("key-{times}");
        let whole = async {
            let attempt = first(ask(&world, &key, "s").await);
            attempt.keep(&world.state, 200, ANSWER).await.unwrap();
        };
        let done = break_off(whole, times).await;
        // Whoever asks again after a while gets the answer that was kept, or may go first; then it is told to all.
        world.state.clock.advance(LEASE);
        if let Attempt::First(attempt) = ask(&world, &key, "s").await.unwrap() {
            attempt.keep(&world.state, 200, ANSWER).await.unwrap();
        }
        for _ in 0..2 {
            assert_eq!(again(ask(&world, &key, "s").await), ANSWER, "{times}");
        }
        if done.is_some() {
            break;
        }
    }
}

async fn an_answer_is_told_to_the_secret_it_was_made_with(db: Db) {
    let world = World::new(db).await;
    let attempt = first(ask(&world, "key", "before the rotation").await);
    attempt.keep(&world.state, 200, ANSWER).await.unwrap();
    let other = code(ask(&world, "key", "after it").await);
    assert_eq!(other.0, Code::IdempotencyMismatch);
    let same = ask(&world, "key", "before the rotation").await;
    assert_eq!(again(same), ANSWER);
}
