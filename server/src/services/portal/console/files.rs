//! Sending a file of a step: as the form that a tenant's own code would send, with a file of the person's or a sample.

use app::portal::console::File;
use serde_json::json;
use uuid::Uuid;

use super::calls::{CallPurpose, Content, NONCE, Outgoing};
use super::run_state::RunState;
use crate::storage::console::RunRow;

/// Small files of the types that the API takes.
const DOCUMENT: Sample = Sample("document.pdf", include_bytes!("samples/document.pdf"));
const PORTRAIT: Sample = Sample("portrait.png", include_bytes!("samples/portrait.png"));
/// The longest name of a file that is shown, in characters.
const LONGEST_NAME: usize = 80;

/// A file's name and its bytes.
struct Sample(&'static str, &'static [u8]);

/// Returns the call that uploads a file for the step submitted last; `None` if no step takes one now. `mark` makes the
/// form's boundary: it must occur in no file.
pub fn upload(
    run: &RunRow,
    held: &RunState,
    kind: &str,
    file: File<'_>,
    mark: Uuid,
) -> Option<Outgoing> {
    let filed = held.filed.as_ref()?;
    let (name, bytes) = match file {
        File::Sample => {
            let Sample(name, bytes) = sample(kind);
            (name, bytes)
        }
        File::Chosen { name, bytes } => (name, bytes),
    };
    let client = run.tenant_id.to_string();
    let fields = [
        ("client_id", client.as_str()),
        ("nonce", filed.nonce.expose()),
        ("kind", kind),
    ];
    let boundary = format!("tessera-{}", mark.simple());
    let name: String = name.chars().take(LONGEST_NAME).collect();
    Some(Outgoing {
        title: format!("Upload {kind}"),
        path: format!(
            "/v1/sessions/{}/steps/{}/upload",
            run.session_id?, filed.step_id
        ),
        content: Content::Form {
            bytes: form(&boundary, &fields, bytes).into(),
            boundary,
        },
        shown: json!({"client_id": client, (NONCE.0): NONCE.1, "kind": kind, "file": format!("@{name}")}),
        browser_safe: true,
        means: CallPurpose::Upload,
    })
}

/// Returns the sample for a kind of file: a picture where a face is asked for, else a document.
fn sample(kind: &str) -> Sample {
    let face = ["selfie", "photo", "portrait"];
    if face.iter().any(|word| kind.contains(word)) {
        PORTRAIT
    } else {
        DOCUMENT
    }
}

/// `multipart/form-data` (RFC 7578): the fields, then the file.
fn form(boundary: &str, fields: &[(&str, &str)], file: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(file.len() + 1024);
    for (name, value) in fields {
        let part = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        body.extend_from_slice(part.as_bytes());
    }
    let head = format!(
        "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"file\"\r\nContent-Type: application/octet-stream\r\n\r\n"
    );
    body.extend_from_slice(head.as_bytes());
    body.extend_from_slice(file);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_what_their_names_say() {
        let Sample(name, bytes) = sample("id_document");
        assert_eq!(name, "document.pdf");
        assert!(bytes.starts_with(b"%PDF-") && bytes.ends_with(b"%%EOF\n"));
        let Sample(name, bytes) = sample("selfie");
        assert_eq!(name, "portrait.png");
        assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n"));
    }
}
