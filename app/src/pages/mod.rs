//! One file a screen, read top to bottom: what it does with a submitted form, what it loads, what it shows.
//!
//! A screen is an async function from a [`Visit`] to an [`Answer`]: it asks the portal, then says what to show. All
//! waiting happens before rendering, so a page is rendered in one go, works without JavaScript, and can answer with
//! the status that is true. Forms post to the URL of their own screen: a refused form is shown again as it was typed.

mod admin;
mod console;
mod docs;
mod first_call;
pub mod form;
mod landing;
mod overview;
mod parts;
mod password;
mod prove;
mod request;
mod requests;
mod samples;
mod settings;
pub mod shell;
mod sign_in;
mod sign_up;
mod skills;
mod start;
mod tenant;
mod tenant_keys;
mod tenant_new;
mod tenant_settings;
mod tenant_skills;
mod tenant_terms;
mod tenants;
mod theme;
pub mod trouble;
mod verify;

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use leptos::prelude::*;

use crate::domain::ids::PersonId;
use crate::domain::person::Permission;
use crate::domain::tenant::Environment;
use crate::links;
use crate::portal::{Actor, Portal, Source, Trouble};

/// Every screen, with who may open it. The portal door mounts this table and nothing else.
pub const SCREENS: &[Screen] = &[
    // Before signing in.
    Screen::read(links::HOME, Who::Anyone, |v| {
        Box::pin(ready(Ok(landing::screen(v))))
    }),
    Screen::form(links::START, Who::Anyone, |v| Box::pin(start::screen(v))),
    Screen::form(links::SIGN_UP, Who::Anyone, |v| {
        Box::pin(sign_up::screen(v))
    }),
    Screen::form(links::SIGN_IN, Who::Anyone, |v| {
        Box::pin(sign_in::sign_in(v))
    }),
    Screen::form(links::SIGN_OUT, Who::Anyone, |v| {
        Box::pin(ready(Ok(sign_in::sign_out(v))))
    }),
    Screen::form(links::FORGOT, Who::Anyone, |v| {
        Box::pin(password::forgot(v))
    }),
    Screen::form("/reset/{token}", Who::Anyone, |v| {
        Box::pin(password::reset(v))
    }),
    Screen::form("/verify/{token}", Who::Anyone, |v| {
        Box::pin(verify::screen(v))
    }),
    Screen::form(links::THEME, Who::Anyone, |v| {
        Box::pin(ready(Ok(theme::screen(v))))
    }),
    // Anybody's own.
    Screen::form(links::PROVE, Who::SignedIn, |v| Box::pin(prove::screen(v))),
    Screen::form(links::SETTINGS, Who::SignedIn, |v| {
        Box::pin(settings::screen(v))
    }),
    // A servicer's.
    Screen::read(links::OVERVIEW, READ, |v| Box::pin(overview::screen(v))),
    Screen::form(links::FIRST_CALL, Who::May(Permission::UseConsole), |v| {
        Box::pin(first_call::screen(v))
    }),
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
    Screen::form("/tenants/{tenant}/skills", READ, |v| {
        Box::pin(tenant_skills::screen(v))
    }),
    Screen::form("/tenants/{tenant}/skills/{skill}", MANAGE, |v| {
        Box::pin(tenant_terms::screen(v))
    }),
    Screen::form("/tenants/{tenant}/settings", MANAGE, |v| {
        Box::pin(tenant_settings::screen(v))
    }),
    Screen::read(links::SKILLS, Who::SignedIn, |v| Box::pin(skills::list(v))),
    Screen::form("/skills/{skill}", Who::SignedIn, |v| {
        Box::pin(skills::one(v))
    }),
    Screen::read(links::REQUESTS, READ, |v| Box::pin(requests::list(v))),
    Screen::read(links::REQUESTS_TAIL, READ, |v| Box::pin(requests::tail(v))),
    Screen::read("/requests/{request}", READ, |v| {
        Box::pin(request::screen(v))
    }),
    // The operators'.
    Screen::read(links::ADMIN, Who::Admin, |_| {
        Box::pin(ready(Ok(Answer::See(links::ADMIN_SERVICERS.into()))))
    }),
    Screen::form(links::ADMIN_SERVICERS, Who::Admin, |v| {
        Box::pin(admin::list(v))
    }),
    Screen::form(links::ADMIN_NEW_SERVICER, Who::Admin, |v| {
        Box::pin(admin::create(v))
    }),
    Screen::form("/admin/servicers/{servicer}/suspend", Who::Admin, |v| {
        Box::pin(admin::suspend(v))
    }),
    // The sandbox console.
    Screen::form(links::CONSOLE, Who::May(Permission::UseConsole), |v| {
        Box::pin(console::screen(v))
    }),
    Screen::form(
        "/console/runs/{run}",
        Who::May(Permission::UseConsole),
        |v| Box::pin(console::run(v)),
    ),
    Screen::read(
        links::CONSOLE_RETURN,
        Who::May(Permission::UseConsole),
        |v| Box::pin(console::back(v)),
    ),
    // The documentation.
    Screen::read(links::DOCS, Who::Anyone, |v| {
        Box::pin(ready(Ok(docs::index(v))))
    }),
    Screen::read("/docs/{page}", Who::Anyone, |v| {
        Box::pin(ready(docs::guide(v)))
    }),
    Screen::read("/docs/errors", Who::Anyone, |v| {
        Box::pin(ready(Ok(docs::errors(v))))
    }),
    Screen::read("/docs/errors/{code}", Who::Anyone, |v| {
        Box::pin(ready(docs::error(v)))
    }),
    Screen::read("/docs/api", Who::Anyone, |v| {
        Box::pin(ready(Ok(docs::reference(v))))
    }),
    Screen::read("/docs/api/{operation}", Who::Anyone, |v| {
        Box::pin(ready(docs::operation(v)))
    }),
];

