//! A portal without a database: a small, fixed world in which every screen has something to show, or nothing.

use std::sync::Arc;

use app::domain::ids::*;
use app::domain::key::{KeyKind, KeyShape};
use app::domain::person::{Email, Role};
use app::domain::servicer::{LegalForm, ServicerKind, ServicerStatus};
use app::domain::skill::{SkillName, SkillType};
use app::domain::tenant::{Environment, TenantStatus};
use app::pages::{Assets, Fields, Site, Visit};
use app::portal::admin::{Admin, CreatedServicer, ServicerRow};
use app::portal::console::{Console, Run, RunRow};
use app::portal::people::{Device, People, SignUp, Start, Started};
use app::portal::requests::{Explanation, RequestDetail, RequestFilter, RequestRow, Requests};
use app::portal::skills::{Skill, Skills, Step};
use app::portal::tenants::{
    CreatedTenant, Creation, Key, NewKey, NewTenant, Overview, Tenant, TenantRow, Tenants,
    TypedTerms, WhitelistedSkill,
};
use app::portal::{Actor, Answered, FieldError, Membership, Source, Trouble};
use async_trait::async_trait;
use chrono::{DateTime, Duration, Utc};

/// A name that must never reach a page unescaped.
pub const HOSTILE: &str = "Budget <img src=x onerror=alert(1)> \"app\"";

/// How full the world is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum World {
    /// Nobody has done anything yet.
    Empty,
    /// A tenant and its keys, no call.
    Started,
    #[default]
    Full,
    /// Names that attack.
    Hostile,
}

pub struct Fake(pub World);

pub fn id(n: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(0x0192_f3a4_7c1e_7000_8000_0000_0000_0000 + n)
}

pub fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_770_000_000, 0).unwrap()
}

fn ago(seconds: i64) -> DateTime<Utc> {
    now() - Duration::seconds(seconds)
}

/// A key with a valid checksum, the same each time.
pub fn key(kind: KeyKind, seed: u8) -> String {
    KeyShape {
        environment: Environment::Sandbox,
        kind,
    }
    .write([seed; 32])
}

pub fn tenant_id() -> TenantId {
    TenantId(id(1))
}

fn skill_name(text: &str) -> SkillName {
    SkillName::parse(text).unwrap()
}

pub fn actor(admin: bool) -> Actor {
    Actor {
        person: PersonId(id(90)),
        email: Email::parse("dev@example.com").unwrap(),
        verified: true,
        admin,
        membership: Some(Membership {
            servicer: ServicerId(id(80)),
            name: "Example Ltd".into(),
            status: ServicerStatus::Sandbox,
            role: Role::Owner,
        }),
        proved_at: ago(60),
        session: id(91),
    }
}

/// A visit of a path; `actor` when somebody is signed in.
pub fn visit(world: World, path: &str, actor: Option<Actor>) -> Visit {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Visit {
        portal: Arc::new(Fake(world)),
        actor,
        path: path.to_owned(),
        params: Fields::default(),
        query: fields(query),
        form: None,
        source: Source::default(),
        now: now(),
        site: Arc::new(Site {
            brand: "Tessera".into(),
            public_url: "http://127.0.0.1:3000".into(),
            assets: Some(Assets {
                js: "/pkg/portal.js".into(),
                wasm: "/pkg/portal.wasm".into(),
                css: "/style/main.css".into(),
            }),
            openapi: Arc::new(crate::runs::openapi()),
        }),
        theme: None,
    }
}

/// `a=1&b=2`, without decoding.
pub fn fields(text: &str) -> Fields {
    Fields(
        text.split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect(),
    )
}

impl Fake {
    fn name(&self) -> String {
        if self.0 == World::Hostile {
            HOSTILE.into()
        } else {
            "Budget app".into()
        }
    }

    fn tenant_row(&self) -> TenantRow {
        TenantRow {
            id: tenant_id(),
            name: self.name(),
            environment: Environment::Sandbox,
            status: TenantStatus::Active,
            skills: 2,
            requests_24h: 1_204,
            errors_24h: 12,
            last_request_at: Some(ago(3)),
            created_at: ago(86_400 * 40),
        }
    }
}

