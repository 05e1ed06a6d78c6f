//! Ten thousand random sessions over the real services, each held to the model after every act: with good and bad
//! nonces, returns, verdicts, cancellations, jumps of the clock, and deaths at every point between two statements.
//!
//! The seed is fixed, so that a failure comes again; `TESSERA_TEST_SEED` (a number up to 255) tells other stories. What
//! fails is shrunk, and printed as the acts that led there.

mod compare;
mod provider_script;
mod run;

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng, TestRunner};

use super::model::{Act, Brought, Consent, Model, Nonce, Says, Shown, Stands, Token, Way, WayEnd};
use super::*;
use crate::services::sessions::SessionProof;
use crate::storage::callbacks::CallbackOutcome;
use crate::storage::testing::{self, Story, crash};
use app::domain::session::{Awaiting, SessionStatus};
use run::ModelRun;

const STEPS: [&str; 2] = ["one", "two"];
/// Acts of the longest story.
const LONGEST: usize = 12;

/// Nonce that is shown.
#[derive(Clone, Copy, Debug)]
enum Which {
    Latest,
    First,
    AnotherSessions,
    MadeUp,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Submit(Which, bool, Says),
    /// Asks what comes next: as the server, or with the nonce told last.
    Get(bool),
    ComeBack(bool, Says),
    Work(Says),
    Cancel,
    /// Exchanges the token told last, or the first one.
    Exchange(bool),
    Wait(i64),
}

/// A deed, and after how many points the process dies in it, if it does.
type Step = (Action, Option<u32>);

fn says() -> impl Strategy<Value = Says> {
    prop_oneof![
        3 => (0..2_usize).prop_map(Says::Next),
        2 => Just(Says::Redirect),
        2 => Just(Says::Pending),
        2 => Just(Says::Done),
        1 => Just(Says::Refused),
        1 => Just(Says::Rejected),
        1 => Just(Says::Unreachable),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let which = prop_oneof![
        8 => Just(Which::Latest),
        1 => Just(Which::First),
        1 => Just(Which::AnotherSessions),
        1 => Just(Which::MadeUp),
    ];
    let right = proptest::bool::weighted(0.9);
    let waits = prop_oneof![
        Just(1_i64),
        Just(5),
        Just(11),
        Just(61),
        Just(600),
        Just(1_800),
        Just(7_200),
        Just(86_400)
    ];
    let deed = prop_oneof![
        6 => (which, right, says()).prop_map(|(which, right, says)| Action::Submit(which, right, says)),
        3 => proptest::bool::weighted(0.7).prop_map(Action::Get),
        3 => (right, says()).prop_map(|(right, says)| Action::ComeBack(right, says)),
        3 => says().prop_map(Action::Work),
        1 => Just(Action::Cancel),
        2 => proptest::bool::weighted(0.7).prop_map(Action::Exchange),
        3 => waits.prop_map(Action::Wait),
    ];
    (deed, proptest::option::weighted(0.3, 0..30_u32))
}

/// Tells so many stories over one database.
fn tell(cases: u32, seed: u8, open: impl AsyncFnOnce() -> Db) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (world, foreign) = runtime.block_on(async {
        let world = World::scripted(open().await).await;
        let foreign = world.client.open(ANY).await.nonce;
        (world, foreign)
    });
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 400,
        ..ProptestConfig::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let stories = proptest::collection::vec(step(), 1..=LONGEST);
    let told = runner.run(&stories, |story| {
        runtime.block_on(async {
            let mut play = ModelRun::begin(&world, &foreign).await;
            let told = play.tell(&story).await;
            if told.is_err() {
                // Nothing of it may disturb the stories that shrinking tells next.
                let (state, client) = (&world.state, &world.client);
                sessions::cancel(state, client, play.id, SessionProof::Secret)
                    .await
                    .ok();
            }
            told.map_err(TestCaseError::fail)
        })
    });
    if let Err(error) = told {
        panic!("seed {seed}: {error}");
    }
    runtime.block_on(world.state.db.close());
}

fn seed() -> u8 {
    let given = std::env::var("TESSERA_TEST_SEED").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(1)
}

#[test]
fn ten_thousand_sessions_go_as_the_model_says_on_sqlite() {
    let half = |part: u8| {
        std::thread::spawn(move || {
            let folder = tempfile::tempdir().unwrap();
            tell(5_000, seed().wrapping_add(part), async || {
                testing::sqlite_unsynced(&folder).await
            });
        })
    };
    for half in [half(0), half(100)] {
        half.join().unwrap();
    }
}

#[test]
fn three_hundred_sessions_go_as_the_model_says_on_postgres() {
    tell(300, seed(), testing::postgres);
}
