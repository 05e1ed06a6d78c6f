//! The authorization matrix, every operation times every actor: each operation of the served OpenAPI and each screen of
//! the portal has a line that says who is answered what. An operation or screen without a line fails the build.

mod actors;
mod operations;
mod proofs;
mod screens;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName};
use serde_json::{Value, json};
use url::Url;

use crate::payments;
use crate::world::sql::Sql;
use crate::world::{Database, Keys, SKILL, World, client, is_being_fetched, on_both};
pub use actors::Actor;
use actors::{ACTORS, expected, state};
pub use operations::{Line, Lock, Made, OPERATIONS, Thing};

on_both!(
    every_operation_is_decided_for_every_actor,
    a_foreign_id_is_answered_like_one_that_never_was
);

/// Time for which a call that is answered 503 is repeated.
const PATIENCE: Duration = Duration::from_mins(1);

/// Everybody the tests call as: two servicers, four tenants, and the first servicer's owner at the portal.
pub struct Callers {
    world: World,
    pub sql: Sql,
    /// The tenant whose things the operations are about.
    own: Keys,
    sibling: Keys,
    stranger: Keys,
    production: Keys,
    cookie: String,
    /// A pair of the stranger's.
    foreign_pair: (String, String),
    /// Another pair of the own tenant's.
    other_pair: (String, String),
}

/// An answer, as far as the matrix compares it.
#[derive(Debug)]
pub struct Reply {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Reply {
    /// `200`, or `401 invalid_api_keys`.
    pub fn summary(&self) -> String {
        match self.body["code"].as_str() {
            Some(code) if self.status >= 400 => format!("{} {code}", self.status),
            _ => self.status.to_string(),
        }
    }

    /// Returns the time after which to send the same call again, from `Retry-After`; `None` unless its data is still being
    /// fetched from a bank.
    fn again_after(&self) -> Option<Duration> {
        if !is_being_fetched(self.status, &self.body) {
            return None;
        }
        let after = self.headers["retry-after"].to_str().unwrap();
        Some(Duration::from_secs(after.parse().unwrap()))
    }

    /// Returns the parts of an answer that must be equal for a foreign id and an unknown one: all but what is new in
    /// every answer.
    fn comparable(mut self) -> (u16, Vec<(HeaderName, String)>, Value) {
        const NEW_EACH_TIME: [&str; 3] = ["x-request-id", "date", "ratelimit"];
        if let Some(body) = self.body.as_object_mut() {
            body.remove("id");
        }
        let headers = self.headers.iter();
        let headers = headers
            .filter(|(name, _)| !NEW_EACH_TIME.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.to_str().unwrap().to_owned()));
        (self.status, headers.collect(), self.body)
    }
}

impl Callers {
    pub async fn new(database: Database) -> Self {
        let world = World::own(database).await;
        let (id, owner) = world.servicer_with_owner().await;
        world.operator(&["servicer", "approve", &id]).await;
        let both = ["--skill", SKILL, "--skill", payments::SKILL];
        let own = world.tenant_of(&id, &both).await;
        let sibling = world.tenant_of(&id, &["--skill", SKILL]).await;
        let production = ["--environment", "production"];
        let production = world.tenant_of(&id, &production).await;
        let stranger = world.tenant().await;
        let foreign_pair = world.pair(&stranger, "student").await;
        let other_pair = world.pair(&own, "student").await;
        Self {
            sql: world.sql().await,
            world,
            own,
            sibling,
            stranger,
            production,
            cookie: owner.cookies(),
            foreign_pair,
            other_pair,
        }
    }

    /// A fresh thing of the own tenant's.
    pub async fn make(&self, thing: Thing) -> Made {
        let mut made = Made::default();
        match thing {
            Thing::Nothing => {}
            Thing::Session => {
                (made.session_id, made.nonce) = self.world.session(&self.own).await;
            }
            Thing::Step => {
                let (session, nonce, step) = self.world.at_bank(&self.own).await;
                (made.session_id, made.nonce) = (session, nonce);
                made.step_id = step["step_id"].as_str().unwrap().to_owned();
            }
            Thing::TempToken => {
                made.temp_token = self.world.temp_token(&self.own, "student").await;
            }
            Thing::Payment => {
                let day = json!({ "requested_execution_date": payments::in_days(10) });
                let pair = payments::pay(&self.world, &self.own, payments::single(&day)).await;
                let (_, payment) = self
                    .world
                    .post("/v1/payments/get", &self.own.data(&pair))
                    .await;
                made.payment_id = payment["id"].as_str().unwrap().to_owned();
                (made.credentials_id, made.access_token) = pair;
            }
            Thing::Consent => {
                (made.credentials_id, made.access_token) =
                    self.world.pair(&self.own, "student").await;
            }
        }
        made
    }

