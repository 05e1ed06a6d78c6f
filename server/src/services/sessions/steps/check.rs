//! What is looked at before a step is claimed: its nonce, its end-user, its skill and name, its data, files and link.

use std::collections::HashSet;

use app::domain::ids::TenantId;
use app::domain::nearest::Nearest;
use app::domain::problem::Code;
use app::domain::session::Awaiting;
use app::domain::tenant::{Environment, RedirectLink};
use kernel::crypto::Digest;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive as _;
use secrecy::ExposeSecret as _;
use serde_json::Value;

use super::{CheckedStep, NewStep};
use crate::services::access::keys::NamedTenant;
use crate::services::consents::end_user::check_user;
use crate::services::refusal::{ApiError, FieldProblem, Refusal};
use crate::services::sessions::standing::{ended, in_flight, owned, skill_named, status_at};
use crate::services::sessions::{one_time_tokens, uploads};
use crate::skills::payment_texts::{self, AdaptedText, Prepared};
use crate::skills::{DataFault, PublishedSkill, payment_intent};
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::sessions::SessionRow;
use crate::text::odd_char_in;

/// Everything that can be refused before anything is claimed. The data is left as the provider gets it.
pub(super) async fn check(
    state: &AppState,
    client: &NamedTenant,
    new: &mut NewStep,
) -> Result<CheckedStep, ApiError> {
    let digest = one_time_tokens::nonce_digest(state, new.nonce.expose_secret());
    let mut tx = state.db.read().await?;
    let row = owned(&mut tx, client.tenant(), new.session_id).await?;
    usable(state, &mut tx, &row, &digest).await?;
    let (bound, user) = (row.tenant_user.as_ref(), new.tenant_user_id.as_deref());
    check_user(state, row.tenant_id, bound, user)?;
    let skill = skill_named(state, &new.skill)?;
    if skill.name != row.skill {
        return Err(Refusal::new(Code::InvalidSkillName)
            .says(format!("This session was opened for {}.", row.skill))
            .into());
    }
    if row.next_step.as_deref() != Some(&new.step) {
        let expected = row.next_step.unwrap_or_default();
        return Err(Refusal::new(Code::InvalidStep)
            .says(format!("The session expects the step {expected} now."))
            .into());
    }
    let written = check_data(state, &skill, row.tenant_id, new)?;
    uploads::none_missing(state, &mut tx, &row).await?;
    let link = new.data.get("psu_redirect_link").and_then(Value::as_str);
    if let Some(link) = link {
        check_link(&mut tx, client, link).await?;
    }
    Ok(CheckedStep {
        link: link.map(str::to_owned),
        skill,
        digest,
        written,
    })
}

/// Checks that a nonce authorises this session's next step now; fails with a refusal that says why not.
pub(super) async fn usable(
    state: &AppState,
    tx: &mut Tx,
    row: &SessionRow,
    digest: &Digest,
) -> Result<(), ApiError> {
    let now = state.now_of(row.tenant_id);
    let says = |text: &str| ApiError::from(Refusal::new(Code::InvalidNonce).says(text));
    let status = status_at(row, now);
    let Some(nonce) = tx.nonce(digest).await? else {
        return Err(says("No nonce like this was issued."));
    };
    if nonce.session_id != row.id {
        return Err(says("The nonce belongs to another session."));
    }
    if status.is_final() {
        return Err(ended(status).into());
    }
    if nonce.used_at.is_some() {
        return Err(says("The nonce was used: each works once."));
    }
    if nonce.position != row.position || row.awaiting != Awaiting::Step {
        return Err(says(
            "The nonce is out of order: it belongs to another step.",
        ));
    }
    if nonce.expires_at.is_none_or(|end| end <= now) {
        return Err(Code::ExpiredNonce.into());
    }
    if row
        .claim_until
        .is_some_and(|until| until > state.clock.now())
    {
        return Err(in_flight().into());
    }
    Ok(())
}

