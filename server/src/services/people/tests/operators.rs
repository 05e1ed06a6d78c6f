//! Operators: how they come to be, and what they may decide.

use super::*;
use crate::services::acts::Proved;
use crate::services::servicers;
use crate::storage::testing::on_both;

on_both!(operators_are_made_by_a_link_and_suspend_at_once,);

async fn operators_are_made_by_a_link_and_suspend_at_once(db: Db) {
    let world = world(db);
    let state = world.services.state.clone();
    let email = app::domain::person::Email::parse("ops@example.com").unwrap();
    let (person, link) = servicers::create_admin(&state, &Proved::command_line(), &email)
        .await
        .unwrap();
    let token = link.rsplit('/').next().unwrap();
    assert_eq!(
        world.services.reset(token, "", PASSWORD, &from("a")).await,
        Ok(person)
    );
    let mut admin = world.browser(person, "ops@example.com").await;
    let started = world.start("ana@example.com").await;
    let services = &world.services;
    assert_eq!(
        services.servicers(&admin, "").await.unwrap_err(),
        Trouble::NotFound,
        "for anybody else the admin area does not exist"
    );
    admin.admin = true;
    let listed = services.servicers(&admin, "example").await.unwrap();
    assert_eq!(listed[0].owner.as_deref(), Some("ana@example.com"));
    let id = started.servicer;
    let early = services.approve_servicer(&admin, id, &from("a")).await;
    assert!(
        matches!(early, Err(Trouble::Conflict(_))),
        "nobody knows whose servicer it is: {early:?}"
    );
    world.confirm("ana@example.com", PASSWORD).await.unwrap();
    services
        .approve_servicer(&admin, id, &from("a"))
        .await
        .unwrap();
    let twice = services.approve_servicer(&admin, id, &from("a")).await;
    assert!(matches!(twice, Err(Trouble::Conflict(_))));
    let silent = services.suspend_servicer(&admin, id, " ", &from("a")).await;
    assert_eq!(refused(silent)[0].0, "reason");
    services
        .suspend_servicer(&admin, id, "No contract.", &from("a"))
        .await
        .unwrap();
    let listed = services.servicers(&admin, &id.to_string()).await.unwrap();
    assert_eq!(listed[0].status, ServicerStatus::Suspended);
    let told = world.letters("ana@example.com").await;
    assert!(told.iter().any(|it| it.body.contains("No contract.")));
    services
        .resume_servicer(&admin, id, &from("a"))
        .await
        .unwrap();
    let listed = services.servicers(&admin, &id.to_string()).await.unwrap();
    assert_eq!(listed[0].status, ServicerStatus::Approved);
}
