//! The way of an end-user: from consent to transactions, and the turns off it.

use chrono::Duration;
use reqwest::StatusCode;
use serde_json::{Value, json};
use url::Url;

use super::world::{
    REDIRECT, VERIFIER, World, accounts_on, code, end, json as body, location, tpp_code,
};
use crate::storage::Db;
use crate::tests::on_both;

on_both!(
    a_person_agrees_and_the_app_reads,
    the_page_says_who_asks_until_when_and_where_it_ends,
    a_consent_is_listed_and_ended_in_the_browser_it_was_given_in,
    pages_follow_each_other_to_the_end,
    pending_rows_and_bad_queries,
    a_person_refuses,
    a_wrong_password_is_said_inline,
    agreeing_to_nothing_is_said_inline,
    a_person_without_accounts_can_only_go_back,
    a_code_works_once_in_time_and_for_its_asker,
    a_form_sent_twice_ends_at_the_same_place,
    what_cannot_be_read_is_answered_with_a_page,
);

async fn approved(world: &World) -> String {
    let visit = world.visit(&world.consent().await).await;
    visit.sign_in("student", "sandbox").await;
    code(&visit.decide("approve", &["101".to_owned()]).await)
}

async fn the_page_says_who_asks_until_when_and_where_it_ends(db: Db) {
    let world = World::open(db).await;
    let consent = world.consent_for("B\u{e4}ckerei <b>").await;
    let visit = world.visit(&consent).await;
    let claimed = "<strong>B\u{e4}ckerei &lt;b&gt;</strong> asks through <strong>A &lt;Budget&gt; App</strong>";
    let page = visit.page().await;
    assert!(page.contains(claimed), "{page}");
    assert!(page.contains("we have not checked it"));
    visit.sign_in("family", "sandbox").await;
    let page = visit.page().await;
    let back = REDIRECT.split("//").nth(1).unwrap();
    let back = back.split(['/', '?']).next().unwrap();
    for text in [
        claimed,
        "balances, and transactions",
        "31 March 2026",
        &format!("<dd><code>{back}</code></dd>"),
        "Untick what you want to keep to yourself",
    ] {
        assert!(page.contains(text), "{text}: {page}");
    }
}

async fn a_consent_is_listed_and_ended_in_the_browser_it_was_given_in(db: Db) {
    let world = World::open(db).await;
    let consent = world.consent_for("Budget app").await;
    let begun = world.begin(&consent).await;
    let cookies: Vec<String> = begun
        .headers()
        .get_all("set-cookie")
        .iter()
        .map(|line| line.to_str().unwrap().split(';').next().unwrap().to_owned())
        .collect();
    assert_eq!(cookies.len(), 2, "one of the visit, one of the browser");
    let mut visit = world.visit(&consent).await;
    visit.address = Url::parse(&world.url(&location(&begun))).unwrap();
    visit.cookie = cookies.join("; ");
    visit.sign_in("family", "sandbox").await;
    let accounts = accounts_on(&visit.page().await);
    let code = code(&visit.decide("approve", &accounts).await);
    let token = body(world.redeem(&code, VERIFIER).await).await;
    let token = token["access_token"].as_str().unwrap().to_owned();
    let list = async |cookie: &str| {
        let asked = world
            .http
            .get(world.url("/consents"))
            .header("cookie", cookie);
        asked.send().await.unwrap().text().await.unwrap()
    };
    let end_it = async |cookie: &str| {
        let address = world.url(&format!("/consents/{consent}/end"));
        let asked = world.http.post(address).header("cookie", cookie);
        asked.send().await.unwrap().status()
    };
    assert!(list(&cookies[1]).await.contains("Budget app"));
    for other in ["", "xyzbank_browser=another", cookies[0].as_str()] {
        assert!(!list(other).await.contains("Budget app"), "{other}");
        end_it(other).await;
        assert_eq!(world.consent_status(&consent).await, "valid", "{other}");
    }
    assert_eq!(end_it(&cookies[1]).await, StatusCode::SEE_OTHER);
    assert_eq!(world.consent_status(&consent).await, "revokedByPsu");
    assert!(!list(&cookies[1]).await.contains("Budget app"));
    let answer = tpp_code(world.read("/v1/accounts", &token, &consent).await).await;
    assert_eq!(answer.0, StatusCode::UNAUTHORIZED);
    // Ending it once more changes nothing.
    assert_eq!(end_it(&cookies[1]).await, StatusCode::SEE_OTHER);
}

