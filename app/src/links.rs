//! Every URL of the portal, as a function: no page writes a path by hand.

use crate::domain::ids::{KeyId, RequestId, RunId, ServicerId, TenantId};
use crate::domain::key::KeyKind;

pub const HOME: &str = "/";
pub const START: &str = "/start";
pub const SIGN_UP: &str = "/signup";
pub const SIGN_IN: &str = "/signin";
pub const SIGN_OUT: &str = "/signout";
pub const FORGOT: &str = "/forgot";
pub const PROVE: &str = "/prove";
pub const OVERVIEW: &str = "/overview";
pub const TENANTS: &str = "/tenants";
pub const NEW_TENANT: &str = "/tenants/new";
pub const SKILLS: &str = "/skills";
pub const CONSOLE: &str = "/console";
/// Where banks send the console's end-user back: registered on every tenant made in the portal.
pub const CONSOLE_RETURN: &str = "/console/return";
pub const REQUESTS: &str = "/requests";
pub const SETTINGS: &str = "/settings";
pub const ADMIN: &str = "/admin";
pub const ADMIN_SERVICERS: &str = "/admin/servicers";
pub const DOCS: &str = "/docs";
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
pub fn tenant_settings(id: TenantId) -> String {
    format!("{TENANTS}/{id}/settings")
}
pub fn rotate_key(id: TenantId, kind: KeyKind) -> String {
    format!("{TENANTS}/{id}/keys/rotate/{kind}")
}
pub fn stop_key(id: TenantId, key: KeyId) -> String {
    format!("{TENANTS}/{id}/keys/{key}/stop")
}
pub fn run(id: RunId) -> String {
    format!("{CONSOLE}/runs/{id}")
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
