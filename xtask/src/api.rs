//! The served OpenAPI document, tested by schemathesis: generated calls of every operation, every check, two tenants. What
//! it needs comes from `PyPI` into a folder of its own, each file by its hash.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value, json};

use crate::bench::flow::{self, Errand};
use crate::bench::subject::{Start, Subject};
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
    let subject = Subject::start(project, Profile::Dev, "SQLite", None, Start::DEMO)?;
    let tenants = step("taking two tenants' users through the bank's forms", || {
        TENANTS
            .iter()
            .map(|_| tenant(&subject))
            .collect::<Result<Vec<Value>>>()
    })?;
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
        .env("TESSERA_URL", format!("http://{}", subject.address()))
        // Nothing is left beside the hooks.
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .args(longer()?);
    let done = leash::run(&command);
    // The keys die with the server's folder; they need not lie about.
    files::remove(&identities)?;
    files::remove(&headers)?;
    done?;
    step("signing requests with jwcrypto", || {
        signed(project, &subject, &tools)
    })
}

/// Options of a longer run: `TESSERA_TEST_EXAMPLES` cases of each operation instead of those of the configuration, and the
/// milliseconds of `TESSERA_TEST_RESPONSE_MS` as the longest that any answer may take.
fn longer() -> Result<Vec<String>> {
    let mut options = Vec::new();
    if let Ok(examples) = std::env::var("TESSERA_TEST_EXAMPLES") {
        let examples: u32 = examples
            .parse()
            .context("TESSERA_TEST_EXAMPLES is no whole number")?;
        options.push(format!("--max-examples={examples}"));
    }
    if let Ok(bound) = std::env::var("TESSERA_TEST_RESPONSE_MS") {
        let bound: u32 = bound
            .parse()
            .context("TESSERA_TEST_RESPONSE_MS is no whole number")?;
        let seconds = f64::from(bound) / 1000.0;
        options.push(format!("--max-response-time={seconds}"));
    }
    Ok(options)
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

/// A tenant with pairs of users who went to the bank: one to read accounts with, one to read a payment with, and one of
/// each kind for the calls that end it.
fn tenant(subject: &Subject<'_>) -> Result<Value> {
    let day = in_days(10);
    let accounts = Errand::accounts();
    let standing = payment(&[("frequency", "Monthly"), ("start_date", &day)]);
    let later = payment(&[("requested_execution_date", &day)]);
    // Those of the marketplace need no bank's forms: the hooks walk them.
    let skills = [
        accounts.skill,
        standing.skill,
        "xyz_sbx_#3.0",
        "xyz_card_sbx_#1.0",
    ];
    let keys = flow::tenant(&|| subject.command(), &skills)?;
    let pair = |errand: &Errand| -> Result<Value> {
        let pair = flow::onboard(&subject.address(), &keys, "student", errand)?;
        Ok(json!({ "credentials_id": pair.credentials_id, "access_token": pair.access_token }))
    };
    Ok(json!({
        "client_id": keys.get("client_id"),
        "client_secret": keys.get("client_secret"),
        "client_app_key": keys.get("client_app_key"),
        "accounts": pair(&accounts)?,
        "ended": pair(&accounts)?,
        "payment": pair(&standing)?,
        "cancelled": pair(&later)?,
    }))
}

/// An order of one payment; `when` are the fields that say when it is due.
fn payment(when: &[(&str, &str)]) -> Errand {
    let transfer = json!({
        "amount": { "instructed_amount": { "amount": "12.50", "currency": "RON" } },
        "creditor": { "name": "Corner Shop" },
        "creditor_account": { "iban": "RO49AAAA1B31007593840000" },
    });
    let mut info: Map<String, Value> = when
        .iter()
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect();
    info.insert(
        "credit_transfer_transaction_information".into(),
        json!([transfer]),
    );
    Errand {
        skill: "xyz_ro_pisp_sbx_#1.0",
        step: "payment_intent",
        data: Map::from_iter([("payment_info".into(), json!([info]))]),
    }
}

/// A day to come: what is due then can be called off meanwhile.
fn in_days(days: u64) -> String {
    let day = SystemTime::now() + Duration::from_secs(days * 86_400);
    DateTime::<Utc>::from(day).date_naive().to_string()
}

/// Both tenants' keys as headers, in the form of Web Fuzzing Commons.
fn wfc(tenants: &[Value]) -> Value {
    let header =
        |name: &str, tenant: &Value, at: &str| json!({ "name": name, "value": tenant.pointer(at) });
    let users: Vec<Value> = TENANTS
        .iter()
        .zip(tenants)
        .map(|(name, tenant)| {
            json!({
                "name": name,
                "fixedHeaders": [
                    header("X-Client-Id", tenant, "/client_id"),
                    header("X-Client-Secret", tenant, "/client_secret"),
                    header("X-Credentials-Id", tenant, "/accounts/credentials_id"),
                    header("X-Access-Token", tenant, "/accounts/access_token"),
                ],
            })
        })
        .collect();
    json!({ "auth": users })
}