#[async_trait]
impl People for Fake {
    async fn start(&self, form: Start, _: &Source) -> Answered<Started> {
        let mut errors = Vec::new();
        let mut refuse = |name, message: &str| {
            errors.push(FieldError {
                name,
                message: message.to_owned(),
            });
        };
        if form.name.is_empty() {
            refuse("name", "Give your project a name.");
        }
        if Email::parse(&form.email).is_err() {
            refuse("email", "Enter an e-mail address like name@example.com.");
        }
        if form.password.len() < 12 {
            refuse("password", "Use at least 12 characters.");
        }
        if !errors.is_empty() {
            return Err(Trouble::Refused(errors));
        }
        assert_eq!(form.legal_form, LegalForm::Company);
        Ok(Started {
            person: PersonId(id(90)),
            servicer: ServicerId(id(80)),
            tenant: tenant_id(),
            client_secret: key(KeyKind::Secret, 1),
            client_app_key: key(KeyKind::AppKey, 2),
        })
    }
    async fn sign_up(&self, _: SignUp, _: &Source) -> Answered<PersonId> {
        Err(Trouble::field(
            "claim_token",
            "This token does not fit this servicer id, or it has been used.",
        ))
    }
    async fn sign_in(&self, _: &str, password: &str, _: &Source) -> Answered<PersonId> {
        match password {
            "right" => Ok(PersonId(id(90))),
            "often" => Err(Trouble::Wait(30)),
            _ => Err(Trouble::field(
                "password",
                "E-mail or password is incorrect.",
            )),
        }
    }
    async fn prove(&self, _: &Actor, _: &str, _: &Source) -> Answered<()> {
        Ok(())
    }
    async fn forgot(&self, _: &str, _: &Source) -> Answered<()> {
        Ok(())
    }
    async fn reset_link(&self, token: &str) -> Answered<String> {
        if token == "dead" {
            return Err(Trouble::NotFound);
        }
        Ok("d…v@example.com".into())
    }
    async fn reset(&self, _: &str, _: &str, _: &Source) -> Answered<PersonId> {
        Ok(PersonId(id(90)))
    }
    async fn verify(&self, _: &str) -> Answered<PersonId> {
        Ok(PersonId(id(90)))
    }
    async fn send_verification(&self, _: &Actor) -> Answered<()> {
        Ok(())
    }
    async fn change_password(&self, _: &Actor, _: &str, _: &str, _: &Source) -> Answered<()> {
        Err(Trouble::field("old", "That is not your present password."))
    }
    async fn devices(&self, _: &Actor) -> Answered<Vec<Device>> {
        let device = |handle: &str, agent: &str, current| Device {
            handle: handle.into(),
            user_agent: agent.into(),
            ip: "198.51.100.7".into(),
            signed_in_at: ago(7200),
            seen_at: ago(30),
            current,
        };
        Ok(vec![
            device("a", "Firefox on Linux", true),
            device("b", "Safari on iPhone", false),
        ])
    }
    async fn end_device(&self, _: &Actor, _: &str) -> Answered<()> {
        Ok(())
    }
}

