//! What is refused of payments: by the end-user, by the bank, by the API; and pairs that open something else.

use super::*;

on_both!(
    a_refused_payment_ends_at_the_tenants_link,
    not_enough_money_is_said_on_the_page,
    bad_orders_are_refused_at_their_field_and_change_nothing,
    pairs_of_other_kinds_and_ids_of_others_open_nothing
);

async fn a_refused_payment_ends_at_the_tenants_link(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant_with(&[SKILL]).await;
    let mut browser = Browser::default();
    let page = signed_in(
        &mut browser,
        &order(&world, &keys, single(&json!({}))).await,
    )
    .await;
    assert!(
        page.html.contains("12.50 RON") && page.html.contains("Corner Shop"),
        "{}",
        page.html
    );
    let End::Left(end) = browser.submit(&page, &[("decision", "refuse")]).await else {
        panic!("still there")
    };
    assert_eq!(
        browser::query(&end, "error").as_deref(),
        Some("access_denied")
    );
    assert_eq!(browser::query(&end, "temp_token"), None);
}

async fn not_enough_money_is_said_on_the_page(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant_with(&[SKILL]).await;
    let dear = json!({"credit_transfer_transaction_information": [transfer("99999999", SHOP)]});
    let mut browser = Browser::default();
    let page = signed_in(&mut browser, &order(&world, &keys, dear).await).await;
    let (_, account) = browser::inputs(&page.html, "name=\"account\"").remove(0);
    for fields in [
        vec![("decision", "approve"), ("account", account.as_str())],
        vec![("decision", "approve")],
    ] {
        let End::Page(again) = browser.submit(&page, &fields).await else {
            panic!("left")
        };
        assert_eq!(again.status, 422);
        assert!(again.html.contains("role=\"alert\"") && again.html.contains("value=\"refuse\""));
    }
}

async fn bad_orders_are_refused_at_their_field_and_change_nothing(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant_with(&[SKILL]).await;
    let (session, nonce) = session(&world, &keys).await;
    let path = format!("/v1/sessions/{session}/steps");
    let link = json!(RETURN);
    let info = "data.payment_info[0]";
    let one = format!("{info}.credit_transfer_transaction_information[0]");
    let with = |name: &str, value: Value| {
        let mut info = single(&json!({}));
        info[name] = value;
        json!({"psu_redirect_link": link, "payment_info": [info]})
    };
    let changed = |pointer: &str, value: Value| {
        let mut data = with("payment_method", json!("TRF"));
        let transfer = "/payment_info/0/credit_transfer_transaction_information/0";
        *data.pointer_mut(&format!("{transfer}{pointer}")).unwrap() = value;
        data
    };
    let dated = |mut data: Value| {
        data["payment_info"][0]["frequency"] = json!("Monthly");
        data["payment_info"][0]["start_date"] = json!(in_days(3));
        data
    };
    let with_agent = |bic: &str| {
        let mut data = with("payment_method", json!("TRF"));
        data["payment_info"][0]["credit_transfer_transaction_information"][0]["creditor_agent"] =
            json!({"bic": bic});
        data
    };
    let cases = [
        (
            json!({"psu_redirect_link": link}),
            "data.payment_info".to_owned(),
        ),
        (
            json!({"psu_redirect_link": link, "payment_info": []}),
            "data.payment_info".to_owned(),
        ),
        (
            json!({"psu_redirect_link": link, "payment_info": {}}),
            "data.payment_info".to_owned(),
        ),
        (
            json!({"psu_redirect_link": link, "payment_info": [single(&json!({})), single(&json!({}))]}),
            "data.payment_info".to_owned(),
        ),
        (
            with("paymentMethod", json!("TRF")),
            format!("{info}.paymentMethod"),
        ),
        (
            with("payment_method", json!("CHK")),
            format!("{info}.payment_method"),
        ),
        (
            with("requested_execution_date", json!("tomorrow")),
            format!("{info}.requested_execution_date"),
        ),
        (
            with("requested_execution_date", json!("2027-02-30")),
            format!("{info}.requested_execution_date"),
        ),
        (
            with("requested_execution_date", json!("2020-01-01")),
            format!("{info}.requested_execution_date"),
        ),
        (
            with(
                "debtor_account",
                json!({"iban": "RO49AAAA1B31007593840001"}),
            ),
            format!("{info}.debtor_account.iban"),
        ),
        (
            with("end_date", json!(in_days(9))),
            format!("{info}.frequency"),
        ),
        (
            dated(with("requested_execution_date", json!(in_days(3)))),
            format!("{info}.requested_execution_date"),
        ),
        (
            dated(with("end_date", json!(in_days(1)))),
            format!("{info}.end_date"),
        ),
        (
            dated(with(
                "credit_transfer_transaction_information",
                json!([transfer("1", SHOP), transfer("2", SHOP)]),
            )),
            format!("{info}.credit_transfer_transaction_information"),
        ),
        (
            changed("/amount/instructed_amount/amount", json!(12.5)),
            format!("{one}.amount.instructed_amount.amount"),
        ),
        (
            changed("/amount/instructed_amount/amount", json!("0.00")),
            format!("{one}.amount.instructed_amount.amount"),
        ),
        (
            changed("/amount/instructed_amount/amount", json!("12.505")),
            format!("{one}.amount.instructed_amount.amount"),
        ),
        (
            changed("/amount/instructed_amount/currency", json!("USD")),
            format!("{one}.amount.instructed_amount.currency"),
        ),
        (
            changed("/creditor_account/iban", json!("DE00370400440532013000")),
            format!("{one}.creditor_account.iban"),
        ),
        (
            changed("/creditor/name", json!("")),
            format!("{one}.creditor.name"),
        ),
        (
            with(
                "debtor_account",
                json!({"iban": "ro49 aaaa 1b31 0075 9384 0000"}),
            ),
            format!("{one}.creditor_account.iban"),
        ),
        (
            changed("/creditor_account/iban", json!(format!("{SHOP}/RON"))),
            format!("{one}.creditor_account.iban"),
        ),
        (
            changed(
                "/remittance_information/unstructured",
                json!("€".repeat(47)),
            ),
            format!("{one}.remittance_information.unstructured"),
        ),
        (with_agent("DEUTZZFF"), format!("{one}.creditor_agent.bic")),
    ];
    for (data, field) in cases {
        let (status, problem) = world
            .post(&path, &intent(&keys, &nonce, data.clone()))
            .await;
        assert_eq!(
            (status, &problem["code"]),
            (400, &json!("invalid_input")),
            "{data} {problem}"
        );
        let fields = problem["fields"].as_array().unwrap();
        assert!(
            fields.iter().any(|found| found["path"] == json!(field)),
            "{field}: {problem}"
        );
        let mut paths: Vec<&Value> = fields.iter().map(|found| &found["path"]).collect();
        paths.dedup();
        assert_eq!(paths.len(), fields.len(), "one reason a field: {problem}");
    }
    // The nonce is as good as it was; and what people hold is taken: a whole number is one however it is written.
    let mut data = with_agent("BIC xyzb-ro-bu");
    data["group_header"] = json!({"txs_no": 1.0});
    let account = "/payment_info/0/credit_transfer_transaction_information/0/creditor_account/iban";
    *data.pointer_mut(account).unwrap() = json!("IBAN: ro49-aaaa-1b31-0075-9384-0000");
    let (status, step) = world.post(&path, &intent(&keys, &nonce, data)).await;
    assert_eq!(status, 200, "{step}");
}

