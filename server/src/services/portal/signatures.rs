//! The signature debugger: the checks of a signed request, made once more for the eyes of whoever owns the key.

use app::domain::ids::{RequestId, SigningKeyId, TenantId};
use app::domain::person::Permission;
use app::domain::signature::{Check, Finding, Outcome, SignatureTerms};
use app::portal::signing::{
    Diagnosis, NewSigningKey, RefusedSignature, Signing, SigningKey, Specimen,
};
use app::portal::{Actor, PortalError, PortalResult, RequestSource};
use async_trait::async_trait;
use url::Url;

use super::signing_keys;
use crate::services::access::signatures::report::report;
use crate::services::access::signatures::{Owner, Signed, once};
use crate::services::portal::Services;
use crate::services::portal::outcome::portal_result;
use crate::services::portal::tenants::{Change, own, signature_terms};
use crate::services::refusal::ApiError;
use crate::services::refusal::ServiceError;
use crate::state::AppState;
use crate::storage::signatures::{RefusedRow, Used};

/// Refused signatures in the list: so many whose sender proved something, and so many others.
const LISTED: i64 = 20;
/// The largest body that is looked at: the API reads no larger one.
const LARGEST: usize = 256 * 1024;

#[async_trait]
impl Signing for Services {
    async fn signing_keys(&self, actor: &Actor) -> PortalResult<Vec<SigningKey>> {
        portal_result(self, signing_keys::list(&self.state, actor).await)
    }

    async fn add_signing_key(
        &self,
        actor: &Actor,
        new: NewSigningKey,
        source: &RequestSource,
    ) -> PortalResult<()> {
        let added = async {
            actor.may(signing_keys::MANAGE)?;
            let proof = actor.fresh(self.state.clock.now())?;
            signing_keys::add(&self.state, proof, new, source).await
        };
        portal_result(self, added.await)
    }

    async fn stop_signing_key(
        &self,
        actor: &Actor,
        key: SigningKeyId,
        source: &RequestSource,
    ) -> PortalResult<()> {
        let stopped = async {
            actor.may(signing_keys::MANAGE)?;
            let proof = actor.fresh(self.state.clock.now())?;
            signing_keys::stop(&self.state, proof, key, source).await
        };
        portal_result(self, stopped.await)
    }

    async fn signature_terms(
        &self,
        actor: &Actor,
        tenant: TenantId,
    ) -> PortalResult<SignatureTerms> {
        let read = async {
            let mut tx = self.state.db.read().await?;
            own(&mut tx, actor, tenant).await?;
            tx.signature_terms(tenant)
                .await?
                .ok_or_else(|| PortalError::NotFound.into())
        };
        portal_result(self, read.await)
    }

    async fn set_signature_terms(
        &self,
        actor: &Actor,
        tenant: TenantId,
        version: i64,
        (signed_only, seconds): (bool, &str),
        source: &RequestSource,
    ) -> PortalResult<()> {
        let done = async {
            let change = Change::begin(&self.state, actor, tenant, source).await?;
            signature_terms::set(change, version, signed_only, seconds).await
        };
        portal_result(self, done.await)
    }

    async fn refused_signatures(
        &self,
        actor: &Actor,
        request: Option<RequestId>,
    ) -> PortalResult<Vec<RefusedSignature>> {
        let read = async {
            let servicer = actor.may(Permission::ManageSandboxKeys)?.servicer;
            let mut tx = self.state.db.read().await?;
            let mut rows = Vec::new();
            if let Some(request) = request {
                rows.extend(tx.refused_signature(servicer, request).await?);
            } else {
                // What strangers send pushes nothing else out of the list.
                for proved in [true, false] {
                    rows.extend(tx.refused_signatures(servicer, proved, LISTED).await?);
                }
                rows.sort_by_key(|row| std::cmp::Reverse(row.request_id.0));
            }
            rows.into_iter()
                .map(refused_signature)
                .collect::<Result<_, ServiceError>>()
        };
        portal_result(self, read.await)
    }

    async fn diagnose(&self, actor: &Actor, specimen: Specimen) -> PortalResult<Diagnosis> {
        portal_result(self, diagnose(&self.state, actor, &specimen).await)
    }
}

fn refused_signature(row: RefusedRow) -> Result<RefusedSignature, ServiceError> {
    let findings = serde_json::from_str(&row.findings);
    Ok(RefusedSignature {
        request: row.request_id,
        tenant: row.tenant_id,
        at: row.at,
        method: row.method,
        path: row.path,
        findings: findings.map_err(ServiceError::broken)?,
    })
}

/// Makes every check; uses nothing up.
async fn diagnose(
    state: &AppState,
    actor: &Actor,
    specimen: &Specimen,
) -> Result<Diagnosis, ServiceError> {
    actor.may(Permission::ManageSandboxKeys)?;
    let mut tx = state.db.read().await?;
    let tenant = own(&mut tx, actor, specimen.tenant).await?;
    let terms = tx
        .signature_terms(tenant.id)
        .await?
        .ok_or(PortalError::NotFound)?;
    drop(tx);
    if specimen.body.len() > LARGEST {
        let message = format!("A body has at most {LARGEST} bytes.");
        return Err(PortalError::field("body", message).into());
    }
    let owner = Owner {
        servicer: tenant.servicer_id,
        tenant: tenant.id,
        lifetime: terms.seconds,
    };
    let method = specimen.method.trim().to_ascii_uppercase();
    let target = target(state, &specimen.url);
    let text = specimen.jws.trim();
    let text = text
        .strip_prefix("Authorization:")
        .unwrap_or(text)
        .trim_start();
    let signed = Signed {
        jws: text.strip_prefix("Bearer ").unwrap_or(text).trim(),
        method: &method,
        target: &target,
        body: Some(&specimen.body),
    };
    let mut report = report(state, owner, signed, true).await.map_err(stopped)?;
    // Of no interest while anything else is wrong: then it was never accepted.
    let last = match &report.once {
        Some((digest, end)) if report.failed().is_none() => {
            let mut tx = state.db.read().await?;
            let used = match tx.signatures_forgotten_to().await? {
                Some(to) if *end <= to => Used::Forgotten { to },
                _ if tx.is_used_signature(digest).await? => Used::Before,
                _ => Used::First,
            };
            once(used, state.clock.now())
        }
        _ => Finding::bare(Check::Once, Outcome::Skipped),
    };
    report
        .findings
        .retain(|finding| finding.check != Check::Once);
    report.findings.push(last);
    Ok(Diagnosis {
        findings: report.findings,
    })
}

/// Path and query of what was typed: a URL, or a path.
fn target(state: &AppState, typed: &str) -> String {
    let typed = typed.trim();
    let base = Url::parse(&state.public_url).ok();
    match base.and_then(|base| base.join(typed).ok()) {
        Some(url) => url.query().map_or_else(
            || url.path().to_owned(),
            |query| format!("{}?{query}", url.path()),
        ),
        None => typed.to_owned(),
    }
}

fn stopped(failure: ApiError) -> ServiceError {
    match failure {
        ApiError::Refused(_) => PortalError::Conflict(
            "The set of keys is being fetched this moment: try again in a few seconds.".into(),
        )
        .into(),
        ApiError::Database(error) => error.into(),
        ApiError::Broken(text) => ServiceError::Broken(text),
    }
}
