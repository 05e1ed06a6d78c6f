//! What every portal does, whoever implements it: the fake that pages are tested over, and the services. Each scenario runs
//! against both, so that a page cannot be tested against answers that the product never gives.

use app::domain::ids::{KeyId, PersonId, RequestId, ServicerId, TenantId};
use app::domain::key::KeyKind;
use app::domain::servicer::{LegalForm, ServicerStatus};
use app::domain::skill::SkillName;
use app::domain::tenant::Environment;
use app::portal::people::{GivenPasswords, SignUp, Start};
use app::portal::requests::RequestFilter;
use app::portal::tenants::{NewTenant, TypedTerms};
use app::portal::{Actor, Portal, PortalError, PortalResult, RequestSource};
use chrono::Duration;

/// A portal with somebody in it: an owner with a confirmed address, who gave the password just now, and their first
/// sandbox tenant.
pub struct Side<'a> {
    pub portal: &'a dyn Portal,
    pub owner: Actor,
    pub password: &'a str,
    pub tenant: TenantId,
    /// A live `client_secret` of the tenant.
    pub secret: String,
}

const GOOD: &str = "seven oboes in a barn";

fn nobody() -> uuid::Uuid {
    uuid::Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_dead_beef)
}

/// The names of the fields that were refused, sorted.
fn refused<T: std::fmt::Debug>(answer: PortalResult<T>) -> Vec<&'static str> {
    let Err(PortalError::Refused(errors)) = answer else {
        panic!("not refused: {answer:?}")
    };
    let mut names: Vec<_> = errors.iter().map(|error| error.name).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn missing<T: std::fmt::Debug>(answer: PortalResult<T>) {
    assert!(matches!(answer, Err(PortalError::NotFound)), "{answer:?}");
}

fn forbidden<T: std::fmt::Debug>(answer: PortalResult<T>) {
    assert!(
        matches!(answer, Err(PortalError::Forbidden(_))),
        "{answer:?}"
    );
}

fn conflict<T: std::fmt::Debug>(answer: PortalResult<T>) {
    assert!(
        matches!(answer, Err(PortalError::Conflict(_))),
        "{answer:?}"
    );
}

fn unproved<T: std::fmt::Debug>(answer: PortalResult<T>) {
    assert!(
        matches!(answer, Err(PortalError::ProofNeeded)),
        "{answer:?}"
    );
}

