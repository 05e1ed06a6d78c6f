//! The guides, written in Markdown and rendered once, the first time one is asked for.
//!
//! A guide is cut into pieces: prose as HTML, code as text with its language (so that the page can offer samples in
//! the reader's language), and diagrams. `%API%` stands for the server's public URL, `%HOST%` for its host, `%BRAND%` for its name.

pub mod highlight;
mod markdown;

use std::sync::LazyLock;

/// One guide.
pub struct Guide {
    /// Its address below `/docs`.
    pub slug: &'static str,
    pub title: &'static str,
    /// One line on what it is good for.
    pub summary: &'static str,
    /// Its time, in minutes.
    pub minutes: u8,
    /// The guide's Markdown as written.
    pub source: &'static str,
    pub body: GuideBody,
}

/// A rendered guide.
pub struct GuideBody {
    pub pieces: Vec<Piece>,
    /// Second-level headings: id and text.
    pub headings: Vec<(String, String)>,
}

/// A part of a guide.
pub enum Piece {
    /// Prose.
    Html(String),
    /// A sample in one language or several, in the order they were written: language and text.
    Code(Vec<(String, String)>),
    /// The sequence of a whole session.
    Sequence,
}

/// Slug, title, summary, minutes, source.
type Written = (&'static str, &'static str, &'static str, u8, &'static str);

const WRITTEN: &[Written] = &[
    (
        "quick-start",
        "Quick start",
        "From no account to accounts and transactions, with curl or JavaScript.",
        5,
        include_str!("quick_start.md"),
    ),
    (
        "concepts",
        "Concepts",
        "Servicers, tenants, skills, sessions, nonces and consents, in the order you meet them.",
        6,
        include_str!("concepts.md"),
    ),
    (
        "session-flow",
        "Session flow",
        "Every message between your front end, Tessera, the bank and your back end.",
        8,
        include_str!("session_flow.md"),
    ),
    (
        "payments",
        "Payments",
        "Ordering, reading and cancelling payments, and what each status means.",
        5,
        include_str!("payments.md"),
    ),
    (
        "security",
        "Security model",
        "Which key may live where, how long it lives and how it is rotated.",
        6,
        include_str!("security.md"),
    ),
    (
        "signed-requests",
        "Signed requests",
        "A signature over each body, so that a stolen secret alone opens nothing.",
        5,
        include_str!("signed_requests.md"),
    ),
    (
        "going-further",
        "Going further",
        "The REST style, safe retries, filters, and what every call has in common.",
        6,
        include_str!("going_further.md"),
    ),
    (
        "sdk",
        "SDK",
        "A client for JavaScript and TypeScript: a half for browsers, a half for servers.",
        5,
        include_str!("sdk.md"),
    ),
];

static GUIDES: LazyLock<Vec<Guide>> = LazyLock::new(|| {
    let guides = WRITTEN
        .iter()
        .map(|&(slug, title, summary, minutes, source)| Guide {
            slug,
            title,
            summary,
            minutes,
            source,
            body: markdown::render(source),
        });
    guides.collect()
});

/// Every guide, in reading order.
pub fn guides() -> &'static [Guide] {
    &GUIDES
}

/// The guide of an address.
pub fn guide(slug: &str) -> Option<&'static Guide> {
    GUIDES.iter().find(|guide| guide.slug == slug)
}

/// The changelog as it is written.
pub const CHANGELOG: &str = include_str!("../../../CHANGELOG.md");

static RENDERED_CHANGELOG: LazyLock<GuideBody> = LazyLock::new(|| markdown::render(CHANGELOG));

/// The changelog, rendered.
pub fn changelog() -> &'static GuideBody {
    &RENDERED_CHANGELOG
}
