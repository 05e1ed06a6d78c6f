//! `Idempotency-Key`.

use super::*;

on_both!(
    a_key_makes_a_call_happen_once,
    another_pair_in_the_headers_is_another_request
);

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
    api.world.state.clock.advance(Duration::hours(24));
    assert_ne!(
        send(json!({}), "one").await.body["run"],
        first.body["run"],
        "kept for a day"
    );
}

async fn another_pair_in_the_headers_is_another_request(db: Db) {
    let api = Api::new(db).await;
    let (_, basic) = api.basic(&api.world.client.secret);
    let end = async |pair: &str, token: &str, user: Option<&str>| {
        let mut request = Request::delete("/v1/accounts")
            .header("authorization", &basic)
            .header("idempotency-key", "one")
            .header("x-credentials-id", pair)
            .header("x-access-token", token);
        if let Some(user) = user {
            request = request.header("x-tenant-user-id", user);
        }
        api.send(request.body(Body::empty()).unwrap()).await
    };
    let (id, other) = (
        "019b7652-0000-7000-8000-000000000001",
        "019b7652-0000-7000-8000-000000000002",
    );
    let first = end(id, "token", None).await;
    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!(end(id, "token", None).await.body, first.body);
    for another in [
        end(other, "token", None).await,
        end(id, "made up", None).await,
        end(id, "token", Some("somebody")).await,
    ] {
        assert_eq!(
            (another.status, another.code()),
            (422, "idempotency_mismatch")
        );
    }
    assert_eq!(api.runs.load(Ordering::SeqCst), 1);
}
