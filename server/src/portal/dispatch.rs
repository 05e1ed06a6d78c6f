//! One visit: who it is, whether they may, what they sent, what the screen answers.

use std::sync::Arc;

use app::domain::ids::PersonId;
use app::links;
use app::pages::{
    Answer, FormFields, Page, Screen, ScreenAccess, Site, Visit, error_page, prove, shell,
};
use app::portal::{Portal, PortalError, RequestSource};
use axum::extract::{FromRequestParts as _, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{Html, IntoResponse as _, Response};
use cookie::{Cookie, SameSite};
use kernel::gate::MemoryShare;
use kernel::nul::storable;
use tower_sessions::Session;

use super::request_head::{
    THEME_COOKIE, cookie, device_cookie, holds_token, prefers_markdown, theme, without_last_slash,
};
use super::{actor, fields, rate_limit, store};
use crate::http::compress::Open;
use crate::http::request_context::Peer;
use crate::http::security_headers::CspNonce;
use crate::security;
use crate::services::access::rate_limits;
use crate::services::portal::people::devices;
use crate::state::AppState;
use crate::storage::{DbError, is_busy};

/// Lifetime of the cookies for theme and device, in seconds.
const A_YEAR: i64 = 31_536_000;

/// Sentence for whoever asks in a way that a page does not take.
const NOT_SO: &str =
    "This page can be opened, and takes no form, or none sent in this way. Nothing was changed.";

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
/// Value of `Clear-Site-Data` at sign-out. Cookies are left out: the session's is ended here, and the theme, the
/// device's and the sandbox bank's belong to others or to the next visit.
const CLEARED: HeaderValue = HeaderValue::from_static("\"cache\", \"storage\"");

/// Shared parts that every request to the portal needs.
#[derive(Clone)]
pub struct PortalContext {
    pub state: AppState,
    pub portal: Arc<dyn Portal>,
    pub site: Arc<Site>,
}

/// Reason a visit was answered without its screen.
enum VisitEnd {
    Refused(PortalError),
    Status(StatusCode, &'static str),
    Session(tower_sessions::session::Error),
    Database(DbError),
    /// The rate limit is used up; holds the page that says so.
    Spent(Box<Response>),
}

impl From<Box<Response>> for VisitEnd {
    fn from(page: Box<Response>) -> Self {
        Self::Spent(page)
    }
}

impl From<DbError> for VisitEnd {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl From<tower_sessions::session::Error> for VisitEnd {
    fn from(error: tower_sessions::session::Error) -> Self {
        Self::Session(error)
    }
}

impl PortalContext {
    /// Opens a screen.
    pub async fn open(self, screen: &Screen, session: Session, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        let nonce = csp_nonce(&parts.extensions);
        let mut visit = self.visit(&parts);
        match self
            .run(screen, &session, &mut parts, body, &mut visit)
            .await
        {
            Ok(mut response) => {
                if is_open(screen, &visit, &response) {
                    response.extensions_mut().insert(Open);
                }
                response
            }
            Err(halt) => self.halted(halt, &visit, &nonce),
        }
    }

    /// Answers the page for a path that does not exist; one with a slash too many at its end leads to the path without.
    pub async fn nothing_here(self, session: Session, request: Request) -> Response {
        let (parts, _) = request.into_parts();
        if let Some(path) = without_last_slash(&parts) {
            return see_other(&path);
        }
        let nonce = csp_nonce(&parts.extensions);
        let mut visit = self.visit(&parts);
        self.recognise(&session, &mut visit).await.ok();
        let page = error_page::page(PortalError::NotFound, &visit);
        render(page, &visit, &nonce)
    }

    /// Answers the page for a method that a path does not take.
    pub async fn not_so(self, session: Session, request: Request) -> Response {
        let (parts, _) = request.into_parts();
        let nonce = csp_nonce(&parts.extensions);
        let mut visit = self.visit(&parts);
        self.recognise(&session, &mut visit).await.ok();
        let status = StatusCode::METHOD_NOT_ALLOWED.as_u16();
        let page = error_page::unreadable(status, NOT_SO, &visit);
        render(page, &visit, &nonce)
    }

    /// Answers the page of a refused visit, without looking up who it is.
    pub fn turned_away(&self, parts: &Parts, why: String) -> Response {
        let nonce = csp_nonce(&parts.extensions);
        let visit = self.visit(parts);
        let page = error_page::page(PortalError::Forbidden(why), &visit);
        render(page, &visit, &nonce)
    }

    /// Answers the page after a panic, with a reference under which the log has it. The form, if there was one, is
    /// lost.
    pub fn panicked(&self, parts: &Parts) -> Response {
        let nonce = csp_nonce(&parts.extensions);
        let mut visit = self.visit(parts);
        visit.form = (parts.method == Method::POST).then(FormFields::default);
        let reference = self.state.clock.id().to_string();
        tracing::error!(reference, "a visit to the portal panicked");
        let page = error_page::page(PortalError::Internal(reference), &visit);
        render(page, &visit, &nonce)
    }

    async fn run(
        &self,
        screen: &Screen,
        session: &Session,
        parts: &mut Parts,
        body: axum::body::Body,
        visit: &mut Visit,
    ) -> Result<Response, VisitEnd> {
        let nonce = csp_nonce(&parts.extensions);
        self.recognise(session, visit).await?;
        match &visit.actor {
            Some(actor) => rate_limit::count_person(&self.state, actor.person)?,
            None if parts.method == Method::POST => {
                rate_limit::count_form(&self.state, &parts.extensions)?;
            }
            None => {}
        }
        if let Some(elsewhere) = admit(screen.who, visit, parts)? {
            return Ok(see_other(&elsewhere));
        }
        let bad = |why| VisitEnd::Status(StatusCode::BAD_REQUEST, why);
        visit.query = fields::parse(parts.uri.query().unwrap_or_default())
            .ok_or_else(|| bad("The address is not readable text. Check the link."))?;
        let params = RawPathParams::from_request_parts(parts, &())
            .await
            .map_err(|_| VisitEnd::Refused(PortalError::NotFound))?;
        if params.iter().any(|(_, value)| !storable(value)) {
            return Err(VisitEnd::Refused(PortalError::NotFound));
        }
        visit.params = FormFields(
            params
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        );
        if parts.method == Method::POST {
            let room: MemoryShare = parts.extensions.get().cloned().unwrap_or_default();
            let (form, file) = fields::read_form(&parts.headers, body, screen.takes_files, &room)
                .await
                .map_err(|(status, why)| VisitEnd::Status(status, why))?;
            visit.form = Some(form);
            visit.file = file;
        }
        if let Some(answer) = self.proved_along(session, visit).await? {
            return self.respond(answer, session, visit, &nonce).await;
        }
        let answer = match (screen.handler)(visit.clone()).await {
            Ok(Answer::Error(error)) | Err(error) => error_page::answer(error, visit),
            Ok(answer) => answer,
        };
        self.respond(answer, session, visit, &nonce).await
    }

    /// Finds out who visits, and where they may work.
    async fn recognise(&self, session: &Session, visit: &mut Visit) -> Result<(), VisitEnd> {
        visit.actor = None;
        visit.places = Vec::new();
        if let Some((actor, several)) = actor::of(&self.state, session).await? {
            if several {
                visit.places = self
                    .portal
                    .places(&actor)
                    .await
                    .map_err(VisitEnd::Refused)?;
            }
            security::note_person(actor.person);
            visit.actor = Some(actor);
        }
        Ok(())
    }

    /// A form may bring the password that it lacked when it was sent before: it is taken out, and the session is proved
    /// anew under another id before the screen sees the form. Answers in the screen's place if the password is wrong.
    async fn proved_along(
        &self,
        session: &Session,
        visit: &mut Visit,
    ) -> Result<Option<Answer>, VisitEnd> {
        let Some(password) = visit.form.as_mut().and_then(|form| form.take(prove::FIELD)) else {
            return Ok(None);
        };
        let Some(actor) = visit.actor.clone() else {
            return Ok(None);
        };
        match self.portal.prove(&actor, &password, &visit.source).await {
            Ok(()) => {
                session.cycle_id().await?;
                session.save().await?;
                self.recognise(session, visit).await?;
                Ok(None)
            }
            Err(PortalError::Refused(errors)) => {
                let wrong = errors.into_iter().next().map(|error| error.message);
                Ok(Some(prove::with_form(visit, wrong).into()))
            }
            Err(error) => Ok(Some(error_page::answer(error, visit))),
        }
    }

    async fn respond(
        &self,
        answer: Answer,
        session: &Session,
        visit: &mut Visit,
        nonce: &CspNonce,
    ) -> Result<Response, VisitEnd> {
        Ok(match answer {
            Answer::Page(page) => render(page, visit, nonce),
            Answer::See(to) => see_other(&to),
            Answer::SignedIn { person, to } => {
                sign_in(session, person, &visit.source).await?;
                self.knowing_the_browser(see_other(&to), person, &visit.source)
            }
            Answer::SignedInPage { person, page } => {
                sign_in(session, person, &visit.source).await?;
                session.save().await?;
                self.recognise(session, visit).await?;
                self.knowing_the_browser(render(page, visit, nonce), person, &visit.source)
            }
            Answer::Proved { to } => {
                session.cycle_id().await?;
                see_other(&to)
            }
            Answer::SignedOut { to } => {
                session.flush().await?;
                let mut answer = see_other(&to);
                answer.headers_mut().insert(CLEAR_SITE_DATA, CLEARED);
                answer
            }
            Answer::Theme { theme, to } => self.themed(theme, &to),
            Answer::Error(error) => render(error_page::page(error, visit), visit, nonce),
            Answer::Text { content_type, body } => (
                [
                    (header::CONTENT_TYPE, content_type),
                    (header::VARY, "Accept"),
                ],
                body,
            )
                .into_response(),
            Answer::File { name, body } => download(name, body),
        })
    }

    /// Returns the visit as far as the request alone describes it; the person is not looked up yet.
    fn visit(&self, parts: &Parts) -> Visit {
        let ip = parts
            .extensions
            .get::<Peer>()
            .map(|peer| rate_limits::SourceAddress::from(peer.0).to_string());
        let user_agent = parts
            .headers
            .get(header::USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        Visit {
            portal: self.portal.clone(),
            actor: None,
            places: Vec::new(),
            path: parts.uri.path().to_owned(),
            params: FormFields::default(),
            query: FormFields::default(),
            form: None,
            file: None,
            source: RequestSource {
                ip: ip.unwrap_or_default(),
                user_agent: user_agent.chars().take(300).collect(),
                device: cookie(&parts.headers, device_cookie(&self.state)).unwrap_or_default(),
            },
            now: self.state.clock.now(),
            markdown: prefers_markdown(&parts.headers),
            site: self.site.clone(),
            theme: theme(&parts.headers),
        }
    }

    fn halted(&self, halt: VisitEnd, visit: &Visit, nonce: &CspNonce) -> Response {
        let broken = |error: String| {
            let reference = self.state.clock.id().to_string();
            tracing::error!(reference, error, "a visit to the portal failed");
            error_page::page(PortalError::Internal(reference), visit)
        };
        let packed =
            matches!(&halt, VisitEnd::Status(status, why) if (*status, *why) == fields::PACKED);
        let page = match halt {
            VisitEnd::Spent(page) => return *page,
            VisitEnd::Refused(error) => error_page::page(error, visit),
            VisitEnd::Status(status, why) => error_page::unreadable(status.as_u16(), why, visit),
            VisitEnd::Session(error) => broken(error.to_string()),
            VisitEnd::Database(error) if is_busy(&error) => {
                error_page::page(PortalError::Unavailable, visit)
            }
            VisitEnd::Database(error) => broken(error.to_string()),
        };
        let mut answer = render(page, visit, nonce);
        if answer.status() == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = HeaderValue::from_static("5");
            answer.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        if packed {
            let identity = HeaderValue::from_static("identity");
            answer
                .headers_mut()
                .insert(header::ACCEPT_ENCODING, identity);
        }
        answer
    }

    /// Leaves a cookie by which the browser is known the next time its account signs in.
    fn knowing_the_browser(
        &self,
        mut response: Response,
        person: PersonId,
        source: &RequestSource,
    ) -> Response {
        let Some(value) = devices::cookie(&self.state, person, source) else {
            return response;
        };
        self.set_cookie(&mut response, (device_cookie(&self.state), &value), A_YEAR);
        response
    }

    fn themed(&self, theme: Option<&'static str>, to: &str) -> Response {
        let (value, lives) = theme.map_or(("", 0), |theme| (theme, A_YEAR));
        let mut response = see_other(to);
        self.set_cookie(&mut response, (THEME_COOKIE, value), lives);
        response
    }

    /// Sets a cookie of the whole portal for so many seconds.
    fn set_cookie(&self, response: &mut Response, cookie: (&'static str, &str), seconds: i64) {
        let cookie = Cookie::build(cookie)
            .path("/")
            .max_age(time::Duration::seconds(seconds))
            .same_site(SameSite::Lax)
            .http_only(true)
            .secure(self.state.public_url.starts_with("https:"));
        if let Ok(cookie) = HeaderValue::try_from(cookie.to_string()) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
}

/// Returns `true` if an answer holds no secret, so that it may be compressed: a page that is shown to anybody, at an
/// address that is no one-time link.
fn is_open(screen: &Screen, visit: &Visit, response: &Response) -> bool {
    visit.actor.is_none()
        && visit.form.is_none()
        && response.status() == StatusCode::OK
        && !screen.path.contains("{token}")
        && !holds_token(visit)
}

/// Returns `None` if a visit may enter a screen, or the path of the sign-in page it has to pass first. Fails if the
/// person lacks the permission.
fn admit(who: ScreenAccess, visit: &Visit, parts: &Parts) -> Result<Option<String>, VisitEnd> {
    let (uri, sends_form) = (&parts.uri, parts.method == Method::POST);
    let sign_in = || {
        let asked = uri.path_and_query().map_or("/", |asked| asked.as_str());
        let path = links::with(links::SIGN_IN, "next", asked);
        // The form is gone, and whoever sent it has to know.
        Some(if sends_form {
            links::with(&path, "done", links::UNSENT)
        } else {
            path
        })
    };
    let may = |allowed: Result<(), PortalError>| allowed.map(|()| None).map_err(VisitEnd::Refused);
    match (who, &visit.actor) {
        (ScreenAccess::Anyone, _) | (ScreenAccess::SignedIn, Some(_)) => Ok(None),
        (ScreenAccess::May(permission), Some(actor)) => may(actor.may(permission).map(drop)),
        (ScreenAccess::Admin, Some(actor)) => may(actor.admin().map(drop).inspect_err(|_| {
            // Answered like an address of nothing, so that only the log knows.
            let event = security::SecurityEvent::AuthorisationRefused;
            security::tell(event, security::who(), None, &visit.source.ip);
        })),
        (_, None) => Ok(sign_in()),
    }
}

/// Starts a session under a new id: one that somebody planted before is worth nothing.
async fn sign_in(
    session: &Session,
    person: PersonId,
    source: &RequestSource,
) -> Result<(), tower_sessions::session::Error> {
    if session.id().is_some() {
        session.flush().await?;
    }
    session.insert(store::PERSON, person).await?;
    session
        .insert(store::USER_AGENT, &source.user_agent)
        .await?;
    session.insert(store::IP, &source.ip).await
}

/// Returns the nonce for scripts of the answer to a request.
fn csp_nonce(extensions: &Extensions) -> CspNonce {
    extensions.get().cloned().unwrap_or_default()
}

/// Renders a page. Nobody keeps one that shows somebody's data or repeats a token; the others carry a nonce and are asked for again.
fn render(page: Page, visit: &Visit, nonce: &CspNonce) -> Response {
    let status = StatusCode::from_u16(page.status).unwrap_or(StatusCode::OK);
    let keeping = if visit.actor.is_some() || status != StatusCode::OK || holds_token(visit) {
        "no-store"
    } else {
        "private, no-cache"
    };
    let html = shell::render(page, visit, &nonce.0);
    // A page of the documentation is there as Markdown, too.
    let headers = [(header::CACHE_CONTROL, keeping), (header::VARY, "Accept")];
    (status, headers, Html(html)).into_response()
}

/// Returns a text as a file to be saved. Nobody keeps it on the way.
fn download(name: &str, body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    (headers, body).into_response()
}

/// 303 to a path of this portal; anything else would be an open redirect and leads home instead.
fn see_other(to: &str) -> Response {
    let to = links::local(to).unwrap_or(links::HOME);
    let location = HeaderValue::try_from(to).unwrap_or(HeaderValue::from_static("/"));
    (
        StatusCode::SEE_OTHER,
        [
            (header::LOCATION, location),
            (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        ],
    )
        .into_response()
}
