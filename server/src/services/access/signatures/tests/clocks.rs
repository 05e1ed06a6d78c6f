//! Clocks that disagree, jump, and go back; and who can push what out of the owner's list.

use app::domain::signature::Check;
use chrono::Duration;

use super::*;
use crate::storage::retention::rule;

on_both!(
    nothing_is_good_before_its_time,
    times_at_the_ends_of_the_calendar_are_refused_and_break_nothing,
    a_clock_that_goes_back_makes_no_used_signature_good_again,
    jumps_of_an_hour_refuse_nobody,
    the_clock_of_a_tenant_moves_no_signature,
    strangers_push_nothing_out_of_the_owners_list,
);

impl SigningTenant {
    /// A signature with other times: `nbf` is left out if there is none.
    fn timed(&self, times: &[(&str, Value)]) -> String {
        let mut claims = self.claims(&self.listing());
        for (name, at) in times {
            claims[*name] = at.clone();
        }
        self.signer.jws(&self.signer.header(), &claims)
    }

    async fn tidy(&self) {
        let state = &self.world.state;
        let mut tx = state.db.write().await.unwrap();
        let kept = rule("used_signatures");
        let bound = kept.kept.bound(state.clock.now(), Duration::days(365));
        tx.forget(kept, bound, 500).await.unwrap();
        tx.commit().await.unwrap();
    }
}

async fn nothing_is_good_before_its_time(db: Db) {
    let signing = SigningTenant::new(db).await;
    let now = signing.now();
    for (nbf, status) in [
        (now - 3600, 200),
        (now, 200),
        (now + 10, 200),
        (now + 60, 200),
        (now + 61, 401),
        (now + 3600, 401),
    ] {
        let answer = signing.list(&signing.timed(&[("nbf", json!(nbf))])).await;
        assert_eq!(answer.status, status, "{}: {}", nbf - now, answer.body);
        assert!(status == 200 || answer.fails("time"));
    }
    let jws = signing.timed(&[("nbf", json!(now + 3600))]);
    let findings = signing.diagnose(&jws, &signing.listing()).await;
    let finding = failed(&findings).unwrap();
    assert_eq!(
        (finding.check, finding.found.as_str()),
        (Check::Time, format!("nbf {}", now + 3600).as_str())
    );
    let clock = signing.world.state.clock.now().format("%FT%TZ").to_string();
    assert!(
        finding.advice.contains("in 3600 s") && finding.advice.matches(&clock).count() == 2,
        "{}",
        finding.advice
    );
    for odd in [json!("soon"), json!(null), json!([now])] {
        let answer = signing.list(&signing.timed(&[("nbf", odd.clone())])).await;
        assert!(answer.fails("time"), "{odd}: {}", answer.body);
    }
}

async fn times_at_the_ends_of_the_calendar_are_refused_and_break_nothing(db: Db) {
    let signing = SigningTenant::new(db).await;
    let now = signing.now();
    let odd = [
        i64::MIN,
        i64::MIN + 1,
        -1,
        0,
        1,
        now - 1,
        now,
        i64::MAX - 61,
        i64::MAX - 1,
        i64::MAX,
    ];
    for iat in odd {
        for exp in odd {
            for nbf in [i64::MIN, now, i64::MAX] {
                let jws = signing.timed(&[
                    ("iat", json!(iat)),
                    ("exp", json!(exp)),
                    ("nbf", json!(nbf)),
                ]);
                let findings = signing.diagnose(&jws, &signing.listing()).await;
                let good = iat < exp
                    && exp.saturating_sub(now) <= 3600
                    && now - 60 < exp
                    && nbf <= now
                    && exp.saturating_sub(iat) <= 3600;
                let failed = failed(&findings).map(|finding| finding.check);
                assert_eq!(failed, (!good).then_some(Check::Time), "{iat} {exp} {nbf}");
            }
        }
    }
    for far in [json!(1e300), json!(-1e300), json!(u64::MAX)] {
        for name in ["iat", "exp", "nbf"] {
            assert!(
                signing
                    .list(&signing.timed(&[(name, far.clone())]))
                    .await
                    .fails("time"),
                "{name} {far}"
            );
        }
    }
}