#[async_trait]
impl Tenants for Fake {
    async fn overview(&self, _: &Actor) -> Answered<Overview> {
        let full = matches!(self.0, World::Full | World::Hostile);
        Ok(Overview {
            first_tenant: (self.0 != World::Empty).then(tenant_id),
            tenants: 2,
            secret_seen: true,
            first_success_at: full.then(|| ago(600)),
            first_exchange_at: full.then(|| ago(500)),
            first_data_at: full.then(|| ago(400)),
            requests_24h: if full { 1_302 } else { 0 },
            errors_24h: if full { 12 } else { 0 },
            p95_ms: full.then_some(84),
            sessions_started_24h: if full { 41 } else { 0 },
            sessions_completed_24h: if full { 38 } else { 0 },
        })
    }
    async fn tenants(&self, _: &Actor, query: &str) -> Answered<Vec<TenantRow>> {
        if self.0 == World::Empty || query == "xyz" {
            return Ok(Vec::new());
        }
        let second = TenantRow {
            id: TenantId(id(2)),
            name: "Budget app, live".into(),
            environment: Environment::Production,
            status: TenantStatus::Paused,
            skills: 0,
            requests_24h: 0,
            errors_24h: 0,
            last_request_at: None,
            created_at: ago(86_400 * 3),
        };
        Ok(vec![self.tenant_row(), second])
    }
    async fn tenant(&self, _: &Actor, id: TenantId) -> Answered<Tenant> {
        if id != tenant_id() {
            return Err(Trouble::NotFound);
        }
        let allowed = |name| WhitelistedSkill {
            skill: skill_name(name),
            consent_duration: 129_600,
            cache_max_data_retention: 172_800,
        };
        Ok(Tenant {
            id,
            servicer: ServicerId(self::id(80)),
            name: self.name(),
            environment: Environment::Sandbox,
            status: TenantStatus::Active,
            created_at: ago(86_400 * 40),
            redirect_links: vec![
                "http://127.0.0.1:3000/console/return".into(),
                "http://127.0.0.1/return".into(),
                "myapp://return".into(),
            ],
            origins: vec!["https://app.example.com".into()],
            skills: vec![allowed("xyz_aisp_sbx_#1.0")],
        })
    }
    fn tenant_form(&self) -> uuid::Uuid {
        id(700)
    }
    async fn create_tenant(&self, _: &Actor, new: NewTenant, _: &Source) -> Answered<Creation> {
        if new.form == Some(id(701)) {
            return Ok(Creation::Again(tenant_id()));
        }
        if new.environment == Environment::Production {
            return Err(Trouble::field(
                "environment",
                "Production opens once the operators have approved your servicer.",
            ));
        }
        Ok(Creation::Made(CreatedTenant {
            id: tenant_id(),
            client_secret: key(KeyKind::Secret, 1),
            client_app_key: key(KeyKind::AppKey, 2),
        }))
    }
    async fn rename_tenant(&self, _: &Actor, _: TenantId, _: &str, _: &Source) -> Answered<()> {
        Ok(())
    }
    async fn set_links(
        &self,
        _: &Actor,
        _: TenantId,
        links: Vec<String>,
        _: Vec<String>,
        _: &Source,
    ) -> Answered<()> {
        if links.iter().any(|link| link.starts_with("javascript")) {
            return Err(Trouble::field(
                "redirect_links",
                "Links of this scheme cannot be used.",
            ));
        }
        Ok(())
    }
    async fn pause_tenant(&self, _: &Actor, _: TenantId, _: bool, _: &Source) -> Answered<()> {
        Ok(())
    }
    async fn whitelist(
        &self,
        _: &Actor,
        _: TenantId,
        _: &str,
        _: bool,
        _: &Source,
    ) -> Answered<()> {
        Ok(())
    }
    async fn set_terms(
        &self,
        _: &Actor,
        _: TenantId,
        _: &SkillName,
        terms: TypedTerms,
        _: &Source,
    ) -> Answered<()> {
        match app::domain::terms::CONSENT_DURATION.parse(&terms.consent_duration) {
            Ok(_) => Ok(()),
            Err(error) => Err(Trouble::field("consent_duration", error.to_string())),
        }
    }
    async fn keys(&self, _: &Actor, _: TenantId) -> Answered<Vec<Key>> {
        let made = |n: u128, kind, value: String, shown: bool| Key {
            id: KeyId(id(n)),
            kind,
            tail: app::domain::key::tail(&value),
            value: shown.then_some(value),
            created_at: ago(86_400 * 40),
            created_by: "dev@example.com".into(),
            ends_at: None,
            last_used_at: Some(ago(3)),
            last_used_by: None,
            calls_24h: 98,
        };
        let old = Key {
            ends_at: Some(now() + Duration::hours(21)),
            last_used_at: Some(ago(240)),
            last_used_by: Some("node-fetch/3.2".into()),
            ..made(13, KeyKind::Secret, key(KeyKind::Secret, 3), false)
        };
        Ok(vec![
            made(11, KeyKind::AppKey, key(KeyKind::AppKey, 2), true),
            made(12, KeyKind::Secret, key(KeyKind::Secret, 1), false),
            old,
        ])
    }
    async fn holds_secret(&self, _: &Actor, _: TenantId, secret: &str) -> Answered<()> {
        if secret == key(KeyKind::Secret, 1) {
            return Ok(());
        }
        Err(Trouble::Conflict("That is no live client_secret.".into()))
    }
    async fn rotate_key(
        &self,
        _: &Actor,
        _: TenantId,
        kind: KeyKind,
        overlap: Duration,
        _: &Source,
    ) -> Answered<NewKey> {
        if overlap == Duration::zero() {
            return Err(Trouble::ProofNeeded);
        }
        Ok(NewKey {
            id: KeyId(id(14)),
            kind,
            value: key(kind, 4),
            old_ends_at: Some(now() + overlap),
        })
    }
    async fn stop_key(&self, _: &Actor, _: TenantId, _: KeyId, _: &Source) -> Answered<()> {
        Ok(())
    }
}

