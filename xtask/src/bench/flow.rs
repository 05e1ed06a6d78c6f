//! Gets a tenant its keys from the command line and takes an end-user through the sandbox bank, as any client would.

use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};

use super::http::{Connection, request};
use super::walk;
use crate::project::output;

const JSON: (&str, &str) = ("Content-Type", "application/json");
const RETURN: &str = "myapp://return";

/// Purpose for which a user goes to the bank: a skill whose first step takes them there.
pub struct Errand {
    pub skill: &'static str,
    pub step: &'static str,
    /// The step's fields, beside the link that the user returns to.
    pub data: Map<String, Value>,
}

impl Errand {
    /// To share their accounts.
    pub fn accounts() -> Self {
        Self {
            skill: "xyz_ro_aisp_sbx_#1.0",
            step: "sca",
            data: Map::new(),
        }
    }
}

/// Keys and credentials that a tenant's backend keeps after the exchange.
pub struct Pair {
    pub client_id: String,
    pub client_secret: String,
    pub credentials_id: String,
    pub access_token: String,
}

/// The keys of a tenant that may use these skills, made by the operator's commands; `server` gives the binary with its
/// database options.
pub fn tenant(server: &dyn Fn() -> Command, skills: &[&str]) -> Result<Value> {
    let run = |arguments: &[&str]| -> Result<Value> {
        let mut command = server();
        command.args(arguments).arg("--json");
        Ok(serde_json::from_str(&output(&mut command)?)?)
    };
    let servicer = run(&[
        "servicer",
        "create",
        "--name",
        "Benchmark",
        "--kind",
        "consumer",
    ])?;
    let id = text(&servicer, "servicer_id")?;
    let mut create = vec!["tenant", "create", "--servicer", &id];
    create.extend(["--name", "Benchmark", "--environment", "sandbox"]);
    create.extend(["--redirect-link", RETURN]);
    create.extend(skills.iter().flat_map(|skill| ["--skill", skill]));
    run(&create)
}

/// One whole onboarding of a user of the sandbox bank, who agrees to everything.
pub fn onboard(address: &str, keys: &Value, user: &str, errand: &Errand) -> Result<Pair> {
    let token = grant(address, keys, user, errand)?;
    let mut api = Connection::open(address)?;
    let pair = api.call(&exchange(address, keys, &token)?)?.json()?;
    Ok(Pair {
        client_id: text(keys, "client_id")?,
        client_secret: text(keys, "client_secret")?,
        credentials_id: text(&pair, "credentials_id")?,
        access_token: text(&pair, "access_token")?,
    })
}

/// An onboarding up to its `temp_token`.
pub fn grant(address: &str, keys: &Value, user: &str, errand: &Errand) -> Result<String> {
    let mut api = Connection::open(address)?;
    let session = api.call(&session(address, keys, errand)?)?.json()?;
    let step = api.call(&step(address, keys, errand, &session)?)?.json()?;
    let bank = step.pointer("/data/url").and_then(Value::as_str);
    let end = walk::consent(bank.context("no bank link")?, user)?;
    let token = end
        .split(['?', '&'])
        .find_map(|pair| pair.strip_prefix("temp_token="));
    let token = token.with_context(|| format!("no temp_token in {end}"))?;
    Ok(token.to_owned())
}

/// The request that opens a session.
pub fn session(address: &str, keys: &Value, errand: &Errand) -> Result<Vec<u8>> {
    let body = json!({"client_id": text(keys, "client_id")?, "client_app_key": text(keys, "client_app_key")?,
                      "skill": errand.skill});
    Ok(post(address, "/v1/sessions", &body))
}

/// The request that submits a new session's first step.
pub fn step(address: &str, keys: &Value, errand: &Errand, session: &Value) -> Result<Vec<u8>> {
    let path = format!("/v1/sessions/{}/steps", text(session, "session_id")?);
    let mut data = errand.data.clone();
    data.insert("psu_redirect_link".into(), RETURN.into());
    let body = json!({"client_id": text(keys, "client_id")?, "nonce": text(session, "nonce")?, "skill": errand.skill,
                      "step": errand.step, "data": data});
    Ok(post(address, &path, &body))
}

/// The request that exchanges a `temp_token`.
pub fn exchange(address: &str, keys: &Value, token: &str) -> Result<Vec<u8>> {
    let body = json!({"client_id": text(keys, "client_id")?, "client_secret": text(keys, "client_secret")?,
                      "temp_token": token});
    Ok(post(address, "/v1/token", &body))
}

fn post(address: &str, path: &str, body: &Value) -> Vec<u8> {
    request("POST", address, path, &[JSON], &body.to_string())
}

fn text(value: &Value, key: &str) -> Result<String> {
    let found = value.get(key).and_then(Value::as_str).map(str::to_owned);
    found.with_context(|| format!("no {key} in {value}"))
}
