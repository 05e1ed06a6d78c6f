//! Never opened twice: whatever breaks off wherever, and however many sign at once.

use std::sync::Arc;

use app::domain::session::SessionStatus;

use super::*;
use crate::services::sessions::SessionState;
use crate::services::sessions::steps;
use crate::storage::Db;
use crate::storage::testing::crash::{Sweeps, break_off};
use crate::storage::testing::on_both;
use crate::testing::counter::{CARD, Counter, DEPOSIT, DOCUMENTS, Walk};

on_both!(
    a_deposit_broken_off_anywhere_is_opened_once,
    a_card_broken_off_anywhere_is_taken_out_once,
    of_many_signatures_one_opens_a_product
);

/// Content of a file that makes the bank do nothing special.
const PLAIN: &str = "nothing special";

impl Counter {
    /// Submits a step that breaks off once it has waited `times` times, and insists; what came of it, and whether it was
    /// done before it broke.
    async fn broken_off(&self, walk: &mut Walk, step: &str, times: usize) -> (SessionState, bool) {
        let named = self.world.client.named();
        let work = steps::submit_inline(&self.world.state, &named, walk.step(step));
        let done = break_off(work, times).await;
        (self.insist(walk, step).await, done.is_some())
    }

    /// Takes both documents to the bank, which verifies them by itself.
    async fn verified(&self, walk: &mut Walk, kyc: &SessionState) {
        let step = kyc.step_id.unwrap();
        self.send(walk, step, &DOCUMENTS, PLAIN).await;
        self.world.advance(10);
        self.world.work().await;
        let standing = self.standing(walk).await;
        assert_eq!(standing.next_step.as_deref(), Some("contract"));
    }

    /// Exchanges what a session ended with: its pair points at one product.
    async fn one_product(&self, end: &SessionState) {
        let pair = self
            .world
            .client
            .redeem(end.temp_token.as_deref().unwrap())
            .await;
        assert_eq!(self.products(&pair).await.len(), 1);
    }
}

/// Returns `count` applications as the bank lists them: each signed, with one product.
fn signed(count: usize) -> Vec<(String, i64)> {
    vec![("signed".to_owned(), 1); count]
}

async fn a_deposit_broken_off_anywhere_is_opened_once(db: Db) {
    let counter = Counter::open(db).await;
    let mut opened = 0;
    for weak in ["product_form", "kyc", "contract"] {
        let mut sweeps = Sweeps::of(1);
        'sweeps: loop {
            for times in 1.. {
                let mut walk = counter.begin(DEPOSIT).await;
                let mut whole = false;
                for step in ["product_form", "kyc", "contract"] {
                    let times = if step == weak { times } else { usize::MAX };
                    let (standing, done) = counter.broken_off(&mut walk, step, times).await;
                    whole |= step == weak && done;
                    match step {
                        "kyc" => counter.verified(&mut walk, &standing).await,
                        "contract" => counter.one_product(&standing).await,
                        _ => {}
                    }
                }
                opened += 1;
                let at_bank = counter.at_bank().await;
                assert_eq!(at_bank, signed(opened), "{weak} waited {times} times");
                if whole {
                    if sweeps.end_with(times) {
                        break 'sweeps;
                    }
                    break;
                }
            }
        }
    }
    counter.world.bank().close().await;
}

async fn a_card_broken_off_anywhere_is_taken_out_once(db: Db) {
    let counter = Counter::open(db).await;
    let mut taken = 0;
    for weak in ["card_form", "kyc"] {
        let mut sweeps = Sweeps::of(1);
        'sweeps: loop {
            for times in 1.. {
                let mut walk = counter.begin(CARD).await;
                let mut whole = false;
                for step in ["card_form", "kyc"] {
                    let times = if step == weak { times } else { usize::MAX };
                    let (standing, done) = counter.broken_off(&mut walk, step, times).await;
                    whole |= step == weak && done;
                    let id = standing.step_id.unwrap();
                    if step == "kyc" {
                        counter.send(&walk, id, &DOCUMENTS, PLAIN).await;
                        counter.one_product(&standing).await;
                    } else {
                        counter.send(&walk, id, &["payslip"], PLAIN).await;
                    }
                }
                taken += 1;
                let at_bank = counter.at_bank().await;
                assert_eq!(at_bank, signed(taken), "{weak} waited {times} times");
                if whole {
                    if sweeps.end_with(times) {
                        break 'sweeps;
                    }
                    break;
                }
            }
        }
    }
    counter.world.bank().close().await;
}

async fn of_many_signatures_one_opens_a_product(db: Db) {
    let counter = Arc::new(Counter::open(db).await);
    for round in 1..=3 {
        let mut walk = counter.begin(DEPOSIT).await;
        counter.insist(&mut walk, "product_form").await;
        let kyc = counter.insist(&mut walk, "kyc").await;
        counter.verified(&mut walk, &kyc).await;
        let tasks: Vec<_> = (0..32)
            .map(|_| {
                let (counter, new) = (counter.clone(), walk.step("contract"));
                tokio::spawn(async move {
                    steps::submit(&counter.world.state, &counter.world.client.named(), new).await
                })
            })
            .collect();
        let mut ends = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => ends += 1,
                Err(ApiError::Refused(refusal)) => {
                    let late = [Code::StepInFlight, Code::InvalidNonce, Code::SessionEnded];
                    assert!(late.contains(&refusal.code), "{}", refusal.code);
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(ends, 1);
        let standing = counter.standing(&mut walk).await;
        assert_eq!(standing.status, SessionStatus::Completed);
        counter.one_product(&standing).await;
        assert_eq!(counter.at_bank().await, signed(round));
    }
    counter.world.bank().close().await;
}
