//! The catalog, over skills of two providers, two countries and both flavours.

use app::domain::skill::SkillName;
use app::portal::tenants::Tenants as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use crate::skills::{Registry, offline};
use crate::testing::{source, state};

on_both!(
    every_filter_finds_what_it_says_in_both_styles,
    pages_follow_each_other,
    a_wrong_question_is_refused,
    what_is_no_text_is_answered_as_the_api_answers,
    a_skill_tells_all_that_implementing_it_needs,
    keys_show_which_skills_are_whitelisted,
    what_is_known_is_not_sent_again
);

const SHIPPED: [&str; 5] = [
    "xyz_aisp_sbx_#1.0",
    "xyz_card_sbx_#1.0",
    "xyz_ro_aisp_sbx_#1.0",
    "xyz_ro_pisp_sbx_#1.0",
    "xyz_sbx_#3.0",
];
const GERMAN: &str = "abc_de_aisp_sbx_#1.0";
const LIVE: &str = "abc_de_aisp_#2.0";

/// The shipped skills, and two of another bank's: one for trying, one for real.
fn registry() -> Registry {
    let mut manifests = Registry::shipped().unwrap();
    for name in [GERMAN, LIVE] {
        let mut other = manifests[0].clone();
        other.names = vec![SkillName::parse(name).unwrap()];
        other.title = "Konten".into();
        other.country = Some("de".into());
        other.provider.code = "abc".into();
        other.provider.name = "ABC Sparbank".into();
        manifests.push(other);
    }
    offline::with(manifests).unwrap()
}

async fn open(db: Db) -> (World, Router) {
    let world = World::builder(state(db)).skills(registry());
    let world = world.build().await;
    let router = world.api();
    (world, router)
}

fn names(list: &Value) -> Vec<&str> {
    let rows = list.as_array().unwrap().iter();
    rows.map(|row| row["skill"].as_str().unwrap()).collect()
}

async fn post(router: &Router, body: &Value) -> (u16, Value) {
    let request =
        Request::post("/v1/catalogs/get").header(header::CONTENT_TYPE, "application/json");
    let request = request.body(Body::from(body.to_string())).unwrap();
    let (status, _, answer) = send(router, request).await;
    (status, answer)
}

/// The public catalog's skills that a test picks.
fn picked(pick: fn(&str) -> bool) -> Vec<&'static str> {
    let all = [GERMAN].into_iter().chain(SHIPPED);
    all.filter(|name| pick(name)).collect()
}

async fn every_filter_finds_what_it_says_in_both_styles(db: Db) {
    let (_, router) = open(db).await;
    let marketplace: fn(&str) -> bool = |name| !name.contains("isp");
    for (filter, found) in [
        (json!({}), picked(|_| true)),
        (
            json!({ "type": "account_information" }),
            picked(|name| name.contains("aisp")),
        ),
        (
            json!({ "type": "payment_initiation" }),
            picked(|name| name.contains("pisp")),
        ),
        (json!({ "type": "marketplace" }), picked(marketplace)),
        (json!({ "type": "customer_care" }), vec![]),
        (json!({ "country": "de" }), vec![GERMAN]),
        (
            json!({ "country": "ro" }),
            picked(|name| name.contains("isp") && name != GERMAN),
        ),
        (json!({ "country": "fr" }), vec![]),
        (json!({ "flavour": "sandbox" }), picked(|_| true)),
        (json!({ "flavour": "production" }), vec![]),
        (json!({ "servicer": "abc" }), vec![GERMAN]),
        (json!({ "servicer": "xyz" }), SHIPPED.to_vec()),
        (json!({ "servicer": "XYZ" }), SHIPPED.to_vec()),
        (json!({ "servicer": "none" }), vec![]),
        // Text is found in name, title and provider, in any case.
        (json!({ "q": "RO_aisp" }), vec!["xyz_ro_aisp_sbx_#1.0"]),
        (json!({ "q": "konten" }), vec![GERMAN]),
        (json!({ "q": "SPARBANK" }), vec![GERMAN]),
        (json!({ "q": "nowhere" }), vec![]),
        (
            json!({ "type": "account_information", "country": "ro", "servicer": "xyz", "flavour": "sandbox", "q": "ro_" }),
            vec!["xyz_ro_aisp_sbx_#1.0"],
        ),
        (
            json!({ "type": "payment_initiation", "servicer": "abc" }),
            vec![],
        ),
    ] {
        let query: Vec<_> = filter.as_object().unwrap().iter().collect();
        let query = query
            .iter()
            .map(|(key, value)| (key, value.as_str().unwrap()));
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .finish();
        let (_, _, page) = get(&router, &format!("/v1/catalog/skills?{query}")).await;
        assert_eq!(names(&page["items"]), found, "{filter}");
        let (_, list) = post(&router, &filter).await;
        assert_eq!(names(&list), found, "{filter}");
        assert_eq!(page["items"], list, "{filter}: the same in both styles");
    }
    let (_, _, page) = get(&router, "/v1/catalog/servicers").await;
    let servicers =
        json!([{ "code": "abc", "name": "ABC Sparbank" }, { "code": "xyz", "name": "XYZ Bank" }]);
    assert_eq!(page["items"], servicers);
}