impl Side<'_> {
    /// The owner, whose password was given too long ago.
    fn stale(&self) -> Actor {
        Actor {
            proved_at: self.owner.proved_at - Duration::days(1),
            ..self.owner.clone()
        }
    }

    fn suspended(&self) -> Actor {
        let mut actor = self.owner.clone();
        if let Some(membership) = &mut actor.membership {
            membership.status = ServicerStatus::Suspended;
        }
        actor
    }

    /// Registering, signing in, links, sessions, places.
    pub async fn people(&self) {
        let (portal, owner, from) = (self.portal, &self.owner, RequestSource::default());
        let empty = Start {
            name: String::new(),
            email: "ana".into(),
            password: "short".into(),
            legal_form: LegalForm::Company,
            country: "RO".into(),
        };
        let all = ["email", "name", "password"];
        assert_eq!(
            refused(portal.start(empty, &from).await),
            all,
            "all at once"
        );
        let claim = SignUp {
            servicer_id: nobody().to_string(),
            claim_token: "nobody's".into(),
            email: "new@example.com".into(),
            password: GOOD.into(),
        };
        assert_eq!(refused(portal.sign_up(claim, &from).await), ["claim_token"]);
        let wrong = portal.sign_in("dev@example.com", "wrong password", &from);
        assert_eq!(refused(wrong.await), ["password"]);
        assert_eq!(
            refused(portal.prove(owner, "wrong password", &from).await),
            ["password"]
        );
        assert_eq!(portal.prove(owner, self.password, &from).await, Ok(()));
        assert_eq!(portal.forgot("nobody@example.com", &from).await, Ok(()));
        missing(portal.reset_link("nobody's", &from).await);
        missing(portal.reset("nobody's", "", GOOD, &from).await);
        missing(portal.verify_link(None, "nobody's", &from).await);
        let given = GivenPasswords::default();
        missing(portal.verify(Some(owner), "nobody's", given, &from).await);
        let weak = portal.change_password(owner, self.password, "short", &from);
        assert_eq!(refused(weak.await), ["new"]);
        let wrong = portal.change_password(owner, "wrong password", GOOD, &from);
        assert_eq!(refused(wrong.await), ["old"]);
        self.sessions_and_places().await;
    }

    async fn sessions_and_places(&self) {
        let (portal, owner, from) = (self.portal, &self.owner, RequestSource::default());
        let devices = portal.devices(owner).await.unwrap();
        assert!(devices[0].current, "this one first");
        assert_eq!(devices.iter().filter(|device| device.current).count(), 1);
        missing(portal.end_device(owner, &nobody().to_string(), &from).await);
        unproved(
            portal
                .end_device(&self.stale(), &devices[0].handle, &from)
                .await,
        );
        let wrong = portal.bring_in(owner, "wrong password", &from).await;
        assert_eq!(refused(wrong), ["other_password"]);
        unproved(
            portal
                .bring_in(&self.stale(), "wrong password", &from)
                .await,
        );
        let here = owner.membership.as_ref().unwrap().servicer;
        let places = portal.places(owner).await.unwrap();
        assert!(places.iter().any(|(servicer, _)| *servicer == here));
        assert_eq!(portal.work_in(owner, here).await, Ok(()));
        missing(portal.work_in(owner, ServicerId(nobody())).await);
        let id = nobody().to_string();
        assert_eq!(
            refused(portal.join(owner, &id, "nobody's", &from).await),
            ["claim_token"]
        );
        let unconfirmed = Actor {
            verified: false,
            ..owner.clone()
        };
        forbidden(portal.join(&unconfirmed, &id, "nobody's", &from).await);
        assert_ne!(owner.person, PersonId(nobody()));
    }

    /// Tenants and their settings.
    pub async fn tenants(&self) {
        let (portal, owner, id, from) = (
            self.portal,
            &self.owner,
            self.tenant,
            RequestSource::default(),
        );
        let tenant = portal.tenant(owner, id).await.unwrap();
        let listed = portal.tenants(owner, "").await.unwrap();
        let row = listed.iter().find(|row| row.id == id).unwrap();
        assert_eq!(
            (row.name.as_str(), row.environment),
            (tenant.name.as_str(), Environment::Sandbox)
        );
        assert!(portal.tenants(owner, "xyz").await.unwrap().is_empty());
        let elsewhere = TenantId(nobody());
        missing(portal.tenant(owner, elsewhere).await);
        missing(
            portal
                .rename_tenant(owner, elsewhere, 1, "Name", &from)
                .await,
        );
        missing(portal.pause_tenant(owner, elsewhere, true, &from).await);
        let rename = async |version, name| {
            let renamed = portal.rename_tenant(owner, id, version, name, &from);
            renamed.await
        };
        let long = "x".repeat(81);
        for name in [" ", "Budget\u{202e}ppa", &long] {
            assert_eq!(
                refused(rename(tenant.version, name).await),
                ["name"],
                "{name:?}"
            );
        }
        conflict(rename(tenant.version - 1, "Older").await);
        let suspended = self.suspended();
        let renamed = portal.rename_tenant(&suspended, id, tenant.version, "Name", &from);
        forbidden(renamed.await);
        let links = (vec!["javascript:alert(1)".to_owned()], Vec::new());
        let linked = portal
            .set_links(owner, id, tenant.version, links, &from)
            .await;
        assert_eq!(refused(linked), ["redirect_links"]);
        let none = (Vec::new(), Vec::new());
        conflict(
            portal
                .set_links(owner, id, tenant.version - 1, none, &from)
                .await,
        );
        let skill = tenant.skills[0].skill.clone();
        self.terms(&skill, tenant.version).await;
        let new = NewTenant {
            form: None,
            name: "Live".into(),
            environment: Environment::Production,
            skills: Vec::new(),
            redirect_links: vec!["https://app.example.com/return".into()],
            origins: Vec::new(),
        };
        forbidden(portal.create_tenant(owner, new, &from).await);
        assert_eq!(rename(tenant.version, "Newer").await, Ok(()));
    }

    async fn terms(&self, skill: &SkillName, version: i64) {
        let (portal, owner, id, from) = (
            self.portal,
            &self.owner,
            self.tenant,
            RequestSource::default(),
        );
        let typed = |minutes: &str| TypedTerms {
            consent_duration: minutes.into(),
            cache_max_data_retention: "60".into(),
        };
        let set = portal
            .set_terms(owner, id, skill, version, typed("0"), &from)
            .await;
        assert_eq!(refused(set), ["consent_duration"]);
        conflict(
            portal
                .set_terms(owner, id, skill, version - 1, typed("60"), &from)
                .await,
        );
    }

    /// Keys: seen, shown, rotated, stopped.
    pub async fn keys(&self) {
        let (portal, owner, id, from) = (
            self.portal,
            &self.owner,
            self.tenant,
            RequestSource::default(),
        );
        for key in portal.keys(owner, id).await.unwrap() {
            let shown = key.kind == KeyKind::AppKey;
            assert_eq!(key.value.is_some(), shown, "secrets are shown once");
            assert!(key.value.is_none_or(|value| value.ends_with(&key.tail)));
        }
        missing(
            portal
                .keys(owner, TenantId(nobody()))
                .await
                .map(|keys| keys.len()),
        );
        assert_eq!(portal.holds_secret(owner, id, &self.secret).await, Ok(()));
        conflict(portal.holds_secret(owner, id, "tsr_sbx_cs_nobodys").await);
        let long = portal.rotate_key(owner, id, KeyKind::Secret, Duration::days(8).into(), &from);
        assert_eq!(refused(long.await), ["overlap"]);
        missing(portal.stop_key(owner, id, KeyId(nobody()), &from).await);
        forbidden(
            portal
                .keys(&self.suspended(), id)
                .await
                .map(|keys| keys.len()),
        );
    }

    /// The request log.
    pub async fn requests(&self) {
        let (portal, owner) = (self.portal, &self.owner);
        missing(portal.request(owner, RequestId(nobody())).await);
        let filter = RequestFilter {
            q: Some("nothing like it".into()),
            ..RequestFilter::default()
        };
        assert!(portal.requests(owner, &filter).await.unwrap().is_empty());
        let all = portal
            .requests(owner, &RequestFilter::default())
            .await
            .unwrap();
        assert!(all.len() <= 50);
        assert!(
            all.windows(2).all(|pair| pair[0].at >= pair[1].at),
            "newest first"
        );
    }
}
