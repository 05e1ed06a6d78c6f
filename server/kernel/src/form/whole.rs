//! A browser's form with a file, read whole: for the portal, whose files are few and small.

use std::sync::Arc;

use crate::gate::MemoryShare;
use crate::json::coding;
use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use multer::{Field, Multipart};

use super::body::{Allowance, FormBody, FormBodyError, Pace, SharedBody};
use super::part::{Disposition, disposition};

/// Contents of a form: its texts in order, and its file if one was chosen.
#[derive(Debug, Default)]
pub struct Whole {
    pub fields: Vec<(String, String)>,
    pub file: Option<WholeFile>,
}

/// A file as it was chosen.
#[derive(Debug)]
pub struct WholeFile {
    /// Its name on the sender's machine.
    pub name: String,
    pub bytes: Bytes,
}

/// Reason a form was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormReadError {
    #[error("the form is packed")]
    Packed,
    #[error("the form is no multipart/form-data")]
    NoForm,
    #[error("the form is larger than it may be")]
    TooLarge,
    #[error("the form came too slowly")]
    TooSlow,
    #[error("others need the memory that the form waits in")]
    Full,
    #[error("the form is not well made, or broke off")]
    Broken,
}

/// Reads a form of up to `most` bytes besides what frames it. Its last file counts; texts must be UTF-8.
pub async fn read(headers: &HeaderMap, body: Body, most: u64) -> Result<Whole, FormReadError> {
    if coding(headers).is_some() {
        return Err(FormReadError::Packed);
    }
    let boundary = super::part::boundary(headers).map_err(|_| FormReadError::NoForm)?;
    let allowance = Arc::new(Allowance::new(MemoryShare::default()));
    let end = allowance.raise(most);
    if super::announced(headers).is_some_and(|length| length > end) {
        return Err(FormReadError::TooLarge);
    }
    let mut form = Multipart::new(
        FormBody::new(SharedBody::new(body, false), allowance, Pace::BODY),
        boundary,
    );
    let mut whole = Whole::default();
    while let Some(part) = form.next_field().await.map_err(unread)? {
        take(part, &mut whole).await?;
    }
    Ok(whole)
}

/// A part with a file's name is a file; one without a name on it was left empty.
async fn take(part: Field<'static>, whole: &mut Whole) -> Result<(), FormReadError> {
    let Disposition { name, file_name } =
        disposition(part.headers()).map_err(|_| FormReadError::Broken)?;
    let bytes = part.bytes().await.map_err(unread)?;
    match file_name {
        Some(chosen) if chosen.is_empty() && bytes.is_empty() => {}
        Some(name) => whole.file = Some(WholeFile { name, bytes }),
        None => {
            let text = std::str::from_utf8(&bytes).map_err(|_| FormReadError::Broken)?;
            whole.fields.push((name, text.to_owned()));
        }
    }
    Ok(())
}

fn unread(error: multer::Error) -> FormReadError {
    match error {
        multer::Error::StreamReadFailed(source) => match source.downcast_ref::<FormBodyError>() {
            Some(FormBodyError::TooLarge) => FormReadError::TooLarge,
            Some(FormBodyError::TooSlow) => FormReadError::TooSlow,
            Some(FormBodyError::Full) => FormReadError::Full,
            _ => FormReadError::Broken,
        },
        _ => FormReadError::Broken,
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::net::IpAddr;

    use crate::gate::{MemoryPool, PacedBody, SourceAddress};
    use axum::http::{HeaderValue, header};
    use futures_util::stream;

    use super::*;

    fn multipart() -> HeaderMap {
        let media = HeaderValue::from_static("multipart/form-data; boundary=xx");
        HeaderMap::from_iter([(header::CONTENT_TYPE, media)])
    }

    async fn sent(body: &str, most: u64) -> Result<Whole, FormReadError> {
        read(&multipart(), Body::from(body.to_owned()), most).await
    }

    fn part(head: &str, body: &str) -> String {
        format!("--xx\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n")
    }

    #[tokio::test]
    async fn texts_and_the_chosen_file_are_read_whole() {
        let body = [
            part("name=\"act\"", "upload"),
            part("name=\"kind\"", "selfie"),
            part("name=\"file\"; filename=\"me.png\"", "bytes"),
            "--xx--\r\n".into(),
        ]
        .concat();
        let whole = sent(&body, 64).await.unwrap();
        assert_eq!(whole.fields[1], ("kind".to_owned(), "selfie".to_owned()));
        let file = whole.file.unwrap();
        assert_eq!(
            (file.name.as_str(), &file.bytes[..]),
            ("me.png", &b"bytes"[..])
        );
    }

    #[tokio::test]
    async fn a_file_field_left_empty_is_no_file() {
        let body = part("name=\"file\"; filename=\"\"", "") + "--xx--\r\n";
        assert!(sent(&body, 64).await.unwrap().file.is_none());
    }

    /// Whoever sends it is told to send it again, not that it is not well made.
    #[tokio::test]
    async fn a_form_that_has_to_make_room_is_not_called_broken() {
        let pool = MemoryPool::for_bodies(1 << 20);
        let source = |n| SourceAddress::from(IpAddr::from([192, 0, 2, n]));
        let share = pool.room(source(1));
        let body = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
        let body = Body::new(PacedBody::new(body, Pace::BODY, share.clone(), 0));
        let form = tokio::spawn(async move { read(&multipart(), body, 64).await });
        let others: Vec<MemoryShare> = (2..40).map(|n| pool.room(source(n))).collect();
        tokio::task::yield_now().await;
        for other in &others {
            other.take(64 << 10).unwrap();
        }
        assert_eq!(form.await.unwrap().unwrap_err(), FormReadError::Full);
    }

    #[tokio::test]
    async fn what_is_too_large_or_broken_off_is_not_read() {
        let large = part("name=\"file\"; filename=\"a\"", &"x".repeat(200_000)) + "--xx--\r\n";
        assert_eq!(sent(&large, 64).await.unwrap_err(), FormReadError::TooLarge);
        let broken = part("name=\"act\"", "upload");
        assert_eq!(sent(&broken, 64).await.unwrap_err(), FormReadError::Broken);
        let none = read(&HeaderMap::new(), Body::empty(), 64).await;
        assert_eq!(none.unwrap_err(), FormReadError::NoForm);
    }
}
