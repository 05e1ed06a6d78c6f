//! The request log, through the router.

use app::portal::requests::{RequestFilter, RequestRow, Requests as _};

use super::*;

on_both!(
    every_call_is_in_the_log_with_its_cause,
    no_secret_is_in_the_log,
    the_log_is_searched_and_never_shows_others,
    a_stranger_cannot_fill_a_tenants_log,
);

const SESSION: &str = "019b7652-0000-7000-8000-000000000000";
const IBAN: &str = "RO49AAAA1B31007593840000";
const NAME: &str = "Canary Holder";
const WRONG: &str = "tsr_sbx_cs_wrong-canary-wrong-canary";

/// A step with data, a call with a wrong secret and one with the right one, a second apart; newest first.
async fn three_calls(api: &Api) -> Vec<RequestRow> {
    let path = format!("/v1/sessions/{SESSION}/steps?token=canary-in-query");
    let step = api.submitting(json!({ "iban": IBAN, "name": NAME }));
    let headers = [("x-request-id", "my-own-id"), ("user-agent", "my app")];
    api.post_with(&path, &step, &headers).await;
    api.world.state.clock.advance(Duration::seconds(1));
    api.post("/v1/token", &with(api.exchanging(), "client_secret", WRONG))
        .await;
    api.world.state.clock.advance(Duration::seconds(1));
    api.post("/v1/token", &api.exchanging()).await;
    api.world.state.request_log.flush(&api.world.state).await;
    list(api, RequestFilter::default()).await
}

async fn list(api: &Api, filter: RequestFilter) -> Vec<RequestRow> {
    api.world
        .services
        .requests(&api.world.owner, &filter)
        .await
        .unwrap()
}

async fn every_call_is_in_the_log_with_its_cause(db: Db) {
    let api = Api::new(db).await;
    let rows = three_calls(&api).await;
    let statuses: Vec<u16> = rows.iter().map(|row| row.status).collect();
    assert_eq!(statuses, [200, 401, 200]);
    let one = |at: usize| api.world.services.request(&api.world.owner, rows[at].id);
    let why = one(1).await.unwrap().explanation.unwrap();
    assert_eq!(
        (why.code.as_str(), why.whose.as_str()),
        ("invalid_api_keys", "caller")
    );
    assert!(
        one(0)
            .await
            .unwrap()
            .key
            .unwrap()
            .starts_with("client_secret …")
    );
    let step = one(2).await.unwrap();
    assert_eq!(step.session.unwrap().to_string(), SESSION);
    let operation = step.row.operation.as_str();
    assert_eq!(
        (operation, step.user_agent.as_str()),
        ("/v1/sessions/{session_id}/steps", "my app")
    );
    let own_id = ("X-Request-Id".to_owned(), "my-own-id".to_owned());
    assert!(step.request_headers.contains(&own_id));
    let keys = api
        .world
        .services
        .keys(&api.world.owner, api.world.client.tenant())
        .await
        .unwrap();
    assert_eq!(keys.iter().map(|key| key.calls_24h).sum::<i64>(), 1);
}

async fn no_secret_is_in_the_log(db: Db) {
    let api = Api::new(db.clone()).await;
    three_calls(&api).await;
    let mut tx = db.read().await.unwrap();
    let all: Vec<String> = crate::storage::run!(tx, |conn| sqlx::query_scalar(
        "SELECT path || ' ' || request_body || ' ' || response_body FROM requests"
    )
    .fetch_all(conn)
    .await)
    .unwrap();
    assert_eq!(all.len(), 3);
    let all = all.join("\n");
    let secret = api.world.client.secret.as_str();
    let nonce = "nonce-of-the-answer-before";
    for canary in [IBAN, NAME, WRONG, secret, nonce, "canary-in-query"] {
        assert!(!all.contains(canary), "{canary} in {all}");
    }
}

