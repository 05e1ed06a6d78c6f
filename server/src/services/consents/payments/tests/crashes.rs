//! Never ordered twice: whatever breaks off wherever, and however many ask at once.

use super::*;
use crate::services::sessions::SessionProof;
use crate::storage::testing::crash::{Sweeps, break_off};
use crate::storage::testing::on_both;
use app::domain::payment::PaymentStatus;

on_both!(
    a_step_broken_off_anywhere_orders_once,
    a_return_broken_off_anywhere_finds_the_payment,
    of_many_orders_one_reaches_the_bank,
    a_cancellation_and_an_execution_never_both_happen
);

impl Street {
    /// Goes on as an app would that got no answer: submits the same again, waits where it is told to, and asks the
    /// session once its nonce is used. Returns the URL of the bank's page.
    async fn insist(&self, opened: &OpenedSession) -> String {
        for _ in 0..3 {
            match self.submit(opened, transfer(json!({}))).await {
                Ok(taken) => return taken.data["url"].as_str().unwrap().to_owned(),
                Err(ApiError::Refused(refusal)) if refusal.code == Code::StepInFlight => {
                    self.world.advance(61);
                }
                Err(ApiError::Refused(refusal)) if refusal.code == Code::InvalidNonce => {
                    let known = sessions::get(
                        &self.world.state,
                        &self.world.client,
                        opened.session_id,
                        SessionProof::Secret,
                    );
                    return known.await.unwrap().data.unwrap()["url"]
                        .as_str()
                        .unwrap()
                        .to_owned();
                }
                Err(other) => panic!("{other}"),
            }
        }
        panic!("an app would have given up")
    }

    /// Loads the same return again until it leads on, and gives the `temp_token`. Where the bank took the code and the
    /// try broke off before that was written down, nobody can tell whose code it is: then the server asks for the
    /// token.
    async fn reload(&self, back: &Back) -> String {
        for _ in 0..3 {
            let link = self.come_back(back).await;
            if let Some(token) = query(&link, "temp_token") {
                return token;
            }
            if let Some(session) = query(&link, "session_id") {
                assert_eq!(query(&link, "error"), None, "{link}");
                let id = session.parse().unwrap();
                let standing = sessions::get(
                    &self.world.state,
                    &self.world.client,
                    id,
                    SessionProof::Secret,
                );
                return standing.await.unwrap().temp_token.unwrap();
            }
            assert_eq!(link, "wait");
            self.world.advance(61);
        }
        panic!("a browser would have given up")
    }

    /// Pays at the bank's page, comes back, and reads the payment to its end.
    async fn go_on(&self, url: &str) {
        let token = self.reload(&walk(url, "approve").await).await;
        self.read_to_the_end(&token).await;
    }

    async fn read_to_the_end(&self, token: &str) {
        let pair = self.world.client.redeem(token).await;
        self.world.advance(4);
        assert_eq!(
            self.get(&pair).await.status,
            PaymentStatus::SettledForDebtor
        );
    }
}

/// Number of sweeps over all places. The number of places differs from run to run, as some waits are over at once.
const SWEEPS: usize = 3;

async fn a_step_broken_off_anywhere_orders_once(db: Db) {
    let street = Street::open(db).await;
    let mut orders = 0;
    let mut sweeps = Sweeps::of(SWEEPS);
    'sweeps: loop {
        for times in 1.. {
            let opened = street.world.client.open(PISP).await;
            let named = street.world.client.named();
            let new = intent(&opened, &opened.nonce, transfer(json!({})));
            let done = break_off(
                steps::submit_inline(&street.world.state, &named, new),
                times,
            )
            .await;
            let url = street.insist(&opened).await;
            street.go_on(&url).await;
            street.world.advance(120);
            street.world.work().await;
            orders += 1;
            let expected = vec!["ACSC"; orders];
            assert_eq!(street.at_bank().await, expected, "waited {times} times");
            if let Some(done) = done {
                done.unwrap();
                if sweeps.end_with(times) {
                    break 'sweeps;
                }
                break;
            }
        }
    }
    street.world.bank().close().await;
}

