//! A step's controls on the page.

use leptos::prelude::*;
use serde_json::Value;

use super::controls::{Control, ControlKind};
use super::fields::option;
use super::{StepForm, Typed};
use crate::ui::form::error_line;
use crate::ui::{Field, FormField, Select, TextArea, Tick, prose};

/// So many fields that need not be filled in stand openly; more are folded away.
const OPEN: usize = 2;

/// Every control of a form, filled in, with what is wrong at each.
pub(in super::super) fn controls(form: &StepForm, typed: &Typed) -> AnyView {
    let ControlKind::Group(parts) = &form.root.kind else {
        return ().into_any();
    };
    group(parts, typed, true)
}

/// Renders the parts that are required or filled in, then the rest: folded away if it is much. `needed`: `true` if the
/// object must be there, and with it its required parts.
fn group(parts: &[Control], typed: &Typed, needed: bool) -> AnyView {
    let (first, rest): (Vec<&Control>, Vec<&Control>) = parts
        .iter()
        .partition(|part| part.required || is_told(part, typed));
    let plain = rest.iter().all(|part| is_plain(part)) && rest.len() <= OPEN;
    let first_views = first
        .iter()
        .map(|part| one(part, typed, needed))
        .collect_view();
    let count = rest.len();
    let rest = rest
        .iter()
        .map(|part| one(part, typed, needed))
        .collect_view();
    if plain {
        return view! { {first_views} {rest} }.into_any();
    }
    let words = if count == 1 {
        "1 more, optional".to_owned()
    } else {
        format!("{count} more, optional")
    };
    view! {
        {first_views}
        <details class="fold more">
            <summary>{words}</summary>
            <div class="parts">{rest}</div>
        </details>
    }
    .into_any()
}

fn is_plain(part: &Control) -> bool {
    !matches!(
        part.kind,
        ControlKind::Group(_) | ControlKind::One(_) | ControlKind::Json
    )
}

/// Returns `true` if something was typed into a part, or is wrong with it.
fn is_told(part: &Control, typed: &Typed) -> bool {
    let inside = |path: &str| super::is_at_or_in(path, &part.path);
    let mut values = typed.values.0.iter();
    values.any(|(path, value)| inside(path) && !value.is_empty())
        || typed.errors.iter().any(|(path, _)| inside(path))
}

fn one(part: &Control, typed: &Typed, needed: bool) -> AnyView {
    let errors: Vec<&str> = typed
        .errors
        .iter()
        .filter(|(path, _)| *path == part.path)
        .map(|(_, message)| message.as_str())
        .collect();
    let entry = FormField {
        name: part.path.clone().into(),
        value: typed.values.get(&part.path).to_owned(),
        error: (!errors.is_empty()).then(|| errors.join(" ")),
        first_error: typed
            .errors
            .first()
            .is_some_and(|(path, _)| *path == part.path),
    };
    match &part.kind {
        ControlKind::Group(parts) => {
            fieldset(part, &entry, group(parts, typed, needed && part.required))
        }
        ControlKind::One(inner) => match &inner.kind {
            ControlKind::Group(parts) => {
                fieldset(part, &entry, group(parts, typed, needed && part.required))
            }
            _ => ().into_any(),
        },
        _ => control(part, entry, !needed),
    }
}

fn fieldset(part: &Control, entry: &FormField, inside: AnyView) -> AnyView {
    let optional = (!part.required).then(|| view! { <span class="optional">" (optional)"</span> });
    let hint = part.about.clone();
    let name = part.path.clone();
    view! {
        <fieldset class="field group" id=name.clone()>
            <legend>{part.title.clone()} {optional}</legend>
            {hint.map(|hint| view! { <p class="hint">{prose(&hint)}</p> })}
            {entry.error.clone().map(|error| error_line(&name, error))}
            <div class="parts">{inside}</div>
        </fieldset>
    }
    .into_any()
}

fn control(part: &Control, entry: FormField, unforced: bool) -> AnyView {
    let (label, optional) = (part.title.clone(), !part.required);
    let hint = part.about.clone().unwrap_or_default();
    let hinted = !hint.is_empty();
    match &part.kind {
        ControlKind::Tick(_) | ControlKind::Switch if hinted => {
            view! { <Tick entry=entry label=label hint=hint optional=optional /> }.into_any()
        }
        ControlKind::Tick(_) | ControlKind::Switch => {
            view! { <Tick entry=entry label=label optional=optional /> }.into_any()
        }
        ControlKind::Choice(values) => {
            let options = options(values, &entry.value, optional);
            if hinted {
                view! { <Select entry=entry label=label hint=hint optional=optional options=options /> }.into_any()
            } else {
                view! { <Select entry=entry label=label optional=optional options=options /> }
                    .into_any()
            }
        }
        ControlKind::Json => {
            let hint = format!("{hint} As JSON.");
            let rows = entry.value.lines().count().clamp(3, 14);
            let rows = u32::try_from(rows).unwrap_or(3);
            view! { <TextArea entry=entry label=label hint=hint.trim() rows=rows optional=optional unforced=unforced mono=true /> }.into_any()
        }
        kind => line(kind, entry, (label, hint), (optional, unforced)),
    }
}

/// A line of text, a number, or a day: what is no day is shown as text, so that it is not lost.
fn line(
    kind: &ControlKind,
    entry: FormField,
    (label, hint): (String, String),
    (optional, unforced): (bool, bool),
) -> AnyView {
    let mode = match kind {
        ControlKind::Text(mode) => mode.unwrap_or("text"),
        ControlKind::Number => "decimal",
        _ => "text",
    };
    let day = entry.value.is_empty() || entry.value.parse::<chrono::NaiveDate>().is_ok();
    let input = if matches!(kind, ControlKind::Date) && day {
        "date"
    } else {
        "text"
    };
    if hint.is_empty() {
        return view! { <Field entry=entry label=label kind=input inputmode=mode optional=optional unforced=unforced autocomplete="off" /> }.into_any();
    }
    view! { <Field entry=entry label=label hint=hint kind=input inputmode=mode optional=optional unforced=unforced autocomplete="off" /> }
        .into_any()
}

/// The values of a choice; nothing, where nothing is a choice; and what was typed, whatever it is.
fn options(values: &[Value], typed: &str, optional: bool) -> Vec<(String, String)> {
    let mut all: Vec<String> = values.iter().map(option).collect();
    if !typed.is_empty() && !all.iter().any(|value| value == typed) {
        all.push(typed.to_owned());
    }
    let none = (optional || typed.is_empty()).then(|| (String::new(), "—".to_owned()));
    let all = all.into_iter().map(|value| (value.clone(), value));
    none.into_iter().chain(all).collect()
}
