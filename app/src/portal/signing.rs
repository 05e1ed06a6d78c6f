//! Signed requests: the keys a servicer signs with, what tenants demand, and the signature debugger.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Actor, PortalResult, RequestSource};
use crate::domain::ids::{RequestId, SigningKeyId, TenantId};
use crate::domain::signature::{Finding, SignatureTerms};

/// A live key of the servicer, or a URL with a set of them.
#[derive(Clone, Debug)]
pub struct SigningKey {
    pub id: SigningKeyId,
    /// Value of `iss` in the signatures.
    pub issuer: String,
    pub url: Option<String>,
    /// `kid` and algorithms of the key, or of each key in the set.
    pub keys: Vec<(String, String)>,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
    pub last_used_at: Option<DateTime<Utc>>,
    /// Time at which the set was last read.
    pub fetched_at: Option<DateTime<Utc>>,
    /// Reason the set could not be read the last time.
    pub problem: Option<String>,
}

/// A key as typed: PEM, JWK, or the URL of a set.
#[derive(Clone, Debug)]
pub struct NewSigningKey {
    pub issuer: String,
    pub material: String,
}

/// A request to be looked at in the debugger.
#[derive(Clone, Debug)]
pub struct Specimen {
    pub tenant: TenantId,
    /// The JWS, or the whole `Authorization` header.
    pub jws: String,
    pub method: String,
    /// URL or path.
    pub url: String,
    /// Body as it was sent, byte by byte.
    pub body: Vec<u8>,
}

/// Findings of every check, in the order of the checks.
#[derive(Clone, Debug)]
pub struct Diagnosis {
    pub findings: Vec<Finding>,
}

/// A request whose signature was refused.
#[derive(Clone, Debug)]
pub struct RefusedSignature {
    pub request: RequestId,
    pub tenant: TenantId,
    pub at: DateTime<Utc>,
    pub method: String,
    pub path: String,
    pub findings: Vec<Finding>,
}

#[async_trait]
pub trait Signing: Send + Sync {
    /// The live keys of the actor's servicer, the oldest first.
    async fn signing_keys(&self, actor: &Actor) -> PortalResult<Vec<SigningKey>>;
    /// Adds a public key, or a URL whose set can be read this moment; at most ten are live.
    async fn add_signing_key(
        &self,
        actor: &Actor,
        new: NewSigningKey,
        source: &RequestSource,
    ) -> PortalResult<()>;
    /// Stops a key at once.
    async fn stop_signing_key(
        &self,
        actor: &Actor,
        key: SigningKeyId,
        source: &RequestSource,
    ) -> PortalResult<()>;
    async fn signature_terms(
        &self,
        actor: &Actor,
        tenant: TenantId,
    ) -> PortalResult<SignatureTerms>;
    /// Sets whether server calls must be signed, and how many seconds a signature may live.
    async fn set_signature_terms(
        &self,
        actor: &Actor,
        tenant: TenantId,
        version: i64,
        demands: (bool, &str),
        source: &RequestSource,
    ) -> PortalResult<()>;
    /// The latest refused signatures of the servicer, or the one of a request.
    async fn refused_signatures(
        &self,
        actor: &Actor,
        request: Option<RequestId>,
    ) -> PortalResult<Vec<RefusedSignature>>;
    /// Makes every check on a request, and uses nothing up.
    async fn diagnose(&self, actor: &Actor, specimen: Specimen) -> PortalResult<Diagnosis>;
}
