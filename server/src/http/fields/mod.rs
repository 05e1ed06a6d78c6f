//! Strict requests, declared: everything missing, unknown or wrong is reported in one answer.
//!
//! ```ignore
//! fields! {
//!     /// Opens a session.
//!     pub struct CreateSession for AppKeyAuth {
//!         /// The skill to open it for.
//!         skill: String,
//!         /// The end-user as the tenant knows them.
//!         tenant_user_id: Option<String>,
//!     }
//! }
//! ```
//!
//! A name that is a word of Rust is given apart: `kind = "type": Option<String>`.
//!
//! `for AppKeyAuth` names the authentication scheme of the operation (see [`super::call`]) and makes the struct an
//! [`Input`](super::call::Input): a request body of a `POST`, or the query of a `GET`. Without `for`, the struct is an
//! object inside another. Each type reads itself by [`Field`], which also describes it in the OpenAPI; `text_field!` adds
//! types that parse from a string.

mod declare;
mod types;

use app::domain::problem::Code;
use json::{JsonValue, Object};
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};

use crate::problem::Problem;
use crate::services::refusal::{FieldProblem, Refusal};
pub(crate) use declare::{described_input, fields};
pub use types::{ExactMoment, Text, VisibleText};

/// A request's fields while they are taken out one by one.
pub struct Fields {
    pub values: Object<'static>,
    /// Texts of a query stand for numbers and booleans too.
    pub in_query: bool,
    pub wrong: FieldErrors,
}

/// Everything found wrong so far.
#[derive(Default)]
pub struct FieldErrors {
    pub missing: Vec<FieldProblem>,
    /// Credentials of a call without a body: their absence is 401, not 400.
    pub unproved: Vec<FieldProblem>,
    pub unknown: Vec<FieldProblem>,
    pub invalid: Vec<FieldProblem>,
}

/// Place of a value in the request, for reporting what is wrong with it.
pub struct FieldPath<'a> {
    pub prefix: &'a str,
    pub name: &'a str,
    pub in_query: bool,
    pub wrong: &'a mut FieldErrors,
}

/// A type that a field can have.
pub trait Field: Sized {
    /// Reads the value, or notes what was expected and gives `None`.
    fn read(value: JsonValue<'_>, at: &mut FieldPath<'_>) -> Option<Self>;
    /// Returns the schema of the type in the OpenAPI.
    fn schema() -> RefOr<Schema>;
}

/// A field's type with its presence: `T` must be there, `Option<T>` may be absent or null.
pub trait FieldPresence: Sized {
    const REQUIRED: bool;
    fn take(fields: &mut Object<'_>, at: FieldPath<'_>) -> Option<Self>;
    fn schema() -> RefOr<Schema>;
}

/// A set of declared fields; written by `fields!`.
pub trait FromFields: Sized {
    /// Takes what is declared, noting what is wrong.
    fn take(
        values: &mut Object<'_>,
        prefix: &str,
        in_query: bool,
        wrong: &mut FieldErrors,
    ) -> Option<Self>;
    /// Name, description, schema and presence of each field.
    fn schema_fields() -> Vec<(&'static str, &'static str, RefOr<Schema>, bool)>;
    /// Description of the set in the OpenAPI.
    const ABOUT: &'static str;
}

impl<T: Field> FieldPresence for T {
    const REQUIRED: bool = true;
    fn take(fields: &mut Object<'_>, mut at: FieldPath<'_>) -> Option<Self> {
        if let Some(value) = fields.remove(at.name) {
            return T::read(value, &mut at);
        }
        let problem = FieldProblem::new(at.path(), Code::MissingFields, "is required");
        at.wrong.missing.push(problem);
        None
    }
    fn schema() -> RefOr<Schema> {
        <T as Field>::schema()
    }
}

impl<T: Field> FieldPresence for Option<T> {
    const REQUIRED: bool = false;
    fn take(fields: &mut Object<'_>, mut at: FieldPath<'_>) -> Option<Self> {
        match fields.remove(at.name) {
            None | Some(JsonValue::Null) => Some(None),
            Some(value) => T::read(value, &mut at).map(Some),
        }
    }
    fn schema() -> RefOr<Schema> {
        <T as Field>::schema()
    }
}

impl FieldPath<'_> {
    /// The whole path: `filter.lt`.
    pub fn path(&self) -> String {
        format!("{}{}", self.prefix, self.name)
    }

    /// Notes what was expected.
    pub fn invalid<T>(&mut self, expected: impl Into<String>) -> Option<T> {
        let problem = FieldProblem::new(self.path(), Code::InvalidField, expected);
        self.wrong.invalid.push(problem);
        None
    }
}

impl FieldErrors {
    /// Notes every field that was not taken, up to a number.
    pub fn unknown(&mut self, rest: &Object<'_>, prefix: &str) {
        // An answer is no larger for being told more nonsense.
        const TOLD: usize = 50;
        let problem = |name: &str| {
            let name: String = name.chars().take(200).collect();
            FieldProblem::new(
                format!("{prefix}{name}"),
                Code::UnknownFields,
                "is not known here",
            )
        };
        self.unknown.extend(rest.names().take(TOLD).map(problem));
    }

