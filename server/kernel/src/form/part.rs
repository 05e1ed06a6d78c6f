//! What a part of a form says of itself: its name, in every legal spelling (RFC 7578, section 4.2; RFC 9110, section
//! 5.6.6), and what makes it unreadable here.

use axum::http::{HeaderMap, header};

/// A part's `Content-Disposition`.
#[derive(Debug, PartialEq, Eq)]
pub struct Disposition {
    pub name: String,
    /// Name of the file on the sender's machine; `None` if the part is no file.
    pub file_name: Option<String>,
}

/// A media type, or a disposition, with its parameters: `form-data; name="file"`.
#[derive(Debug, PartialEq, Eq)]
pub struct Parameterised {
    /// In lower case.
    pub kind: String,
    /// Names in lower case.
    pub parameters: Vec<(String, String)>,
}

impl Parameterised {
    /// Reads a field; `None` if it is not well made.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, mut rest) = text.split_once(';').unwrap_or((text, ""));
        let mut parameters = Vec::new();
        loop {
            rest = rest.trim_start_matches([' ', '\t', ';']);
            if rest.is_empty() {
                break;
            }
            let (name, after) = rest.split_once('=')?;
            let (value, after) = value(after.trim_start_matches([' ', '\t']))?;
            parameters.push((name.trim().to_ascii_lowercase(), value));
            rest = after.trim_start_matches([' ', '\t']);
            if !rest.is_empty() && !rest.starts_with(';') {
                return None;
            }
        }
        Some(Self {
            kind: kind.trim().to_ascii_lowercase(),
            parameters,
        })
    }

    /// All values of a parameter: there should be one at most.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.parameters.iter().filter(|(known, _)| known == name);
        named.map(|(_, value)| value.as_str()).collect()
    }
}

/// A token, or a quoted string with its pairs undone, and what follows it.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([';', ' ', '\t']).unwrap_or(text.len());
        let (token, rest) = text.split_at_checked(end)?;
        return Some((token.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, quoted.get(at + 1..)?)),
            // Only what must be escaped is: names of files have backslashes of their own, in old browsers' forms.
            '\\' if quoted.get(at + 1..)?.starts_with(['"', '\\']) => {
                value.push(characters.next()?.1);
            }
            other => value.push(other),
        }
    }
    None
}

/// Reads what a part says of itself, or says what is wrong with it.
pub fn disposition(headers: &HeaderMap) -> Result<Disposition, String> {
    let Some(field) = headers.get(header::CONTENT_DISPOSITION) else {
        return Err("A part of the form has no Content-Disposition, and so no name.".to_owned());
    };
    let text = String::from_utf8_lossy(field.as_bytes());
    let Some(read) = Parameterised::parse(&text) else {
        return Err(format!(
            "The Content-Disposition of a part is not well made: {}.",
            short(&text)
        ));
    };
    if read.kind != "form-data" {
        return Err(format!(
            "A part of the form is announced as {}: it must be form-data.",
            short(&read.kind)
        ));
    }
    let name = match read.all("name")[..] {
        [name] => name.to_owned(),
        [] if !read.all("name*").is_empty() => {
            return Err(
                "A part names itself with name*, which forms do not have (RFC 7578, section 5.1): send name=\"...\" in UTF-8."
                    .to_owned(),
            );
        }
        [] => return Err("A part of the form has no name.".to_owned()),
        _ => return Err("A part of the form has two names.".to_owned()),
    };
    if name.len() > 1 && name.starts_with('\'') && name.ends_with('\'') {
        return Err(format!(
            "The name of a part stands in single quotes, which belong to it: send name=\"{}\" in double ones.",
            short(name.trim_matches('\''))
        ));
    }
    let file_name = read.all("filename").first().map(|name| (*name).to_owned());
    let file_name =
        file_name.or_else(|| read.all("filename*").first().map(|name| (*name).to_owned()));
    encoding(headers, &name)?;
    Ok(Disposition { name, file_name })
}

/// Parts arrive as they are: what is packed or written in base64 would be stored so (RFC 7578, section 4.7).
fn encoding(headers: &HeaderMap, name: &str) -> Result<(), String> {
    let said = |field: &str| {
        let value = headers.get(field)?.to_str().unwrap_or("?");
        Some(value.trim().to_ascii_lowercase())
    };
    let transfer = said("content-transfer-encoding")
        .filter(|how| !matches!(how.as_str(), "" | "7bit" | "8bit" | "binary"));
    if let Some(how) = transfer {
        return Err(format!(
            "The part `{}` is encoded (Content-Transfer-Encoding: {}): send its bytes as they are, without that header.",
            short(name),
            short(&how)
        ));
    }
    match said("content-encoding").filter(|how| !matches!(how.as_str(), "" | "identity")) {
        Some(how) => Err(format!(
            "The part `{}` is packed (Content-Encoding: {}): send its bytes as they are, without that header.",
            short(name),
            short(&how)
        )),
        None => Ok(()),
    }
}

