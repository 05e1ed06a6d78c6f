//! Forms: label above, hint between label and control, error below, tied together for those who listen.

use std::borrow::Cow;

use leptos::prelude::*;

use super::{Icon, Notice, Tone, escaped};

/// One control's name, what was typed into it, and what is wrong with that.
#[derive(Clone, Debug, Default)]
pub struct FormField {
    pub name: Cow<'static, str>,
    pub value: String,
    pub error: Option<String>,
    /// `true` if this is the first control to mend: it gets the focus.
    pub first_error: bool,
}

impl FormField {
    /// The name as an attribute.
    pub(super) fn id(&self) -> String {
        self.name.clone().into_owned()
    }

    pub(super) fn invalid(&self) -> Option<&'static str> {
        self.error.is_some().then_some("true")
    }

    /// The ids of what describes the control: its hint and its error, as far as they are there.
    pub(super) fn described_by(&self, hint: bool) -> Option<String> {
        let mut ids = Vec::new();
        if hint {
            ids.push(format!("{}-hint", self.name));
        }
        if self.error.is_some() {
            ids.push(format!("{}-error", self.name));
        }
        (!ids.is_empty()).then(|| ids.join(" "))
    }
}

/// Label, hint, control, error.
fn framed(
    entry: &FormField,
    label: String,
    hint: Option<String>,
    optional: bool,
    control: AnyView,
) -> impl IntoView + use<> {
    let name = entry.id();
    view! {
        <div class="field">
            <label for=name.clone()>
                {label} {optional.then(|| view! { <span class="optional">" (optional)"</span> })}
            </label>
            {hint.map(|hint| view! { <p class="hint" id=format!("{name}-hint")>{hint}</p> })}
            {control}
            {entry.error.clone().map(|error| error_line(&name, error))}
        </div>
    }
}

/// Renders the error of the control with this name.
pub fn error_line(name: &str, error: String) -> impl IntoView + use<> {
    view! {
        <p class="error" id=format!("{name}-error")>
            <Icon name="stop" />
            {error}
        </p>
    }
}

/// A line of text. `kind` is the input's type; a password is never given back.
#[component]
pub fn Field(
    entry: FormField,
    #[prop(into)] label: String,
    #[prop(optional)] kind: Option<&'static str>,
    #[prop(optional, into)] hint: Option<String>,
    #[prop(optional)] autocomplete: Option<&'static str>,
    #[prop(optional)] placeholder: Option<&'static str>,
    #[prop(optional)] maxlength: Option<&'static str>,
    #[prop(optional)] inputmode: Option<&'static str>,
    #[prop(optional)] optional: bool,
    /// Needed only together with others: the browser lets the form go without it.
    #[prop(optional)]
    unforced: bool,
    #[prop(optional)] mono: bool,
    /// Stands over the control's end: a button that shows the password.
    #[prop(optional)]
    children: Option<Children>,
) -> impl IntoView {
    let kind = kind.unwrap_or("text");
    let value = (kind != "password").then(|| entry.value.clone());
    let plain = mono || kind == "email" || kind == "password";
    let input = view! {
        <input
            type=kind
            id=entry.id()
            name=entry.id()
            value=value
            class=mono.then_some("mono")
            autocomplete=autocomplete
            autocapitalize=plain.then_some("off")
            spellcheck=plain.then_some("false")
            placeholder=placeholder
            maxlength=maxlength
            inputmode=inputmode
            required=!(optional || unforced)
            autofocus=entry.first_error
            aria-invalid=entry.invalid()
            aria-describedby=entry.described_by(hint.is_some())
        />
    };
    let control = match children {
        Some(over) => view! { <div class="secret-input">{input} {over()}</div> }.into_any(),
        None => input.into_any(),
    };
    framed(&entry, label, hint, optional, control)
}

/// Several lines of text.
#[component]
pub fn TextArea(
    entry: FormField,
    #[prop(into)] label: String,
    #[prop(optional, into)] hint: Option<String>,
    #[prop(optional)] rows: Option<u32>,
    #[prop(optional)] optional: bool,
    /// Needed only together with others: the browser lets the form go without it.
    #[prop(optional)]
    unforced: bool,
    #[prop(optional)] mono: bool,
) -> impl IntoView {
    let control = view! {
        <textarea
            id=entry.id()
            name=entry.id()
            rows=rows.unwrap_or(3).to_string()
            class=mono.then_some("mono")
            spellcheck=mono.then_some("false")
            required=!(optional || unforced)
            autofocus=entry.first_error
            aria-invalid=entry.invalid()
            aria-describedby=entry.described_by(hint.is_some())
            // Children would be written as they are. A browser drops the first newline: this one is for it.
            inner_html=format!("\n{}", escaped(&entry.value))
        ></textarea>
    };
    framed(&entry, label, hint, optional, control.into_any())
}

/// One of a list. Options are value and text.
#[component]
pub fn Select(
    entry: FormField,
    #[prop(into)] label: String,
    #[prop(optional, into)] hint: Option<String>,
    #[prop(optional)] optional: bool,
    options: Vec<(String, String)>,
) -> impl IntoView {
    let options = options
        .into_iter()
        .map(|(value, text)| {
            let selected = value == entry.value;
            view! {
                <option value=value selected=selected>
                    {text}
                </option>
            }
        })
        .collect_view();
    let control = view! {
        <select
            id=entry.id()
            name=entry.id()
            aria-invalid=entry.invalid()
            aria-describedby=entry.described_by(hint.is_some())
        >
            {options}
        </select>
    };
    framed(&entry, label, hint, optional, control.into_any())
}

/// Errors of a form: a message of its own for what belongs to no field, and a list of links to the fields when more
/// than two are wrong.
#[component]
pub fn ErrorSummary(errors: Vec<FormField>) -> impl IntoView {
    let (fields, whole): (Vec<_>, Vec<_>) =
        errors.into_iter().partition(|entry| !entry.name.is_empty());
    let whole = whole
        .into_iter()
        .filter_map(|entry| entry.error)
        .map(|error| view! { <Notice tone=Tone::Err title=error /> })
        .collect_view();
    let list = (fields.len() > 2).then(|| {
        let title = format!("Fix {} fields", fields.len());
        let links = fields
            .into_iter()
            .map(|entry| {
                let target = format!("#{}", entry.name);
                view! {
                    <li>
                        <a href=target>{entry.error}</a>
                    </li>
                }
            })
            .collect_view();
        view! {
            <Notice tone=Tone::Err title=title>
                <ul>{links}</ul>
            </Notice>
        }
    });
    view! {
        {whole}
        {list}
    }
}

/// A form of one button: an act, done by POST.
#[component]
pub fn PostButton(
    #[prop(into)] action: String,
    #[prop(into)] label: String,
    #[prop(optional)] class: Option<&'static str>,
    /// Accessible name instead of the label, where the label alone could mean any row. Begins with the label.
    #[prop(optional, into)]
    spoken: Option<String>,
    /// Sent along, as hidden fields.
    #[prop(optional)]
    fields: Vec<(&'static str, String)>,
) -> impl IntoView {
    let hidden = fields
        .into_iter()
        .map(|(name, value)| view! { <input type="hidden" name=name value=value /> })
        .collect_view();
    view! {
        <form method="post" action=action>
            {hidden}
            <button class=class.unwrap_or("btn") aria-label=spoken>
                {label}
            </button>
        </form>
    }
}
