//! Signed requests through the API's router, on both databases.

mod advice;
mod checks;
mod clocks;
mod keys;
mod refusals;
mod sets;

use app::domain::person::Role;
use app::domain::servicer::ServicerStatus;
use app::domain::signature::{Finding, Outcome};
use app::portal::signing::{NewSigningKey, Signing as _, SigningKey, Specimen};
use app::portal::{PortalError, PortalResult};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, header};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::testing::{ED25519, ISSUER, P256, RSA, Signer, claims};
use crate::config::Config;
use crate::storage::Db;
use crate::storage::testing::on_both;
use crate::testing::{World, source};

/// A world whose tenant signs its calls.
struct SigningTenant {
    world: World,
    router: Router,
    signer: Signer,
}

struct Answer {
    status: u16,
    request: String,
    body: Value,
}

impl Answer {
    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Returns `true` if the request was refused by this check.
    fn fails(&self, check: &str) -> bool {
        let message = self.body["message"].as_str().unwrap_or_default();
        self.status == 401
            && self.code() == "invalid_signature"
            && message.contains(&format!("the check `{check}`"))
    }
}

impl SigningTenant {
    /// With a key registered by its PEM.
    async fn new(db: Db) -> Self {
        let signing = Self::without_keys(World::new(db).await, Signer::new(P256));
        signing
            .add(ISSUER, signing.signer.public_pem())
            .await
            .unwrap();
        signing
    }

    fn without_keys(world: World, signer: Signer) -> Self {
        let router = world.api();
        Self {
            world,
            router,
            signer,
        }
    }

    async fn add(&self, issuer: &str, material: &str) -> PortalResult<()> {
        let new = NewSigningKey {
            issuer: issuer.into(),
            material: material.into(),
        };
        self.world
            .services
            .add_signing_key(&self.world.owner, new, &source())
            .await
    }

    /// The servicer's live keys.
    async fn keys(&self) -> Vec<SigningKey> {
        let listed = self.world.services.signing_keys(&self.world.owner);
        listed.await.unwrap()
    }

    fn now(&self) -> i64 {
        self.world.state.clock.now().timestamp()
    }

    /// The body of a server's call.
    fn listing(&self) -> String {
        let (id, secret) = (self.world.client.tenant(), &self.world.client.secret);
        json!({ "client_id": id, "client_secret": secret }).to_string()
    }

    /// A good signature over a body.
    fn sign(&self, body: &str) -> String {
        self.signer.jws(&self.signer.header(), &self.claims(body))
    }

    fn claims(&self, body: &str) -> Value {
        let mut claims = claims(self.now(), body.as_bytes());
        claims["jti"] = json!(self.world.state.clock.token());
        claims
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let request = answer.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let bytes = axum::body::to_bytes(answer.into_body(), usize::MAX)
            .await
            .unwrap();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Answer {
            status,
            request,
            body,
        }
    }

    async fn post(&self, path: &str, body: &str, jws: &str) -> Answer {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {jws}"))
            .body(Body::from(body.to_owned()));
        self.send(request.unwrap()).await
    }

    /// Lists consents: a server's call that has no effect.
    async fn list(&self, jws: &str) -> Answer {
        self.post("/v1s/consents/list", &self.listing(), jws).await
    }

    async fn diagnose(&self, jws: &str, body: &str) -> Vec<Finding> {
        let specimen = Specimen {
            tenant: self.world.client.tenant(),
            jws: format!("Authorization: Bearer {jws}"),
            method: "post".into(),
            url: "/v1s/consents/list".into(),
            body: body.as_bytes().to_vec(),
        };
        self.world
            .services
            .diagnose(&self.world.owner, specimen)
            .await
            .unwrap()
            .findings
    }
}

/// The first check that failed.
fn failed(findings: &[Finding]) -> Option<&Finding> {
    findings
        .iter()
        .find(|finding| finding.outcome == Outcome::Failed)
}
