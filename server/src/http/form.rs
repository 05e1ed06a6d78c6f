//! Calls that carry a file: `multipart/form-data` (RFC 7578), its fields in front and as strict as any body's, then one
//! file that is handed on piece by piece.
//!
//! ```ignore
//! async fn upload(State(state): State<AppState>, mut call: FileCall<SendFile>) -> Result<Json<Kept>, Problem> {
//!     call.file.at_most(10_485_760)?;
//!     while let Some(bytes) = call.file.next().await? { /* keep them */ }
//! ```
//!
//! The bytes are bounded by the kernel's reader (`kernel::form`); here is what the API makes of the parts.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use ::json::{JsonValue, Object};
use app::domain::problem::Code;
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use kernel::form::body::{Allowance, FormBody, FormBodyError, Pace, SharedBody};
use kernel::form::{announced, part};
use multer::{Field, Multipart};

use super::call::{self, ExtraCredentials, Input, Scheme};
use super::encoding;
use super::fields::FieldErrors;
use super::json;
use super::request_context::RequestContext;
use super::signed;
use crate::problem::Problem;
use crate::services::access::keys::ConsoleGrant;
use crate::services::refusal::{FieldProblem, Refusal};
use crate::state::AppState;

/// The part that holds the file.
const FILE: &str = "file";
/// A part that names the charset of the others (RFC 7578, section 4.6): no field.
const CHARSET: &str = "_charset_";

/// A request that may be served, its file still on the way.
pub struct FileCall<T: Input> {
    /// Caller, as far as the operation's keys prove it.
    pub by: <T::Auth as Scheme>::By,
    /// Fields of the request, besides keys and file.
    pub input: T,
    /// Credentials that were sent along: whoever can check one must, though the operation does not need it.
    pub extra: ExtraCredentials,
    pub context: RequestContext,
    pub file: IncomingFile,
}

/// The file of a form while it arrives; the last of its parts.
pub struct IncomingFile {
    form: Multipart<'static>,
    part: Option<Field<'static>>,
    allowance: Arc<Allowance>,
    /// Bytes of the whole body, if they were announced.
    announced: Option<u64>,
    /// The body of a signed form, and the digest it must have.
    signed: Option<(SharedBody, String)>,
}

impl<T: Input> FromRequest<AppState> for FileCall<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &AppState) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let context = RequestContext::of(state, &parts.extensions);
        signed::note_operation(&parts, &context);
        let (announced, boundary) = (announced(&parts.headers), boundary(&parts.headers)?);
        let allowance = Arc::new(Allowance::new(context.room.clone()));
        let bytes = SharedBody::new(body, signed::is_signed(&parts));
        let body = FormBody::new(bytes.clone(), allowance.clone(), Pace::BODY);
        let mut form = Multipart::new(body, boundary.as_str());
        let mut values = Object::default();
        let part = fields(&mut form, &mut values, is_field::<T>).await;
        let part = part.map_err(|problem| named(problem, &allowance, &boundary))?;
        context
            .body
            .set(Bytes::from(JsonValue::Object(values.clone()).to_string()))
            .ok();
        context.claimed_in(&values);
        json::no_fields(&parts.uri, call::knows::<T>)?;
        let grant = parts.extensions.get::<ConsoleGrant>().copied();
        let from_browser = call::has_origin(&parts);
        let taken = call::take::<T>(&mut values, false, grant.is_some(), from_browser);
        let (input, mut presented, mut wrong) = taken;
        if part.is_none() {
            let problem =
                FieldProblem::new(FILE, Code::MissingFields, "is required, as the last part");
            wrong.missing.push(problem);
        }
        let input = in_front(input, wrong, part.is_some())?;
        let by =
            call::authenticate::<T::Auth>(state, &parts, &context, &mut presented, grant).await?;
        signed::prove(state, &parts, &context, by.tenant.as_ref(), None, by.proof).await?;
        // What comes now is bounded by what the step allows, and takes as long as its sender needs.
        context.room.release();
        let signed = context.signed_digest.get().cloned();
        Ok(Self {
            by: by.by,
            input,
            extra: presented.extra(),
            context,
            file: IncomingFile {
                form,
                part,
                allowance,
                announced,
                signed: signed.map(|digest| (bytes, digest)),
            },
        })
    }
}

impl IncomingFile {
    /// Lets a file of up to `most` bytes through. `false` if it is known already that it is larger.
    pub fn at_most(&self, most: u64) -> bool {
        let end = self.allowance.raise(most);
        self.announced.is_none_or(|length| length <= end)
    }

    /// The next bytes; `None` at the end of the file, once the form has ended properly with it.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        let Some(part) = &mut self.part else {
            return Ok(None);
        };
        if let Some(bytes) = part.chunk().await.map_err(unreadable)? {
            return Ok(Some(bytes));
        }
        self.part = None;
        match self.form.next_field().await.map_err(unreadable)? {
            None => self.end().await.map(|()| None),
            Some(_) => Err(broken(
                "A part comes after the file: put every field in front of it.",
            )),
        }
    }
}

