//! What says how things stand: chips, notices and empty states. Colour never speaks alone.

use leptos::prelude::*;

use super::Icon;

/// Meaning of a colour, the same everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    #[default]
    Neutral,
    /// Success.
    Ok,
    /// Sandbox, or attention.
    Warn,
    /// Failure, or server-only.
    Err,
    /// Selection, or safe in browsers.
    Accent,
    /// Operators.
    Violet,
}

impl Tone {
    const fn class(self) -> &'static str {
        match self {
            Self::Neutral => "",
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Err => "err",
            Self::Accent => "accent",
            Self::Violet => "violet",
        }
    }
}

/// A word or two on how something stands. `plain` leaves the dot out: a property, not a state.
#[component]
pub fn Chip(
    #[prop(optional)] tone: Tone,
    #[prop(optional)] plain: bool,
    #[prop(into)] text: String,
) -> impl IntoView {
    let plain = if plain { "plain" } else { "" };
    view! { <span class=format!("chip {} {plain}", tone.class())>{text}</span> }
}

/// The status of an HTTP answer, coloured by its class.
#[component]
pub fn HttpStatus(code: u16) -> impl IntoView {
    let tone = match code {
        100..400 => Tone::Ok,
        400..500 => Tone::Err,
        _ => Tone::Warn,
    };
    view! { <Chip tone=tone text=code.to_string() /> }
}

/// A message about the page or the act just done. Failures are announced at once, the rest when there is time.
#[component]
pub fn Notice(
    #[prop(optional)] tone: Tone,
    #[prop(into)] title: String,
    #[prop(optional)] children: Option<Children>,
) -> impl IntoView {
    let icon = match tone {
        Tone::Ok => "check",
        Tone::Warn => "alert",
        Tone::Err => "stop",
        Tone::Neutral | Tone::Accent | Tone::Violet => "info",
    };
    let role = if tone == Tone::Err { "alert" } else { "status" };
    view! {
        <div class=format!("notice {}", tone.class()) role=role>
            <Icon name=icon />
            <div>
                <strong>{title}</strong>
                {children.map(|children| children())}
            </div>
        </div>
    }
}

/// Placeholder of a list with nothing in it: what would be here, and the button that adds it.
#[component]
pub fn Empty(icon: &'static str, #[prop(into)] title: String, children: Children) -> impl IntoView {
    view! {
        <div class="empty">
            <Icon name=icon />
            <h2>{title}</h2>
            {children()}
        </div>
    }
}
