//! The request log, through the door.

use super::*;

on_both!(every_call_is_in_the_log_and_no_secret_is,);

async fn every_call_is_in_the_log_and_no_secret_is(db: Db) {
    use app::portal::requests::{RequestFilter, Requests as _};
    let api = Api::new(db.clone()).await;
    let (state, services, owner) = (api.world.state(), &api.world.services, &api.world.owner);
    let session = "019b7652-0000-7000-8000-000000000000";
    let canaries = [
        "RO49AAAA1B31007593840000",
        "Canary Holder",
        "nonce-of-the-answer-before",
    ];
    let data = json!({ "iban": canaries[0], "name": canaries[1] });
    let path = format!("/v1/sessions/{session}/steps?token=canary-in-query");
    api.post_with(
        &path,
        &api.submitting(data),
        &[("x-request-id", "my-own-id"), ("user-agent", "my app")],
    )
    .await;
    state.clock.advance(Duration::seconds(1));
    api.post(
        "/v1/token",
        &with(
            api.exchanging(),
            "client_secret",
            "tsr_sbx_cs_wrong-canary-wrong-canary",
        ),
    )
    .await;
    state.clock.advance(Duration::seconds(1));
    api.post("/v1/token", &api.exchanging()).await;
    state.request_log.flush(state).await;

    let rows = services
        .requests(owner, &RequestFilter::default())
        .await
        .unwrap();
    assert_eq!(
        rows.iter().map(|row| row.status).collect::<Vec<_>>(),
        [200, 401, 200],
        "newest first"
    );
    let refused = services.request(owner, rows[1].id).await.unwrap();
    let explanation = refused.explanation.unwrap();
    assert_eq!(
        (explanation.code.as_str(), explanation.whose.as_str()),
        ("invalid_api_keys", "caller")
    );
    let good = services.request(owner, rows[0].id).await.unwrap();
    assert!(good.key.unwrap().starts_with("client_secret …"));
    let step = services.request(owner, rows[2].id).await.unwrap();
    assert_eq!(step.session.unwrap().to_string(), session);
    assert_eq!(
        (step.row.operation.as_str(), step.user_agent.as_str()),
        ("/v1/sessions/{session_id}/steps", "my app")
    );
    assert!(
        step.request_headers
            .contains(&("X-Request-Id".into(), "my-own-id".into()))
    );

    let mut tx = db.read().await.unwrap();
    let all: Vec<String> = crate::storage::run!(tx, |conn| sqlx::query_scalar(
        "SELECT path || ' ' || request_body || ' ' || response_body FROM requests"
    )
    .fetch_all(conn)
    .await)
    .unwrap();
    let all = all.join("\n");
    let secrets = [
        api.world.client_secret.as_str(),
        "canary-in-query",
        "wrong-canary-wrong",
    ];
    for canary in canaries.iter().chain(&secrets) {
        assert!(!all.contains(canary), "{canary} in {all}");
    }

    let filter = |filter: RequestFilter| async move {
        services.requests(owner, &filter).await.unwrap().len()
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(
        filter(RequestFilter {
            status: text("4xx"),
            ..Default::default()
        })
        .await,
        1
    );
    assert_eq!(
        filter(RequestFilter {
            status: text("200"),
            ..Default::default()
        })
        .await,
        2
    );
    assert_eq!(
        filter(RequestFilter {
            q: text("INVALID_api"),
            ..Default::default()
        })
        .await,
        1
    );
    assert_eq!(
        filter(RequestFilter {
            q: text(session),
            ..Default::default()
        })
        .await,
        1
    );
    assert_eq!(
        filter(RequestFilter {
            q: text("my-own-id"),
            ..Default::default()
        })
        .await,
        1
    );
    assert_eq!(
        filter(RequestFilter {
            source: text("console"),
            ..Default::default()
        })
        .await,
        0
    );
    assert_eq!(
        filter(RequestFilter {
            before: Some(rows[1].id),
            ..Default::default()
        })
        .await,
        1
    );
    assert_eq!(
        filter(RequestFilter {
            after: Some(rows[1].id),
            ..Default::default()
        })
        .await,
        1
    );
    let other = api.world.beside().await;
    assert!(
        services
            .requests(&other.owner, &RequestFilter::default())
            .await
            .unwrap()
            .is_empty()
    );
    assert!(services.request(&other.owner, rows[0].id).await.is_err());
    let day = services.keys(owner, api.world.tenant).await.unwrap();
    assert_eq!(day.iter().map(|key| key.calls_24h).sum::<i64>(), 1);
}
