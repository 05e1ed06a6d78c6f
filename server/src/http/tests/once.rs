//! `Idempotency-Key`.

use super::*;

on_both!(a_key_makes_a_call_happen_once,);

async fn a_key_makes_a_call_happen_once(db: Db) {
    let api = Api::new(db).await;
    let path = "/v1/sessions/019b7652-0000-7000-8000-000000000000/steps";
    let send = |data: Value, key: &'static str| {
        let body = api.submitting(data);
        let api = &api;
        async move {
            api.post_with(path, &body, &[("idempotency-key", key)])
                .await
        }
    };
    let (first, second) = (send(json!({}), "one").await, send(json!({}), "one").await);
    assert_eq!(first.body, second.body);
    assert_eq!(second.headers["idempotent-replayed"], "true");
    assert!(!first.headers.contains_key("idempotent-replayed"));
    assert_ne!(
        first.headers["x-request-id"],
        second.headers["x-request-id"]
    );
    let mismatch = send(json!({ "other": 1 }), "one").await;
    assert_eq!(
        (mismatch.status, mismatch.code()),
        (422, "idempotency_mismatch")
    );
    assert_ne!(send(json!({}), "two").await.body["run"], first.body["run"]);

    for _ in 0..2 {
        assert_eq!(
            send(json!({ "fail": 1 }), "three").await.code(),
            "invalid_nonce",
            "refusals are not kept"
        );
    }
    let before = api.runs.load(Ordering::SeqCst);
    let race =
        futures_util::future::join_all((0..32).map(|_| send(json!({ "wait": 1 }), "race"))).await;
    assert_eq!(
        api.runs.load(Ordering::SeqCst) - before,
        1,
        "one of 32 at once ran"
    );
    for answer in &race {
        assert!(
            matches!(
                (answer.status, answer.code()),
                (200, "") | (409, "idempotency_in_flight")
            ),
            "{:?}",
            answer.body
        );
    }
    let invalid = api
        .post_with(
            path,
            &api.submitting(json!({})),
            &[("idempotency-key", "with space")],
        )
        .await;
    assert_eq!(
        (invalid.code(), invalid.paths()),
        ("invalid_field", vec!["Idempotency-Key"])
    );
    api.world.state().clock.advance(Duration::hours(24));
    assert_ne!(
        send(json!({}), "one").await.body["run"],
        first.body["run"],
        "kept for a day"
    );
}