impl IncomingFile {
    /// Reads what comes behind the form, and holds the whole against its signature.
    async fn end(&self) -> Result<(), Problem> {
        let Some((bytes, digest)) = &self.signed else {
            return Ok(());
        };
        let read = bytes.digest_to_end(&self.allowance).await.map_err(cut)?;
        if read == *digest {
            return Ok(());
        }
        Err(Refusal::new(Code::InvalidSignature)
            .says("The signature fails the check `digest`: the form that arrived is not the one that was signed.")
            .hints("Digest the whole body of the form as it is sent, boundaries included.")
            .into())
    }
}

/// Tells whether a form has a field of this name.
fn is_field<T: Input>(name: &str) -> bool {
    let credentials = <T::Auth as Scheme>::CREDENTIALS;
    name == CHARSET
        || credentials.iter().any(|credential| credential.name == name)
        || T::schema_fields().iter().any(|(field, ..)| *field == name)
}

/// The fields up to the file, which is left where it begins.
async fn fields(
    form: &mut Multipart<'static>,
    values: &mut Object<'static>,
    is_known: impl Fn(&str) -> bool,
) -> Result<Option<Field<'static>>, Problem> {
    while let Some(part) = form.next_field().await.map_err(unreadable)? {
        let part::Disposition { name, file_name } =
            part::disposition(part.headers()).map_err(broken)?;
        if name == FILE {
            return Ok(Some(part));
        }
        if file_name.is_some() && !is_known(&name) {
            let name: String = name.chars().take(80).collect();
            let message = "is not known here: the part that holds the file is named file";
            return Err(Refusal::new(Code::UnknownFields)
                .says(format!(
                    "A file stands in the part `{name}`, which is not known here."
                ))
                .hints("Name the part of the file `file`, in lower case.")
                .at(vec![FieldProblem::new(name, Code::UnknownFields, message)])
                .into());
        }
        if values.contains(&name) {
            return Err(broken(format!("The field `{name}` is given twice.")));
        }
        let bytes = part.bytes().await.map_err(unreadable)?;
        let text = std::str::from_utf8(&bytes)
            .map_err(|_| broken(format!("The field `{name}` is not UTF-8.")))?;
        if name == CHARSET {
            if !text.trim().eq_ignore_ascii_case("utf-8") {
                return Err(broken(format!(
                    "The form says that it is written in {}: write it in UTF-8.",
                    text.chars().take(40).collect::<String>()
                )));
            }
            continue;
        }
        values.insert(name, JsonValue::Text(text.to_owned().into()));
    }
    Ok(None)
}

/// Returns the input, or one answer to everything that is wrong with it. A field that comes after the file counts as
/// missing.
fn in_front<T>(input: Option<T>, wrong: FieldErrors, has_file: bool) -> Result<T, Problem> {
    let missing = if has_file {
        "Missing before the file"
    } else {
        "Missing"
    };
    match (input, wrong.problem_saying(missing)) {
        (Some(input), None) => Ok(input),
        (_, Some(problem)) => Err(problem),
        (None, None) => Err(Problem::new(Code::InternalServerError)),
    }
}

fn boundary(headers: &HeaderMap) -> Result<String, Problem> {
    encoding::check(headers)?;
    part::boundary(headers).map_err(|why| {
        Refusal::new(Code::InvalidHeaders)
            .says(why)
            .hints("-H 'Content-Type: multipart/form-data; boundary=...' (curl sends it with -F)")
            .into()
    })
}

/// Returns the answer to a form that could not be read to its end.
fn unreadable(error: multer::Error) -> Problem {
    let cut_off = match &error {
        multer::Error::StreamReadFailed(source) => source.downcast_ref::<FormBodyError>().copied(),
        multer::Error::IncompleteStream
        | multer::Error::IncompleteFieldData { .. }
        | multer::Error::IncompleteHeaders => Some(FormBodyError::Short),
        _ => None,
    };
    match cut_off {
        Some(how) => cut(how),
        None => broken("The body is not a form as RFC 7578 describes it."),
    }
}

/// A form whose lines end in line feeds has no part that could be found: says so, instead of how that ended.
fn named(problem: Problem, allowance: &Allowance, boundary: &str) -> Problem {
    if allowance.begins_with_bare_lines(boundary) {
        return broken(
            "The lines of the form end in a line feed alone: they must end in carriage return and line feed (RFC 2046, section 4.1.1).",
        );
    }
    problem
}

fn cut(how: FormBodyError) -> Problem {
    match how {
        FormBodyError::TooLarge => Problem::new(Code::BodyTooLarge),
        FormBodyError::TooSlow => Problem::new(Code::RequestTimeout),
        FormBodyError::Full => json::too_many_bodies(),
        FormBodyError::Short => broken("The body broke off before the end of its form."),
    }
}

fn broken(message: impl Into<String>) -> Problem {
    Refusal::new(Code::InvalidBody)
        .says(message)
        .hints(
            "Send multipart/form-data: client_id, nonce and the other fields first, then the file.",
        )
        .into()
}
