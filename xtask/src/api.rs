//! The served OpenAPI document, tested by schemathesis: generated calls of every operation, every check, two tenants. What
//! it needs comes from `PyPI` into a folder of its own, each file by its hash.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::bench::flow;
use crate::bench::subject::Subject;
use crate::files::{self, content_hash};
use crate::leash;
use crate::project::{Profile, Project};
use crate::report::{fresh, step};

/// The names of the two tenants in `schemathesis.toml`.
const TENANTS: [&str; 2] = ["first", "second"];

/// Is there a Python that can make virtual environments with `pip` in them?
pub fn has_python() -> bool {
    let mut command = Command::new("python3");
    command.args(["-c", "import venv, ensurepip"]);
    command.output().is_ok_and(|output| output.status.success())
}

/// Runs schemathesis against the dev build on SQLite.
pub fn run(project: &Project) -> Result<()> {
    let tools = install(project)?;
    let subject = Subject::start(project, Profile::Dev, "SQLite", None)?;
    let tenants = step(
        "taking two tenants' users through the bank's consent",
        || {
            TENANTS
                .iter()
                .map(|_| tenant(&subject))
                .collect::<Result<Vec<Value>>>()
        },
    )?;
    let folder = project.target.join("xtask/schemathesis");
    let (identities, headers) = (folder.join("identities.json"), folder.join("wfc.json"));
    files::write(&identities, json!(tenants).to_string().as_bytes())?;
    files::write(&headers, wfc(&tenants).to_string().as_bytes())?;
    let mut command = Command::new(tools.join("bin/schemathesis"));
    command
        .args(["--config-file", "schemathesis.toml", "run"])
        .arg(format!("http://{}/v1/openapi.json", subject.address()))
        .current_dir(project.path("xtask/schemathesis"))
        .env("TESSERA_IDENTITIES", &identities)
        .env("TESSERA_WFC", &headers)
        // Nothing is left beside the hooks.
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let done = leash::run(&command);
    // The keys die with the server's folder; they need not lie about.
    files::remove(&identities)?;
    files::remove(&headers)?;
    done?;
    step("signing requests with jwcrypto", || {
        signed(project, &subject, &tools)
    })
}

/// Requests signed by a library of another language, against the same server.
fn signed(project: &Project, subject: &Subject<'_>, tools: &Path) -> Result<()> {
    let server = subject.command();
    let mut command = Command::new(tools.join("bin/python"));
    command
        .arg(project.path("xtask/schemathesis/signed.py"))
        .arg(format!("http://{}", subject.address()))
        .arg(project.target.join("xtask/schemathesis"))
        .arg(server.get_program())
        .args(server.get_args())
        .env("PYTHONDONTWRITEBYTECODE", "1");
    leash::run(&command)
}

/// A virtual environment with exactly what `requirements.txt` says, unless it is there already.
fn install(project: &Project) -> Result<PathBuf> {
    let requirements = project.path("xtask/schemathesis/requirements.txt");
    let hash = content_hash(&files::read(&requirements)?);
    let folder = project.target.join("xtask/schemathesis/venv");
    let stamp = folder.join("installed");
    if std::fs::read_to_string(&stamp).is_ok_and(|installed| installed == hash) {
        fresh("schemathesis");
        return Ok(folder);
    }
    step("installing schemathesis", || {
        let mut venv = Command::new("python3");
        venv.args(["-m", "venv", "--clear"]).arg(&folder);
        leash::run(&venv).context("python3 could not make a virtual environment")?;
        let mut pip = Command::new(folder.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check"])
            .args([
                "--require-hashes",
                "--only-binary",
                ":all:",
                "--requirement",
            ])
            .arg(&requirements);
        leash::run(&pip).context("schemathesis could not be installed from PyPI")?;
        files::write(&stamp, hash.as_bytes())
    })?;
    Ok(folder)
}

/// A tenant with the pair of a user who consented, and a spare one for what ends consents.
fn tenant(subject: &Subject<'_>) -> Result<Value> {
    let keys = flow::tenant(&|| subject.command())?;
    let pair = flow::onboard(&subject.address(), &keys, "student")?;
    let spare = flow::onboard(&subject.address(), &keys, "student")?;
    Ok(json!({
        "client_id": pair.client_id,
        "client_secret": pair.client_secret,
        "client_app_key": keys.get("client_app_key"),
        "credentials_id": pair.credentials_id,
        "access_token": pair.access_token,
        "spare": { "credentials_id": spare.credentials_id, "access_token": spare.access_token },
    }))
}

/// Both tenants' keys as headers, in the form of Web Fuzzing Commons.
fn wfc(tenants: &[Value]) -> Value {
    let header = |name: &str, tenant: &Value, field: &str| json!({ "name": name, "value": tenant.get(field) });
    let users: Vec<Value> = TENANTS
        .iter()
        .zip(tenants)
        .map(|(name, tenant)| {
            json!({
                "name": name,
                "fixedHeaders": [
                    header("X-Client-Id", tenant, "client_id"),
                    header("X-Client-Secret", tenant, "client_secret"),
                    header("X-Credentials-Id", tenant, "credentials_id"),
                    header("X-Access-Token", tenant, "access_token"),
                ],
            })
        })
        .collect();
    json!({ "auth": users })
}
