//! Signed requests (docs/API.md, "Signed requests"): a JWS over claims about one request, made with a key of the
//! tenant's servicer.
//!
//! [`report::report`] makes every check and says what each found; [`accept`] refuses a request at the first that failed and uses
//! the signature up, and [`diagnose`] shows the whole report in the portal. Keys behind a URL are fetched while no
//! transaction is open.

mod address;
pub(crate) mod claims;
pub(crate) mod der;
pub mod digest;
pub(crate) mod jws;
pub mod key_sets;
pub mod material;
mod mismatch;
mod misread;
pub(crate) mod pem;
pub mod report;
mod strength;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;
pub(crate) mod times;

use app::domain::ids::{RequestId, ServicerId, TenantId};
use app::domain::problem::Code;
use app::domain::signature::{Check, Finding, Outcome};
use app::links;
use chrono::{DateTime, Utc};

use self::report::{SignatureReport, report};
use super::keys::NamedTenant;
use super::rate_limits::Budget;
use crate::services::refusal::{ApiError, Refusal};
use crate::state::AppState;
use crate::storage::signatures::{RefusedRow, Used};

/// A request that came with a signature.
#[derive(Clone, Copy)]
pub struct Signed<'a> {
    /// The JWS in compact form.
    pub jws: &'a str,
    pub method: &'a str,
    /// Path and query as they were asked for.
    pub target: &'a str,
    /// `None` while the body is still on its way: whoever reads it compares its digest with the accepted one.
    pub body: Option<&'a [u8]>,
}

/// Whose signature is expected, and how long it may live.
#[derive(Clone, Copy)]
pub struct Owner {
    pub servicer: ServicerId,
    pub tenant: TenantId,
    /// Seconds.
    pub lifetime: i64,
}

/// A signature that was accepted, and used up with that.
#[derive(Debug)]
pub struct Accepted {
    /// The body's digest as it was signed.
    pub digest: String,
}

impl From<&NamedTenant> for Owner {
    fn from(tenant: &NamedTenant) -> Self {
        Self {
            servicer: tenant.servicer(),
            tenant: tenant.tenant(),
            lifetime: tenant.signature_seconds(),
        }
    }
}

/// Checks a signature and uses it up. What fails is kept for the owner to look at; `by_secret` says whether the tenant's
/// secret came with it.
pub async fn accept(
    state: &AppState,
    owner: Owner,
    signed: Signed<'_>,
    request: RequestId,
    by_secret: bool,
) -> Result<Accepted, ApiError> {
    let mut report = report(state, owner, signed, false).await?;
    if report.failed().is_none() {
        let used = use_up(state, &report).await?;
        report.findings.push(once(used, state.clock.now()));
    }
    let Some(failed) = report.failed().map(|finding| finding.check) else {
        let digest = report.digest.unwrap_or_default();
        return Ok(Accepted { digest });
    };
    let proved = by_secret || report.key.is_some();
    keep(state, owner, signed, request, &report, proved).await?;
    Err(refusal(state, failed, request))
}

/// The answer names the check; what exactly differs is for the owner's eyes.
fn refusal(state: &AppState, check: Check, request: RequestId) -> ApiError {
    let debugger = links::with(links::SIGNATURE_DEBUGGER, "request", &request.to_string());
    Refusal::new(Code::InvalidSignature)
        .says(format!(
            "The signature fails the check `{check}`: {}",
            check.rule()
        ))
        .hints(format!(
            "{}{debugger} shows what exactly differs.",
            state.public_url
        ))
        .into()
}

pub fn once(used: Used, now: DateTime<Utc>) -> Finding {
    match used {
        Used::First => return Finding::bare(Check::Once, Outcome::Passed),
        Used::Before => {}
        Used::Forgotten { to } => {
            let to = to.format("%FT%TZ");
            let advice = format!(
                "Our clock went back: it says {}, and signatures that end by {to} were forgotten already, so that nobody can tell whether this one was used. Sign the request anew with a later exp, or try again after that time.",
                now.format("%FT%TZ")
            );
            return Finding::failed(
                Check::Once,
                format!("a signature that ends after {to}"),
                "one that may have been accepted before",
                advice,
            );
        }
    }
    let advice = "This signature was accepted before. Sign each request anew, also when it is repeated, and put a random jti into the claims: two equal requests in one second have the same signature otherwise.";
    Finding::failed(
        Check::Once,
        "a signature that was not seen before",
        "one that was accepted",
        advice,
    )
}

async fn use_up(state: &AppState, report: &SignatureReport) -> Result<Used, ApiError> {
    let (Some((digest, end)), Some(key)) = (&report.once, report.key) else {
        return Ok(Used::Before);
    };
    let mut tx = state.db.write().await?;
    let used = tx.use_signature(digest, *end).await?;
    if used == Used::First {
        tx.note_signing_key_use(key, state.clock.now()).await?;
        tx.commit().await?;
    }
    Ok(used)
}

/// Keeps what was found, for some calls a minute: the keys of a session's app alone prove little.
async fn keep(
    state: &AppState,
    owner: Owner,
    signed: Signed<'_>,
    request: RequestId,
    report: &SignatureReport,
    proved: bool,
) -> Result<(), ApiError> {
    let now = state.clock.now();
    if state
        .rate_limits
        .spend_here(Budget::Unproved(owner.tenant), now)
        .wait
        .is_some()
    {
        return Ok(());
    }
    let findings = serde_json::to_string(&report.findings).map_err(ApiError::broken)?;
    let row = RefusedRow {
        request_id: request,
        tenant_id: owner.tenant,
        at: now,
        method: signed.method.to_owned(),
        path: signed
            .target
            .split('?')
            .next()
            .unwrap_or_default()
            .to_owned(),
        findings,
        proved,
    };
    let mut tx = state.db.write().await?;
    tx.add_refused_signature(owner.servicer, &row).await?;
    Ok(tx.commit().await?)
}
