//! The services, held to the contract that the fake of the page tests is held to.

use super::*;
use crate::services::contract::Side;
use crate::storage::testing::on_both;

on_both!(the_services_keep_the_contract_of_every_portal,);

async fn the_services_keep_the_contract_of_every_portal(db: Db) {
    let world = World::new(db).await;
    let started = world.start("dev@example.com").await;
    world.confirm("dev@example.com", PASSWORD).await.unwrap();
    let mut owner = world.browser(started.person, "dev@example.com").await;
    owner.verified = true;
    let side = Side {
        portal: &world.services,
        owner,
        password: PASSWORD,
        tenant: started.tenant,
        secret: started.client_secret.clone(),
    };
    side.people().await;
    side.tenants().await;
    side.keys().await;
    side.requests().await;
}