async fn pairs_of_other_kinds_and_ids_of_others_open_nothing(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant_with(&[SKILL, crate::world::SKILL]).await;
    let pair = pay(&world, &keys, single(&json!({}))).await;
    for path in [
        "/v1/accounts/get",
        "/v1/balances/get",
        "/v1/transactions/get",
    ] {
        let (status, problem) = world.post(path, &keys.data(&pair)).await;
        assert_eq!(
            (status, &problem["code"]),
            (400, &json!("wrong_kind_of_consent")),
            "{path} {problem}"
        );
    }
    let accounts = world.pair(&keys, "student").await;
    for path in ["/v1/payments/get", "/v1/payments/cancel"] {
        let (status, problem) = world.post(path, &keys.data(&accounts)).await;
        assert_eq!(
            (status, &problem["code"]),
            (400, &json!("wrong_kind_of_consent")),
            "{path} {problem}"
        );
    }
    let (_, own) = world.post("/v1/payments/get", &keys.data(&pair)).await;
    let other = pay(&world, &keys, single(&json!({}))).await;
    let stranger = world.tenant_with(&[SKILL]).await;
    for method in [Method::GET, Method::DELETE] {
        for id in [
            &own["id"],
            &json!("00000000-0000-0000-0000-000000000000"),
            &json!("x"),
        ] {
            let (status, problem) = answer(rest(&world, &keys, &other, method.clone(), id)).await;
            assert_eq!(
                (status, &problem["code"]),
                (404, &json!("not_found")),
                "{problem}"
            );
        }
        let (status, problem) = answer(rest(&world, &stranger, &pair, method, &own["id"])).await;
        assert_eq!(
            (status, &problem["code"]),
            (401, &json!("invalid_credentials_id")),
            "{problem}"
        );
    }
    let (status, problem) = world
        .post("/v1/payments/get", &json!({"client_id": keys.client_id}))
        .await;
    assert_eq!(
        (status, &problem["code"]),
        (400, &json!("missing_fields")),
        "{problem}"
    );
}
