//! Sixty-four at once: exactly one gets through, nothing breaks.

use super::*;
use crate::services::consents::accounts;
use crate::storage::testing::on_both;

on_both!(
    of_many_submissions_of_a_nonce_one_takes_effect,
    of_many_exchanges_of_a_token_one_succeeds_and_its_pair_reads,
    of_many_first_reads_one_fetches
);

const ROUNDS: usize = 20;
const RACERS: usize = 64;

async fn race<T, F>(racer: impl Fn() -> F) -> Vec<Result<T, ApiError>>
where
    T: Send + 'static,
    F: Future<Output = Result<T, ApiError>> + Send + 'static,
{
    let tasks: Vec<_> = (0..RACERS).map(|_| tokio::spawn(racer())).collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

/// Every loser was refused in the catalogue's words.
fn losers<T>(outcomes: Vec<Result<T, ApiError>>, allowed: &[Code]) -> Vec<T> {
    let mut winners = Vec::new();
    for outcome in outcomes {
        match outcome {
            Ok(won) => winners.push(won),
            Err(ApiError::Refused(refusal)) => {
                assert!(allowed.contains(&refusal.code), "{}", refusal.code);
            }
            Err(other) => panic!("{other}"),
        }
    }
    winners
}

async fn of_many_submissions_of_a_nonce_one_takes_effect(db: Db) {
    let world = World::scripted(db).await;
    for round in 1..=ROUNDS {
        let opened = world.client.open(AISP).await;
        let outcomes = race(|| {
            let (world, nonce) = (world.clone(), opened.nonce.clone());
            async move { world.client.submit(opened.session_id, &nonce, sca()).await }
        })
        .await;
        let winners = losers(outcomes, &[Code::InvalidNonce, Code::StepInFlight]);
        assert_eq!(winners.len(), 1);
        assert_eq!(
            world.provider.submitted.load(Ordering::SeqCst),
            round,
            "the bank is asked once"
        );
    }
}

async fn of_many_exchanges_of_a_token_one_succeeds_and_its_pair_reads(db: Db) {
    let world = World::scripted(db).await;
    for _ in 0..ROUNDS {
        let token = world.temp_token().await;
        let outcomes = race(|| {
            let (world, token) = (world.clone(), token.clone());
            async move { world.client.exchange(&token).await }
        })
        .await;
        let mut winners = losers(outcomes, &[Code::TempTokenUsed]);
        assert_eq!(winners.len(), 1);
        let pair = pair(winners.remove(0));
        let listing = accounts::list(&world.state, &world.client, &pair)
            .await
            .unwrap();
        assert_eq!(listing.items.len(), 1);
    }
}

async fn of_many_first_reads_one_fetches(db: Db) {
    let world = World::scripted(db).await;
    let pair = Arc::new(world.pair().await);
    let outcomes = race(|| {
        let (world, pair) = (world.clone(), pair.clone());
        async move { accounts::list(&world.state, &world.client, &pair).await }
    })
    .await;
    assert_eq!(losers(outcomes, &[]).len(), RACERS);
    assert_eq!(world.provider.fetched.load(Ordering::SeqCst), 1);
    while crate::worker::run_one(&world.state).await.unwrap() {}
    assert_eq!(
        world.provider.fetched.load(Ordering::SeqCst),
        1,
        "the job finds it done"
    );
}