const READ: Who = Who::May(Permission::ReadTenants);
const MANAGE: Who = Who::May(Permission::ManageSandboxTenants);
const KEYS: Who = Who::May(Permission::ManageSandboxKeys);

/// Everything a screen may look at.
#[derive(Clone)]
pub struct Visit {
    pub portal: Arc<dyn Portal>,
    pub actor: Option<Actor>,
    /// The path as asked for, without query.
    pub path: String,
    /// What the route's `{name}` parts matched, percent-decoded.
    pub params: Fields,
    pub query: Fields,
    /// The submitted form, when the method was POST.
    pub form: Option<Fields>,
    pub source: Source,
    pub now: DateTime<Utc>,
    pub site: Arc<Site>,
    /// `light`, `dark` or none for the system's own.
    pub theme: Option<&'static str>,
}

/// What is the same for every page of one server.
#[derive(Clone, Debug)]
pub struct Site {
    /// The brand shown to users.
    pub brand: String,
    /// `https://portal.example.com`, without a trailing slash: links are built from it, never from the request.
    pub public_url: String,
    /// Hashed names of the built files; `None` where only the HTML matters.
    pub assets: Option<Assets>,
    /// The served OpenAPI document, for the reference.
    pub openapi: Arc<serde_json::Value>,
}

/// Paths of the built files, from the root: `/pkg/portal.<hash>.css`.
#[derive(Clone, Debug, serde::Deserialize)]
pub struct Assets {
    pub js: String,
    pub wasm: String,
    pub css: String,
}

/// Names and values of a query or form, in order, repeats kept.
#[derive(Clone, Debug, Default)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    /// The first value of a name, trimmed of nothing; empty if absent.
    pub fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value.as_str())
    }

    /// Every value of a name.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(key, _)| key == name)
            .map(|(_, value)| value.clone())
            .collect()
    }

    /// The lines of a text area, trimmed, empty ones left out.
    pub fn lines(&self, name: &str) -> Vec<String> {
        self.get(name)
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// A value that parses, or nothing.
    pub fn parse<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.get(name).parse().ok()
    }
}