async fn a_person_agrees_and_the_app_reads(db: Db) {
    let world = World::open(db).await;
    let consent = world.consent().await;
    let visit = world.visit(&consent).await;
    let page = visit.get().await;
    let policy = page.headers()["content-security-policy"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("form-action"));
    assert_eq!(page.headers()["cache-control"], "no-store");
    let page = page.text().await.unwrap();
    assert!(page.contains("A &lt;Budget&gt; App"));
    for user in ["student", "family", "business", "empty"] {
        assert!(page.contains(&format!("Continue as {user}<")), "{user}");
    }
    assert_eq!(
        visit.sign_in("family", "sandbox").await.status(),
        StatusCode::SEE_OTHER
    );
    let accounts = accounts_on(&visit.page().await);
    assert_eq!(accounts.len(), 4);
    let answer = visit.decide("approve", &accounts[2..]).await;
    assert_eq!(end(&answer)["state"], "the state");
    let token = body(world.redeem(&code(&answer), VERIFIER).await).await;
    assert_eq!(token["token_type"], "Bearer");
    let token = token["access_token"].as_str().unwrap();

    let call = world.call(
        world
            .http
            .get(world.url(&format!("/v1/consents/{consent}"))),
    );
    let info = body(call.send().await.unwrap()).await;
    assert_eq!(info["consentStatus"], "valid");
    assert_eq!(info["validUntil"], "2026-03-31");
    assert_eq!(info["access"]["accounts"].as_array().unwrap().len(), 2);

    let response = world
        .read("/v1/accounts?withBalance=true", token, &consent)
        .await;
    assert!(response.headers().contains_key("x-request-id"));
    let list = body(response).await;
    let list = list["accounts"].as_array().unwrap();
    let currencies: Vec<_> = list
        .iter()
        .map(|account| account["currency"].as_str().unwrap())
        .collect();
    assert_eq!(currencies, ["RON", "EUR"]);
    let overdrawn = &list[0]["balances"][0];
    assert_eq!(overdrawn["balanceType"], "closingBooked");
    assert!(
        overdrawn["balanceAmount"]["amount"]
            .as_str()
            .unwrap()
            .starts_with('-')
    );
    let link = list[0]["_links"]["balances"]["href"].as_str().unwrap();
    let balances = body(world.read(link, token, &consent).await).await;
    assert_eq!(balances["balances"], list[0]["balances"]);
    world.close().await;
}

async fn pages_follow_each_other_to_the_end(db: Db) {
    let world = World::open(db).await;
    let (consent, token) = world.granted("student").await;
    let list = body(world.read("/v1/accounts", &token, &consent).await).await;
    let link = list["accounts"][0]["_links"]["transactions"]["href"]
        .as_str()
        .unwrap()
        .to_owned();
    let all = body(
        world
            .read(
                &format!("{link}?bookingStatus=both&itemsPerPage=2000"),
                &token,
                &consent,
            )
            .await,
    )
    .await;
    let entries = |report: &Value| {
        let list = |name: &str| {
            report["transactions"][name]
                .as_array()
                .cloned()
                .unwrap_or_default()
        };
        [list("pending"), list("booked")].concat()
    };
    let (mut found, mut pages) = (Vec::new(), 0);
    let mut next = Some(format!(
        "{link}?bookingStatus=both&dateFrom=2025-09-01&itemsPerPage=50"
    ));
    while let Some(link) = next {
        let report = body(world.read(&link, &token, &consent).await).await;
        found.extend(entries(&report));
        next = report["transactions"]["_links"]["next"]["href"]
            .as_str()
            .map(str::to_owned);
        pages += 1;
    }
    assert!(pages > 2 && !found.is_empty());
    assert_eq!(found, entries(&all)[..found.len()]);
    assert!(
        found
            .iter()
            .filter_map(|entry| entry["bookingDate"].as_str())
            .all(|date| date >= "2025-09-01")
    );
    world.close().await;
}

