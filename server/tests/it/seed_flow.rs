//! The flow of the first documents, with only the fields they print.

use serde_json::json;

use crate::world::browser::{self, Browser, Decision, End, Page};
use crate::world::{Database, Keys, World, on_both};

on_both!(
    a_client_of_the_first_documents_reads_rows,
    a_refusal_ends_at_the_tenants_link,
    a_refused_session_can_be_tried_again,
    a_consent_form_wants_an_account_ticked,
    a_consent_ended_at_the_bank_is_inactive_at_the_next_call,
    the_bank_says_who_asks_for_what_until_when_and_where_it_ends
);

async fn a_client_of_the_first_documents_reads_rows(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;

    // Three elements open a session.
    let open = json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": "xyz_aisp_sbx_#1.0"});
    let (status, session) = world.post("/v1/sessions", &open).await;
    assert_eq!(
        (status, &session["status"]),
        (200, &json!("SESSION_CREATED")),
        "{session}"
    );

    // A step carries the nonce of the answer before it.
    let path = format!(
        "/v1/sessions/{}/steps",
        session["session_id"].as_str().unwrap()
    );
    let step = json!({
        "client_id": keys.client_id, "nonce": session["nonce"], "skill": "xyz_aisp_sbx_#1.0", "step": "sca",
        "data": {"psu_redirect_link": "myapp://return"},
    });
    let (status, step) = world.post(&path, &step).await;
    assert_eq!(
        (status, &step["status"]),
        (200, &json!("SESSION_IN_PROGRESS")),
        "{step}"
    );
    assert_eq!(step["data"]["method"], "GET");

    // The user agrees at the bank and comes back with the temporary token.
    let end = browser::consent(
        step["data"]["url"].as_str().unwrap(),
        "family",
        Decision::Approve,
    )
    .await;
    assert!(end.starts_with("myapp://return?"), "{end}");
    assert_eq!(
        browser::query(&end, "session_id").as_deref(),
        session["session_id"].as_str()
    );
    let temp_token = browser::query(&end, "temp_token").unwrap();

    // The backend exchanges it and reads.
    let exchange = json!({"client_id": keys.client_id, "client_secret": keys.client_secret, "temp_token": temp_token});
    let (status, pair) = world.post("/v1/token", &exchange).await;
    assert_eq!(status, 200, "{pair}");
    let read = json!({
        "client_id": keys.client_id, "client_secret": keys.client_secret,
        "credentials_id": pair["credentials_id"], "access_token": pair["access_token"],
    });
    let (status, accounts) = world.post("/v1/accounts", &read).await;
    assert_eq!(status, 200, "{accounts}");
    let accounts = accounts.as_array().unwrap();
    assert_eq!(accounts.len(), 4, "the family has four accounts");
    let overdrawn = accounts.iter().filter(|account| {
        account["data"]["balances"]
            .as_array()
            .unwrap()
            .iter()
            .any(|balance| balance["credit_debit_indicator"] == "debit")
    });
    assert_eq!(overdrawn.count(), 1);
    let currencies: std::collections::BTreeSet<_> = accounts
        .iter()
        .map(|account| account["data"]["currency"].as_str().unwrap())
        .collect();
    assert_eq!(currencies.len(), 2);

    let (status, rows) = world.post("/v1/transactions", &read).await;
    assert_eq!(status, 200, "{rows}");
    let rows = rows.as_array().unwrap();
    assert!(rows.len() > 100, "{}", rows.len());
    for row in rows {
        assert!(
            row["data"]["amount"]
                .as_str()
                .unwrap()
                .parse::<f64>()
                .unwrap()
                >= 0.0
        );
        assert!(matches!(
            row["data"]["credit_debit_indicator"].as_str(),
            Some("credit" | "debit")
        ));
        assert!(
            accounts
                .iter()
                .any(|account| account["id"] == row["account_id"])
        );
        assert_eq!(
            row["utx_id"].as_str().unwrap().len(),
            44,
            "base64 of 32 bytes"
        );
    }
    assert!(rows.iter().any(|row| row["data"]["status"] == "pending"));
}

async fn a_refusal_ends_at_the_tenants_link(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let (session, url) = bank_link(&world, &keys).await;
    let end = browser::consent(&url, "student", Decision::Refuse).await;
    assert!(end.starts_with("myapp://return?"), "{end}");
    assert_eq!(
        browser::query(&end, "error").as_deref(),
        Some("access_denied")
    );
    assert_eq!(browser::query(&end, "session_id"), Some(session));
    assert_eq!(browser::query(&end, "temp_token"), None);
}

async fn a_refused_session_can_be_tried_again(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let (session, url) = bank_link(&world, &keys).await;
    browser::consent(&url, "student", Decision::Refuse).await;
    let proof = json!({"client_id": keys.client_id, "client_secret": keys.client_secret});
    let (status, next) = world
        .post(&format!("/v1/sessions/{session}/get"), &proof)
        .await;
    assert_eq!(
        (status, &next["status"]),
        (200, &json!("SESSION_IN_PROGRESS")),
        "{next}"
    );
    let nonce = next["nonce"]
        .as_str()
        .unwrap_or_else(|| panic!("no nonce to go on with: {next}"));
    let (status, step) = world
        .post(
            &format!("/v1/sessions/{session}/steps"),
            &World::sca(&keys, nonce),
        )
        .await;
    assert_eq!(status, 200, "{step}");
    let end = browser::consent(
        step["data"]["url"].as_str().unwrap(),
        "student",
        Decision::Approve,
    )
    .await;
    assert!(browser::query(&end, "temp_token").is_some(), "{end}");
}

