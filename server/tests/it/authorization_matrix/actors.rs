//! Actors of the matrix, and the answer to each of them.

use super::operations::{Line, Lock};
use crate::world::sql::Sql;

/// Everybody who may call an operation that is about tenant A's thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Sends nothing that could prove anything.
    Anonymous,
    /// Is signed in to the portal as A's owner, and sends that cookie alone.
    PortalCookie,
    /// A, with its app key.
    AppKey,
    /// A, with its secret.
    Secret,
    /// A's `client_id` with the keys of another tenant.
    BorrowedId,
    /// Another tenant of A's servicer, with its own keys.
    Sibling,
    /// A tenant of another servicer, with its own keys.
    Stranger,
    /// A production tenant of A's servicer, with its own keys.
    Production,
    /// A, while it is paused.
    Paused,
    /// A, while its servicer is suspended.
    Suspended,
    /// A, with keys that were stopped.
    StoppedKey,
    /// A, with keys whose overlap has ended.
    EndedKey,
    /// A, with a pair of another tenant's.
    ForeignPair,
    /// A, with its own `credentials_id` and the `access_token` of another of its consents.
    MixedPair,
    /// A, with the pair of a consent that was withdrawn.
    Withdrawn,
    /// A, with the pair of a consent whose time has run out.
    Lapsed,
    /// A, on the route for signed requests, without a signature.
    Unsigned,
    /// A, while it demands that its server signs, at the other door.
    SignedOnly,
    /// A, from an address outside the networks of its server.
    Elsewhere,
}

/// All of them. The console's grant is none: it lives in the process, and no header can carry one.
pub const ACTORS: [Actor; 19] = [
    Actor::Anonymous,
    Actor::PortalCookie,
    Actor::AppKey,
    Actor::Secret,
    Actor::BorrowedId,
    Actor::Sibling,
    Actor::Stranger,
    Actor::Production,
    Actor::Paused,
    Actor::Suspended,
    Actor::StoppedKey,
    Actor::EndedKey,
    Actor::ForeignPair,
    Actor::MixedPair,
    Actor::Withdrawn,
    Actor::Lapsed,
    Actor::Unsigned,
    Actor::SignedOnly,
    Actor::Elsewhere,
];

const MISSING: &str = "400 missing_fields";
const BAD_KEYS: &str = "401 invalid_api_keys";

/// Returns the status and code an actor must get at an operation; `None` if the operation does not take what makes the
/// actor special.
pub fn expected(line: &Line, actor: Actor) -> Option<&'static str> {
    use Actor::{
        Anonymous, AppKey, BorrowedId, Elsewhere, EndedKey, ForeignPair, Lapsed, MixedPair, Paused,
        PortalCookie, Production, Secret, Sibling, SignedOnly, StoppedKey, Stranger, Suspended,
        Unsigned, Withdrawn,
    };
    let pair = matches!(line.lock, Lock::Data | Lock::Consent);
    // Without a body keys travel as HTTP has it, and so does the answer to those who have none.
    let missing = if line.operation.starts_with("POST") {
        MISSING
    } else {
        BAD_KEYS
    };
    Some(match (line.lock, actor) {
        (_, ForeignPair | MixedPair | Withdrawn | Lapsed) if !pair => return None,
        (_, ForeignPair) => "401 invalid_credentials_id",
        (_, MixedPair) => "401 invalid_access_token",
        (Lock::Data, Withdrawn) => "401 inactive_credentials",
        (Lock::Data, Lapsed) => "401 expired_credentials",
        (Lock::Open, Unsigned) if !line.operation.contains(" /v1") => return None,
        // What takes no keys cannot be anybody's signed request.
        (Lock::Open, Unsigned) => "404 not_found",
        (_, Unsigned) => "401 invalid_signature",
        // Whoever shows a secret is a server, and signs.
        (Lock::Anyone | Lock::Server | Lock::Data | Lock::Consent, SignedOnly) => {
            "401 signature_required"
        }
        (_, Withdrawn | Lapsed | SignedOnly) | (Lock::Open, _) => line.right,
        // The secret alone is bound to networks.
        (Lock::App | Lock::Nonce, Elsewhere) => line.right,
        (_, Elsewhere) => "403 ip_not_allowed",
        (Lock::Anyone, Anonymous | PortalCookie) => line.right,
        (_, Anonymous | PortalCookie) => missing,
        // Calls without a body take no app key: it has no header.
        (Lock::Server | Lock::Data | Lock::Consent, AppKey) => missing,
        (Lock::Anyone, AppKey) if line.operation.starts_with("GET") => missing,
        (_, AppKey) => line.right,
        (Lock::Nonce, Secret) => "400 unknown_fields",
        (_, Secret) => line.right,
        (_, BorrowedId | StoppedKey | EndedKey) => BAD_KEYS,
        (_, Sibling | Stranger) => line.foreign,
        (Lock::App, Production) if line.foreign == "200" => "401 unauthorized_tenant",
        (_, Production) => line.foreign,
        (_, Paused) => "403 tenant_paused",
        (_, Suspended) => "403 servicer_suspended",
    })
}

/// The state of tenant A that makes it this actor: how it begins and how it ends.
pub fn state(actor: Actor, sql: &Sql, tenant: &str, credentials: &str) -> Option<(String, String)> {
    let (tenant, past) = (sql.id(tenant), sql.seconds_from_now(-3600));
    let keys = |set: &str| format!("UPDATE tenant_keys SET {set} WHERE tenant_id = {tenant}");
    let owner = |status: &str| {
        format!(
            "UPDATE servicers SET status = '{status}' WHERE id = (SELECT servicer_id FROM tenants WHERE id = {tenant})"
        )
    };
    let paused =
        |status: &str| format!("UPDATE tenants SET status = '{status}' WHERE id = {tenant}");
    let signed_only =
        |only: &str| format!("UPDATE tenants SET signed_only = {only} WHERE id = {tenant}");
    let consent = |set: &str| {
        format!(
            "UPDATE consents SET {set} WHERE id = {}",
            sql.id(credentials)
        )
    };
    Some(match actor {
        Actor::Paused => (paused("paused"), paused("active")),
        Actor::Suspended => (owner("suspended"), owner("approved")),
        Actor::SignedOnly => (signed_only("TRUE"), signed_only("FALSE")),
        Actor::Elsewhere => (
            format!("UPDATE tenants SET networks = '203.0.113.0/24' WHERE id = {tenant}"),
            format!("UPDATE tenants SET networks = '' WHERE id = {tenant}"),
        ),
        Actor::StoppedKey => (
            keys(&format!("stopped_at = {past}")),
            keys("stopped_at = NULL"),
        ),
        Actor::EndedKey => (keys(&format!("ends_at = {past}")), keys("ends_at = NULL")),
        Actor::Withdrawn => (consent("status = 'DELETED'"), consent("status = 'ACTIVE'")),
        Actor::Lapsed => (
            consent(&format!("expires_at = {past}")),
            consent(&format!("expires_at = {}", sql.seconds_from_now(86_400))),
        ),
        _ => return None,
    })
}
