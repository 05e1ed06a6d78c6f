//! `fields!`: writes the struct of a strict request, what reads it, and its place in the OpenAPI.

/// Declares a strict request or a part of one; see the words of [`super`].
macro_rules! fields {
    (@name $field:ident $wire:literal) => { $wire };
    (@name $field:ident) => { stringify!($field) };
    ($(#[doc = $about:literal])+ $vis:vis struct $name:ident $(for $keys:ty)? { $($(#[doc = $doc:literal])+ $field:ident $(= $wire:literal)? : $type:ty),* $(,)? }) => {
        $(#[doc = $about])+
        $vis struct $name { $($(#[doc = $doc])+ pub $field: $type,)* }

        impl $crate::http::fields::FromFields for $name {
            const ABOUT: &'static str = concat!($($about),+).trim_ascii();

            fn take(
                values: &mut json::Object<'_>,
                prefix: &str,
                in_query: bool,
                wrong: &mut $crate::http::fields::FieldErrors,
            ) -> Option<Self> {
                $(let $field = {
                    let at = $crate::http::fields::FieldPath { prefix, name: $crate::http::fields::fields!(@name $field $($wire)?), in_query, wrong: &mut *wrong };
                    <$type as $crate::http::fields::FieldPresence>::take(values, at)
                };)*
                let _ = (&values, prefix, in_query, &wrong);
                Some(Self { $($field: $field?,)* })
            }

            fn schema_fields() -> Vec<(&'static str, &'static str, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>, bool)> {
                vec![$((
                    $crate::http::fields::fields!(@name $field $($wire)?),
                    concat!($($doc),+).trim_ascii(),
                    <$type as $crate::http::fields::FieldPresence>::schema(),
                    <$type as $crate::http::fields::FieldPresence>::REQUIRED,
                ),)*]
            }
        }

        impl $crate::http::fields::Field for $name {
            fn read(value: json::JsonValue<'_>, at: &mut $crate::http::fields::FieldPath<'_>) -> Option<Self> {
                let mut values = $crate::http::fields::object(value, at)?;
                let prefix = format!("{}.", at.path());
                let read = <Self as $crate::http::fields::FromFields>::take(&mut values, &prefix, false, at.wrong);
                at.wrong.unknown(&values, &prefix);
                read
            }
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::http::describe::object::<Self>(&[])
            }
        }

        $(impl $crate::http::call::Input for $name {
            type Auth = $keys;
        }
        $crate::http::fields::described_input!($name);)?
    };
}
pub(crate) use fields;

/// Lets a declared request stand in `request_body = ...` and `params(...)` of `utoipa::path`.
macro_rules! described_input {
    ($name:ident) => {
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::http::describe::object::<Self>(
                    <<Self as $crate::http::call::Input>::Auth as $crate::http::call::Scheme>::CREDENTIALS,
                )
            }
        }
        impl utoipa::ToSchema for $name {}
        impl utoipa::IntoParams for $name {
            fn into_params(
                _: impl Fn() -> Option<utoipa::openapi::path::ParameterIn>,
            ) -> Vec<utoipa::openapi::path::Parameter> {
                $crate::http::describe::parameters::<Self>(
                    <<Self as $crate::http::call::Input>::Auth as $crate::http::call::Scheme>::CREDENTIALS,
                )
            }
        }
    };
}
pub(crate) use described_input;
