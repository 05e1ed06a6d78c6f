//! Random calls, made of what earlier answers brought and of what nobody should send.

use std::collections::BTreeMap;

use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::Map;

use super::words;
use super::*;

/// Most values of a kind that are remembered.
const MEMORY: usize = 40;

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: &'static str,
    pub target: String,
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

pub fn get(target: &str) -> Call {
    Call {
        method: "GET",
        target: target.to_owned(),
        headers: Vec::new(),
        body: String::new(),
    }
}

pub fn form(target: &str, fields: &[(&str, &str)]) -> Call {
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    Call {
        method: "POST",
        headers: vec![("content-type", "application/x-www-form-urlencoded".into())],
        body,
        ..get(target)
    }
}

/// Makes calls, and remembers what they brought.
pub struct Maker {
    pub rng: StdRng,
    pub client_id: String,
    pub client_secret: String,
    known: BTreeMap<&'static str, Vec<String>>,
    /// Values seen in answers, by their kind and the consent (for cursors also the list) that they came from.
    own: BTreeMap<String, Vec<String>>,
    /// The consent and the list of the call that is made.
    pub current: (String, &'static str),
    pairs: Vec<(String, String)>,
    /// Session, nonce, skill.
    sessions: Vec<(String, String, String)>,
    opened_for: String,
    /// Number of answers with each status.
    pub statuses: BTreeMap<&'static str, usize>,
}

/// Members of answers that are remembered, each with the kind it is remembered as.
const LEARNT: &[(&str, &str)] = &[
    ("next_cursor", "cursor"),
    ("id", "id"),
    ("account_id", "account"),
    ("utx_id", "utx"),
    ("temp_token", "temp_token"),
    ("step_id", "step"),
    ("session_id", "session"),
    ("credentials_id", "consent"),
    ("category", "category"),
];

impl Maker {
    pub fn new(rng: StdRng) -> Self {
        Self {
            rng,
            client_id: String::new(),
            client_secret: String::new(),
            known: BTreeMap::new(),
            own: BTreeMap::new(),
            current: (String::new(), ""),
            pairs: Vec::new(),
            sessions: Vec::new(),
            opened_for: String::new(),
            statuses: BTreeMap::new(),
        }
    }

    /// Takes the keys from the page that shows them once.
    pub fn learn_keys(&mut self, page: &str) {
        let between = |start: &str, end: &str| {
            let (_, rest) = page.split_once(start).expect("the keys' page");
            rest.split_once(end).expect("the end").0.to_owned()
        };
        self.client_id = between("action=\"/tenants/", "/keys/env\"");
        self.client_secret = between("name=\"client_secret\" value=\"", "\"");
    }

    fn remember(&mut self, kind: &'static str, text: &str) {
        let at = self.rng.random_range(0..MEMORY);
        let place = self.place(kind);
        let own = self.own.entry(place).or_default();
        for all in [own, self.known.entry(kind).or_default()] {
            if all.len() >= MEMORY {
                all.remove(at);
            }
            all.push(text.to_owned());
        }
    }

    /// Cursors are of one list of one consent, ids and accounts of a consent.
    fn place(&self, kind: &str) -> String {
        let (consent, list) = &self.current;
        let list = if kind == "cursor" { *list } else { "" };
        format!("{kind}/{consent}/{list}")
    }

    /// Remembers everything of use in an answer.
    pub fn learn(&mut self, answer: &Value, call: &Call) {
        let kind = match answer.get("http") {
            Some(_) => "refused",
            None => "answered",
        };
        *self.statuses.entry(kind).or_default() += 1;
        if let (Some(id), Some(token)) = (
            answer["credentials_id"].as_str(),
            answer["access_token"].as_str(),
        ) {
            self.pairs.push((id.to_owned(), token.to_owned()));
            if self.pairs.len() > 12 {
                self.pairs.remove(0);
            }
        }
        if let Some(nonce) = answer["nonce"].as_str() {
            let session = answer["session_id"].as_str().map(str::to_owned);
            let session = session.or_else(|| {
                let rest = call.target.strip_prefix("/v1/sessions/")?;
                Some(rest.split('/').next()?.to_owned())
            });
            if let Some(session) = session {
                let skill = self.opened_for.clone();
                self.sessions.push((session, nonce.to_owned(), skill));
                if self.sessions.len() > 12 {
                    self.sessions.remove(0);
                }
            }
        }
        self.walk(answer, 0);
    }