async fn pages_follow_each_other(db: Db) {
    let (_, router) = open(db).await;
    let (mut read, mut after) = (Vec::new(), String::new());
    loop {
        let (_, _, page) = get(&router, &format!("/v1/catalog/skills?limit=3{after}")).await;
        read.extend(names(&page["items"]).into_iter().map(str::to_owned));
        if page["has_more"] == false {
            assert!(page["next_cursor"].is_null());
            break;
        }
        after = format!("&after={}", page["next_cursor"].as_str().unwrap());
    }
    assert_eq!(read, picked(|_| true));
    let (_, first) = post(&router, &json!({ "limit": 2 })).await;
    assert_eq!(names(&first), read[..2]);
}

async fn a_wrong_question_is_refused(db: Db) {
    let (world, router) = open(db).await;
    for wrong in ["limit=0", "limit=501", "after=!", "kind=x"] {
        let (status, _, _) = get(&router, &format!("/v1/catalog/skills?{wrong}")).await;
        assert_eq!(status, 400, "{wrong}");
    }
    for wrong in [
        json!({ "kind": "x" }),
        json!({ "type": 1 }),
        json!({ "limit": 0 }),
        json!({ "client_id": world.client.tenant() }),
    ] {
        assert_eq!(post(&router, &wrong).await.0, 400, "{wrong}");
    }
    for nobodys in ["abc_%231.0", "nonsense", "abc_de_aisp_%232.0"] {
        let (status, _, error) = get(&router, &format!("/v1/catalog/skills/{nobodys}")).await;
        assert_eq!(
            (status, &error["code"]),
            (404, &json!("not_found")),
            "{nobodys}"
        );
    }
}

async fn what_is_no_text_is_answered_as_the_api_answers(db: Db) {
    let (world, router) = open(db).await;
    for path in [
        "/v1/catalog/skills/%ff",
        "/v1/catalog/skills/%C3",
        "/v1/catalog/skills/xyz%ED%A0%80",
    ] {
        let (status, _, error) = get(&router, path).await;
        assert_eq!(
            (status, &error["code"]),
            (404, &json!("not_found")),
            "{path}"
        );
    }
    for path in ["/v1/payments/%ff", "/v1/consents/%ff"] {
        let (status, _, error) = get(&router, path).await;
        assert_eq!(
            (status, &error["code"]),
            (401, &json!("invalid_api_keys")),
            "{path}"
        );
    }
    let (_, _, twice) = get(&router, "/v1/catalog/skills/xyz_sbx_%25233.0").await;
    let hint = twice["hint"].as_str().unwrap();
    assert!(hint.contains("encoded twice"), "{hint}");
    for query in [
        "q=%ff", "q=%", "q=%zz", "q=%4", "q=a%C3", "%ff=1", "q=x&q%=1",
    ] {
        let path = format!("/v1/catalog/skills?{query}");
        let (status, _, error) = get_as(&router, &world, &path, None).await;
        assert_eq!(
            (status, &error["code"]),
            (400, &json!("invalid_field")),
            "{query}"
        );
        let said = error["message"].as_str().unwrap();
        assert!(said.contains("percent-encoded"), "{query}: {said}");
    }
    for query in ["q=%25", "q=+%20", "q=%C3%A4", "", "&", "q=xyz&"] {
        let path = format!("/v1/catalog/skills?{query}");
        assert_eq!(get(&router, &path).await.0, 200, "{query}");
    }
}

async fn a_skill_tells_all_that_implementing_it_needs(db: Db) {
    let (_, router) = open(db).await;
    let shipped = Registry::shipped().unwrap();
    for manifest in &shipped {
        for name in &manifest.names {
            let path = format!("/v1/catalog/skills/{}", name.as_str().replace('#', "%23"));
            let (status, _, skill) = get(&router, &path).await;
            assert_eq!((status, &skill["skill"]), (200, &json!(name)));
            assert_eq!(skill["type"], json!(manifest.kind), "{name}");
            assert_eq!(skill["country"], json!(manifest.country), "{name}");
            assert_eq!(skill["session_minutes"], manifest.session_minutes, "{name}");
            assert_eq!(
                skill["data_contract"],
                json!(manifest.data_contract),
                "{name}"
            );
            assert!(manifest.data_contract.len() > 40, "{name}");
            let steps = skill["step_details"].as_array().unwrap();
            assert_eq!(steps.len(), manifest.steps.len(), "{name}");
            for (told, step) in steps.iter().zip(&manifest.steps) {
                assert_eq!(told["step"], json!(step.name), "{name}");
                assert_eq!(told["schema"], step.schema, "{name}");
                let behaviour = (step.redirect, step.pending, step.last);
                let said = ["redirect", "pending", "last"].map(|key| told[key] == true);
                assert_eq!(said, <[bool; 3]>::from(behaviour), "{name}");
                assert_eq!(told["uploads"], json!(step.uploads), "{name}");
                assert_eq!(told["max_uploads"], step.max_uploads, "{name}");
                // Whoever only reads the catalog can send the example as it is.
                let schema = jsonschema::draft202012::new(&told["schema"]).unwrap();
                assert!(schema.is_valid(&told["example"]), "{name} {}", step.name);
            }
        }
    }
}

