//! A section of the settings written once: struct, defaults and documentation come from the same lines.

/// Defines a section struct whose fields have defaults, and `example()`, its text in `config.example.toml`.
macro_rules! section {
    ($(#[doc = $about:literal])+ $name:ident $table:literal { $($(#[doc = $doc:literal])+ $field:ident : $type:ty = $default:expr;)+ }) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct $name { $($(#[doc = $doc])+ pub $field: $type,)+ }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $name {
            pub(super) fn example() -> String {
                let mut text = String::new();
                $(text.push_str(&format!("#{}\n", $about));)+
                text.push_str(concat!("[", $table, "]\n"));
                let defaults = Self::default();
                $(
                    $(text.push_str(&format!("#{}\n", $doc));)+
                    let value = toml::Value::try_from(&defaults.$field).map(|value| value.to_string()).unwrap_or_default();
                    text.push_str(&format!("{} = {value}\n", stringify!($field)));
                )+
                text
            }
        }
    };
}
