use std::net::IpAddr;
use std::sync::Arc;

use app::domain::ids::TenantId;
use chrono::Duration;

use super::*;
use crate::storage::Db;
use crate::storage::testing::on_both;

on_both!(
    exactly_the_quota_passes_and_then_one_per_share,
    a_quota_beyond_all_measure_lets_everybody_pass,
    one_budget_never_eats_another,
    a_64_way_race_lets_exactly_the_quota_pass,
    processes_share_what_a_tenant_may_ask_for,
    a_steady_caller_below_the_quota_is_never_refused,
    whoever_proves_keys_spends_nothing_of_the_strangers_budget,
    a_clock_that_went_back_keeps_nobody_out
);

fn start() -> DateTime<Utc> {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn tenant(n: u128) -> TenantId {
    TenantId(uuid::Uuid::from_u128(n))
}

async fn passes(limits: &RateLimiter, budget: Budget, at: DateTime<Utc>) -> bool {
    limits.spend(budget, at).await.unwrap().wait.is_none()
}

async fn exactly_the_quota_passes_and_then_one_per_share(db: Db) {
    let limits = RateLimiter::new(&db, 6, 6);
    let budget = Budget::Server(tenant(1));
    let mut passed = 0;
    for _ in 0..64 {
        passed += u32::from(passes(&limits, budget, start()).await);
    }
    assert_eq!(passed, 6);
    let refused = limits.spend(budget, start()).await.unwrap();
    assert_eq!((refused.remaining, refused.wait), (0, Some(10)));
    let later = start() + Duration::seconds(10);
    assert!(passes(&limits, budget, later).await);
    assert!(
        !passes(&limits, budget, later).await,
        "no double burst at an edge"
    );
    let rested = later + Duration::minutes(2);
    let rested = limits.spend(budget, rested).await.unwrap();
    assert_eq!((rested.remaining, rested.reset), (5, 10));
}

async fn a_clock_that_went_back_keeps_nobody_out(db: Db) {
    let limits = RateLimiter::new(&db, 6, 6);
    for budget in [
        Budget::Server(tenant(1)),
        Budget::Browser(
            tenant(1),
            SourceAddress::from("192.0.2.1".parse::<IpAddr>().unwrap()),
        ),
    ] {
        while passes(&limits, budget, start()).await {}
        let earlier = start() - Duration::hours(5);
        let mut passed = 0;
        while passed < 64 && passes(&limits, budget, earlier).await {
            passed += 1;
        }
        assert_eq!(passed, 6, "the whole budget, and no more");
        assert!(passes(&limits, budget, earlier + Duration::seconds(10)).await);
    }
}

async fn a_quota_beyond_all_measure_lets_everybody_pass(db: Db) {
    let limits = RateLimiter::new(&db, u32::MAX, u32::MAX);
    for _ in 0..1_000 {
        let left = limits
            .spend(Budget::Server(tenant(1)), start())
            .await
            .unwrap();
        assert_eq!((left.wait, left.quota), (None, u32::MAX));
    }
}

async fn one_budget_never_eats_another(db: Db) {
    let limits = RateLimiter::new(&db, 2, 2);
    let source = SourceAddress::from("192.0.2.1".parse::<IpAddr>().unwrap());
    let other = SourceAddress::from("192.0.2.2".parse::<IpAddr>().unwrap());
    for _ in 0..9 {
        passes(&limits, Budget::Browser(tenant(1), source), start()).await;
    }
    for budget in [
        Budget::Browser(tenant(1), other),
        Budget::Browser(tenant(2), source),
        Budget::Server(tenant(1)),
        Budget::Stranger(source),
        Budget::Unproved(tenant(1)),
    ] {
        assert!(passes(&limits, budget, start()).await, "{budget:?}");
    }
}

async fn race(processes: &[Arc<RateLimiter>], budget: Budget, calls: usize) -> usize {
    let tasks: Vec<_> = (0..calls)
        .map(|n| {
            let limits = processes[n % processes.len()].clone();
            tokio::spawn(async move { passes(&limits, budget, start()).await })
        })
        .collect();
    let mut passed = 0;
    for task in tasks {
        passed += usize::from(task.await.unwrap());
    }
    passed
}

async fn a_64_way_race_lets_exactly_the_quota_pass(db: Db) {
    let limits = [Arc::new(RateLimiter::new(&db, 10, 50))];
    assert_eq!(race(&limits, Budget::Server(tenant(1)), 64).await, 50);
}

async fn processes_share_what_a_tenant_may_ask_for(db: Db) {
    if !db.is_postgres() {
        return;
    }
    let processes: Vec<_> = (0..3)
        .map(|_| Arc::new(RateLimiter::new(&db, 50, 5000)))
        .collect();
    let source = SourceAddress::from("192.0.2.1".parse::<IpAddr>().unwrap());
    for (budget, quota) in [
        (Budget::Browser(tenant(1), source), 50),
        (Budget::Server(tenant(1)), 5000),
    ] {
        let passed = race(&processes, budget, quota * 2).await;
        assert!(passed <= quota, "{passed} of {quota} passed");
        // What one process had taken when another had to refuse: single calls by then.
        assert!(passed + 6 >= quota, "only {passed} of {quota} passed");
    }
}

async fn a_steady_caller_below_the_quota_is_never_refused(db: Db) {
    // 600 a minute are ten a second; nine a second for two minutes, in bursts of nine.
    let processes = [
        RateLimiter::new(&db, 600, 600),
        RateLimiter::new(&db, 600, 600),
    ];
    let budget = Budget::Server(tenant(1));
    for second in 0..120 {
        let now = start() + Duration::seconds(second);
        for call in 0..9 {
            // On SQLite there is one process.
            let process = &processes[if db.is_postgres() { call % 2 } else { 0 }];
            assert!(passes(process, budget, now).await, "second {second}");
        }
    }
}

#[test]
fn a_subscriber_of_ipv6_is_one_source() {
    let source = |text: &str| SourceAddress::from(text.parse::<IpAddr>().unwrap());
    assert_eq!(source("2001:db8::1"), source("2001:db8::ffff:1"));
    assert_ne!(source("2001:db8::1"), source("2001:db8:0:1::1"));
    assert_eq!(source("::ffff:192.0.2.1"), source("192.0.2.1"));
    assert_eq!(source("2001:db8::1").to_string(), "2001:db8::/64");
}

async fn whoever_proves_keys_spends_nothing_of_the_strangers_budget(db: Db) {
    let limits = RateLimiter::new(&db, 5, 5);
    let home = SourceAddress::from("192.0.2.1".parse::<IpAddr>().unwrap());
    let enter = |at| limits.enter(home, at);
    for _ in 0..50 {
        let entered = enter(start());
        assert_eq!(entered.left.wait, None);
        limits.prove(home, entered, start());
    }
    let strangers = (0..5).filter(|_| enter(start()).left.wait.is_none());
    assert_eq!(strangers.count(), 5);
    // Keys were proved from here: what else comes from here has ten times as much of doubt, and then nothing.
    let doubted: Vec<EntryCount> = (0..200).map(|_| enter(start())).collect();
    let in_doubt = doubted.iter().filter(|it| it.left.wait.is_none());
    assert_eq!(in_doubt.count(), 50);
    assert!(
        doubted.iter().all(|it| it.unless_proved.is_some()),
        "who proves nothing is refused all the same"
    );
    let elsewhere = SourceAddress::from("192.0.2.2".parse::<IpAddr>().unwrap());
    let unknown = (0..200).filter(|_| limits.enter(elsewhere, start()).left.wait.is_none());
    assert_eq!(unknown.count(), 5);
    // Ten quiet minutes, and nobody is known any more.
    let later = start() + Duration::minutes(11);
    let forgotten = (0..200).filter(|_| enter(later).left.wait.is_none());
    assert_eq!(forgotten.count(), 5);
}