/// What a screen answers.
pub enum Answer {
    Page(Page),
    /// 303 to a path of this portal.
    See(String),
    /// Signs the person in (new session id), then 303.
    SignedIn {
        person: PersonId,
        to: String,
    },
    /// Signs the person in and shows a page in the same answer: the only place where new keys appear.
    SignedInPage {
        person: PersonId,
        page: Page,
    },
    /// Marks the session as freshly proved, then 303.
    Proved {
        to: String,
    },
    /// Ends the session, then 303.
    SignedOut {
        to: String,
    },
    /// Keeps the theme in a cookie, then 303.
    Theme {
        theme: Option<&'static str>,
        to: String,
    },
    /// A page or error everybody knows: not found, forbidden, wait, our fault.
    Trouble(Trouble),
    /// A text file: Markdown twin of a guide.
    Text {
        content_type: &'static str,
        body: String,
    },
    /// A text that the browser saves as a file of this name.
    File {
        name: &'static str,
        body: String,
    },
}

/// One page, not rendered yet.
#[must_use]
pub struct Page {
    pub status: u16,
    /// `Keys · Budget app`; the brand is added.
    pub title: String,
    pub frame: Frame,
    /// Where the page stands inside the portal, from the outside in: name and path.
    pub trail: Vec<(String, String)>,
    /// The world the page is about; the sandbox wears an amber strip.
    pub environment: Option<Environment>,
    /// Lists and consoles take more width than prose.
    pub wide: bool,
    pub body: Box<dyn FnOnce() -> AnyView + Send>,
}

/// What surrounds a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Landing, docs: public header and footer.
    Public,
    /// Sign-in and the like: one card.
    Card,
    /// The signed-in shell with navigation.
    App,
    /// The operators' area.
    Admin,
}

impl Page {
    /// A page of status 200.
    pub fn new<V: IntoView + 'static>(
        frame: Frame,
        title: impl Into<String>,
        body: impl FnOnce() -> V + Send + 'static,
    ) -> Self {
        Self {
            status: 200,
            title: title.into(),
            frame,
            trail: Vec::new(),
            environment: None,
            wide: false,
            body: Box::new(move || body().into_any()),
        }
    }

    /// The same page one level deeper: adds a place above it to the trail.
    pub fn under(mut self, name: impl Into<String>, href: impl Into<String>) -> Self {
        self.trail.push((name.into(), href.into()));
        self
    }

    /// The same page, marked as being about one world.
    pub fn within(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// The same page, as wide as the window allows.
    pub fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// The same page with another status: 422 for a refused form.
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

impl From<Page> for Answer {
    fn from(page: Page) -> Self {
        Self::Page(page)
    }
}

impl From<Trouble> for Answer {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

/// A screen's answer in the making: `Err` is shown as the page everybody knows.
pub type Shown = Result<Answer, Trouble>;
/// A screen: an async function, boxed so that all of them fit in one table.
pub type Handler = fn(Visit) -> Pin<Box<dyn Future<Output = Shown> + Send>>;

/// Who may open a screen. Checked by the portal door before the screen runs; services check again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Anyone,
    SignedIn,
    May(Permission),
    Admin,
}

/// One line of the screen table.
pub struct Screen {
    /// With `{name}` parts, as axum writes them.
    pub path: &'static str,
    pub who: Who,
    /// Whether the screen takes forms (POST) besides being shown.
    pub takes_forms: bool,
    pub handler: Handler,
}

impl Screen {
    /// A screen that is only shown.
    pub const fn read(path: &'static str, who: Who, handler: Handler) -> Self {
        Self {
            path,
            who,
            takes_forms: false,
            handler,
        }
    }

    /// A screen that takes forms, too.
    pub const fn form(path: &'static str, who: Who, handler: Handler) -> Self {
        Self {
            path,
            who,
            takes_forms: true,
            handler,
        }
    }
}

impl Visit {
    /// The person signed in; the door lets nobody else near a screen that asks for this.
    pub fn actor(&self) -> Result<&Actor, Trouble> {
        self.actor.as_ref().ok_or(Trouble::NotFound)
    }

    /// A route's part that must parse: what does not is an address of nothing.
    pub fn param<T: std::str::FromStr>(&self, name: &str) -> Result<T, Trouble> {
        self.params.parse(name).ok_or(Trouble::NotFound)
    }
}