async fn pending_rows_and_bad_queries(db: Db) {
    let world = World::open(db).await;
    let (consent, token) = world.granted("student").await;
    let list = body(world.read("/v1/accounts", &token, &consent).await).await;
    let link = list["accounts"][0]["_links"]["transactions"]["href"]
        .as_str()
        .unwrap();
    let pending = body(
        world
            .read(&format!("{link}?bookingStatus=pending"), &token, &consent)
            .await,
    )
    .await;
    assert!(pending["transactions"].get("booked").is_none());
    let pending = pending["transactions"]["pending"].as_array().unwrap();
    assert!(
        !pending.is_empty()
            && pending
                .iter()
                .all(|entry| entry.get("bookingDate").is_none())
    );
    for (query, code) in [
        ("", "FORMAT_ERROR"),
        ("?bookingStatus=information", "PARAMETER_NOT_SUPPORTED"),
        ("?bookingStatus=both&pageKey=x", "FORMAT_ERROR"),
        ("?bookingStatus=both&dateFrom=soon", "FORMAT_ERROR"),
    ] {
        let answer = tpp_code(
            world
                .read(&format!("{link}{query}"), &token, &consent)
                .await,
        )
        .await;
        assert_eq!(
            answer,
            (StatusCode::BAD_REQUEST, code.to_owned()),
            "{query}"
        );
    }
    world.close().await;
}

async fn a_person_refuses(db: Db) {
    let world = World::open(db).await;
    for signed_in in [false, true] {
        let consent = world.consent().await;
        let visit = world.visit(&consent).await;
        if signed_in {
            visit.sign_in("student", "sandbox").await;
        }
        let answer = end(&visit.decide("refuse", &[]).await);
        assert_eq!(
            (answer["error"].as_str(), answer["state"].as_str()),
            ("access_denied", "the state")
        );
        assert!(!answer.contains_key("code"));
        assert_eq!(world.consent_status(&consent).await, "rejected");
        let page = visit.get().await;
        assert_eq!(page.status(), StatusCode::GONE);
        let page = page.text().await.unwrap();
        assert!(page.contains("You have refused already"), "{page}");
        assert!(page.contains("error=access_denied&amp;state=the+state"));
        assert_eq!(world.begin(&consent).await.status(), StatusCode::GONE);
    }
    world.close().await;
}

async fn a_wrong_password_is_said_inline(db: Db) {
    let world = World::open(db).await;
    let visit = world.visit(&world.consent().await).await;
    for (username, password) in [
        ("student", "wrong"),
        ("nobody\"><script>", "sandbox"),
        ("", ""),
    ] {
        let answer = visit.sign_in(username, password).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let page = answer.text().await.unwrap();
        assert!(page.contains("role=\"alert\"") && !page.contains("<script>"));
        assert!(
            !username.starts_with("stu") || page.contains("value=\"student\""),
            "the name is kept"
        );
    }
    assert!(
        accounts_on(&visit.page().await).is_empty(),
        "still signed out"
    );
    assert_eq!(
        visit.sign_in("student", "sandbox").await.status(),
        StatusCode::SEE_OTHER
    );
    world.close().await;
}

async fn agreeing_to_nothing_is_said_inline(db: Db) {
    let world = World::open(db).await;
    let consent = world.consent().await;
    let visit = world.visit(&consent).await;
    visit.sign_in("student", "sandbox").await;
    // Another user's account is not on this page: ticking it is ticking nothing.
    for accounts in [vec![], vec!["301".to_owned()], vec!["x".to_owned()]] {
        let answer = visit.decide("approve", &accounts).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            answer
                .text()
                .await
                .unwrap()
                .contains("Tick at least one account")
        );
    }
    let answer = visit.decide("perhaps", &["101".to_owned()]).await;
    assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .contains("value=\"101\" checked"),
        "the ticks are kept"
    );
    assert_eq!(world.consent_status(&consent).await, "received");
    let accounts = accounts_on(&visit.page().await);
    let approved = end(&visit.decide("approve", &accounts).await);
    let page = visit.get().await;
    assert_eq!(page.status(), StatusCode::GONE);
    let page = page.text().await.unwrap();
    assert!(page.contains("You have agreed already"), "{page}");
    assert!(
        page.contains(&format!("code={}&amp;state", approved["code"])),
        "the same way back, not that of a refusal"
    );
    world.close().await;
}