/// Checks a step's data and replaces it with what the provider gets. Returns the texts that are spelt otherwise there.
fn check_data(
    state: &AppState,
    skill: &PublishedSkill,
    tenant: TenantId,
    new: &mut NewStep,
) -> Result<Vec<AdaptedText>, ApiError> {
    let mut given = Value::Object(new.data.clone());
    whole(&mut given);
    let mut prepared = if new.step == payment_intent::STEP {
        payment_texts::prepare(&given)
    } else {
        Prepared {
            faults: invisible(&given, "data"),
            data: given,
            written: Vec::new(),
        }
    };
    let mut faults = std::mem::take(&mut prepared.faults);
    let said: HashSet<String> = faults.iter().map(|fault| fault.path.clone()).collect();
    let more = skill.check(&new.step, &prepared.data).into_iter();
    faults.extend(more.filter(|fault| !said.contains(&fault.path)));
    if faults.is_empty() && new.step == payment_intent::STEP {
        faults = payment_intent::faults(&prepared.data, skill.day(state.now_of(tenant)));
    }
    if faults.is_empty() {
        if let Value::Object(data) = prepared.data {
            new.data = data;
        }
        return Ok(prepared.written);
    }
    let code = |code: &str| match code {
        "missing" => Code::MissingFields,
        "unknown" => Code::UnknownFields,
        _ => Code::InvalidField,
    };
    let fields = faults
        .into_iter()
        .map(|fault| FieldProblem::new(fault.path, code(fault.code), fault.message))
        .collect();
    Err(Refusal::new(Code::InvalidInput).at(fields).into())
}

/// Writes whole numbers as such: `1.0` and `1e0` are integers to a JSON Schema, and to no reader of integers.
fn whole(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(whole),
        Value::Array(items) => items.iter_mut().for_each(whole),
        Value::Number(number) if number.as_i64().is_none() && number.as_u64().is_none() => {
            let text = number.to_string();
            let decimal = Decimal::from_scientific(&text).or_else(|_| text.parse());
            let integer = decimal
                .ok()
                .filter(|decimal| decimal.fract().is_zero())
                .and_then(|decimal| decimal.to_i64());
            if let Some(integer) = integer {
                *number = integer.into();
            }
        }
        Value::Number(_) | Value::String(_) | Value::Null | Value::Bool(_) => {}
    }
}

/// Characters that nobody sees, in texts that people will read: a bidirectional one shows them another text than there is.
fn invisible(value: &Value, path: &str) -> Vec<DataFault> {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter();
            let found =
                fields.flat_map(|(name, value)| invisible(value, &format!("{path}.{name}")));
            found.collect()
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            let found = items.flat_map(|(at, item)| invisible(item, &format!("{path}[{at}]")));
            found.collect()
        }
        Value::String(text) => {
            let fault = odd_char_in(text).map(|odd| DataFault {
                path: path.to_owned(),
                code: "format",
                message: format!("Must be visible characters, and has {odd}."),
            });
            fault.into_iter().collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

async fn check_link(tx: &mut Tx, client: &NamedTenant, link: &str) -> Result<(), ApiError> {
    let registered = tx.tenant_links(client.tenant()).await?;
    let known = registered
        .iter()
        .filter_map(|own| RedirectLink::parse(own, client.environment()).ok())
        .any(|own| own.matches(link));
    if known {
        return Ok(());
    }
    let field = FieldProblem::new(
        "data.psu_redirect_link",
        Code::InvalidField,
        "is not registered on this tenant",
    );
    let refusal = Refusal::new(Code::InvalidRedirectLink).at(vec![field]);
    if client.environment() != Environment::Sandbox {
        // In production the links are told to nobody but the tenant's own people, in the portal's log.
        return Err(refusal.into());
    }
    let registered = registered.iter().map(String::as_str);
    Err(match Nearest::of(link, registered) {
        Some(nearest) => refusal.hints(format!(
            "{}. Register the link on the tenant's settings page, or send the one that is registered.",
            nearest.says()
        )),
        None => refusal.hints("This tenant has no registered link yet: add one on its settings page."),
    }
    .into())
}
