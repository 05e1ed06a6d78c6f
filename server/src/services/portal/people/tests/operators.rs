//! Operators: how they come to be, and what they may decide.

use super::*;
use crate::services::portal::audit::ProductionProof;
use crate::services::portal::servicers;
use crate::storage::testing::on_both;

on_both!(
    operators_are_made_by_a_link_and_suspend_at_once,
    a_newer_link_ends_the_one_printed_before
);

async fn a_newer_link_ends_the_one_printed_before(db: Db) {
    let world = world(db).await;
    let state = world.services.state.clone();
    let email = app::domain::person::Email::parse("ops@example.com").unwrap();
    let mut links = Vec::new();
    for _ in 0..2 {
        let by = ProductionProof::command_line();
        let (_, link) = servicers::create_admin(&state, &by, &email).await.unwrap();
        links.push(link.rsplit('/').next().unwrap().to_owned());
    }
    let reset = async |token: &str| {
        let services = &world.services;
        services.reset(token, "", PASSWORD, &source_at("a")).await
    };
    assert_eq!(reset(&links[0]).await, Err(PortalError::NotFound));
    assert!(reset(&links[1]).await.is_ok());
    assert_eq!(reset(&links[1]).await, Err(PortalError::NotFound));
}

async fn operators_are_made_by_a_link_and_suspend_at_once(db: Db) {
    let world = world(db).await;
    let state = world.services.state.clone();
    let email = app::domain::person::Email::parse("ops@example.com").unwrap();
    let (person, link) = servicers::create_admin(&state, &ProductionProof::command_line(), &email)
        .await
        .unwrap();
    let token = link.rsplit('/').next().unwrap();
    assert_eq!(
        world
            .services
            .reset(token, "", PASSWORD, &source_at("a"))
            .await,
        Ok(person)
    );
    let mut admin = world.browser(person, "ops@example.com").await;
    let started = world.start("ana@example.com").await;
    let services = &world.services;
    assert_eq!(
        services.servicers(&admin, "").await.unwrap_err(),
        PortalError::NotFound,
        "for anybody else the admin area does not exist"
    );
    admin.admin = true;
    let listed = services.servicers(&admin, "example").await.unwrap();
    assert_eq!(listed[0].owner.as_deref(), Some("ana@example.com"));
    let id = started.servicer;
    let early = services.approve_servicer(&admin, id, &source_at("a")).await;
    assert!(
        matches!(early, Err(PortalError::Conflict(_))),
        "nobody knows whose servicer it is: {early:?}"
    );
    world.confirm("ana@example.com", PASSWORD).await.unwrap();
    services
        .approve_servicer(&admin, id, &source_at("a"))
        .await
        .unwrap();
    let twice = services.approve_servicer(&admin, id, &source_at("a")).await;
    assert!(matches!(twice, Err(PortalError::Conflict(_))));
    let silent = services
        .suspend_servicer(&admin, id, " ", &source_at("a"))
        .await;
    assert_eq!(refused(silent)[0].0, "reason");
    services
        .suspend_servicer(&admin, id, "No contract.", &source_at("a"))
        .await
        .unwrap();
    let listed = services.servicers(&admin, &id.to_string()).await.unwrap();
    assert_eq!(listed[0].status, ServicerStatus::Suspended);
    let told = world.letters("ana@example.com").await;
    assert!(told.iter().any(|it| it.body.contains("No contract.")));
    services
        .resume_servicer(&admin, id, &source_at("a"))
        .await
        .unwrap();
    let listed = services.servicers(&admin, &id.to_string()).await.unwrap();
    assert_eq!(listed[0].status, ServicerStatus::Approved);
}