/// Returns the first 80 characters: no answer repeats more of what was sent.
fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

/// The boundary of a form (RFC 2046, section 5.1.1), or what is wrong with how the form is announced.
pub fn boundary(headers: &HeaderMap) -> Result<String, &'static str> {
    const LONGEST: usize = 70;
    let mut fields = headers.get_all(header::CONTENT_TYPE).iter();
    let (first, second) = (fields.next(), fields.next());
    if second.is_some() {
        return Err("There are two Content-Type headers.");
    }
    let media = first
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let Some(media) = Parameterised::parse(media) else {
        return Err("The Content-Type is not well made.");
    };
    if media.kind != "multipart/form-data" {
        return Err("The body must be announced as a form with a file, and its boundary be named.");
    }
    match media.all("boundary")[..] {
        [] => Err(
            "The Content-Type names no boundary: let the library that makes the form set that header.",
        ),
        [boundary] if (1..=LONGEST).contains(&boundary.len()) => Ok(boundary.to_owned()),
        [_] => Err("The boundary has 1 to 70 characters."),
        _ => Err("The Content-Type names two boundaries: which of them parts the form?"),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    #[test]
    fn a_name_is_read_in_every_legal_spelling() {
        for (text, name, file) in [
            ("form-data; name=\"file\"", "file", None),
            (
                "Form-Data; Name=\"file\"; FileName=\"a.png\"",
                "file",
                Some("a.png"),
            ),
            ("form-data;name=file;filename=a.png", "file", Some("a.png")),
            ("form-data ; name = \"a\\\"b\\\\c\"", "a\"b\\c", None),
            (
                "form-data; filename=\"C:\\dir\\a;b.png\"; name=\"x\"",
                "x",
                Some("C:\\dir\\a;b.png"),
            ),
            ("form-data; name=\"ünï\";", "ünï", None),
            (
                "form-data; filename*=UTF-8''%e2%82%ac.png; name=x",
                "x",
                Some("UTF-8''%e2%82%ac.png"),
            ),
        ] {
            let mut fields = HeaderMap::new();
            let value = HeaderValue::from_bytes(text.as_bytes()).unwrap();
            fields.insert(header::CONTENT_DISPOSITION, value);
            let read = disposition(&fields).unwrap();
            assert_eq!(
                (read.name.as_str(), read.file_name.as_deref()),
                (name, file),
                "{text}"
            );
        }
    }

    #[test]
    fn whatever_is_wrong_with_a_part_is_named() {
        let disposed = |text| vec![("content-disposition", text)];
        let with = |name, value| {
            vec![
                ("content-disposition", "form-data; name=\"file\""),
                (name, value),
            ]
        };
        for (fields, says) in [
            (vec![], "no Content-Disposition"),
            (disposed("attachment; name=\"file\""), "must be form-data"),
            (disposed("form-data"), "no name"),
            (disposed("form-data; name*=UTF-8''file"), "name*"),
            (disposed("form-data; name='file'"), "single quotes"),
            (disposed("form-data; name=\"a\"; name=\"b\""), "two names"),
            (disposed("form-data; name=\"a"), "not well made"),
            (
                with("content-transfer-encoding", "BASE64"),
                "Content-Transfer-Encoding: base64",
            ),
            (
                with("content-transfer-encoding", "quoted-printable"),
                "quoted-printable",
            ),
            (with("content-encoding", "gzip"), "packed"),
        ] {
            let error = disposition(&headers(&fields)).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
        assert!(disposition(&headers(&with("content-transfer-encoding", "8BIT"))).is_ok());
    }

    #[test]
    fn a_boundary_is_read_in_every_legal_spelling() {
        for (media, boundary_is) in [
            ("multipart/form-data; boundary=xx", "xx"),
            (
                "Multipart/Form-Data;Boundary=\"a b:c\"; charset=utf-8",
                "a b:c",
            ),
            (
                "multipart/form-data; charset=\"utf-8;x\" ; boundary=xx ;",
                "xx",
            ),
        ] {
            let read = boundary(&headers(&[("content-type", media)]));
            assert_eq!(read.as_deref(), Ok(boundary_is), "{media}");
        }
        for (media, says) in [
            ("multipart/form-data", "no boundary"),
            (
                "multipart/form-data; boundary=first; boundary=XbOuNd",
                "two boundaries",
            ),
            ("multipart/form-data; boundary=\"\"", "1 to 70"),
            ("multipart/mixed; boundary=x", "announced as a form"),
            ("multipart/form-data; boundary=\"x", "not well made"),
        ] {
            let error = boundary(&headers(&[("content-type", media)])).unwrap_err();
            assert!(error.contains(says), "{media}: {error}");
        }
        let two = headers(&[
            ("content-type", "multipart/form-data; boundary=a"),
            ("content-type", "multipart/form-data; boundary=b"),
        ]);
        assert!(boundary(&two).unwrap_err().contains("two Content-Type"));
    }
}
