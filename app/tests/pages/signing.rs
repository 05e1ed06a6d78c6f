//! Signed requests, over a portal that has two keys and one refused signature.

use app::domain::ids::{RequestId, SigningKeyId, TenantId};
use app::domain::signature::{Check, Finding, SignatureTerms};
use app::links;
use app::pages::Answer;
use app::portal::signing::{
    Diagnosis, NewSigningKey, RefusedSignature, Signing, SigningKey, Specimen,
};
use app::portal::{Actor, PortalError, PortalResult, RequestSource};
use async_trait::async_trait;

use crate::fake::{Fake, HOSTILE, World, actor, fields, id, now, tenant_id, visit};
use crate::{open, show};

#[async_trait]
impl Signing for Fake {
    async fn signing_keys(&self, _: &Actor) -> PortalResult<Vec<SigningKey>> {
        let issuer = match self.0 {
            World::Full => "signer@app.example.com",
            World::Hostile => HOSTILE,
            World::Empty | World::Started => return Ok(Vec::new()),
        };
        let key = SigningKey {
            id: SigningKeyId(id(800)),
            issuer: issuer.into(),
            url: None,
            keys: vec![("2026-01".into(), "ES256".into())],
            created_at: now() - chrono::Duration::days(3),
            created_by: "dev@example.com".into(),
            last_used_at: Some(now() - chrono::Duration::seconds(30)),
            fetched_at: None,
            problem: None,
        };
        let set = SigningKey {
            id: SigningKeyId(id(801)),
            issuer: "batch@app.example.com".into(),
            url: Some("https://keys.example.com/jwks.json".into()),
            keys: vec![("2025-12".into(), "RS256, PS256".into())],
            last_used_at: None,
            fetched_at: Some(now() - chrono::Duration::minutes(40)),
            problem: Some("the URL answered 500".into()),
            ..key.clone()
        };
        Ok(vec![key, set])
    }
    async fn add_signing_key(
        &self,
        _: &Actor,
        new: NewSigningKey,
        _: &RequestSource,
    ) -> PortalResult<()> {
        if new.material == "good" {
            return Ok(());
        }
        Err(PortalError::field("material", "This is a private key."))
    }
    async fn stop_signing_key(
        &self,
        _: &Actor,
        key: SigningKeyId,
        _: &RequestSource,
    ) -> PortalResult<()> {
        assert_eq!(key, SigningKeyId(id(800)));
        Ok(())
    }
    async fn signature_terms(&self, _: &Actor, _: TenantId) -> PortalResult<SignatureTerms> {
        Ok(SignatureTerms {
            signed_only: self.0 == World::Full,
            seconds: 3600,
        })
    }
    async fn set_signature_terms(
        &self,
        _: &Actor,
        _: TenantId,
        _: i64,
        (_, seconds): (bool, &str),
        _: &RequestSource,
    ) -> PortalResult<()> {
        let good = seconds.parse::<i64>().is_ok();
        good.then_some(())
            .ok_or_else(|| PortalError::field("signature_seconds", "Enter whole seconds."))
    }
    async fn refused_signatures(
        &self,
        _: &Actor,
        request: Option<RequestId>,
    ) -> PortalResult<Vec<RefusedSignature>> {
        let known = request.is_none_or(|request| request == RequestId(id(810)));
        if !known || matches!(self.0, World::Empty | World::Started) {
            return Ok(Vec::new());
        }
        Ok(vec![RefusedSignature {
            request: RequestId(id(810)),
            tenant: tenant_id(),
            at: now() - chrono::Duration::seconds(90),
            method: "POST".into(),
            path: "/v1s/token".into(),
            findings: findings(HOSTILE),
        }])
    }
    async fn diagnose(&self, _: &Actor, specimen: Specimen) -> PortalResult<Diagnosis> {
        Ok(Diagnosis {
            findings: findings(&specimen.jws),
        })
    }
}

fn findings(found: &str) -> Vec<Finding> {
    vec![
        Finding::passed(Check::Form, ""),
        Finding::failed(
            Check::Audience,
            "api.example.com",
            found,
            "Send the API’s host.",
        ),
        Finding::bare(Check::Once, app::domain::signature::Outcome::Skipped),
    ]
}

fn signing(world: World, path: &str, form: Option<&str>) -> (u16, String) {
    let mut visit = visit(world, path, Some(actor(false)));
    visit.form = form.map(fields);
    show(visit)
}

#[test]
fn keys_are_listed_with_what_is_wrong_with_them() {
    let (_, html) = signing(World::Full, links::SIGNING, None);
    for text in [
        "signer@app.example.com",
        "2026-01",
        "ES256",
        "the URL answered 500",
        "2 of 10 keys",
    ] {
        assert!(html.contains(text), "{text}");
    }
    assert!(
        signing(World::Empty, links::SIGNING, None)
            .1
            .contains("No key yet")
    );
    let (_, html) = signing(World::Hostile, links::SIGNING, None);
    assert!(!html.contains("<img src=x"));
}

#[test]
fn a_refused_key_keeps_what_was_typed() {
    let typed = "issuer=me%40app&material=secret";
    let (status, html) = signing(World::Empty, links::NEW_SIGNING_KEY, Some(typed));
    assert_eq!(status, 422);
    assert!(html.contains("This is a private key.") && html.contains("secret"));
    // What may be private is neither sent back over the wire nor left on a screen.
    for private in [
        "-----BEGIN PRIVATE KEY-----SECRET",
        "{\"kty\":\"EC\",\"d\":\"SECRET\"}",
        "PuTTY-User-Key-File-3: SECRET",
    ] {
        let typed = format!("issuer=me%40app&material={private}");
        let (status, html) = signing(World::Empty, links::NEW_SIGNING_KEY, Some(&typed));
        assert_eq!(status, 422);
        assert!(
            html.contains("me%40app") && !html.contains("SECRET"),
            "{private}"
        );
    }
    let mut good = visit(World::Empty, links::NEW_SIGNING_KEY, Some(actor(false)));
    good.form = Some(fields("issuer=me&material=good"));
    let (answer, _) = open(good);
    assert!(matches!(answer, Answer::See(to) if to == "/signing?done=added"));
}

#[test]
fn the_debugger_shows_what_was_kept_and_what_is_typed() {
    let of = |n| format!("{}?request={}", links::SIGNATURE_DEBUGGER, RequestId(id(n)));
    let (_, html) = signing(World::Full, &of(810), None);
    assert!(html.contains("The check “Audience” fails") && html.contains("/v1s/token"));
    assert!(!html.contains("<img src=x"));
    let (_, html) = signing(World::Full, &of(811), None);
    assert!(html.contains("Nothing is kept of that request"));
    let typed = format!("tenant={}&jws=a.b.c", tenant_id());
    let (_, html) = signing(World::Full, links::SIGNATURE_DEBUGGER, Some(&typed));
    assert!(html.contains("a.b.c") && html.contains("Send the API’s host."));
    let (status, html) = signing(World::Full, links::SIGNATURE_DEBUGGER, Some("jws=a.b.c"));
    assert_eq!(status, 422);
    assert!(html.contains("Choose the tenant"));
}
