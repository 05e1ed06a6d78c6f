//! The portal's searches and filters: alike on both databases, and no list is empty because its filter can meet nothing.

use super::*;

on_both!(
    the_log_is_searched_alike_and_names_what_nothing_meets,
    operators_find_a_servicer_by_its_owner,
);

/// Waits until the log has as many rows as calls were made; answers its page.
async fn log_of(world: &World, browser: &Browser, rows: usize) -> String {
    for _ in 0..500 {
        let page = look(world, browser, "/requests").await.html;
        if page.matches("data-id=").count() >= rows {
            return page;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the log has not {rows} rows");
}

async fn the_log_is_searched_alike_and_names_what_nothing_meets(database: Database) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let world = World::shared(database).await;
    let mut browser = Browser::default();
    let form = [
        ("name", "Example Ltd"),
        ("email", "log@example.com"),
        ("password", PASSWORD),
        ("legal_form", "company"),
        ("country", "RO"),
    ];
    let keys = fill_in(&mut browser, &world.api("/start"), &form)
        .await
        .html;
    let (tenant, secret) = (tenant_in(&keys), secret(&keys).unwrap());
    let encoded = format!("/v1/catalog/skills/{}", SKILL.replace('#', "%23"));
    for path in [encoded.as_str(), "/v1/consents"] {
        let call = client()
            .get(world.api(path))
            .basic_auth(&tenant, Some(&secret));
        assert_eq!(call.send().await.unwrap().status(), StatusCode::OK);
    }
    // Letters as they are, which some clients send.
    let address = world.server.url.strip_prefix("http://").unwrap();
    let mut raw = tokio::net::TcpStream::connect(address).await.unwrap();
    let basic = reqwest::Client::new()
        .get("http://x")
        .basic_auth(&tenant, Some(&secret));
    let basic = basic.build().unwrap().headers()["authorization"].clone();
    let head = format!(
        "GET /v1/catalog/skills/ÄÖ HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: {}\r\n\r\n",
        basic.to_str().unwrap()
    );
    raw.write_all(head.as_bytes()).await.unwrap();
    raw.read_to_end(&mut Vec::new()).await.unwrap();
    log_of(&world, &browser, 3).await;

    let first = tenant.split('-').next().unwrap();
    for (query, rows) in [
        ("q=xyz_ro_aisp_sbx_%231.0", 1),
        ("q=XYZ_RO_AISP_SBX_%23", 1),
        ("q=xyz_ro_aisp_sbx_%25231.0", 1),
        ("q=%C3%84%C3%96", 1),
        ("q=skills/%C3%84", 1),
        ("q=%C3%A4", 0),
        ("q=GET%20/v1/consents", 1),
        ("q=/v1/consents%3Flimit=1", 1),
        ("q=%25", 2),
        ("q=_", 2),
        ("q=%5C", 0),
        ("status=2XX", 2),
        ("status=404&method=get&source=API", 1),
    ] {
        let page = look(&world, &browser, &format!("/requests?{query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{query}");
        assert_eq!(page.html.matches("data-id=").count(), rows, "{query}");
    }
    let foreign = owner(&world, "foreign@example.com").await.1;
    for query in [
        "tenant=junk",
        &format!("tenant={foreign}"),
        &format!("tenant={first}"),
        "session=junk",
        "key=junk",
        "before=junk",
        "status=abc",
        "status=600",
        "method=FETCH",
        "source=browser",
    ] {
        let page = look(&world, &browser, &format!("/requests?{query}")).await;
        assert_eq!(page.status, StatusCode::UNPROCESSABLE_ENTITY, "{query}");
        assert!(
            !page.html.contains("data-id="),
            "{query}: no list that looks like an answer"
        );
        assert!(
            page.html.contains("href=\"/requests\""),
            "{query}: a way on"
        );
    }
    let tail = look(&world, &browser, "/requests/tail?after=junk").await;
    assert_eq!(tail.status, StatusCode::UNPROCESSABLE_ENTITY);
}

async fn operators_find_a_servicer_by_its_owner(database: Database) {
    let world = World::own(database).await;
    let operator = world.admin("ops@example.com").await;
    let (_, _) = owner(&world, "Éva.Nagy@example.com").await;
    owner(&world, "somebody@example.org").await;
    let all = look(&world, &operator, "/admin/servicers").await.html;
    assert_eq!(all.matches("/suspend\"").count(), 2);
    for (query, found) in [
        ("%C3%A9va.nagy", 1),
        ("EXAMPLE.ORG", 1),
        ("@example", 2),
        ("nobody@example.org", 0),
        ("example%20ltd", 2),
    ] {
        let path = format!("/admin/servicers?q={query}");
        let page = look(&world, &operator, &path).await.html;
        assert_eq!(page.matches("/suspend\"").count(), found, "{query}");
    }
    let (before, _) = all.split_once("/suspend\"").unwrap();
    let id = before.rsplit('/').next().unwrap().to_owned();
    let part = &id[9..];
    for query in [part, &id.to_uppercase(), &id.replace('-', "")] {
        let path = format!("/admin/servicers?q={query}");
        let page = look(&world, &operator, &path).await.html;
        assert_eq!(page.matches("/suspend\"").count(), 1, "{query}");
    }
    let suspend = format!("/admin/servicers/{id}/suspend");
    let form = [("reason", "No contract.")];
    assert_eq!(send(&world, &operator, &suspend, &form).await.status, 303);
    for again in [
        send(&world, &operator, &suspend, &form).await,
        look(&world, &operator, &suspend).await,
    ] {
        assert_eq!(again.status, StatusCode::CONFLICT);
        assert!(
            again.html.contains("is suspended already"),
            "{}",
            again.html
        );
        assert!(
            !again.html.contains("name=\"reason\""),
            "no form that must fail"
        );
    }
}
