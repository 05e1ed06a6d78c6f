//! One visit: who it is, whether they may, what they sent, what the screen answers.

use std::sync::Arc;

use app::domain::ids::PersonId;
use app::links;
use app::pages::{Answer, Fields, Page, Screen, Site, Visit, Who, prove, shell, trouble};
use app::portal::{Portal, Source, Trouble};
use axum::extract::{FromRequestParts as _, RawPathParams, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{Html, IntoResponse as _, Response};
use tower_sessions::Session;

use super::{actor, budget, fields, store};
use crate::gate::Room;
use crate::http::compress::Open;
use crate::http::notes::Peer;
use crate::http::security_headers::Nonce;
use crate::services::limits;
use crate::services::people::devices;
use crate::state::AppState;
use crate::storage::{DbError, is_busy};
use crate::text::storable;

const THEME_COOKIE: &str = "theme";
/// In seconds.
const A_YEAR: u32 = 31_536_000;

const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");
/// What a browser forgets when somebody leaves. Not its cookies: ours is ended here, and the theme, what a device is known by and
/// the sandbox bank's belong to others or to the next visit.
const CLEARED: HeaderValue = HeaderValue::from_static("\"cache\", \"storage\"");

/// What every visit is handed.
#[derive(Clone)]
pub struct Door {
    pub state: AppState,
    pub portal: Arc<dyn Portal>,
    pub site: Arc<Site>,
}

/// Why a visit went no further than the door.
enum Halt {
    Trouble(Trouble),
    Status(StatusCode, &'static str),
    Session(tower_sessions::session::Error),
    Database(DbError),
    /// Too much was asked.
    Spent(Box<Response>),
}

impl From<Box<Response>> for Halt {
    fn from(page: Box<Response>) -> Self {
        Self::Spent(page)
    }
}

impl From<DbError> for Halt {
    fn from(error: DbError) -> Self {
        Self::Database(error)
    }
}

impl From<tower_sessions::session::Error> for Halt {
    fn from(error: tower_sessions::session::Error) -> Self {
        Self::Session(error)
    }
}

impl Door {
    /// Opens a screen.
    pub async fn open(self, screen: &Screen, session: Session, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        let nonce = parts.extensions.get::<Nonce>().cloned().unwrap_or_default();
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

    /// The page for an address of nothing.
    pub async fn nothing_here(self, session: Session, request: Request) -> Response {
        let (parts, _) = request.into_parts();
        let nonce = parts.extensions.get::<Nonce>().cloned().unwrap_or_default();
        let mut visit = self.visit(&parts);
        self.recognise(&session, &mut visit).await.ok();
        shown(trouble::page(Trouble::NotFound, &visit), &visit, &nonce)
    }

    /// The page for a visit that the door turned away, without looking who it is.
    pub fn turned_away(&self, parts: &Parts, why: String) -> Response {
        let nonce = parts.extensions.get::<Nonce>().cloned().unwrap_or_default();
        let visit = self.visit(parts);
        shown(
            trouble::page(Trouble::Forbidden(why), &visit),
            &visit,
            &nonce,
        )
    }

    /// What is left to say after a panic, whose place is in the log. The form, if there was one, is lost with it.
    pub fn panicked(&self, parts: &Parts) -> Response {
        let nonce = parts.extensions.get::<Nonce>().cloned().unwrap_or_default();
        let mut visit = self.visit(parts);
        visit.form = (parts.method == Method::POST).then(Fields::default);
        let reference = self.state.clock.id().to_string();
        tracing::error!(reference, "a visit to the portal panicked");
        let page = trouble::page(Trouble::Internal(reference), &visit);
        shown(page, &visit, &nonce)
    }

    async fn run(
        &self,
        screen: &Screen,
        session: &Session,
        parts: &mut Parts,
        body: axum::body::Body,
        visit: &mut Visit,
    ) -> Result<Response, Halt> {
        let nonce = parts.extensions.get::<Nonce>().cloned().unwrap_or_default();
        self.recognise(session, visit).await?;
        match &visit.actor {
            Some(actor) => budget::of_person(&self.state, actor.person)?,
            None if parts.method == Method::POST => {
                budget::of_form(&self.state, &parts.extensions)?;
            }
            None => {}
        }
        if let Some(elsewhere) = admit(screen.who, visit, &parts.uri)? {
            return Ok(see_other(&elsewhere));
        }
        let bad = |why| Halt::Status(StatusCode::BAD_REQUEST, why);
        visit.query = fields::parse(parts.uri.query().unwrap_or_default())
            .ok_or_else(|| bad("The address is not readable text. Check the link."))?;
        let params = RawPathParams::from_request_parts(parts, &())
            .await
            .map_err(|_| Halt::Trouble(Trouble::NotFound))?;
        if params.iter().any(|(_, value)| !storable(value)) {
            return Err(Halt::Trouble(Trouble::NotFound));
        }
        visit.params = Fields(
            params
                .iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        );
        if parts.method == Method::POST {
            let room = parts.extensions.get::<Room>().cloned().unwrap_or_default();
            let (form, file) = fields::read_form(&parts.headers, body, screen.takes_files, &room)
                .await
                .map_err(|(status, why)| Halt::Status(status, why))?;
            visit.form = Some(form);
            visit.file = file;
        }
        if let Some(answer) = self.proved_along(session, visit).await? {
            return self.respond(answer, session, visit, &nonce).await;
        }
        let answer = match (screen.handler)(visit.clone()).await {
            Ok(Answer::Trouble(trouble)) | Err(trouble) => trouble::answer(trouble, visit),
            Ok(answer) => answer,
        };
        self.respond(answer, session, visit, &nonce).await
    }

    /// Finds out who visits, and where they may work.
    async fn recognise(&self, session: &Session, visit: &mut Visit) -> Result<(), Halt> {
        visit.actor = None;
        visit.places = Vec::new();
        if let Some((actor, several)) = actor::of(&self.state, session).await? {
            if several {
                visit.places = self.portal.places(&actor).await.map_err(Halt::Trouble)?;
            }
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
    ) -> Result<Option<Answer>, Halt> {
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
            Err(Trouble::Refused(errors)) => {
                let wrong = errors.into_iter().next().map(|error| error.message);
                Ok(Some(prove::with_form(visit, wrong).into()))
            }
            Err(trouble) => Ok(Some(trouble::answer(trouble, visit))),
        }
    }

    async fn respond(
        &self,
        answer: Answer,
        session: &Session,
        visit: &mut Visit,
        nonce: &Nonce,
    ) -> Result<Response, Halt> {
        Ok(match answer {
            Answer::Page(page) => shown(page, visit, nonce),
            Answer::See(to) => see_other(&to),
            Answer::SignedIn { person, to } => {
                sign_in(session, person, &visit.source).await?;
                self.knowing_the_browser(see_other(&to), person, &visit.source)
            }
            Answer::SignedInPage { person, page } => {
                sign_in(session, person, &visit.source).await?;
                session.save().await?;
                self.recognise(session, visit).await?;
                self.knowing_the_browser(shown(page, visit, nonce), person, &visit.source)
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
            Answer::Trouble(trouble) => shown(trouble::page(trouble, visit), visit, nonce),
            Answer::Text { content_type, body } => (
                [
                    (header::CONTENT_TYPE, content_type),
                    (header::VARY, "Accept"),
                ],
                body,
            )
                .into_response(),
            Answer::File { name, body } => saved(name, body),
        })
    }

    /// What can be known of a visit before anybody is asked.
    fn visit(&self, parts: &Parts) -> Visit {
        let ip = parts
            .extensions
            .get::<Peer>()
            .map(|peer| limits::Source::from(peer.0).to_string());
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
            params: Fields::default(),
            query: Fields::default(),
            form: None,
            file: None,
            source: Source {
                ip: ip.unwrap_or_default(),
                user_agent: user_agent.chars().take(300).collect(),
                device: cookie(&parts.headers, device_cookie(&self.state))
                    .unwrap_or_default()
                    .to_owned(),
            },
            now: self.state.clock.now(),
            markdown: prefers_markdown(&parts.headers),
            site: self.site.clone(),
            theme: theme(&parts.headers),
        }
    }

    fn halted(&self, halt: Halt, visit: &Visit, nonce: &Nonce) -> Response {
        let broken = |error: String| {
            let reference = self.state.clock.id().to_string();
            tracing::error!(reference, error, "a visit to the portal failed");
            trouble::page(Trouble::Internal(reference), visit)
        };
        let packed =
            matches!(&halt, Halt::Status(status, why) if (*status, *why) == fields::PACKED);
        let page = match halt {
            Halt::Spent(page) => return *page,
            Halt::Trouble(trouble) => trouble::page(trouble, visit),
            Halt::Status(status, why) => {
                trouble::page(Trouble::Conflict(why.to_owned()), visit).status(status.as_u16())
            }
            Halt::Session(error) => broken(error.to_string()),
            Halt::Database(error) if is_busy(&error) => trouble::page(Trouble::Unavailable, visit),
            Halt::Database(error) => broken(error.to_string()),
        };
        let mut answer = shown(page, visit, nonce);
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
        source: &Source,
    ) -> Response {
        let Some(value) = devices::cookie(&self.state, person, source) else {
            return response;
        };
        let secure = if self.state.public_url.starts_with("https:") {
            "; Secure"
        } else {
            ""
        };
        let name = device_cookie(&self.state);
        let cookie =
            format!("{name}={value}; Path=/; Max-Age={A_YEAR}; SameSite=Lax; HttpOnly{secure}");
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }

    fn themed(&self, theme: Option<&'static str>, to: &str) -> Response {
        let secure = if self.state.public_url.starts_with("https:") {
            "; Secure"
        } else {
            ""
        };
        let (value, lives) = theme.map_or(("", 0), |theme| (theme, A_YEAR));
        let cookie = format!(
            "{THEME_COOKIE}={value}; Path=/; Max-Age={lives}; SameSite=Lax; HttpOnly{secure}"
        );
        let mut response = see_other(to);
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
        response
    }
}

/// Whether an answer holds no secret, so that it may be compressed: a page that is shown to anybody, at an address that is
/// no one-time link.
fn is_open(screen: &Screen, visit: &Visit, response: &Response) -> bool {
    visit.actor.is_none()
        && visit.form.is_none()
        && response.status() == StatusCode::OK
        && !screen.path.contains("{token}")
}

/// Whether a visit may enter a screen: yes, or where to go first, or why not.
fn admit(who: Who, visit: &Visit, uri: &Uri) -> Result<Option<String>, Halt> {
    let sign_in = || {
        let asked = uri.path_and_query().map_or("/", |asked| asked.as_str());
        Some(links::with(links::SIGN_IN, "next", asked))
    };
    let may = |allowed: Result<(), Trouble>| allowed.map(|()| None).map_err(Halt::Trouble);
    match (who, &visit.actor) {
        (Who::Anyone, _) | (Who::SignedIn, Some(_)) => Ok(None),
        (Who::May(permission), Some(actor)) => may(actor.may(permission).map(drop)),
        (Who::Admin, Some(actor)) => may(actor.admin().map(drop)),
        (_, None) => Ok(sign_in()),
    }
}

/// Starts a session under a new id: one that somebody planted before is worth nothing.
async fn sign_in(
    session: &Session,
    person: PersonId,
    source: &Source,
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

/// A rendered page. Nobody keeps one that shows somebody's data; the others carry a nonce and are asked for again.
fn shown(page: Page, visit: &Visit, nonce: &Nonce) -> Response {
    let status = StatusCode::from_u16(page.status).unwrap_or(StatusCode::OK);
    let keeping = if visit.actor.is_some() || status != StatusCode::OK {
        "no-store"
    } else {
        "private, no-cache"
    };
    let html = shell::render(page, visit, &nonce.0);
    // A page of the documentation is there as Markdown, too.
    let headers = [(header::CACHE_CONTROL, keeping), (header::VARY, "Accept")];
    (status, headers, Html(html)).into_response()
}

/// A text to be saved as a file. Nobody keeps it on the way.
fn saved(name: &str, body: String) -> Response {
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

/// Returns whether `Accept` ranks `text/markdown` above HTML (RFC 9110, section 12.5.1). Wildcards count for HTML.
fn prefers_markdown(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter();
    let ranges = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(','))
        .map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q="));
            let weight: f32 = weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0));
            (media, weight)
        });
    let (mut markdown, mut html) = (0.0, 0.0);
    for (media, weight) in ranges {
        match media.as_str() {
            "text/markdown" => markdown = weight,
            "text/html" | "application/xhtml+xml" => html = weight,
            _ => {}
        }
    }
    markdown > html
}

/// The cookie of browsers that an account signed in with.
fn device_cookie(state: &AppState) -> &'static str {
    if state.public_url.starts_with("https:") {
        "__Host-tessera-device"
    } else {
        "tessera-device"
    }
}

/// The first cookie of a name.
fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(name, _)| *name == wanted)
        .map(|(_, value)| value)
}

/// The theme of the cookie, if it is one.
fn theme(headers: &HeaderMap) -> Option<&'static str> {
    match cookie(headers, THEME_COOKIE) {
        Some("light") => Some("light"),
        Some("dark") => Some("dark"),
        _ => None,
    }
}