async fn a_return_broken_off_anywhere_finds_the_payment(db: Db) {
    let street = Street::open(db).await;
    let mut orders = 0;
    let mut sweeps = Sweeps::of(SWEEPS);
    'sweeps: loop {
        for times in 1.. {
            let (_, url) = street.order(transfer(json!({}))).await;
            let back = walk(&url, "approve").await;
            let arrival = back.arrival();
            let work = crate::services::sessions::callbacks::process(&street.world.state, &arrival);
            let done = break_off(work, times).await;
            let token = street.reload(&back).await;
            street.read_to_the_end(&token).await;
            orders += 1;
            let expected = vec!["ACSC"; orders];
            assert_eq!(street.at_bank().await, expected, "waited {times} times");
            if done.is_some() {
                if sweeps.end_with(times) {
                    break 'sweeps;
                }
                break;
            }
        }
    }
    street.world.bank().close().await;
}

async fn of_many_orders_one_reaches_the_bank(db: Db) {
    let street = Street::open(db).await;
    for round in 1..=5 {
        let opened = Arc::new(street.world.client.open(PISP).await);
        let tasks: Vec<_> = (0..64)
            .map(|_| {
                let (street, opened) = (street.clone(), opened.clone());
                tokio::spawn(async move { street.submit(&opened, transfer(json!({}))).await })
            })
            .collect();
        let mut pages = Vec::new();
        for task in tasks {
            match task.await.unwrap() {
                Ok(taken) => pages.push(taken.data["url"].as_str().unwrap().to_owned()),
                Err(ApiError::Refused(refusal)) => {
                    assert!(
                        [Code::StepInFlight, Code::InvalidNonce].contains(&refusal.code),
                        "{}",
                        refusal.code
                    );
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(pages.len(), 1);
        street.go_on(&pages[0]).await;
        assert_eq!(street.at_bank().await, vec!["ACSC"; round]);
    }
    street.world.bank().close().await;
}

async fn a_cancellation_and_an_execution_never_both_happen(db: Db) {
    let street = Street::open(db).await;
    let mut expected = Vec::new();
    for round in 0..12_u64 {
        let tomorrow = (street.world.state.clock.now() + chrono::Duration::days(1)).date_naive();
        let pair = Arc::new(
            street
                .paid(transfer(json!({ "requested_execution_date": tomorrow })))
                .await,
        );
        let midnight = tomorrow.and_time(chrono::NaiveTime::MIN).and_utc();
        street
            .advance(midnight - street.world.state.clock.now() - chrono::Duration::milliseconds(1));
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let (street, pair) = (street.clone(), pair.clone());
                tokio::spawn(
                    async move { street.cancel(&pair).await.map(|payment| payment.status) },
                )
            })
            .collect();
        // Some rounds the day comes at once, some later, some in the middle of it.
        tokio::time::sleep(std::time::Duration::from_millis(round * 2)).await;
        street.advance(chrono::Duration::milliseconds(1));
        let mut cancelled = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(status) => {
                    assert_eq!(status, PaymentStatus::Cancelled);
                    cancelled += 1;
                }
                Err(ApiError::Refused(refusal)) => {
                    assert_eq!(refusal.code, Code::PaymentNotCancellable);
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert!(
            cancelled == 0 || cancelled == 8,
            "it is off for everybody or for nobody"
        );
        street.world.advance(10);
        let (here, there) = match cancelled {
            0 => (PaymentStatus::SettledForDebtor, "ACSC"),
            _ => (PaymentStatus::Cancelled, "CANC"),
        };
        expected.push(there);
        assert_eq!(street.get(&pair).await.status, here);
        assert_eq!(street.at_bank().await, expected, "both sides agree");
    }
    street.world.bank().close().await;
}
