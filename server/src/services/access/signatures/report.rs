//! Every check of a signed request, in order, and what each found.

use app::domain::ids::SigningKeyId;
use app::domain::problem::Code;
use app::domain::signature::{Algorithm, Check, Finding, KeySource, Outcome};
use chrono::{DateTime, Utc};
use kernel::crypto::Digest;

use super::claims::{self, ExpectedClaims};
use super::jws::Jws;
use super::key_sets::{self, Known};
use super::material::PublicKey;
use super::{Owner, Signed, digest, mismatch, times};
use crate::services::refusal::{ApiError, Refusal};
use crate::state::AppState;
use crate::storage::signing_keys::SigningKeyRow;

/// Findings of all checks, and what is known of the signature.
pub struct SignatureReport {
    pub findings: Vec<Finding>,
    pub key: Option<SigningKeyId>,
    /// Digest that is used up with the signature, and the time from which its age refuses it anyway; `None` if the
    /// checks did not get so far.
    pub once: Option<(Digest, DateTime<Utc>)>,
    /// The digest claim, if it is a text.
    pub digest: Option<String>,
}

impl SignatureReport {
    /// The first check that failed.
    pub fn failed(&self) -> Option<&Finding> {
        self.findings.iter().find(|finding| finding.is_failed())
    }

    /// A report that ends at its first finding.
    fn only(finding: Finding) -> Self {
        let rest = Check::ALL.iter().filter(|check| **check != finding.check);
        let mut findings: Vec<_> = rest
            .map(|check| Finding::bare(*check, Outcome::Skipped))
            .collect();
        findings.insert(0, finding);
        Self {
            findings,
            key: None,
            once: None,
            digest: None,
        }
    }
}

/// Makes all checks but the last, which is to use the signature up. What a wrong digest is one of is looked for where the
/// signature verifies, or where `searched` says so: strangers shall not have many digests made.
pub async fn report(
    state: &AppState,
    owner: Owner,
    signed: Signed<'_>,
    searched: bool,
) -> Result<SignatureReport, ApiError> {
    let jws = match Jws::parse(signed.jws) {
        Ok(jws) => jws,
        Err(problem) => {
            let advice = "Send the compact form that JWT libraries make, and nothing around it.";
            let expected = "header.claims.signature";
            return Ok(SignatureReport::only(Finding::failed(
                Check::Form,
                expected,
                problem,
                advice,
            )));
        }
    };
    let wanted = ExpectedClaims {
        public_url: &state.public_url,
        now: state.clock.now(),
        lifetime: owner.lifetime,
        method: signed.method,
        target: signed.target,
    };
    let (mut findings, key) = by_key(state, owner, &jws).await?;
    findings.insert(0, Finding::bare(Check::Form, Outcome::Passed));
    findings.extend([
        claims::subject(&jws),
        claims::audience(&jws, &wanted),
        times::time(&jws, &wanted),
        claims::target(&jws, &wanted),
        match signed.body {
            Some(body) => {
                let searched = searched || key.is_some();
                let url = format!("{}{}", wanted.public_url, wanted.target);
                digest::check(jws.claims.get("digest"), body, &url, searched)
            }
            None if jws.text("digest").is_some() => Finding::bare(Check::Digest, Outcome::Skipped),
            None => digest::check(jws.claims.get("digest"), &[], "", false),
        },
    ]);
    // Under the system's data key: a signature that was used up stays so while a pepper is rotated.
    // What is signed, not the signature: of one content there can be several (ECDSA).
    let once = state.vault.digest(&state.pepper, "signature", jws.signed)?;
    Ok(SignatureReport {
        findings,
        key,
        once: times::end(&jws).map(|end| (once, end)),
        digest: jws.text("digest").map(str::to_owned),
    })
}

/// The four checks that end in a verified signature; after a failure the rest is skipped.
async fn by_key(
    state: &AppState,
    owner: Owner,
    jws: &Jws<'_>,
) -> Result<(Vec<Finding>, Option<SigningKeyId>), ApiError> {
    let mut findings = Vec::new();
    let key = match key_checks(state, owner, jws, &mut findings).await? {
        Ok(key) => Some(key),
        Err(failed) => {
            findings.push(failed);
            None
        }
    };
    let all = [
        Check::Algorithm,
        Check::Issuer,
        Check::Key,
        Check::Signature,
    ];
    let rest = all.into_iter().skip(findings.len());
    findings.extend(rest.map(|check| Finding::bare(check, Outcome::Skipped)));
    Ok((findings, key))
}