    /// Returns the answer to everything noted; `None` if nothing is wrong.
    pub fn problem(self) -> Option<Problem> {
        self.problem_saying("Missing")
    }

    /// Returns the answer to everything noted, with other words in front of the missing fields; `None` if nothing is
    /// wrong.
    pub fn problem_saying(self, is_missing: &str) -> Option<Problem> {
        let Self {
            missing,
            unproved,
            unknown,
            invalid,
        } = self;
        if !unproved.is_empty() {
            return Some(unproved_problem(unproved));
        }
        let code = match (missing.is_empty(), unknown.is_empty(), invalid.is_empty()) {
            (false, _, _) => Code::MissingFields,
            (_, false, _) => Code::UnknownFields,
            (_, _, false) => Code::InvalidField,
            _ => return None,
        };
        let names = |intro: &str, list: &[FieldProblem]| {
            let paths: Vec<&str> = list.iter().map(|field| field.path.as_str()).collect();
            (!list.is_empty()).then(|| format!("{intro}: {}.", paths.join(", ")))
        };
        let sentences = [
            names(is_missing, &missing),
            names("Not known here", &unknown),
            names("Wrong", &invalid),
        ];
        let message: Vec<String> = sentences.into_iter().flatten().collect();
        let fields = [missing, unknown, invalid].concat();
        Some(Refusal::new(code).says(message.join(" ")).at(fields).into())
    }
}

/// An object inside another.
pub fn object<'a>(value: JsonValue<'a>, at: &mut FieldPath<'_>) -> Option<Object<'a>> {
    match value {
        JsonValue::Object(object) => Some(object),
        other => at.invalid(format!("must be an object, not {}", other.kind())),
    }
}

/// The refusal of a call without a body that lacks credentials: 401, as HTTP has it (RFC 9110, section 15.5.2). The
/// layer around the API adds the challenge.
pub fn unproved_problem(fields: Vec<FieldProblem>) -> Problem {
    let lacks = |names: [&str; 2]| {
        let lacking = fields.iter().map(|field| field.path.as_str());
        let lacking: Vec<&str> = lacking.filter(|path| names.contains(path)).collect();
        (!lacking.is_empty()).then(|| lacking.join(" and "))
    };
    let refusal = match (
        lacks(["client_id", "client_secret"]),
        lacks(["credentials_id", "access_token"]),
    ) {
        (None, Some(pair)) => Refusal::new(Code::InvalidAccessToken)
            .says(format!("Missing: {pair}. The call names no consent."))
            .hints("Send the pair of the token exchange in the headers X-Credentials-Id and X-Access-Token."),
        (keys, _) => Refusal::new(Code::InvalidApiKeys)
            .says(format!(
                "Missing: {}. The call shows no keys.",
                keys.unwrap_or_else(|| "client_id and client_secret".into())
            ))
            .hints("Send the tenant's keys with HTTP Basic, curl -u \"$CLIENT_ID:$CLIENT_SECRET\"; on /v1s in X-Client-Id and X-Client-Secret."),
    };
    refusal.at(fields).into()
}

/// A schema of one JSON type, with a format.
pub fn schema_of(kind: Type, format: Option<KnownFormat>) -> RefOr<Schema> {
    let object = ObjectBuilder::new().schema_type(SchemaType::new(kind));
    Schema::Object(object.format(format.map(SchemaFormat::KnownFormat)).build()).into()
}

/// A schema of a text like this pattern.
pub fn schema_of_pattern(pattern: &str) -> RefOr<Schema> {
    let object = ObjectBuilder::new().schema_type(SchemaType::new(Type::String));
    Schema::Object(object.pattern(Some(pattern)).build()).into()
}

/// A schema of a text that is one of these.
pub fn schema_of_words(words: impl Iterator<Item = &'static str>) -> RefOr<Schema> {
    let object = ObjectBuilder::new().schema_type(SchemaType::new(Type::String));
    Schema::Object(object.enum_values(Some(words)).build()).into()
}

/// Makes types that parse from a string into fields, with what is expected of the string.
macro_rules! text_field {
    ($($type:ty, $expected:expr, $format:expr;)+) => {$(
        impl $crate::http::fields::Field for $type {
            fn read(value: json::JsonValue<'_>, at: &mut $crate::http::fields::FieldPath<'_>) -> Option<Self> {
                let text = String::read(value, at)?;
                text.parse().ok().or_else(|| at.invalid($expected))
            }
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::http::fields::schema_of(utoipa::openapi::schema::Type::String, $format)
            }
        }
    )+};
}
pub(crate) use text_field;

/// Makes types that are closed sets of words into fields. The OpenAPI lists the words.
macro_rules! word_field {
    ($($type:ty, $expected:expr;)+) => {$(
        impl $crate::http::fields::Field for $type {
            fn read(value: json::JsonValue<'_>, at: &mut $crate::http::fields::FieldPath<'_>) -> Option<Self> {
                let text = String::read(value, at)?;
                text.parse().ok().or_else(|| at.invalid($expected))
            }
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::http::fields::schema_of_words(Self::ALL.iter().map(|word| word.as_str()))
            }
        }
    )+};
}
pub(crate) use word_field;