async fn a_consent_form_wants_an_account_ticked(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let (_, url) = bank_link(&world, &keys).await;
    let mut user = Browser::default();
    let End::Page(page) = user.open(&url).await else {
        panic!("no page")
    };
    let End::Page(page) = user
        .submit(&page, &[("username", "family"), ("password", "wrong")])
        .await
    else {
        panic!("left")
    };
    assert!(
        page.html.contains("name=\"password\""),
        "a wrong password asks again"
    );
    let End::Page(page) = user
        .submit(&page, &[("username", "family"), ("password", "sandbox")])
        .await
    else {
        panic!("left")
    };
    assert_eq!(
        page.html.matches(" checked>").count(),
        4,
        "every account is ticked: the end-user takes off what they keep to themselves"
    );
    let End::Page(page) = user.submit(&page, &[("decision", "approve")]).await else {
        panic!("left")
    };
    assert_eq!(page.status, 422);
    assert!(
        page.html.contains("name=\"accounts\""),
        "the form is still there"
    );
}

async fn bank_link(world: &World, keys: &crate::world::Keys) -> (String, String) {
    let (session, _, step) = world.at_bank(keys).await;
    let url = step["data"]["url"].as_str().unwrap().to_owned();
    (session, url)
}

/// A session's step on the way to the bank: the bank's page, opened in a browser and signed in to as the family.
async fn at_the_bank(world: &World, keys: &Keys, browser: &mut Browser) -> Page {
    let (_, _, step) = world.at_bank(keys).await;
    let End::Page(page) = browser.open(step["data"]["url"].as_str().unwrap()).await else {
        panic!("left")
    };
    let fields = [("username", "family"), ("password", "sandbox")];
    match browser.submit(&page, &fields).await {
        End::Page(page) => page,
        End::Left(link) => panic!("left for {link}"),
    }
}

async fn the_bank_says_who_asks_for_what_until_when_and_where_it_ends(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let page = at_the_bank(&world, &keys, &mut Browser::default()).await;
    let name = world.api("");
    let host = name.trim_start_matches("http://");
    for text in [
        "<strong>Budget app</strong> asks through",
        "is its own claim",
        "balances",
        "transactions",
        "(90 days from now)",
        &format!("<code>{host}</code>"),
    ] {
        assert!(page.html.contains(text), "{text}: {}", page.html);
    }
    assert!(!page.html.contains("180 days"));
}

async fn a_consent_ended_at_the_bank_is_inactive_at_the_next_call(database: Database) {
    let world = World::shared(database).await;
    let keys = world.tenant().await;
    let mut user = Browser::default();
    let page = at_the_bank(&world, &keys, &mut user).await;
    let bank = page.url.split("/authorise").next().unwrap().to_owned();
    let accounts = browser::inputs(&page.html, "name=\"accounts\"");
    let mut fields: Vec<(&str, &str)> = accounts
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    fields.push(("decision", "approve"));
    let End::Left(link) = user.submit(&page, &fields).await else {
        panic!("the bank did not let go")
    };
    let exchange = json!({"client_id": keys.client_id, "client_secret": keys.client_secret,
                          "temp_token": browser::query(&link, "temp_token").unwrap()});
    let (status, pair) = world.post("/v1/token", &exchange).await;
    assert_eq!(status, 200, "{pair}");
    let pair =
        ["credentials_id", "access_token"].map(|name| pair[name].as_str().unwrap().to_owned());
    let read = keys.data(&(pair[0].clone(), pair[1].clone()));
    assert_eq!(world.post("/v1/accounts/get", &read).await.0, 200);

    // Another browser has nothing to end.
    let consents = format!("{bank}/consents");
    let End::Page(page) = Browser::default().open(&consents).await else {
        panic!("left")
    };
    assert!(!page.html.contains("End now"));
    let End::Page(page) = user.open(&consents).await else {
        panic!("left")
    };
    assert_eq!(page.html.matches("End now").count(), 1, "{}", page.html);
    let End::Page(page) = user.submit(&page, &[]).await else {
        panic!("left")
    };
    assert!(page.html.contains("Ended.") && !page.html.contains("End now"));

    // What was fetched before is old by the next call.
    let sql = world.sql().await;
    let old = format!(
        "UPDATE consents SET fetched_at = NULL WHERE id = {}",
        sql.id(&pair[0])
    );
    assert_eq!(sql.run(&old).await, 1);
    let (status, refused) = world.post("/v1/accounts/get", &read).await;
    assert_eq!(status, 401, "{refused}");
    assert_eq!(refused["code"], "inactive_credentials");
    assert_eq!(
        refused["message"],
        "The end-user ended this consent at their bank."
    );
    let (status, record) = world.post("/v1/consents/get", &read).await;
    assert_eq!(status, 200, "{record}");
    assert_eq!(record["result"]["status"], "DELETED");
    assert_eq!(record["result"]["ended_by"], "bank");
}