async fn a_clock_that_goes_back_makes_no_used_signature_good_again(db: Db) {
    let signing = SigningTenant::new(db).await;
    let clock = &signing.world.state.clock;
    let now = signing.now();
    let long = signing.timed(&[("exp", json!(now + 3600))]);
    assert_eq!(signing.list(&long).await.status, 200);
    for days in [0, 1, 3, 400] {
        // The clock was wrong for a while, and what was over by it was forgotten.
        clock.advance(Duration::days(days) + Duration::hours(2));
        signing.tidy().await;
        clock.advance(-Duration::days(days) - Duration::hours(2));
        assert_eq!(signing.now(), now);
        assert!(signing.list(&long).await.fails("once"), "after {days} days");
    }
    // What ends later than all that was forgotten is taken; the rest hears why it is not.
    assert_eq!(
        signing
            .list(&signing.timed(&[("exp", json!(now + 3600)), ("iat", json!(now + 10))]))
            .await
            .code(),
        "invalid_signature"
    );
    clock.advance(Duration::seconds(30));
    assert_eq!(
        signing
            .list(&signing.timed(&[("exp", json!(now + 3601))]))
            .await
            .status,
        200
    );
    let short = signing.sign(&signing.listing());
    let findings = signing.diagnose(&short, &signing.listing()).await;
    let finding = failed(&findings).unwrap();
    assert!(
        finding.advice.contains("clock went back"),
        "{}",
        finding.advice
    );
    assert!(signing.list(&short).await.fails("once"));
    clock.advance(Duration::hours(1) + Duration::minutes(2));
    assert_eq!(
        signing.list(&signing.sign(&signing.listing())).await.status,
        200,
        "and that is over after an hour"
    );
}

async fn jumps_of_an_hour_refuse_nobody(db: Db) {
    let signing = SigningTenant::new(db).await;
    let clock = &signing.world.state.clock;
    let body = signing.listing();
    let used = signing.sign(&body);
    assert_eq!(signing.list(&used).await.status, 200);
    for hours in [1, -1, -1, 1, 23, -23] {
        clock.advance(Duration::hours(hours));
        signing.tidy().await;
        let findings = signing.diagnose(&signing.sign(&body), &body).await;
        assert_eq!(failed(&findings), None, "{hours}");
    }
    let findings = signing.diagnose(&used, &body).await;
    assert_eq!(failed(&findings).map(|it| it.check), Some(Check::Once));
}

async fn the_clock_of_a_tenant_moves_no_signature(db: Db) {
    let signing = SigningTenant::new(db).await;
    let used = signing.sign(&signing.listing());
    assert_eq!(signing.list(&used).await.status, 200);
    let days = std::time::Duration::from_hours(30 * 24);
    let clock = &signing.world.state.clock;
    clock.set_ahead(signing.world.client.tenant().0, days);
    assert!(signing.list(&used).await.fails("once"));
    let real = signing.sign(&signing.listing());
    assert_eq!(signing.list(&real).await.status, 200);
    let then = clock.of(signing.world.client.tenant().0).now().timestamp();
    let theirs = signing.timed(&[("iat", json!(then)), ("exp", json!(then + 60))]);
    assert!(signing.list(&theirs).await.fails("time"));
}

async fn strangers_push_nothing_out_of_the_owners_list(db: Db) {
    let signing = SigningTenant::new(db).await;
    let clock = &signing.world.state.clock;
    // The owner's own mistake: a good key, and another body.
    let mine = signing.list(&signing.sign("{}")).await;
    assert!(mine.fails("digest"));
    let by_secret = signing.list("a.b.c").await;
    assert!(by_secret.fails("form"));
    // Somebody who knows the client_id and nothing else, for some minutes.
    let session = "018f3c1e-8a44-7d2b-9d59-2b7a3f1c0a11";
    let body = json!({ "client_id": signing.world.client.tenant(), "nonce": "n", "skill": "x", "step": "y", "data": {} }).to_string();
    for _ in 0..3 {
        for _ in 0..60 {
            signing
                .post(&format!("/v1s/sessions/{session}/steps"), &body, "a.b.c")
                .await;
        }
        clock.advance(Duration::minutes(1));
    }
    let listed = signing
        .world
        .services
        .refused_signatures(&signing.world.owner, None)
        .await
        .unwrap();
    for request in [&mine.request, &by_secret.request] {
        assert!(
            listed
                .iter()
                .any(|refused| refused.request.to_string() == *request),
            "{request}"
        );
    }
    assert!(listed.len() <= 40, "{}", listed.len());
}
