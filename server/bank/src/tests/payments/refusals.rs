//! Orders, and decisions on them, that the bank does not take.

use super::*;

on_both!(
    orders_that_are_wrong_are_refused,
    not_enough_money_and_no_account_are_said_inline,
    what_is_cancelled_cannot_be_confirmed,
    a_payment_nobody_confirms_is_rejected
);

#[expect(clippy::too_many_lines, reason = "one table of what is wrong")]
async fn orders_that_are_wrong_are_refused(db: Db) {
    let world = World::open(db).await;
    let periodic = "/v1/periodic-payments/domestic-credit-transfers";
    let standing = |members: Value| {
        let mut order = with(json!({ "startDate": "2026-02-01", "frequency": "Monthly" }));
        for (name, value) in members.as_object().unwrap() {
            order[name] = value.clone();
        }
        order
    };
    for (path, order, code) in [
        (RON, json!({}), "FORMAT_ERROR"),
        (RON, json!([]), "FORMAT_ERROR"),
        (RON, transfer("12.505", "RON", SHOP), "FORMAT_ERROR"),
        (RON, transfer("0", "RON", SHOP), "FORMAT_ERROR"),
        (RON, transfer("-1", "RON", SHOP), "FORMAT_ERROR"),
        (
            RON,
            transfer("1", "RON", "DE00370400440532013000"),
            "FORMAT_ERROR",
        ),
        (RON, transfer("1", "EUR", SHOP), "PARAMETER_NOT_SUPPORTED"),
        (SEPA, transfer("1", "RON", SHOP), "PARAMETER_NOT_SUPPORTED"),
        (RON, with(json!({ "creditorName": " " })), "FORMAT_ERROR"),
        (
            RON,
            with(json!({ "debtorAccount": { "iban": SHOP } })),
            "RESOURCE_UNKNOWN",
        ),
        (
            RON,
            with(json!({ "requestedExecutionDate": "2025-12-31" })),
            "EXECUTION_DATE_INVALID",
        ),
        (
            RON,
            with(json!({ "requestedExecutionDate": "2027-06-01" })),
            "EXECUTION_DATE_INVALID",
        ),
        (periodic, with(json!({})), "FORMAT_ERROR"),
        (
            periodic,
            standing(json!({ "frequency": "MonthlyVariable" })),
            "FORMAT_ERROR",
        ),
        (
            periodic,
            standing(json!({ "endDate": "2026-01-31" })),
            "PERIOD_INVALID",
        ),
        (
            periodic,
            standing(json!({ "dayOfExecution": "5", "endDate": "2026-02-04" })),
            "PERIOD_INVALID",
        ),
        (
            periodic,
            standing(json!({ "dayOfExecution": "32" })),
            "FORMAT_ERROR",
        ),
        (
            periodic,
            standing(json!({ "dayOfExecution": "5", "frequency": "Weekly" })),
            "PARAMETER_NOT_SUPPORTED",
        ),
        (
            "/v1/bulk-payments/domestic-credit-transfers",
            json!({ "payments": [] }),
            "FORMAT_ERROR",
        ),
    ] {
        let answer = tpp_code(world.post(path, &order, world.clock.id()).await).await;
        assert_eq!(
            answer,
            (StatusCode::BAD_REQUEST, code.to_owned()),
            "{path} {order}"
        );
    }
    for path in [
        "/v1/payments/pain.001-sepa-credit-transfers",
        "/v1/cheques/sepa-credit-transfers",
    ] {
        let answer = tpp_code(world.post(path, &with(json!({})), world.clock.id()).await).await;
        assert_eq!(
            answer,
            (StatusCode::NOT_FOUND, "PRODUCT_UNKNOWN".to_owned())
        );
    }
    let unknown = (StatusCode::NOT_FOUND, "RESOURCE_UNKNOWN".to_owned());
    let payment = world.order(RON, &with(json!({}))).await;
    let elsewhere = payment.replace("domestic", "sepa");
    for path in [
        elsewhere,
        format!("{RON}/{}", Uuid::nil()),
        format!("{RON}/x"),
    ] {
        assert_eq!(tpp_code(world.cancel(&path).await).await, unknown, "{path}");
    }
    assert_eq!(world.status(&payment).await, "RCVD");
    let stranger = world
        .http
        .get(world.url(&payment))
        .header("x-request-id", Uuid::nil().to_string());
    assert_eq!(
        stranger.send().await.unwrap().status(),
        StatusCode::UNAUTHORIZED
    );
    world.close().await;
}

async fn not_enough_money_and_no_account_are_said_inline(db: Db) {
    let world = World::open(db).await;
    let payment = world
        .order(RON, &transfer("99999999.99", "RON", SHOP))
        .await;
    let visit = world.confirm_page(&payment).await;
    for (fields, error) in [
        (vec![("decision", "approve")], "Choose the account"),
        // The euro account, and somebody else's: not on this page.
        (
            vec![("decision", "approve"), ("account", "204")],
            "Choose the account",
        ),
        (
            vec![("decision", "approve"), ("account", "101")],
            "Choose the account",
        ),
        (vec![("decision", "approve"), ACCOUNT], "not enough"),
        (
            vec![("decision", "perhaps"), ACCOUNT],
            "Choose Confirm or Refuse",
        ),
    ] {
        let answer = visit.answer(&fields).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let page = answer.text().await.unwrap();
        assert!(
            page.contains("role=\"alert\"") && page.contains(error),
            "{error}"
        );
    }
    assert_eq!(world.status(&payment).await, "RCVD");
    assert_eq!(
        end(&visit.answer(&[("decision", "refuse")]).await)["error"],
        "access_denied"
    );
    assert_eq!(world.status(&payment).await, "RJCT");
    assert_eq!(
        world.cancel(&payment).await.status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
    world.close().await;
}

async fn what_is_cancelled_cannot_be_confirmed(db: Db) {
    let world = World::open(db).await;
    let payment = world.order(RON, &with(json!({}))).await;
    let visit = world.confirm_page(&payment).await;
    assert_eq!(
        world.cancel(&payment).await.status(),
        StatusCode::NO_CONTENT
    );
    let answer = visit.answer(&[("decision", "approve"), ACCOUNT]).await;
    assert_eq!(answer.status(), StatusCode::GONE);
    assert_eq!(world.status(&payment).await, "CANC");
    world.clock.advance(Duration::days(1));
    assert_eq!(world.status(&payment).await, "CANC");
    world.close().await;
}

async fn a_payment_nobody_confirms_is_rejected(db: Db) {
    let world = World::open(db).await;
    let payment = world.order(SEPA, &transfer("10", "EUR", SHOP)).await;
    let visit = world.confirm_page(&payment).await;
    assert!(visit.page().await.contains("Euro account"));
    world.clock.advance(Duration::minutes(30));
    assert_eq!(world.status(&payment).await, "RJCT");
    assert_eq!(
        visit
            .answer(&[("decision", "approve"), ("account", "204")])
            .await
            .status(),
        StatusCode::GONE
    );
    assert_eq!(
        world.cancel(&payment).await.status(),
        StatusCode::METHOD_NOT_ALLOWED
    );
    world.close().await;
}
