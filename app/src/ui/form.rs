//! Forms: label above, hint between label and control, error below, tied together for those who listen.

use leptos::prelude::*;

use super::{Icon, Notice, Tone};

/// One control's name, what was typed into it, and what is wrong with that.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    pub name: &'static str,
    pub value: String,
    pub error: Option<String>,
    /// Whether this is the first thing to mend: it gets the focus.
    pub first_error: bool,
}

impl Entry {
    fn invalid(&self) -> Option<&'static str> {
        self.error.is_some().then_some("true")
    }

    /// The ids of what describes the control: its hint and its error, as far as they are there.
    fn described_by(&self, hint: bool) -> Option<String> {
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
    entry: &Entry,
    label: String,
    hint: Option<String>,
    optional: bool,
    control: AnyView,
) -> impl IntoView + use<> {
    let name = entry.name;
    view! {
        <div class="field">
            <label for=name>
                {label} {optional.then(|| view! { <span class="optional">" (optional)"</span> })}
            </label>
            {hint.map(|hint| view! { <p class="hint" id=format!("{name}-hint")>{hint}</p> })}
            {control}
            {entry.error.clone().map(|error| error_line(name, error))}
        </div>
    }
}

fn error_line(name: &'static str, error: String) -> impl IntoView {
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
    entry: Entry,
    #[prop(into)] label: String,
    #[prop(optional)] kind: Option<&'static str>,
    #[prop(optional, into)] hint: Option<String>,
    #[prop(optional)] autocomplete: Option<&'static str>,
    #[prop(optional)] placeholder: Option<&'static str>,
    #[prop(optional)] maxlength: Option<&'static str>,
    #[prop(optional)] inputmode: Option<&'static str>,
    #[prop(optional)] optional: bool,
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
            id=entry.name
            name=entry.name
            value=value
            class=mono.then_some("mono")
            autocomplete=autocomplete
            autocapitalize=plain.then_some("off")
            spellcheck=plain.then_some("false")
            placeholder=placeholder
            maxlength=maxlength
            inputmode=inputmode
            required=!optional
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
    entry: Entry,
    #[prop(into)] label: String,
    #[prop(optional, into)] hint: Option<String>,
    #[prop(optional)] rows: Option<u32>,
    #[prop(optional)] optional: bool,
    #[prop(optional)] mono: bool,
) -> impl IntoView {
    let control = view! {
        <textarea
            id=entry.name
            name=entry.name
            rows=rows.unwrap_or(3).to_string()
            class=mono.then_some("mono")
            spellcheck=mono.then_some("false")
            required=!optional
            autofocus=entry.first_error
            aria-invalid=entry.invalid()
            aria-describedby=entry.described_by(hint.is_some())
        >
            // A browser drops the first newline of a text area: this one is for it.
            {format!("\n{}", entry.value)}
        </textarea>
    };
    framed(&entry, label, hint, optional, control.into_any())
}

/// One of a list. Options are value and text.
#[component]
pub fn Select(
    entry: Entry,
    #[prop(into)] label: String,
    #[prop(optional, into)] hint: Option<String>,
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
            id=entry.name
            name=entry.name
            aria-invalid=entry.invalid()
            aria-describedby=entry.described_by(hint.is_some())
        >
            {options}
        </select>
    };
    framed(&entry, label, hint, false, control.into_any())
}

/// One choice of a group.
#[derive(Clone, Debug)]
#[must_use]
pub struct Choice {
    pub value: String,
    pub label: String,
    /// What choosing it means, in one line.
    pub about: Option<String>,
    /// Whether it breaks something.
    pub danger: bool,
}

impl Choice {
    pub fn new(value: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            label: label.into(),
            about: None,
            danger: false,
        }
    }

    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.about = Some(about.into());
        self
    }

    pub fn danger(mut self) -> Self {
        self.danger = true;
        self
    }
}

/// Radio buttons, or check boxes when `many`; `chosen` are the values that are on.
#[component]
pub fn ChoiceGroup(
    entry: Entry,
    #[prop(into)] label: String,
    #[prop(optional, into)] hint: Option<String>,
    choices: Vec<Choice>,
    #[prop(optional)] chosen: Vec<String>,
    #[prop(optional)] many: bool,
    /// Side by side, where there is room.
    #[prop(optional)]
    inline: bool,
) -> impl IntoView {
    let name = entry.name;
    let describes = entry.described_by(hint.is_some());
    let rows = choices
        .into_iter()
        .enumerate()
        .map(|(at, choice)| {
            let checked = choice.value == entry.value || chosen.contains(&choice.value);
            let class = if choice.danger {
                "choice danger"
            } else {
                "choice"
            };
            view! {
                <label class=class>
                    <input
                        type=if many { "checkbox" } else { "radio" }
                        id=(at == 0).then_some(name)
                        name=name
                        value=choice.value
                        checked=checked
                    />
                    <span>{choice.label}</span>
                    {choice.about.map(|about| view! { <span class="about">{about}</span> })}
                </label>
            }
        })
        .collect_view();
    view! {
        <fieldset class="field" aria-describedby=describes>
            <legend>{label}</legend>
            {hint.map(|hint| view! { <p class="hint" id=format!("{name}-hint")>{hint}</p> })}
            <div class=if inline { "choices inline" } else { "choices" }>{rows}</div>
            {entry.error.map(|error| error_line(name, error))}
        </fieldset>
    }
}

/// What is wrong with a form: a message of its own for what belongs to no field, and a list of links to the fields
/// when more than two need mending.
#[component]
pub fn ErrorSummary(errors: Vec<Entry>) -> impl IntoView {
    let (fields, whole): (Vec<_>, Vec<_>) =
        errors.into_iter().partition(|entry| !entry.name.is_empty());
    let whole = whole
        .into_iter()
        .filter_map(|entry| entry.error)
        .map(|error| view! { <Notice tone=Tone::Err title=error /> })
        .collect_view();
    let list = (fields.len() > 2).then(|| {
        let title = format!("{} fields need mending", fields.len());
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
    /// What screen readers hear instead of the label, where the label alone could mean any row. Begins with the label.
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
