//! Radio buttons and check boxes: the whole row is the target.

use leptos::prelude::*;

use super::FormField;
use super::form::error_line;

/// One choice of a group.
#[derive(Clone, Debug)]
#[must_use]
pub struct Choice {
    pub value: String,
    pub label: String,
    /// Consequence of the choice, in one line.
    pub about: Option<String>,
    /// `true` if the choice breaks something.
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
    entry: FormField,
    #[prop(into)] label: String,
    #[prop(optional, into)] hint: Option<String>,
    choices: Vec<Choice>,
    #[prop(optional)] chosen: Vec<String>,
    #[prop(optional)] many: bool,
    /// Side by side, where there is room.
    #[prop(optional)]
    inline: bool,
) -> impl IntoView {
    let name = entry.id();
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
                        id=(at == 0).then(|| name.clone())
                        name=name.clone()
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
            {entry.error.map(|error| error_line(&name, error))}
        </fieldset>
    }
}

/// One check box, on its own: it says `on` when it is ticked.
#[component]
pub fn Tick(
    entry: FormField,
    #[prop(into)] label: String,
    #[prop(optional, into)] hint: Option<String>,
    #[prop(optional)] optional: bool,
) -> impl IntoView {
    let name = entry.id();
    view! {
        <div class="field">
            <label class="choice">
                <input
                    type="checkbox"
                    id=name.clone()
                    name=name.clone()
                    checked=entry.value == "on"
                    autofocus=entry.first_error
                    aria-invalid=entry.invalid()
                    aria-describedby=entry.described_by(hint.is_some())
                />
                <span>
                    {label} {optional.then(|| view! { <span class="optional">" (optional)"</span> })}
                </span>
                {hint
                    .map(|hint| view! { <span class="about" id=format!("{name}-hint")>{hint}</span> })}
            </label>
            {entry.error.map(|error| error_line(&name, error))}
        </div>
    }
}
