//! People who decide in the sandbox bank's stead, at the real bank.

use app::domain::person::Role;
use app::domain::servicer::ServicerStatus;
use app::domain::session::SessionStatus;

use super::*;
use crate::services::sessions::verifications::decided;
use crate::storage::Db;
use crate::storage::testing::crash::{Sweeps, break_off};
use crate::storage::testing::on_both;
use crate::testing::counter::{Counter, Walk};
use crate::testing::{World, source};

on_both!(
    an_approval_lets_the_session_go_on,
    asking_again_asks_for_the_same_step_once_more,
    a_rejection_ends_the_session,
    of_two_decisions_the_first_stands,
    nobody_else_decides_or_sees,
    a_decision_is_about_the_verification_it_was_given_for,
    a_decision_broken_off_anywhere_is_carried_out
);

impl Counter {
    async fn decide(&self, walk: &Walk, decision: Decision) -> PortalResult<()> {
        let services = &self.world.services;
        services
            .decide(&self.world.owner, walk.session, decision, &source())
            .await
    }

    /// Returns the verifications that the owner sees waiting.
    async fn list(&self) -> Vec<Verification> {
        let services = &self.world.services;
        services.verifications(&self.world.owner).await.unwrap()
    }

    async fn audited(&self) -> i64 {
        let mut tx = self.world.state.db.read().await.unwrap();
        tx.count_audited("verification.decided").await.unwrap()
    }
}

fn is_gone(answer: &PortalResult<()>) -> bool {
    matches!(answer, Err(PortalError::Conflict(_)))
}

async fn an_approval_lets_the_session_go_on(db: Db) {
    let counter = Counter::open(db).await;
    let mut walk = counter.waiting().await;
    // However long it takes: the bank leaves this one to a person.
    counter.world.advance(3_600);
    counter.world.work().await;
    let waiting = counter.list().await;
    assert_eq!(waiting.len(), 1);
    assert_eq!(
        (waiting[0].session, waiting[0].tenant),
        (walk.session, counter.world.client.tenant())
    );
    assert_eq!(waiting[0].run, None, "an app opened it, and no console");
    assert_eq!(
        (waiting[0].step.as_str(), waiting[0].tenant_name.as_str()),
        ("kyc", "Example app")
    );

    counter.decide(&walk, Decision::Approve).await.unwrap();
    counter.world.work().await;
    assert_eq!(counter.audited().await, 1);
    assert!(counter.list().await.is_empty());
    let standing = counter.standing(&mut walk).await;
    assert_eq!(standing.status, SessionStatus::InProgress);
    assert_eq!(standing.next_step.as_deref(), Some("contract"));
    let end = counter.insist(&mut walk, "contract").await;
    assert_eq!(end.status, SessionStatus::Completed);
    let pair = counter
        .world
        .client
        .redeem(end.temp_token.as_deref().unwrap())
        .await;
    assert_eq!(counter.products(&pair).await.len(), 1);
    counter.world.bank().close().await;
}

async fn asking_again_asks_for_the_same_step_once_more(db: Db) {
    let counter = Counter::open(db).await;
    let mut walk = counter.waiting().await;
    counter.decide(&walk, Decision::AskAgain).await.unwrap();
    counter.world.work().await;
    let standing = counter.standing(&mut walk).await;
    assert_eq!(standing.status, SessionStatus::InProgress);
    assert_eq!(standing.next_step.as_deref(), Some("kyc"));
    assert_eq!(standing.data.unwrap()["reason"], "document_unreadable");
    counter.wait_again(&mut walk).await;
    counter.decide(&walk, Decision::Approve).await.unwrap();
    counter.world.work().await;
    let standing = counter.standing(&mut walk).await;
    assert_eq!(standing.next_step.as_deref(), Some("contract"));
    counter.world.bank().close().await;
}

async fn a_rejection_ends_the_session(db: Db) {
    let counter = Counter::open(db).await;
    let mut walk = counter.waiting().await;
    counter.decide(&walk, Decision::Reject).await.unwrap();
    counter.world.work().await;
    let standing = counter.standing(&mut walk).await;
    assert_eq!(standing.status, SessionStatus::Failed);
    assert_eq!(standing.data.unwrap()["reason"], "rejected_by_bank");
    assert_eq!(counter.at_bank().await, [("rejected".to_owned(), 0)]);
    assert!(is_gone(&counter.decide(&walk, Decision::Approve).await));
    counter.world.bank().close().await;
}

