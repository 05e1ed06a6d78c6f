//! Queries and forms as names and values: whole, in order, and text throughout; a file beside them where a screen takes one.

use app::pages::{FormFields, FormFile};
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use kernel::form::Pairs;
use kernel::form::whole::{self, FormReadError as UnreadFile};
use kernel::gate::{BodyReadError, MemoryShare};
use kernel::json::coding;
use kernel::nul::storable;
use tokio::sync::Semaphore;

const LARGEST: usize = 64 * 1024;
/// The largest file that a screen takes, in bytes: what the API takes of one kind, unless a manifest says otherwise.
const LARGEST_FILE: u64 = 10 * 1024 * 1024;
/// Permits for the files that are received at once, which bounds memory. A form that gets none is refused at once
/// instead of waiting.
static FILES: Semaphore = Semaphore::const_new(8);

/// A form as it came, and the file that was in it.
pub type ReceivedForm = (FormFields, Option<FormFile>);

/// Refusal of a form: status, and sentence for the person.
pub type FormRefusal = (StatusCode, &'static str);

const TOO_LARGE: FormRefusal = (
    StatusCode::PAYLOAD_TOO_LARGE,
    "The form is too large, or broke off on the way. Shorten it and send it again.",
);
const TOO_SLOW: FormRefusal = (
    StatusCode::REQUEST_TIMEOUT,
    "The form came too slowly, and nothing was sent. Go back and send it again.",
);
const BUSY: FormRefusal = (
    StatusCode::SERVICE_UNAVAILABLE,
    "Too many forms are on their way to us just now, and yours was not read. Go back and send it again in a moment.",
);
const UNREADABLE: FormRefusal = (
    StatusCode::BAD_REQUEST,
    "The form is not readable text. Write it again and send it.",
);

/// Refusal of a packed form; its answer says which encodings are accepted (RFC 9110, section 15.5.16).
pub const PACKED: FormRefusal = (
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "The form is packed (Content-Encoding). Send it as it is.",
);

/// Reads a submitted form, or says with which status it is refused.
pub async fn read_form(
    headers: &HeaderMap,
    body: Body,
    files: bool,
    room: &MemoryShare,
) -> Result<ReceivedForm, FormRefusal> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(';').next())
        .unwrap_or_default()
        .trim();
    if coding(headers).is_some() {
        return Err(PACKED);
    }
    if files && kind.eq_ignore_ascii_case("multipart/form-data") {
        return with_file(headers, body).await;
    }
    if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "The portal takes forms as its own pages send them. Programs use the API.",
        ));
    }
    let bytes = room.whole(body, LARGEST).await.map_err(|why| match why {
        BodyReadError::TooLarge | BodyReadError::Broken => TOO_LARGE,
        BodyReadError::TooSlow => TOO_SLOW,
        BodyReadError::Full => BUSY,
    })?;
    let fields = std::str::from_utf8(&bytes).ok().and_then(parse);
    Ok((fields.ok_or(UNREADABLE)?, None))
}

async fn with_file(headers: &HeaderMap, body: Body) -> Result<ReceivedForm, FormRefusal> {
    let Ok(_turn) = FILES.try_acquire() else {
        return Err((
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many files are on their way to us just now. Go back and send it again in a moment.",
        ));
    };
    let whole = whole::read(headers, body, LARGEST_FILE).await;
    let whole = whole.map_err(|why| match why {
        UnreadFile::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "The file is larger than 10 MiB: nothing was sent. Go back and choose a smaller one.",
        ),
        UnreadFile::TooSlow => (
            StatusCode::REQUEST_TIMEOUT,
            "The file came too slowly, and nothing was sent. Go back and send it again.",
        ),
        UnreadFile::Full => BUSY,
        UnreadFile::Packed => PACKED,
        UnreadFile::NoForm | UnreadFile::Broken => UNREADABLE,
    })?;
    let texts = whole.fields.iter();
    let names = whole.file.iter().map(|file| &file.name);
    if !texts
        .flat_map(|(name, value)| [name, value])
        .chain(names)
        .all(|text| storable(text))
    {
        return Err(UNREADABLE);
    }
    let file = whole.file.map(|file| FormFile {
        name: file.name,
        bytes: std::sync::Arc::from(&file.bytes[..]),
    });
    Ok((FormFields(whole.fields), file))
}

/// Reads a query; `None` if it cannot be read.
pub fn parse(text: &str) -> Option<FormFields> {
    Pairs::parse(text).ok().map(|pairs| FormFields(pairs.0))
}
