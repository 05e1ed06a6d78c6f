//! The table of screens: where each is, who may open it, whether it takes forms. The portal door mounts it.

use std::future::{Future, ready};
use std::pin::Pin;

use super::{
    Answer, ScreenResult, Visit, admin, changelog, console, discovery, docs, first_call, landing,
    overview, password, prove, request, requests, settings, sign_in, sign_up, signing, skills,
    start, tenant, tenant_keys, tenant_new, tenant_settings, tenant_skills, tenant_terms, tenants,
    theme, verifications, verify,
};
use crate::domain::person::Permission;
use crate::links;

/// Every screen, with who may open it. The portal door mounts this table and nothing else.
pub const SCREENS: &[Screen] = &[
    // Before signing in.
    Screen::read(links::HOME, ScreenAccess::Anyone, |v| {
        Box::pin(ready(Ok(landing::screen(v))))
    }),
    Screen::form(links::START, ScreenAccess::Anyone, |v| {
        Box::pin(start::screen(v))
    }),
    Screen::form(links::SIGN_UP, ScreenAccess::Anyone, |v| {
        Box::pin(sign_up::screen(v))
    }),
    Screen::form(links::SIGN_IN, ScreenAccess::Anyone, |v| {
        Box::pin(sign_in::sign_in(v))
    }),
    Screen::form(links::SIGN_OUT, ScreenAccess::Anyone, |v| {
        Box::pin(ready(Ok(sign_in::sign_out(v))))
    }),
    Screen::form(links::FORGOT, ScreenAccess::Anyone, |v| {
        Box::pin(password::forgot(v))
    }),
    Screen::form("/reset/{token}", ScreenAccess::Anyone, |v| {
        Box::pin(password::reset(v))
    }),
    Screen::form("/verify/{token}", ScreenAccess::Anyone, |v| {
        Box::pin(verify::screen(v))
    }),
    Screen::form(links::THEME, ScreenAccess::Anyone, |v| {
        Box::pin(ready(Ok(theme::screen(v))))
    }),
    // Anybody's own.
    Screen::form(links::PROVE, ScreenAccess::SignedIn, |v| {
        Box::pin(prove::screen(v))
    }),
    Screen::form(links::SETTINGS, ScreenAccess::SignedIn, |v| {
        Box::pin(settings::screen(v))
    }),
    // A servicer's.
    // Where everybody lands: who works in no servicer is led on from there.
    Screen::read(links::OVERVIEW, ScreenAccess::SignedIn, |v| {
        Box::pin(overview::screen(v))
    }),
    Screen::form(
        links::FIRST_CALL,
        ScreenAccess::May(Permission::UseConsole),
        |v| Box::pin(first_call::screen(v)),
    ),
    Screen::read(links::TENANTS, READ, |v| Box::pin(tenants::list(v))),
    Screen::form(links::NEW_TENANT, MANAGE, |v| {
        Box::pin(tenant_new::screen(v))
    }),
    Screen::read("/tenants/{tenant}", READ, |v| Box::pin(tenant::overview(v))),
    Screen::read("/tenants/{tenant}/keys", KEYS, |v| {
        Box::pin(tenant_keys::list(v))
    }),
    Screen::form("/tenants/{tenant}/keys/rotate/{kind}", KEYS, |v| {
        Box::pin(tenant_keys::rotate(v))
    }),
    Screen::form("/tenants/{tenant}/keys/{key}/stop", KEYS, |v| {
        Box::pin(tenant_keys::stop(v))
    }),
    Screen::form("/tenants/{tenant}/keys/env", KEYS, |v| {
        Box::pin(tenant_keys::dotenv(v))
    }),
    Screen::form("/tenants/{tenant}/keys/saved", KEYS, |v| {
        Box::pin(tenant_keys::saved(v))
    }),
    Screen::form("/tenants/{tenant}/skills", READ, |v| {
        Box::pin(tenant_skills::screen(v))
    }),
    Screen::form("/tenants/{tenant}/skills/{skill}", MANAGE, |v| {
        Box::pin(tenant_terms::screen(v))
    }),
    Screen::form("/tenants/{tenant}/settings", MANAGE, |v| {
        Box::pin(tenant_settings::screen(v))
    }),
    Screen::read(links::SKILLS, ScreenAccess::SignedIn, |v| {
        Box::pin(skills::list(v))
    }),
    Screen::form("/skills/{skill}", ScreenAccess::SignedIn, |v| {
        Box::pin(skills::one(v))
    }),
    Screen::read(links::REQUESTS, READ, |v| Box::pin(requests::list(v))),
    Screen::read(links::REQUESTS_TAIL, READ, |v| Box::pin(requests::tail(v))),
    Screen::read("/requests/{request}", READ, |v| {
        Box::pin(request::screen(v))
    }),
    Screen::form(
        links::VERIFICATIONS,
        ScreenAccess::May(Permission::UseConsole),
        |v| Box::pin(verifications::screen(v)),
    ),
    // Signed requests.
    Screen::read(links::SIGNING, KEYS, |v| Box::pin(signing::list(v))),
    Screen::form(links::NEW_SIGNING_KEY, PRODUCTION_KEYS, |v| {
        Box::pin(signing::add(v))
    }),
    Screen::form("/signing/{signing_key}/stop", PRODUCTION_KEYS, |v| {
        Box::pin(signing::stop(v))
    }),
    Screen::form(links::SIGNATURE_DEBUGGER, KEYS, |v| {
        Box::pin(signing::debugger(v))
    }),
    // The operators'.
    Screen::read(links::ADMIN, ScreenAccess::Admin, |_| {
        Box::pin(ready(Ok(Answer::See(links::ADMIN_SERVICERS.into()))))
    }),
    Screen::form(links::ADMIN_SERVICERS, ScreenAccess::Admin, |v| {
        Box::pin(admin::list(v))
    }),
    Screen::form(links::ADMIN_NEW_SERVICER, ScreenAccess::Admin, |v| {
        Box::pin(admin::create(v))
    }),
    Screen::form(
        "/admin/servicers/{servicer}/suspend",
        ScreenAccess::Admin,
        |v| Box::pin(admin::suspend(v)),
    ),
    // The sandbox console.
    Screen::form(
        links::CONSOLE,
        ScreenAccess::May(Permission::UseConsole),
        |v| Box::pin(console::screen(v)),
    ),
    Screen::files(
        "/console/runs/{run}",
        ScreenAccess::May(Permission::UseConsole),
        |v| Box::pin(console::run(v)),
    ),
    Screen::read(
        "/console/runs/{run}/decided",
        ScreenAccess::May(Permission::UseConsole),
        |v| Box::pin(console::decided(v)),
    ),
    Screen::read(
        links::CONSOLE_RETURN,
        ScreenAccess::May(Permission::UseConsole),
        |v| Box::pin(console::back(v)),
    ),
    // For machines that look for the API.
    Screen::read(links::LLMS_TXT, ScreenAccess::Anyone, |v| {
        Box::pin(ready(Ok(discovery::llms(v))))
    }),
    Screen::read(links::SECURITY_TXT, ScreenAccess::Anyone, |v| {
        Box::pin(ready(discovery::security(v)))
    }),
    Screen::read(links::API_CATALOG, ScreenAccess::Anyone, |v| {
        Box::pin(ready(Ok(discovery::api_catalog(v))))
    }),
    Screen::read(links::SITEMAP, ScreenAccess::Anyone, |v| {
        Box::pin(ready(Ok(discovery::sitemap(v))))
    }),
    // The documentation.
    Screen::read(links::CHANGELOG, ScreenAccess::Anyone, |v| {
        Box::pin(ready(Ok(changelog::screen(v))))
    }),
    Screen::read(links::DOCS, ScreenAccess::Anyone, |v| {
        Box::pin(ready(Ok(docs::index(v))))
    }),
    Screen::read("/docs/{page}", ScreenAccess::Anyone, |v| {
        Box::pin(docs::guide(v))
    }),
    Screen::read("/docs/errors", ScreenAccess::Anyone, |v| {
        Box::pin(ready(Ok(docs::errors(v))))
    }),
    Screen::read("/docs/errors/{code}", ScreenAccess::Anyone, |v| {
        Box::pin(ready(docs::error(v)))
    }),
    Screen::read("/docs/api", ScreenAccess::Anyone, |v| {
        Box::pin(ready(Ok(docs::reference(v))))
    }),
    Screen::read("/docs/api/{operation}", ScreenAccess::Anyone, |v| {
        Box::pin(ready(docs::operation(v)))
    }),
];