    fn walk(&mut self, value: &Value, deep: usize) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    if let (Some((_, kind)), Some(text)) = (
                        LEARNT.iter().find(|(known, _)| known == name),
                        value.as_str(),
                    ) {
                        self.remember(kind, text);
                    }
                    self.walk(value, deep + 1);
                }
            }
            Value::Array(items) if deep < 4 => {
                for item in items.iter().take(5) {
                    self.walk(item, deep + 1);
                }
            }
            _ => {}
        }
    }

    pub fn one<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.rng.random_range(0..all.len())].clone()
    }

    /// Something of a kind that was there once, something else, or nonsense.
    pub fn some(&mut self, kind: &'static str) -> String {
        if self.rng.random_bool(0.03) {
            return words::text(&mut self.rng);
        }
        if let Some(own) = self.own.get(&self.place(kind)).cloned()
            && self.rng.random_bool(0.85)
        {
            return self.one(&own);
        }
        let kinds: Vec<_> = self.known.keys().copied().collect();
        let kind = if self.rng.random_bool(0.1) && !kinds.is_empty() {
            self.one(&kinds)
        } else {
            kind
        };
        match self.known.get(kind).cloned() {
            Some(all) if !all.is_empty() => self.one(&all),
            _ => "0190163d-8694-739b-aea5-966c26f8ad91".to_owned(),
        }
    }

    pub fn keys(&self) -> Map<String, Value> {
        let keys = json!({ "client_id": self.client_id, "client_secret": self.client_secret });
        keys.as_object().cloned().unwrap_or_default()
    }

    pub fn data_keys(&mut self) -> Map<String, Value> {
        let mut body = self.keys();
        let pairs = self.pairs.clone();
        if let (false, false) = (pairs.is_empty(), self.rng.random_bool(0.01)) {
            // The newest most of all: older ones end.
            let from = if self.rng.random_bool(0.8) {
                pairs.len().saturating_sub(3)
            } else {
                0
            };
            let (id, token) = self.one(&pairs[from..]);
            self.current.0.clone_from(&id);
            body.insert("credentials_id".into(), json!(id));
            body.insert("access_token".into(), json!(token));
        }
        body
    }

    pub fn post(target: &str, body: Map<String, Value>) -> Call {
        Call {
            method: "POST",
            headers: vec![("content-type", "application/json".into())],
            body: Value::Object(body).to_string(),
            ..get(target)
        }
    }

    pub fn open(&mut self, skill: &str) -> Call {
        self.opened_for = skill.to_owned();
        let mut body = self.keys();
        body.insert("skill".into(), json!(skill));
        Self::post("/v1/sessions", body)
    }

    pub fn submit(&mut self, step: &str, data: Value) -> Call {
        let sessions = self.sessions.clone();
        let (session, nonce, skill) = match sessions.last() {
            Some(_) if self.rng.random_bool(0.2) => self.one(&sessions),
            Some(last) => last.clone(),
            None => ("x".into(), "x".into(), AISP.into()),
        };
        let body = json!({
            "client_id": self.client_id, "nonce": nonce, "skill": skill, "step": step, "data": data,
        });
        let target = format!("/v1/sessions/{session}/steps");
        Self::post(&target, body.as_object().cloned().unwrap_or_default())
    }

    pub fn sca(&mut self) -> Call {
        self.submit("sca", json!({ "psu_redirect_link": LINK }))
    }

    pub fn exchange(&mut self, token: &str) -> Call {
        let mut body = self.keys();
        body.insert("temp_token".into(), json!(token));
        Self::post("/v1/token", body)
    }
}