#[async_trait]
impl Skills for Fake {
    async fn skills(&self) -> Answered<Vec<Skill>> {
        if self.0 == World::Empty {
            return Ok(Vec::new());
        }
        let skill = |name: &str, country: Option<&str>| Skill {
            name: skill_name(name),
            title: "Account information".into(),
            provider: "XYZ Bank".into(),
            country: country.map(str::to_owned),
            kind: SkillType::AccountInformation,
            environment: Environment::Sandbox,
            steps: vec![Step {
                name: "sca".into(),
                title: "Strong customer authentication".into(),
                schema: "{\n  \"type\": \"object\",\n  \"required\": [\"psu_redirect_link\"]\n}"
                    .into(),
                example: "{\n  \"psu_redirect_link\": \"myapp://return\"\n}".into(),
                redirects: true,
            }],
        };
        Ok(vec![
            skill("xyz_aisp_sbx_#1.0", None),
            skill("xyz_ro_aisp_sbx_#1.0", Some("RO")),
        ])
    }
    async fn whitelisted_by(
        &self,
        _: &Actor,
        skill: &SkillName,
    ) -> Answered<Vec<(TenantId, String)>> {
        Ok(if skill.as_str() == "xyz_aisp_sbx_#1.0" {
            vec![(tenant_id(), self.name())]
        } else {
            Vec::new()
        })
    }
}

#[async_trait]
impl Requests for Fake {
    async fn requests(&self, _: &Actor, filter: &RequestFilter) -> Answered<Vec<RequestRow>> {
        if matches!(self.0, World::Empty | World::Started) || filter.q.is_some() {
            return Ok(Vec::new());
        }
        if filter.after.is_some() {
            return Ok(vec![row(200, 200, "POST /v1/sessions", None, 6.1)]);
        }
        Ok((0..50)
            .map(|n| match n % 5 {
                0 => row(
                    100 + n,
                    401,
                    "POST /v1/token",
                    Some("invalid_api_keys"),
                    0.8,
                ),
                1 => row(100 + n, 200, "POST /v1/sessions", None, 6.1),
                2 => row(
                    100 + n,
                    200,
                    "POST /v1/sessions/7489fe74-a91d-4897-8895-cd5e05c0fc4b/steps",
                    None,
                    84.4,
                ),
                3 => row(100 + n, 200, "GET /v1/accounts", None, 3.2),
                _ => row(
                    100 + n,
                    503,
                    "POST /v1/accounts/get",
                    Some("bank_unavailable"),
                    8_004.0,
                ),
            })
            .collect())
    }
    async fn request(&self, _: &Actor, _: RequestId) -> Answered<RequestDetail> {
        Ok(RequestDetail {
            row: row(100, 401, "POST /v1/token", Some("invalid_api_keys"), 0.8),
            session: Some(SessionId(id(300))),
            user_agent: "node-fetch/3.2".into(),
            ip: "198.51.100.7".into(),
            request_headers: vec![("content-type".into(), "application/json".into())],
            request_body: "{\n  \"client_id\": \"0192f3a4\",\n  \"client_secret\": \"▒…3d9a\"\n}"
                .into(),
            response_body:
                "{\n  \"id\": \"0192f3a4\",\n  \"http\": 401,\n  \"code\": \"invalid_api_keys\"\n}"
                    .into(),
            key: Some("client_secret …3d9a".into()),
            explanation: Some(Explanation {
                code: "invalid_api_keys".into(),
                title: "These keys are not accepted".into(),
                cause: "No live key of this tenant is what was sent as client_secret.".into(),
                fix: "Send the client_secret of this tenant; a stopped one has to be replaced."
                    .into(),
                whose: "caller".into(),
                retryable: false,
            }),
        })
    }
}