async fn of_two_decisions_the_first_stands(db: Db) {
    let counter = Counter::open(db).await;
    let mut walk = counter.waiting().await;
    // Two people who look at the same list.
    counter.decide(&walk, Decision::Approve).await.unwrap();
    counter.world.advance(1);
    counter.decide(&walk, Decision::Reject).await.unwrap();
    counter.world.work().await;
    let standing = counter.standing(&mut walk).await;
    assert_eq!(standing.status, SessionStatus::InProgress);
    assert_eq!(standing.next_step.as_deref(), Some("contract"));
    assert_eq!(counter.at_bank().await, [("offered".to_owned(), 0)]);
    assert_eq!(counter.audited().await, 2, "what each of them did");

    // And one who comes late is told so.
    assert!(is_gone(&counter.decide(&walk, Decision::Reject).await));
    assert_eq!(counter.audited().await, 2);
    counter.world.work().await;
    assert_eq!(
        counter.standing(&mut walk).await.status,
        SessionStatus::InProgress
    );
    counter.world.bank().close().await;
}

async fn nobody_else_decides_or_sees(db: Db) {
    let counter = Counter::open(db).await;
    let mut walk = counter.waiting().await;
    let services = &counter.world.services;
    let stranger = counter.world.beside().await.owner;
    assert!(services.verifications(&stranger).await.unwrap().is_empty());
    let foreign = services
        .decide(&stranger, walk.session, Decision::Approve, &source())
        .await;
    let unknown = SessionId(counter.world.state.clock.id());
    let missing = services
        .decide(&stranger, unknown, Decision::Approve, &source())
        .await;
    assert!(is_gone(&foreign));
    assert_eq!(foreign, missing, "a foreign session is an unknown one");

    let world: &World = &counter.world;
    for reader in [
        world.actor(Role::Analyst, ServicerStatus::Sandbox),
        world.actor(Role::Auditor, ServicerStatus::Sandbox),
        world.actor(Role::Owner, ServicerStatus::Suspended),
    ] {
        let refused = services
            .decide(&reader, walk.session, Decision::Approve, &source())
            .await;
        assert!(
            matches!(refused, Err(PortalError::Forbidden(_))),
            "{refused:?}"
        );
        let unseen = services.verifications(&reader).await;
        assert!(matches!(unseen, Err(PortalError::Forbidden(_))));
    }
    counter.world.work().await;
    assert_eq!(counter.audited().await, 0);
    assert_eq!(
        counter.standing(&mut walk).await.status,
        SessionStatus::Pending
    );
    counter.world.bank().close().await;
}

async fn a_decision_is_about_the_verification_it_was_given_for(db: Db) {
    let counter = Counter::open(db).await;
    let mut walk = counter.waiting().await;
    let mut tx = counter.world.state.db.read().await.unwrap();
    let before = tx.session(walk.session).await.unwrap().unwrap().position;
    drop(tx);
    counter.decide(&walk, Decision::AskAgain).await.unwrap();
    counter.world.work().await;
    counter.standing(&mut walk).await;
    counter.wait_again(&mut walk).await;
    // A worker that fell asleep over the first decision wakes up.
    let late = DecideVerification {
        session: walk.session,
        position: before,
        decision: Decision::Reject,
    };
    decided(&counter.world.state, &late).await.unwrap();
    counter.world.work().await;
    assert_eq!(
        counter.standing(&mut walk).await.status,
        SessionStatus::Pending
    );
    counter.world.bank().close().await;
}

async fn a_decision_broken_off_anywhere_is_carried_out(db: Db) {
    let counter = Counter::open(db).await;
    let mut sweeps = Sweeps::of(1);
    'sweeps: loop {
        for times in 1.. {
            let mut walk = counter.waiting().await;
            let mut tx = counter.world.state.db.read().await.unwrap();
            let position = tx.session(walk.session).await.unwrap().unwrap().position;
            drop(tx);
            let job = DecideVerification {
                session: walk.session,
                position,
                decision: Decision::Approve,
            };
            let done = break_off(decided(&counter.world.state, &job), times).await;
            // The job's lease ends with the claim that the crash left behind, and somebody takes both over.
            counter.world.advance(61);
            decided(&counter.world.state, &job).await.unwrap();
            let standing = counter.standing(&mut walk).await;
            assert_eq!(
                standing.next_step.as_deref(),
                Some("contract"),
                "waited {times} times"
            );
            if done.is_some() {
                if sweeps.end_with(times) {
                    break 'sweeps;
                }
                break;
            }
        }
    }
    counter.world.bank().close().await;
}