async fn a_person_without_accounts_can_only_go_back(db: Db) {
    let world = World::open(db).await;
    let visit = world.visit(&world.consent().await).await;
    visit.sign_in("empty", "sandbox").await;
    let page = visit.page().await;
    assert!(
        page.contains("no accounts")
            && page.contains("value=\"refuse\"")
            && !page.contains("value=\"approve\"")
    );
    assert_eq!(
        visit.decide("approve", &[]).await.status(),
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(
        end(&visit.decide("refuse", &[]).await)["error"],
        "access_denied"
    );
    world.close().await;
}

async fn a_code_works_once_in_time_and_for_its_asker(db: Db) {
    let world = World::open(db).await;
    let refused = |answer: Value| assert_eq!(answer, json!({ "error": "invalid_grant" }));
    let first = approved(&world).await;
    refused(body(world.redeem(&first, "another-verifier").await).await);
    refused(body(world.redeem("no-such-code", VERIFIER).await).await);
    let both = tokio::join!(
        world.redeem(&first, VERIFIER),
        world.redeem(&first, VERIFIER)
    );
    let statuses = [both.0.status(), both.1.status()];
    assert!(
        statuses.contains(&StatusCode::OK) && statuses.contains(&StatusCode::BAD_REQUEST),
        "{statuses:?}"
    );
    refused(body(world.redeem(&first, VERIFIER).await).await);
    let late = approved(&world).await;
    world.clock.advance(Duration::seconds(61));
    refused(body(world.redeem(&late, VERIFIER).await).await);
    world.close().await;
}

async fn a_form_sent_twice_ends_at_the_same_place(db: Db) {
    let world = World::open(db).await;
    let visit = world.visit(&world.consent().await).await;
    let (one, two) = tokio::join!(
        visit.sign_in("student", "sandbox"),
        visit.sign_in("student", "sandbox")
    );
    assert_eq!(
        (one.status(), two.status()),
        (StatusCode::SEE_OTHER, StatusCode::SEE_OTHER)
    );
    let tick = ["101".to_owned()];
    let (one, two) = tokio::join!(
        visit.decide("approve", &tick),
        visit.decide("approve", &tick)
    );
    assert_eq!(location(&one), location(&two));
    let refused_after = visit.decide("refuse", &[]).await;
    assert_eq!(
        location(&one),
        location(&refused_after),
        "what was decided stands"
    );
    assert_eq!(
        world.redeem(&code(&one), VERIFIER).await.status(),
        StatusCode::OK
    );
    world.close().await;
}

async fn what_cannot_be_read_is_answered_with_a_page(db: Db) {
    let world = World::open(db).await;
    let visit = world.visit(&world.consent().await).await;
    let form = "application/x-www-form-urlencoded";
    let post = |part: &str, media: &str, text: &str| {
        let builder = world.http.post(format!("{}/{part}", visit.address));
        let builder = builder.header("cookie", &visit.cookie);
        builder.header("content-type", media).body(text.to_owned())
    };
    let get = |path: &str| world.http.get(world.url(path));
    for (request, status, why) in [
        (post("sign-in", form, "username=%ff"), 400, "not UTF-8"),
        (post("decision", form, "decision=%ff"), 400, "not UTF-8"),
        (
            post("sign-in", form, "username=a&username=b"),
            400,
            "username more than once",
        ),
        (post("sign-in", "text/plain", "user=a"), 415, "announced"),
        (get("/authorise?state=%ff"), 400, "not UTF-8"),
        (
            get("/authorise?state=a&state=b"),
            400,
            "state more than once",
        ),
        (get("/consents?ended=%ff"), 400, "not UTF-8"),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{why}");
        let media = response.headers()["content-type"].to_str().unwrap();
        assert!(media.starts_with("text/html"), "{media}");
        let page = response.text().await.unwrap();
        assert!(page.contains(why), "{why}: {page}");
        assert!(page.contains("Nothing was shared or paid"), "{page}");
    }
    // Nothing happened to the visit.
    visit.sign_in("student", "sandbox").await;
    assert!(visit.page().await.contains("101"));
    for form in [
        "grant_type=authorization_code&grant_type=authorization_code&code=a&redirect_uri=b&code_verifier=c",
        "grant_type=authorization_code&code=%ff&redirect_uri=b&code_verifier=c",
        "grant_type=authorization_code&redirect_uri=b&code_verifier=c",
    ] {
        let builder = world.http.post(world.url("/token"));
        let builder = builder.basic_auth("tpp", Some("s3cret"));
        let media = "application/x-www-form-urlencoded";
        let builder = builder.header("content-type", media).body(form);
        let response = builder.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(body(response).await["error"], "invalid_request", "{form}");
    }
    world.close().await;
}