#[expect(clippy::too_many_lines, reason = "one story, told in one piece")]
async fn the_log_is_searched_and_never_shows_others(db: Db) {
    let api = Api::new(db).await;
    let rows = three_calls(&api).await;
    let keys = api
        .world
        .services
        .keys(&api.world.owner, api.world.client.tenant())
        .await
        .unwrap();
    let used = |used: bool| {
        let keys = keys.iter().filter(|key| (key.calls_24h == 1) == used);
        keys.map(|key| key.id).collect::<Vec<_>>()
    };
    let all = RequestFilter::default;
    let text = |text: &str| Some(text.to_owned());
    let cases = [
        (
            RequestFilter {
                status: text("4xx"),
                ..all()
            },
            1,
        ),
        (
            RequestFilter {
                status: text("200"),
                ..all()
            },
            2,
        ),
        (
            RequestFilter {
                status: text("nonsense"),
                ..all()
            },
            0,
        ),
        (
            RequestFilter {
                method: text("POST"),
                ..all()
            },
            3,
        ),
        (
            RequestFilter {
                q: text("INVALID_api"),
                ..all()
            },
            1,
        ),
        (
            RequestFilter {
                q: text(SESSION),
                ..all()
            },
            1,
        ),
        (
            RequestFilter {
                q: text("my-own-id"),
                ..all()
            },
            1,
        ),
        (
            RequestFilter {
                q: text("%"),
                ..all()
            },
            0,
        ),
        (
            RequestFilter {
                source: text("console"),
                ..all()
            },
            0,
        ),
        (
            RequestFilter {
                tenant: Some(api.world.client.tenant()),
                ..all()
            },
            3,
        ),
        (
            RequestFilter {
                session: Some(SESSION.parse().unwrap()),
                ..all()
            },
            1,
        ),
        (
            RequestFilter {
                keys: used(true),
                ..all()
            },
            1,
        ),
        (
            RequestFilter {
                keys: used(false),
                ..all()
            },
            0,
        ),
        (
            RequestFilter {
                keys: keys.iter().map(|key| key.id).collect(),
                ..all()
            },
            1,
        ),
        (
            RequestFilter {
                before: Some(rows[1].id),
                ..all()
            },
            1,
        ),
        (
            RequestFilter {
                after: Some(rows[1].id),
                ..all()
            },
            1,
        ),
    ];
    for (filter, found) in cases {
        let label = format!("{filter:?}");
        assert_eq!(list(&api, filter).await.len(), found, "{label}");
    }
    let other = api.world.beside().await;
    let (services, stranger) = (&other.services, &other.owner);
    assert!(
        services
            .requests(stranger, &all())
            .await
            .unwrap()
            .is_empty()
    );
    assert!(services.request(stranger, rows[0].id).await.is_err());
}

async fn a_stranger_cannot_fill_a_tenants_log(db: Db) {
    let api = Api::new(db).await;
    let wrong = with(api.exchanging(), "client_secret", WRONG);
    let nameless = json!({ "client_id": api.world.client.tenant() });
    let rows = async || {
        api.world.state.request_log.flush(&api.world.state).await;
        let mut tx = api.world.state.db.read().await.unwrap();
        let count: i64 = crate::storage::run!(tx, |conn| sqlx::query_scalar(
            "SELECT COUNT(*) FROM requests WHERE tenant_id IS NOT NULL"
        )
        .fetch_one(conn)
        .await)
        .unwrap();
        count
    };
    for _ in 0..100 {
        api.post("/v1/token", &wrong).await;
        api.post("/v1/sessions", &nameless).await;
    }
    assert_eq!(
        rows().await,
        60,
        "so many calls that prove nothing are kept"
    );
    for _ in 0..100 {
        api.post("/v1/token", &api.exchanging()).await;
    }
    assert_eq!(rows().await, 160, "the tenant's own calls are all there");
    api.world.state.clock.advance(Duration::minutes(1));
    for _ in 0..10 {
        api.post("/v1/token", &wrong).await;
    }
    assert_eq!(
        rows().await,
        161,
        "and a mistake is seen again, sixty in an hour"
    );
    for n in 0..100_u128 {
        let nobody = with(
            wrong.clone(),
            "client_id",
            uuid::Uuid::from_u128(n).to_string(),
        );
        api.post("/v1/token", &nobody).await;
        api.post("/v1/token", &json!({ "client_id": 7 })).await;
    }
    let mut tx = api.world.state.db.read().await.unwrap();
    let all: i64 = crate::storage::run!(tx, |conn| sqlx::query_scalar(
        "SELECT COUNT(*) FROM requests"
    )
    .fetch_one(conn)
    .await)
    .unwrap();
    assert_eq!(all, 161, "who names nobody leaves nothing");
}