/// The key that verifies; or the check that failed, those before it being in `passed`.
async fn key_checks(
    state: &AppState,
    owner: Owner,
    jws: &Jws<'_>,
    passed: &mut Vec<Finding>,
) -> Result<Result<SigningKeyId, Finding>, ApiError> {
    let algorithm = match jws.algorithm() {
        Ok(algorithm) => algorithm,
        Err(other) => {
            let advice = mismatch::algorithm(&other);
            return Ok(Err(Finding::failed(
                Check::Algorithm,
                "RS256, ES256, PS256 or EdDSA",
                other,
                advice,
            )));
        }
    };
    passed.push(Finding::passed(Check::Algorithm, algorithm.as_str()));
    let mut tx = state.db.read().await?;
    let rows = tx.signing_keys(owner.servicer).await?;
    drop(tx);
    let issuer = jws.text("iss").unwrap_or_default();
    let (mut own, others): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| row.issuer == issuer);
    if own.is_empty() {
        let mut known: Vec<String> = others.into_iter().map(|row| row.issuer).collect();
        known.dedup();
        let (found, advice) = mismatch::issuer(jws, &known);
        return Ok(Err(Finding::failed(
            Check::Issuer,
            known.join(", "),
            found,
            advice,
        )));
    }
    passed.push(Finding::passed(Check::Issuer, issuer));
    // Where the key is known, no other set is asked for it: one that fails must not hinder the rest.
    let now = state.clock.now();
    let knows = |row: &SigningKeyRow| jws.kid().is_some_and(|kid| key_sets::knows(row, kid, now));
    if own.iter().any(knows) {
        own.retain(knows);
    }
    let mut candidates = Vec::new();
    let mut error = Vec::new();
    for row in own {
        let found = match row.source {
            KeySource::Key => PublicKey::parse(&row.material).into_iter().collect(),
            KeySource::Url => match key_sets::keys(state, &row, jws.kid()).await? {
                Known::Keys(keys) => keys,
                Known::Asked => return Err(Refusal::new(Code::ServiceUnavailable).after(2).into()),
                Known::Nothing(problem) => {
                    error.push(format!("{}: {problem}", row.material));
                    Vec::new()
                }
            },
        };
        candidates.extend(found.into_iter().map(|key| (row.id, key)));
    }
    Ok(verified(jws, algorithm, candidates, &error, passed))
}

/// Returns the id of the candidate key that verifies the signature, or the finding that none does.
fn verified(
    jws: &Jws<'_>,
    algorithm: Algorithm,
    candidates: Vec<(SigningKeyId, PublicKey)>,
    error: &[String],
    passed: &mut Vec<Finding>,
) -> Result<SigningKeyId, Finding> {
    let known: Vec<String> = candidates.iter().map(|(_, key)| named(key)).collect();
    let named_by_kid = |key: &PublicKey| jws.kid().is_some() && key.kid() == jws.kid();
    let (by_kid, others): (Vec<_>, Vec<_>) = candidates
        .into_iter()
        .partition(|(_, key)| named_by_kid(key));
    // A kid of the signer's own naming, for a key that was registered without one, hinders nobody.
    let fitting: Vec<_> = if by_kid.is_empty() { others } else { by_kid };
    let fitting: Vec<_> = fitting
        .into_iter()
        .filter(|(_, key)| key.algorithms().contains(&algorithm))
        .collect();
    if fitting.is_empty() {
        let found = format!("kid {}, alg {algorithm}", jws.kid().unwrap_or("missing"));
        let advice = match error {
            [] => "No live key of this issuer is for that algorithm: was it stopped, or another one registered?".to_owned(),
            error => format!("The set of keys could not be read: {}.", error.join("; ")),
        };
        return Err(Finding::failed(Check::Key, known.join("; "), found, advice));
    }
    passed.push(Finding::passed(
        Check::Key,
        fitting
            .iter()
            .map(|(_, key)| named(key))
            .collect::<Vec<_>>()
            .join("; "),
    ));
    let verifies = fitting
        .iter()
        .find(|(_, key)| key.verifies(algorithm, jws.signed, jws.signature));
    if let Some((id, key)) = verifies {
        passed.push(Finding::passed(Check::Signature, named(key)));
        return Ok(*id);
    }
    let advice = mismatch::signature(jws, algorithm, fitting.iter().map(|(_, key)| key));
    Err(Finding::failed(
        Check::Signature,
        "a signature of this key",
        "one that does not verify",
        advice,
    ))
}

/// A key as people tell them apart.
fn named(key: &PublicKey) -> String {
    let algorithms: Vec<_> = key.algorithms().iter().map(|alg| alg.as_str()).collect();
    format!(
        "kid {} ({})",
        key.kid().unwrap_or("none"),
        algorithms.join(", ")
    )
}
