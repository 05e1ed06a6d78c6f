//! A skill that is not published: `forbidden` to whoever may not see it, and nothing more is told than that.

use serde_json::json;

use crate::world::people::fill_in;
use crate::world::{Database, SKILL, World, client, on_both};

on_both!(an_unpublished_skill_is_for_administrators_and_their_pilots);

const CARD: &str = "xyz_card_sbx_#1.0";

async fn an_unpublished_skill_is_for_administrators_and_their_pilots(database: Database) {
    let unpublished = [("TESSERA_SKILLS__UNPUBLISHED", "[\"xyz_card_sbx_#1.0\"]")];
    let world = World::with(database, &unpublished).await;
    let keys = world.tenant().await;
    let detail = async |skill: &str, keys: Option<&crate::world::Keys>| {
        let path = format!("/v1/catalog/skills/{}", skill.replace('#', "%23"));
        let mut request = client().get(world.api(&path));
        if let Some(keys) = keys {
            request = request.basic_auth(&keys.client_id, Some(&keys.client_secret));
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let body: serde_json::Value = answer.json().await.unwrap();
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    };
    let open = async |skill: &str, keys: &crate::world::Keys| {
        let body = json!({"client_id": keys.client_id, "client_app_key": keys.client_app_key, "skill": skill});
        let (status, body) = world.post("/v1/sessions", &body).await;
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    };
    let forbidden = (403, "forbidden".to_owned());
    assert_eq!(detail(CARD, None).await, forbidden);
    assert_eq!(detail(CARD, Some(&keys)).await, forbidden);
    assert_eq!(open(CARD, &keys).await, forbidden);
    // What nobody knows is not forbidden but unknown.
    assert_eq!(detail("xyz_none_sbx_#1.0", None).await.0, 404);
    assert_eq!(
        open("xyz_none_sbx_#1.0", &keys).await,
        (400, "invalid_skill_name".to_owned())
    );
    let (_, list) = world.post("/v1/catalogs/get", &json!({})).await;
    let names: Vec<_> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|skill| &skill["skill"])
        .collect();
    assert!(names.contains(&&json!(SKILL)) && !names.contains(&&json!(CARD)));

    // A developer cannot put it on a whitelist; an operator can, for a pilot.
    let mut owner = world.start("owner@example.com").await;
    let overview = crate::world::people::see(&mut owner, &world.api("/tenants")).await;
    let tenant = crate::world::people::tenant_in(&overview.html);
    let url = world.api(&format!("/tenants/{tenant}/skills"));
    let page = fill_in(&mut owner, &url, &[("on", "true"), ("skill", CARD)]).await;
    assert_eq!(page.status, 403, "{}", page.html);
    let pilot = world.tenant_with(&[SKILL, CARD]).await;
    assert_eq!(open(CARD, &pilot).await.0, 200);
    assert_eq!(detail(CARD, Some(&pilot)).await.0, 200);
}