    /// Waits until the worker has done what calls left it to do, and what will be due soon.
    pub async fn settle(&self) {
        let begun = Instant::now();
        loop {
            let left = self.due().await;
            if left.is_empty() {
                return;
            }
            let waited = begun.elapsed();
            assert!(waited < Duration::from_mins(1), "never done: {left:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Returns the kinds of the jobs that are due within ten seconds, except the following of payments.
    async fn due(&self) -> Vec<String> {
        let soon = self.sql.seconds_from_now(10);
        // Payments are followed for days.
        let due = format!(
            "SELECT kind FROM jobs WHERE failed_at IS NULL AND kind <> 'follow_payment' AND run_at < {soon}"
        );
        self.sql.texts(&due).await
    }

    /// Returns the credentials that an actor presents to an operation, by name; none for an actor without keys.
    pub fn credentials(
        &self,
        line: &Line,
        actor: Actor,
        made: &Made,
    ) -> Vec<(&'static str, String)> {
        let keys = match actor {
            Actor::Anonymous | Actor::PortalCookie => return Vec::new(),
            Actor::Sibling => self.sibling.clone(),
            Actor::Stranger => self.stranger.clone(),
            Actor::Production => self.production.clone(),
            Actor::BorrowedId => Keys {
                client_id: self.own.client_id.clone(),
                ..self.stranger.clone()
            },
            _ => self.own.clone(),
        };
        let with_app_key = match line.lock {
            Lock::App | Lock::Nonce => actor != Actor::Secret,
            _ => actor == Actor::AppKey,
        };
        let mut credentials = vec![("client_id", keys.client_id)];
        credentials.push(if with_app_key {
            ("client_app_key", keys.client_app_key)
        } else {
            ("client_secret", keys.client_secret)
        });
        if matches!(line.lock, Lock::Data | Lock::Consent) {
            let (id, token) = match actor {
                Actor::ForeignPair => self.foreign_pair.clone(),
                Actor::MixedPair => (made.credentials_id.clone(), self.other_pair.1.clone()),
                _ => (made.credentials_id.clone(), made.access_token.clone()),
            };
            credentials.extend([("credentials_id", id), ("access_token", token)]);
        }
        credentials
    }

    /// Calls an operation as an actor, with tenant A put into the state that makes it this actor, and out of it again.
    pub async fn call(&self, line: &Line, actor: Actor, made: &Made) -> Reply {
        let turn = state(actor, &self.sql, &self.own.client_id, &made.credentials_id);
        if let Some((begin, _)) = &turn {
            assert!(self.sql.run(begin).await > 0, "{begin}");
        }
        let credentials = self.credentials(line, actor, made);
        let cookie = (actor == Actor::PortalCookie).then_some(self.cookie.as_str());
        let door = if actor == Actor::Unsigned {
            "/v1s/"
        } else {
            "/v1/"
        };
        let begun = Instant::now();
        let heard = loop {
            let heard = self.send(line, door, &credentials, made, cookie).await;
            // A first read may come before its data. Any other refusal is an answer.
            let Some(wait) = heard.again_after().filter(|_| begun.elapsed() < PATIENCE) else {
                break heard;
            };
            tokio::time::sleep(wait).await;
        };
        if let Some((_, end)) = &turn {
            self.sql.run(end).await;
        }
        heard
    }

    /// Sends a call in the style of its operation: keys and fields in the body, or in headers and query.
    async fn send(
        &self,
        line: &Line,
        door: &str,
        credentials: &[(&'static str, String)],
        made: &Made,
        cookie: Option<&str>,
    ) -> Reply {
        let (method, _) = line.operation.split_once(' ').unwrap();
        let presented = credentials
            .iter()
            .find(|(name, _)| *name == "credentials_id");
        let about = Made {
            credentials_id: presented.map_or(&made.credentials_id, |(_, id)| id).clone(),
            ..made.clone()
        };
        let method: Method = method.parse().unwrap();
        let mut fields = (line.fields)(made);
        let mut url = Url::parse(&self.url(line, &about).replacen("/v1/", door, 1)).unwrap();
        if method != Method::POST {
            for (name, value) in fields.as_object().unwrap() {
                url.query_pairs_mut()
                    .append_pair(name, value.as_str().unwrap());
            }
        }
        let mut request = client().request(method.clone(), url);
        if method == Method::POST {
            for (name, value) in credentials {
                fields[*name] = json!(value);
            }
            request = if takes_file(line) {
                let (kind, form) = form(&fields, Some(FILE));
                request.header("Content-Type", kind).body(form)
            } else {
                request.json(&fields)
            };
        } else {
            for (name, value) in credentials {
                if let Some(header) = header_of(name) {
                    request = request.header(header, value);
                }
            }
        }
        if let Some(cookie) = cookie {
            request = request.header("Cookie", cookie);
        }
        let answer = request.send().await.unwrap();
        Reply {
            status: answer.status().as_u16(),
            headers: answer.headers().clone(),
            body: serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null),
        }
    }

    /// The address of an operation that is about this thing.
    pub fn url(&self, line: &Line, made: &Made) -> String {
        let (_, path) = line.operation.split_once(' ').unwrap();
        let path = path
            .replace("{session_id}", &made.session_id)
            .replace("{step_id}", &made.step_id)
            .replace("{id}", &made.payment_id)
            .replace("{credentials_id}", &made.credentials_id)
            .replace("{skill}", &SKILL.replace('#', "%23"))
            .replace("{kind}", "aisp");
        self.world.api(&path)
    }

    /// The document that the server says what it has in.
    pub async fn openapi(&self) -> Value {
        let answer = reqwest::get(self.world.api("/v1/openapi.json")).await;
        answer.unwrap().json().await.unwrap()
    }

    /// Every operation that the server says it has.
    async fn served(&self) -> BTreeSet<String> {
        let document = self.openapi().await;
        let mut served = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for method in item.as_object().unwrap().keys() {
                served.insert(format!("{} {path}", method.to_uppercase()));
            }
        }
        served
    }
}

/// Returns `true` if an operation reads a form with a file instead of JSON.
pub fn takes_file(line: &Line) -> bool {
    line.operation.ends_with("/upload")
}

/// The smallest PDF, as far as its first bytes tell.
pub const FILE: &[u8] = b"%PDF-1.7\n%%EOF\n";

/// A form of these fields and, as its last part, a file: its media type and its bytes.
pub fn form(fields: &Value, file: Option<&[u8]>) -> (&'static str, Vec<u8>) {
    let mut body = Vec::new();
    for (name, value) in fields.as_object().unwrap() {
        let text = value.as_str().unwrap();
        let part =
            format!("--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n");
        body.extend(part.into_bytes());
    }
    if let Some(file) = file {
        let head = "Content-Disposition: form-data; name=\"file\"; filename=\"a.pdf\"";
        body.extend(format!("--edge\r\n{head}\r\n\r\n").into_bytes());
        body.extend(file);
        body.extend(b"\r\n");
    }
    body.extend(b"--edge--\r\n");
    ("multipart/form-data; boundary=edge", body)
}

/// The header a credential travels in where there is no body; an app key has none.
pub fn header_of(credential: &str) -> Option<&'static str> {
    match credential {
        "client_id" => Some("X-Client-Id"),
        "client_secret" => Some("X-Client-Secret"),
        "credentials_id" => Some("X-Credentials-Id"),
        "access_token" => Some("X-Access-Token"),
        _ => None,
    }
}

async fn every_operation_is_decided_for_every_actor(database: Database) {
    let town = Callers::new(database).await;
    let decided: BTreeSet<String> = OPERATIONS
        .iter()
        .map(|line| line.operation.to_owned())
        .collect();
    assert_eq!(
        town.served().await,
        decided,
        "every served operation has its line in authorization_matrix/operations.rs, and every line its operation"
    );
    let mut wrong = Vec::new();
    for line in OPERATIONS {
        let made = town.make(line.thing).await;
        for actor in ACTORS {
            let Some(expected) = expected(line, actor) else {
                continue;
            };
            // Everybody who is refused asks for one thing, which must then still be good for the right caller.
            let heard = if expected == line.right && line.spends {
                let fresh = town.make(line.thing).await;
                town.call(line, actor, &fresh).await
            } else {
                town.call(line, actor, &made).await
            };
            if heard.summary() != expected {
                let words = heard.summary();
                wrong.push(format!(
                    "{} {actor:?}: {words}, not {expected}",
                    line.operation
                ));
            }
        }
        let right = match line.lock {
            Lock::App | Lock::Nonce => Actor::AppKey,
            _ => Actor::Secret,
        };
        let heard = town.call(line, right, &made).await;
        if heard.summary() != line.right {
            let words = heard.summary();
            wrong.push(format!("{} after everybody: {words}", line.operation));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

async fn a_foreign_id_is_answered_like_one_that_never_was(database: Database) {
    let town = Callers::new(database).await;
    for line in OPERATIONS
        .iter()
        .filter(|line| line.thing != Thing::Nothing)
    {
        let theirs = town.make(line.thing).await;
        let nowhere = never_made(&theirs);
        for actor in [Actor::Sibling, Actor::Stranger, Actor::Production] {
            let foreign = town.call(line, actor, &theirs).await;
            let unknown = town.call(line, actor, &nowhere).await;
            assert_eq!(
                foreign.comparable(),
                unknown.comparable(),
                "{} {actor:?}",
                line.operation
            );
        }
    }
}

/// Returns ids and tokens of the same shape that were never given to anybody.
fn never_made(made: &Made) -> Made {
    let id = |id: &String| match id.as_str() {
        "" => String::new(),
        _ => uuid::Uuid::new_v4().to_string(),
    };
    let token = |token: &String| token.chars().rev().collect::<String>();
    Made {
        session_id: id(&made.session_id),
        step_id: id(&made.step_id),
        payment_id: id(&made.payment_id),
        nonce: token(&made.nonce),
        temp_token: token(&made.temp_token),
        credentials_id: id(&made.credentials_id),
        access_token: token(&made.access_token),
    }
}