fn row(n: u128, status: u16, call: &str, code: Option<&str>, latency_ms: f64) -> RequestRow {
    let (method, path) = call.split_once(' ').unwrap();
    RequestRow {
        id: RequestId(id(n)),
        at: now() - Duration::milliseconds(i64::try_from(n).unwrap() * 1_375),
        tenant: Some(tenant_id()),
        tenant_name: "Budget app".into(),
        key: n.is_multiple_of(2).then_some(KeyId(id(12 + n % 4 / 2))),
        method: method.into(),
        path: path.into(),
        operation: path.into(),
        status,
        error_code: code.map(str::to_owned),
        source: if n.is_multiple_of(2) {
            "api"
        } else {
            "console"
        }
        .into(),
        latency_ms,
    }
}

#[async_trait]
impl Console for Fake {
    async fn runs(&self, _: &Actor) -> Answered<Vec<RunRow>> {
        Ok(crate::runs::runs(self.0))
    }
    async fn new_run(&self, _: &Actor, _: TenantId, _: &str, _: &Source) -> Answered<RunId> {
        Ok(RunId(id(400)))
    }
    async fn run(&self, _: &Actor, run: RunId) -> Answered<Run> {
        crate::runs::run(run).ok_or(Trouble::NotFound)
    }
    async fn advance(
        &self,
        _: &Actor,
        _: RunId,
        _: usize,
        data: Option<&str>,
        _: &Source,
    ) -> Answered<()> {
        match data.map(serde_json::from_str::<serde_json::Value>) {
            Some(Err(error)) => {
                let place = format!("line {}, column {}", error.line(), error.column());
                Err(Trouble::field("data", place))
            }
            _ => Ok(()),
        }
    }
    async fn again(&self, _: &Actor, run: RunId, _: &Source) -> Answered<RunId> {
        Ok(run)
    }
    async fn bank_return(
        &self,
        _: &Actor,
        _: SessionId,
        _: Option<&str>,
        _: Option<&str>,
    ) -> Answered<RunId> {
        Ok(RunId(id(400)))
    }
}

#[async_trait]
impl Admin for Fake {
    async fn servicers(&self, _: &Actor, query: &str) -> Answered<Vec<ServicerRow>> {
        if self.0 == World::Empty || query == "xyz" {
            return Ok(Vec::new());
        }
        let servicer = |n: u128, name: String, status, owner: Option<&str>| ServicerRow {
            id: ServicerId(id(n)),
            name,
            kind: ServicerKind::Consumer,
            status,
            country: "RO".into(),
            owner: owner.map(str::to_owned),
            tenants: 2,
            requests_24h: 1_302,
            created_at: ago(86_400 * 2),
        };
        Ok(vec![
            servicer(
                80,
                self.name(),
                ServicerStatus::Sandbox,
                Some("dev@example.com"),
            ),
            servicer(81, "Example Ltd".into(), ServicerStatus::Approved, None),
            servicer(
                82,
                "Example Two".into(),
                ServicerStatus::Suspended,
                Some("b@example.com"),
            ),
        ])
    }
    async fn create_servicer(
        &self,
        _: &Actor,
        _: &str,
        _: ServicerKind,
        _: &Source,
    ) -> Answered<CreatedServicer> {
        Ok(CreatedServicer {
            id: ServicerId(id(83)),
            claim_token: "clm_7QmX2dPz9fWvK3rTnB8sLcY5hJ1gU4eA".into(),
            claim_expires_at: now() + Duration::days(7),
            sign_up_url: "http://127.0.0.1:3000/signup?servicer=x&claim=y".into(),
        })
    }
    async fn approve_servicer(&self, _: &Actor, _: ServicerId, _: &Source) -> Answered<()> {
        Ok(())
    }
    async fn suspend_servicer(
        &self,
        _: &Actor,
        _: ServicerId,
        reason: &str,
        _: &Source,
    ) -> Answered<()> {
        if reason.is_empty() {
            return Err(Trouble::field(
                "reason",
                "Say why: the servicer is shown this.",
            ));
        }
        Ok(())
    }
    async fn resume_servicer(&self, _: &Actor, _: ServicerId, _: &Source) -> Answered<()> {
        Ok(())
    }
}
