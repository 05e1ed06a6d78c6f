//! What a screen answers: a page, a way to go, or what the door does on its behalf.

use leptos::prelude::*;

use crate::domain::ids::PersonId;
use crate::domain::tenant::Environment;
use crate::portal::PortalError;

/// Answer of a screen.
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
    Error(PortalError),
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

impl Answer {
    /// A page's Markdown.
    pub fn markdown(body: String) -> Self {
        Self::Text {
            content_type: "text/markdown; charset=utf-8",
            body,
        }
    }
}

/// One page, not rendered yet.
#[must_use]
pub struct Page {
    pub status: u16,
    /// `Keys · Budget app`; the brand is added.
    pub title: String,
    pub frame: Frame,
    /// Breadcrumb trail of the page inside the portal, the outermost place first: name and path.
    pub trail: Vec<(String, String)>,
    /// Environment that the page is about; an amber strip marks the sandbox.
    pub environment: Option<Environment>,
    /// Lists and consoles take more width than prose.
    pub wide: bool,
    /// Description for search results and previews, in one or two sentences. `None`: made from the title.
    pub description: Option<String>,
    pub body: Box<dyn FnOnce() -> AnyView + Send>,
}

/// Frame that surrounds a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Landing, docs: public header and footer.
    Public,
    /// Sign-in and the like: one card.
    Card,
    /// A page that must not be left unawares: no navigation, one way on.
    Focus,
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
            description: None,
            body: Box::new(move || body().into_any()),
        }
    }

    /// Puts the page one level deeper: adds a place above it to the trail.
    pub fn under(mut self, name: impl Into<String>, href: impl Into<String>) -> Self {
        self.trail.push((name.into(), href.into()));
        self
    }

    /// Marks the page as being about one environment.
    pub fn within(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// Makes the page as wide as the window allows.
    pub fn wide(mut self) -> Self {
        self.wide = true;
        self
    }

    /// Sets the description that search results show.
    pub fn described(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets the HTTP status: 422 for a refused form.
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

impl From<PortalError> for Answer {
    fn from(error: PortalError) -> Self {
        Self::Error(error)
    }
}

/// Result of a screen; an `Err` is shown as the page for that trouble.
pub type ScreenResult = Result<Answer, PortalError>;