async fn keys_show_which_skills_are_whitelisted(db: Db) {
    let (world, router) = open(db).await;
    let (services, owner) = (&world.services, &world.owner);
    services
        .whitelist(
            owner,
            world.client.tenant(),
            "xyz_sbx_#3.0",
            false,
            &source(),
        )
        .await
        .unwrap();
    let (_, _, public) = get(&router, "/v1/catalog/skills").await;
    let without = |row: &Value| row.get("whitelisted").is_none();
    assert!(public["items"].as_array().unwrap().iter().all(without));
    for (key, value) in [
        ("client_secret", &world.client.secret),
        ("client_app_key", &world.client.app_key),
    ] {
        let (_, list) = post(
            &router,
            &json!({ "client_id": world.client.tenant(), key: value }),
        )
        .await;
        let listed: Vec<_> = list.as_array().unwrap().iter().collect();
        let own = listed.iter().filter(|row| row["whitelisted"] == true);
        let own: Vec<_> = own.map(|row| row["skill"].as_str().unwrap()).collect();
        assert_eq!(own, picked(|name| name != "xyz_sbx_#3.0"), "{key}");
        let others = listed.iter().filter(|row| row["whitelisted"] == false);
        let others: Vec<_> = others.map(|row| row["skill"].as_str().unwrap()).collect();
        assert_eq!(
            others,
            [LIVE, "xyz_sbx_#3.0"],
            "{key}: a tenant sees what is for real, too"
        );
    }
    let production = json!({ "client_id": world.client.tenant(), "client_app_key": world.client.app_key, "flavour": "production" });
    assert_eq!(names(&post(&router, &production).await.1), [LIVE]);
    let one = get_as(&router, &world, "/v1/catalog/skills/xyz_sbx_%233.0", None).await;
    assert_eq!(one.2["whitelisted"], false);
}

/// A `GET` with the tenant's keys and perhaps a tag.
async fn get_as(
    router: &Router,
    world: &World,
    path: &str,
    known: Option<&str>,
) -> (u16, HeaderMap, Value) {
    let keys = format!("{}:{}", world.client.tenant(), world.client.secret);
    let basic = format!("Basic {}", STANDARD.encode(keys));
    let mut request = Request::get(path).header(header::AUTHORIZATION, basic);
    if let Some(known) = known {
        request = request.header(header::IF_NONE_MATCH, known);
    }
    send(router, request.body(Body::empty()).unwrap()).await
}

async fn what_is_known_is_not_sent_again(db: Db) {
    let (world, router) = open(db).await;
    let tag = |headers: &HeaderMap| headers[header::ETAG].to_str().unwrap().to_owned();
    let mut tags = Vec::new();
    for path in [
        "/v1/catalog/skills",
        "/v1/catalog/skills?type=marketplace",
        "/v1/catalog/skills/xyz_sbx_%233.0",
        "/v1/catalog/servicers",
    ] {
        let (status, headers, _) = get(&router, path).await;
        assert_eq!(status, 200, "{path}");
        assert_eq!(headers[header::CACHE_CONTROL], "private, no-cache");
        assert_eq!(headers["access-control-allow-origin"], "*");
        let again = Request::get(path).header(header::IF_NONE_MATCH, tag(&headers));
        let (status, repeated, body) = send(&router, again.body(Body::empty()).unwrap()).await;
        assert_eq!((status, body), (304, Value::Null), "{path}");
        assert_eq!(tag(&repeated), tag(&headers), "{path}");
        tags.push(tag(&headers));
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 4, "another answer has another tag");

    // What a tenant may use is part of the answer, so a change of the whitelist is one of the tag.
    let path = "/v1/catalog/skills";
    let (_, headers, _) = get_as(&router, &world, path, None).await;
    let own = tag(&headers);
    assert!(!tags.contains(&own));
    assert_eq!(get_as(&router, &world, path, Some(&own)).await.0, 304);
    world
        .services
        .whitelist(
            &world.owner,
            world.client.tenant(),
            "xyz_sbx_#3.0",
            false,
            &source(),
        )
        .await
        .unwrap();
    let (status, headers, _) = get_as(&router, &world, path, Some(&own)).await;
    assert_eq!(status, 200);
    assert_ne!(tag(&headers), own);
}
