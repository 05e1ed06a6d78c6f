//! A portal without a database: a small, fixed world in which every screen has something to show, or nothing.

mod admin;
mod console;
mod people;
mod requests;
mod skills;
mod tenants;

use std::sync::Arc;

use app::domain::ids::{PersonId, ServicerId, TenantId};
use app::domain::key::{KeyKind, KeyShape};
use app::domain::person::{Email, Role};
use app::domain::servicer::ServicerStatus;
use app::domain::skill::SkillName;
use app::domain::tenant::{Environment, TenantStatus};
use app::pages::{Assets, FormFields, Site, Visit};
use app::portal::tenants::TenantSummary;
use app::portal::{Actor, Membership, RequestSource};
use chrono::{DateTime, Duration, Utc};

/// A name that must never reach a page unescaped.
pub const HOSTILE: &str = "Budget <img src=x onerror=alert(1)> \"app\"";

/// Amount of data in the portal.
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
            suspended_reason: None,
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
        places: Vec::new(),
        path: path.to_owned(),
        params: FormFields::default(),
        query: fields(query),
        form: None,
        file: None,
        source: RequestSource::default(),
        now: now(),
        site: Arc::new(Site {
            brand: "Tessera".into(),
            support: None,
            public_url: "http://127.0.0.1:3000".into(),
            security_contact: String::new(),
            assets: Some(Assets {
                js: "/pkg/portal.js".into(),
                wasm: "/pkg/portal.wasm".into(),
                css: "/style/main.css".into(),
            }),
            openapi: Arc::new(crate::runs::openapi()),
        }),
        markdown: false,
        theme: None,
    }
}

/// `a=1&b=2`, without decoding.
pub fn fields(text: &str) -> FormFields {
    FormFields(
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

    fn tenant_row(&self) -> TenantSummary {
        TenantSummary {
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