const READ: ScreenAccess = ScreenAccess::May(Permission::ReadTenants);
const MANAGE: ScreenAccess = ScreenAccess::May(Permission::ManageSandboxTenants);
const KEYS: ScreenAccess = ScreenAccess::May(Permission::ManageSandboxKeys);
const PRODUCTION_KEYS: ScreenAccess = ScreenAccess::May(Permission::ManageProductionKeys);

/// A screen: an async function, boxed so that all of them fit in one table.
pub type Handler = fn(Visit) -> Pin<Box<dyn Future<Output = ScreenResult> + Send>>;

/// Access rule of a screen. Checked by the portal door before the screen runs; services check again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScreenAccess {
    Anyone,
    SignedIn,
    May(Permission),
    Admin,
}

/// One line of the screen table.
pub struct Screen {
    /// With `{name}` parts, as axum writes them.
    pub path: &'static str,
    pub who: ScreenAccess,
    /// `true` if the screen takes forms (POST) besides being shown.
    pub takes_forms: bool,
    /// `true` if such a form may carry a file.
    pub takes_files: bool,
    pub handler: Handler,
}

impl Screen {
    /// A screen that is only shown.
    pub const fn read(path: &'static str, who: ScreenAccess, handler: Handler) -> Self {
        Self {
            path,
            who,
            takes_forms: false,
            takes_files: false,
            handler,
        }
    }

    /// A screen that takes forms, too.
    pub const fn form(path: &'static str, who: ScreenAccess, handler: Handler) -> Self {
        Self {
            path,
            who,
            takes_forms: true,
            takes_files: false,
            handler,
        }
    }

    /// A screen that takes forms with a file, too.
    pub const fn files(path: &'static str, who: ScreenAccess, handler: Handler) -> Self {
        Self {
            takes_files: true,
            ..Self::form(path, who, handler)
        }
    }
}
