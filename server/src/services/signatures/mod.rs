//! Signed requests (`api.md`, section 8): a JWS over claims about one request, made with a key of the tenant's servicer.
//!
//! [`report::report`] makes every check and says what each found; [`accept`] refuses a request at the first that failed and uses
//! the signature up, and [`diagnose`] shows the whole report in the portal. Keys behind a URL are fetched while no
//! transaction is open.

mod claims;
pub mod diagnose;
pub mod digest;
mod jws;
pub mod key_sets;
pub mod keys;
pub mod material;
mod report;
#[cfg(test)]
pub mod testing;
#[cfg(test)]
mod tests;

use app::domain::ids::{RequestId, ServicerId, TenantId};
use app::domain::problem::Code;
use app::domain::signature::{Check, Finding, Outcome};
use app::links;

use self::report::{Report, report};
use super::keys::Named;
use super::limits::Budget;
use super::refusal::{Failure, Refusal};
use crate::state::AppState;
use crate::storage::signatures::RefusedRow;

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

impl From<&Named> for Owner {
    fn from(tenant: &Named) -> Self {
        Self {
            servicer: tenant.servicer(),
            tenant: tenant.tenant(),
            lifetime: tenant.signature_seconds(),
        }
    }
}

/// Checks a signature and uses it up. What fails is kept for the owner to look at.
pub async fn accept(
    state: &AppState,
    owner: Owner,
    signed: Signed<'_>,
    request: RequestId,
) -> Result<Accepted, Failure> {
    let mut report = report(state, owner, signed).await?;
    if report.failed().is_none() {
        let used = use_up(state, &report).await?;
        report.findings.push(once(used));
    }
    let Some(failed) = report.failed().map(|finding| finding.check) else {
        let digest = report.digest.unwrap_or_default();
        return Ok(Accepted { digest });
    };
    keep(state, owner, signed, request, &report).await?;
    Err(refusal(state, failed, request))
}

/// The answer names the check; what exactly differs is for the owner's eyes.
fn refusal(state: &AppState, check: Check, request: RequestId) -> Failure {
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

fn once(is_first: bool) -> Finding {
    if is_first {
        return Finding::bare(Check::Once, Outcome::Passed);
    }
    let advice = "This signature was accepted before. Sign each request anew, also when it is repeated, and put a random jti into the claims: two equal requests in one second have the same signature otherwise.";
    Finding::failed(
        Check::Once,
        "a signature that was not seen before",
        "one that was accepted",
        advice,
    )
}

async fn use_up(state: &AppState, report: &Report) -> Result<bool, Failure> {
    let (Some((digest, end)), Some(key)) = (&report.once, report.key) else {
        return Ok(false);
    };
    let mut tx = state.db.write().await?;
    let is_first = tx.use_signature(digest, *end).await?;
    if is_first {
        tx.note_signing_key_use(key, state.clock.now()).await?;
    }
    tx.commit().await?;
    Ok(is_first)
}

/// Keeps what was found, for some calls a minute: the keys of a session's app alone prove little.
async fn keep(
    state: &AppState,
    owner: Owner,
    signed: Signed<'_>,
    request: RequestId,
    report: &Report,
) -> Result<(), Failure> {
    let now = state.clock.now();
    if state
        .limits
        .spend_here(Budget::Unproved(owner.tenant), now)
        .wait
        .is_some()
    {
        return Ok(());
    }
    let findings = serde_json::to_string(&report.findings)
        .map_err(|error| Failure::Broken(error.to_string()))?;
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
    };
    let mut tx = state.db.write().await?;
    tx.add_refused_signature(owner.servicer, &row).await?;
    Ok(tx.commit().await?)
}
