//! Strict requests in the OpenAPI: the struct's own fields and the credentials of its side, from one declaration.

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{AdditionalProperties, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{RefOr, Required};

use super::credentials::{Credential, UserId};
use super::fields::{Field as _, FromFields, schema_of};

/// The schema of a set of fields, with the credentials of its side in front. Requests are closed.
pub fn object<T: FromFields>(credentials: &[Credential]) -> RefOr<Schema> {
    let mut object = ObjectBuilder::new().description(Some(T::ABOUT));
    // What must never be sent is no field; sent all the same, it is refused with a reason.
    for credential in credentials.iter().filter(|it| it.refused.is_none()) {
        object = object.property(
            credential.name,
            with_words(credential_schema(credential), credential.about),
        );
        if credential.required {
            object = object.required(credential.name);
        }
    }
    for (name, about, schema, required) in T::schema_fields() {
        let schema = if required { schema } else { nullable(schema) };
        object = object.property(name, with_words(schema, about));
        if required {
            object = object.required(name);
        }
    }
    Schema::Object(
        object
            .additional_properties(Some(AdditionalProperties::FreeForm(false)))
            .build(),
    )
    .into()
}

/// Returns the fields of a set as query parameters, and credentials as headers, of a call without a body.
pub fn parameters<T: FromFields>(credentials: &[Credential]) -> Vec<Parameter> {
    let credentials = credentials.iter().filter_map(|credential| {
        let header = credential.header?;
        let parameter = ParameterBuilder::new()
            .name(header)
            .parameter_in(ParameterIn::Header)
            .description(Some(credential.about))
            .required(if credential.required {
                Required::True
            } else {
                Required::False
            })
            .schema(Some(credential_schema(credential)));
        Some(parameter.build())
    });
    let fields = T::schema_fields()
        .into_iter()
        .map(|(name, about, schema, required)| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Query)
                .description(Some(about))
                .required(if required {
                    Required::True
                } else {
                    Required::False
                })
                .schema(Some(schema))
                .build()
        });
    credentials.chain(fields).collect()
}

fn credential_schema(credential: &Credential) -> RefOr<Schema> {
    match credential.name {
        "tenant_user_id" => UserId::schema(),
        _ => schema_of(utoipa::openapi::Type::String, None),
    }
}

/// Returns the schema with `null` allowed, which means the same as leaving the field out.
fn nullable(schema: RefOr<Schema>) -> RefOr<Schema> {
    let or_null = |kind: &SchemaType| match kind {
        SchemaType::Type(kind) => SchemaType::from_iter([kind.clone(), Type::Null]),
        other => other.clone(),
    };
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            object.schema_type = or_null(&object.schema_type);
            if let Some(words) = &mut object.enum_values {
                words.push(serde_json::Value::Null);
            }
            Schema::Object(object).into()
        }
        RefOr::T(Schema::Array(mut array)) => {
            array.schema_type = or_null(&array.schema_type);
            Schema::Array(array).into()
        }
        other => other,
    }
}

fn with_words(schema: RefOr<Schema>, about: &str) -> RefOr<Schema> {
    match schema {
        RefOr::T(Schema::Object(mut object)) => {
            object.description = Some(about.to_owned());
            Schema::Object(object).into()
        }
        RefOr::T(Schema::Array(mut array)) => {
            array.description = Some(about.to_owned());
            Schema::Array(array).into()
        }
        other => other,
    }
}
