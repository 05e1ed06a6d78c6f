//! Every URL of the portal, as a function: no page writes a path by hand.

use crate::domain::ids::{KeyId, RequestId, RunId, ServicerId, SigningKeyId, TenantId};
use crate::domain::key::KeyKind;
use crate::domain::skill::SkillName;

pub const HOME: &str = "/";
pub const START: &str = "/start";
/// Opens a run on a tenant's first skill and makes its first call: the button beside new keys.
pub const FIRST_CALL: &str = "/first-call";
pub const SIGN_UP: &str = "/signup";
pub const SIGN_IN: &str = "/signin";
pub const SIGN_OUT: &str = "/signout";
/// Word by which the sign-in page learns that a form was not taken, because its session had ended.
pub const UNSENT: &str = "unsent";
pub const FORGOT: &str = "/forgot";
pub const PROVE: &str = "/prove";
pub const OVERVIEW: &str = "/overview";
pub const TENANTS: &str = "/tenants";
pub const NEW_TENANT: &str = "/tenants/new";
pub const SKILLS: &str = "/skills";
pub const CONSOLE: &str = "/console";
/// Path to which banks redirect the console's end-user; registered on every tenant made in the portal.
pub const CONSOLE_RETURN: &str = "/console/return";
pub const REQUESTS: &str = "/requests";
/// The rows of the log that are newer than the newest one shown.
pub const REQUESTS_TAIL: &str = "/requests/tail";
/// Sandbox sessions that wait for somebody's decision.
pub const VERIFICATIONS: &str = "/verifications";
/// The keys a servicer signs requests with.
pub const SIGNING: &str = "/signing";
pub const NEW_SIGNING_KEY: &str = "/signing/new";
pub const SIGNATURE_DEBUGGER: &str = "/signing/debugger";
pub const SETTINGS: &str = "/settings";
pub const ADMIN: &str = "/admin";
pub const ADMIN_SERVICERS: &str = "/admin/servicers";
pub const ADMIN_NEW_SERVICER: &str = "/admin/servicers/new";
pub const DOCS: &str = "/docs";
pub const DOCS_API: &str = "/docs/api";
pub const DOCS_ERRORS: &str = "/docs/errors";
pub const CHANGELOG: &str = "/changelog";
/// The API's description, served by the API.
pub const OPENAPI: &str = "/v1/openapi.json";
pub const POSTMAN: &str = "/v1/postman.json";
pub const LLMS_TXT: &str = "/llms.txt";
pub const SECURITY_TXT: &str = "/.well-known/security.txt";
pub const API_CATALOG: &str = "/.well-known/api-catalog";
pub const SITEMAP: &str = "/sitemap.xml";
pub const THEME: &str = "/theme";

pub fn reset(token: &str) -> String {
    format!("/reset/{token}")
}
pub fn verify(token: &str) -> String {
    format!("/verify/{token}")
}
/// The sign-up page with `servicer_id` and claim token filled in, as mailed.
pub fn claim(servicer: ServicerId, token: &str) -> String {
    format!("{SIGN_UP}?servicer={servicer}&claim={token}")
}
pub fn tenant(id: TenantId) -> String {
    format!("{TENANTS}/{id}")
}
pub fn tenant_keys(id: TenantId) -> String {
    format!("{TENANTS}/{id}/keys")
}
pub fn tenant_skills(id: TenantId) -> String {
    format!("{TENANTS}/{id}/skills")
}
/// A tenant's terms for one skill.
pub fn skill_terms(id: TenantId, skill: &SkillName) -> String {
    format!("{TENANTS}/{id}/skills/{}", encode(skill.as_str()))
}
pub fn tenant_settings(id: TenantId) -> String {
    format!("{TENANTS}/{id}/settings")
}
pub fn rotate_key(id: TenantId, kind: KeyKind) -> String {
    format!("{TENANTS}/{id}/keys/rotate/{kind}")
}
pub fn stop_key(id: TenantId, key: KeyId) -> String {
    format!("{TENANTS}/{id}/keys/{key}/stop")
}
/// The keys as a file of variables: for whoever holds the secret.
pub fn tenant_dotenv(id: TenantId) -> String {
    format!("{TENANTS}/{id}/keys/env")
}
/// Takes the word of whoever was shown a secret that they have kept it, and leads on.
pub fn keys_saved(id: TenantId) -> String {
    format!("{TENANTS}/{id}/keys/saved")
}
/// The question before a signing key is stopped.
pub fn stop_signing_key(id: SigningKeyId) -> String {
    format!("{SIGNING}/{id}/stop")
}
/// The page of one skill; names contain `#`, so they are encoded.
pub fn skill(name: &SkillName) -> String {
    format!("{SKILLS}/{}", encode(name.as_str()))
}
/// The log, of one tenant.
pub fn tenant_requests(id: TenantId) -> String {
    format!("{REQUESTS}?tenant={id}")
}
/// The log, of one key.
pub fn key_requests(id: TenantId, key: KeyId) -> String {
    format!("{REQUESTS}?tenant={id}&key={key}")
}
/// The console's form with a tenant chosen.
pub fn tenant_console(id: TenantId) -> String {
    format!("{CONSOLE}?tenant={id}")
}
pub fn suspend_servicer(id: ServicerId) -> String {
    format!("{ADMIN_SERVICERS}/{id}/suspend")
}
pub fn run(id: RunId) -> String {
    format!("{CONSOLE}/runs/{id}")
}
/// Path that answers with a word for the page that waits: `decided` once the decision of the run is there, else
/// `pending`.
pub fn run_decided(id: RunId) -> String {
    format!("{CONSOLE}/runs/{id}/decided")
}
pub fn request(id: RequestId) -> String {
    format!("{REQUESTS}/{id}")
}
pub fn docs(page: &str) -> String {
    format!("{DOCS}/{page}")
}
/// The page that explains one error code.
pub fn docs_error(code: &str) -> String {
    format!("{DOCS}/errors/{code}")
}

/// A path given in a query, if it leads inside this portal; anything that a browser could read as another site is not.
pub fn local(path: &str) -> Option<&str> {
    let inside = path.starts_with('/')
        && !path.starts_with("//")
        && path.chars().all(|c| c.is_ascii_graphic() && c != '\\');
    inside.then_some(path)
}

/// `path?name=value`, with the value percent-encoded.
pub fn with(path: &str, name: &str, value: &str) -> String {
    let mark = if path.contains('?') { '&' } else { '?' };
    format!("{path}{mark}{name}={}", encode(value))
}

/// Percent-encodes all but the unreserved characters (RFC 3986 2.3).
pub fn encode(text: &str) -> String {
    use std::fmt::Write as _;

    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_portal_are_local() {
        for path in ["/", "/tenants?q=a%20b", "/requests/1#x"] {
            assert_eq!(local(path), Some(path));
        }
        for path in [
            "",
            "tenants",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nSet-Cookie: x",
            "/\t/evil.example",
        ] {
            assert_eq!(local(path), None, "{path:?}");
        }
    }

    #[test]
    fn skill_names_survive_a_url() {
        assert_eq!(encode("xyz_ro_aisp_sbx_#1.0"), "xyz_ro_aisp_sbx_%231.0");
        assert_eq!(with("/a?b=c", "d", "é&"), "/a?b=c&d=%C3%A9%26");
    }
}
