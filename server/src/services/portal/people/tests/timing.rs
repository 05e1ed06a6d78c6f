//! What a try to sign in costs: the same for every address, and never more than two hashes at once.

use std::time::Instant;

use super::*;
use crate::config::Config;
use crate::storage::testing::{on_both, sqlite};

on_both!(
    every_address_costs_as_many_verifications,
    a_flood_of_tries_is_hashed_two_at_a_time,
);

/// Addresses that a guesser may try: one that is nobody's, one whose account proved it, one that two accounts claim.
const ADDRESSES: [&str; 3] = ["eve@example.com", "ana@example.com", "joint@example.com"];

async fn peopled(world: &World) {
    world.start("ana@example.com").await;
    world.confirm("ana@example.com", PASSWORD).await.unwrap();
    world.start("joint@example.com").await;
    world
        .start_with("joint@example.com", "eleven kites at noon")
        .await;
}

async fn every_address_costs_as_many_verifications(db: Db) {
    let world = world(db).await;
    peopled(&world).await;
    let meter = &world.services.state.passwords.meter;
    // As it is typed, and in a spelling that is brought into another before it is hashed.
    for password in [OTHER, "se\u{301}ven oboes in a barn"] {
        let mut costs = Vec::new();
        for email in ADDRESSES {
            meter.take();
            refused(world.sign_in(email, password).await);
            costs.push(meter.take());
        }
        assert!(
            costs[0] > 0 && costs.iter().all(|cost| *cost == costs[0]),
            "{costs:?}"
        );
    }
}

async fn a_flood_of_tries_is_hashed_two_at_a_time(db: Db) {
    let world = world(db).await;
    peopled(&world).await;
    let meter = world.services.state.passwords.meter.clone();
    meter.take();
    let tries = (0..100_u32).map(|n| {
        let services = world.services.clone();
        tokio::spawn(async move {
            let source = source_at(&format!("2001:db8:{n:x}::/64"));
            let email = format!("guess-{n}@example.com");
            services.sign_in(&email, OTHER, &source).await
        })
    });
    let tries: Vec<_> = tries.collect();
    let (mut checked, mut waited) = (0, 0);
    for outcome in tries {
        match outcome.await.unwrap() {
            Err(PortalError::Refused(_)) => checked += 1,
            Err(PortalError::Wait(_)) => waited += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(checked + waited, 100);
    assert!(checked > 0);
    assert_eq!(meter.take(), checked * 3, "who waits is not hashed for");
    assert!(meter.most() <= 2, "{}", meter.most());
}

/// Half of the tries for an address that is somebody's, half for one that is nobody's, in a random order.
#[tokio::test]
#[ignore = "measures time, for a quiet machine: TESSERA_TEST_TRIES=2000 cargo test --release --lib -- --ignored timing"]
async fn no_address_shows_in_the_time() {
    let tries = std::env::var("TESSERA_TEST_TRIES").map_or(400, |tries| tries.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let db = sqlite(&folder).await;
    let mut config = Config::default();
    config.limits.sign_in_failures = 1_000_000;
    let world = World::builder(state_with(db, config))
        .with_nobody()
        .build()
        .await;
    world
        .services
        .start(start_form("ana@example.com"), &source_at("a"))
        .await
        .unwrap();
    let clock = kernel::clock::Clock::system();
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    for _ in 0..tries {
        let is_known = clock.random::<1>()[0] & 1 == 0;
        let email = ADDRESSES[usize::from(is_known)];
        let begun = Instant::now();
        refused(world.sign_in(email, OTHER).await);
        let took = begun.elapsed().as_secs_f64() * 1000.0;
        if is_known {
            known.push(took);
        } else {
            unknown.push(took);
        }
    }
    let p = mann_whitney(&known, &unknown);
    let apart = (median(&mut known) - median(&mut unknown)).abs();
    println!("{tries} tries: medians {apart:.3} ms apart, Mann-Whitney p = {p:.3}");
    assert!(apart < 1.0, "medians are {apart} ms apart");
    assert!(p > 0.01, "p = {p}");
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The two-sided probability that two samples of one distribution differ so much (normal approximation).
#[expect(clippy::cast_precision_loss, reason = "some thousand values")]
fn mann_whitney(one: &[f64], other: &[f64]) -> f64 {
    let (n, m) = (one.len() as f64, other.len() as f64);
    let below = |value: &f64| {
        other
            .iter()
            .filter(|it| it.total_cmp(value).is_lt())
            .count()
    };
    let sum: usize = one.iter().map(below).sum();
    let z = (sum as f64 - n * m / 2.0).abs() / (n * m * (n + m + 1.0) / 12.0).sqrt();
    // Abramowitz and Stegun, 26.2.17.
    let t = 1.0 / 0.231_641_9_f64.mul_add(z, 1.0);
    let factors = [
        0.319_381_53,
        -0.356_563_782,
        1.781_477_937,
        -1.821_255_978,
        1.330_274_429,
    ];
    let series = factors
        .iter()
        .rev()
        .fold(0.0, |sum, factor| (sum + factor) * t);
    2.0 * series * (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

#[test]
fn samples_of_one_kind_are_alike_and_shifted_ones_are_not() {
    let even: Vec<f64> = (0..500).map(|n| f64::from(n * 2)).collect();
    let odd: Vec<f64> = (0..500).map(|n| f64::from(n * 2 + 1)).collect();
    let later: Vec<f64> = even.iter().map(|value| value + 150.0).collect();
    assert!(mann_whitney(&even, &odd) > 0.9);
    assert!(mann_whitney(&even, &later) < 0.01);
}
