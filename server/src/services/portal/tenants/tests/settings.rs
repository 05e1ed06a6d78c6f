//! Links, names, skills and their terms.

use super::*;
use crate::storage::testing::on_both;

on_both!(
    settings_are_kept_and_refused_whole,
    origins_are_kept_as_browsers_send_them,
    terms_are_kept_within_their_limits,
);

async fn settings_are_kept_and_refused_whole(db: Db) {
    let world = World::new(db).await;
    let (services, owner, id) = (&world.services, &world.owner, world.client.tenant());
    let tenant = services.tenant(owner, id).await.unwrap();
    assert!(
        tenant
            .redirect_links
            .contains(&"http://127.0.0.1:3000/console/return".to_owned())
    );
    assert!(tenant.redirect_links.contains(&"myapp://return".to_owned()));
    let published = world.state.skills.all().count();
    assert_eq!(tenant.skills.len(), published, "every sandbox skill");
    let links = |list: &[&str]| list.iter().map(|&link| link.to_owned()).collect::<Vec<_>>();
    let wrong = services
        .set_links(
            owner,
            id,
            tenant.version,
            (
                links(&["myapp://x", "javascript:alert(1)"]),
                links(&["https://a.example/path"]),
            ),
            &source(),
        )
        .await;
    let Err(PortalError::Refused(fields)) = wrong else {
        panic!("{wrong:?}")
    };
    assert_eq!(
        fields.iter().map(|field| field.name).collect::<Vec<_>>(),
        ["redirect_links", "origins"]
    );
    assert_eq!(
        services.tenant(owner, id).await.unwrap().redirect_links,
        tenant.redirect_links
    );
    let (given, origins) = (
        links(&["myapp://x", " myapp://x ", ""]),
        links(&["https://App.example.com/"]),
    );
    services
        .set_links(owner, id, tenant.version, (given, origins), &source())
        .await
        .unwrap();
    let tenant = services.tenant(owner, id).await.unwrap();
    assert_eq!(
        (tenant.redirect_links.clone(), tenant.origins.clone()),
        (links(&["myapp://x"]), links(&["https://app.example.com"]))
    );

    services
        .pause_tenant(owner, id, true, &source())
        .await
        .unwrap();
    services
        .rename_tenant(owner, id, tenant.version, "  New name ", &source())
        .await
        .unwrap();
    services
        .whitelist(owner, id, "xyz_aisp_sbx_#1.0", false, &source())
        .await
        .unwrap();
    let unknown = services
        .whitelist(owner, id, "abc_aisp_sbx_#1.0", true, &source())
        .await;
    assert!(matches!(unknown, Err(PortalError::Refused(_))));
    let tenant = services.tenant(owner, id).await.unwrap();
    assert_eq!(
        (tenant.status, tenant.name.as_str(), tenant.skills.len()),
        (TenantStatus::Paused, "New name", published - 1)
    );
    assert!(matches!(
        services
            .rename_tenant(owner, id, tenant.version, " ", &source())
            .await,
        Err(PortalError::Refused(_))
    ));
}

async fn origins_are_kept_as_browsers_send_them(db: Db) {
    let world = World::new(db).await;
    let (services, owner, id) = (&world.services, &world.owner, world.client.tenant());
    let set = async |origins: &[&str]| {
        let version = services.tenant(owner, id).await.unwrap().version;
        let origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
        services
            .set_links(owner, id, version, (Vec::new(), origins), &source())
            .await
    };
    set(&[
        "https://App.example.com:443/",
        "https://bücher.example",
        "https://BÜCHER.example:8443",
        "http://127.1:3000",
        "capacitor://localhost",
        "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
    ])
    .await
    .unwrap();
    let mut kept = services.tenant(owner, id).await.unwrap().origins;
    kept.sort_unstable();
    assert_eq!(
        kept,
        [
            "capacitor://localhost",
            "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
            "http://127.0.0.1:3000",
            "https://app.example.com",
            "https://xn--bcher-kva.example",
            "https://xn--bcher-kva.example:8443",
        ]
    );
    for (wrong, says) in [
        ("null", "sandboxed frame"),
        ("https://app.example.com/path", "leave path and query out"),
        ("https://*.example.com", "stands for nothing"),
        ("https://ana@app.example.com", "user name"),
        ("myapp://return", "capacitor://localhost"),
    ] {
        let Err(PortalError::Refused(fields)) = set(&[wrong]).await else {
            panic!("{wrong} was taken")
        };
        assert!(fields[0].message.contains(says), "{fields:?}");
    }
}

async fn terms_are_kept_within_their_limits(db: Db) {
    let world = World::new(db).await;
    let other = world.beside().await;
    let (services, owner, id) = (&world.services, &world.owner, world.client.tenant());
    // The terms of the skill that is changed, and of those that are not.
    let now = async || {
        let tenant = services.tenant(owner, id).await.unwrap();
        let of =
            |skill: &WhitelistedSkill| (skill.consent_duration, skill.cache_max_data_retention);
        let (changed, others): (Vec<_>, Vec<_>) = tenant
            .skills
            .iter()
            .partition(|allowed| allowed.skill == kept_skill());
        assert!(others.iter().all(|other| of(other) == of(others[0])));
        (of(changed[0]), of(others[0]))
    };
    let defaults = (129_600, 172_800);
    assert_eq!(now().await, (defaults, defaults));
    let set = async |actor: &Actor, tenant, skill: &SkillName, typed| {
        services
            .set_terms(
                actor,
                tenant,
                skill,
                version(&world).await,
                typed,
                &source(),
            )
            .await
    };
    let skill = kept_skill();
    set(owner, id, &skill, terms(" 60 min", "365"))
        .await
        .unwrap();
    let set_alone = ((60, 525_600), defaults);
    assert_eq!(now().await, set_alone, "of that skill alone");

    let wrong = set(owner, id, &skill, terms("0", "366")).await;
    let Err(PortalError::Refused(fields)) = wrong else {
        panic!("{wrong:?}")
    };
    assert_eq!(
        fields.iter().map(|field| field.name).collect::<Vec<_>>(),
        ["consent_duration", "cache_max_data_retention"]
    );
    let unlisted = SkillName::parse("abc_aisp_sbx_#1.0").unwrap();
    for (tenant, skill) in [(id, &unlisted), (other.client.tenant(), &skill)] {
        let answer = set(owner, tenant, skill, terms("60", "60")).await;
        assert_eq!(answer, Err(PortalError::NotFound));
    }
    let analyst = world.actor(Role::Developer, ServicerStatus::Suspended);
    let answer = set(&analyst, id, &skill, terms("60", "60")).await;
    assert!(matches!(answer, Err(PortalError::Forbidden(_))));
    assert_eq!(now().await, set_alone);

    services
        .whitelist(owner, id, skill.as_str(), false, &source())
        .await
        .unwrap();
    services
        .whitelist(owner, id, skill.as_str(), true, &source())
        .await
        .unwrap();
    let again = now().await.0;
    assert_eq!(again, defaults, "taken off and put on");
}
