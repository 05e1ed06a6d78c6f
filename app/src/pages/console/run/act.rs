//! What the forms of a run's page do: make a call, send a file, or show a step's data another way.

use json::ReadLimits;
use serde_json::Value;

use super::super::step::{StepErrors, StepForm, Typed};
use crate::domain::console::Offer;
use crate::domain::ids::RunId;
use crate::links;
use crate::pages::{Answer, FormFields, Visit};
use crate::portal::PortalError;
use crate::portal::console::{File, NextCall, Run, RunAction};
use crate::ui::FormField;

/// Result of a form: an answer, or the page again with its messages.
pub(super) enum FormOutcome {
    Answer(Answer),
    Again(SubmittedForm),
}

/// State of a sent form, which the page shows beside the run itself.
#[derive(Default)]
pub(super) struct SubmittedForm {
    /// The step's data as it was typed.
    pub data: Option<StepData>,
    /// Reason nothing was done.
    pub refused: Option<String>,
    /// The kind of file that is wrong, and why.
    pub file: Option<(String, String)>,
}

/// A step's data on the page.
pub(super) enum StepData {
    /// A form made from the step's schema.
    Form(Typed),
    /// The JSON text itself.
    Text(FormField),
}

impl SubmittedForm {
    /// Returns the HTTP status: 422 for what was refused, 200 for data that is only shown another way.
    pub fn status(&self) -> u16 {
        let wrong = match &self.data {
            Some(StepData::Form(typed)) => !typed.errors.is_empty(),
            Some(StepData::Text(entry)) => entry.error.is_some(),
            None => false,
        };
        if wrong || self.refused.is_some() || self.file.is_some() {
            422
        } else {
            200
        }
    }
}

impl StepData {
    /// A text, with what is wrong with it.
    pub fn text(value: impl Into<String>, error: Option<String>) -> Self {
        Self::Text(FormField {
            name: "data".into(),
            value: value.into(),
            first_error: error.is_some(),
            error,
        })
    }
}

pub(super) async fn take(
    visit: &Visit,
    id: RunId,
    form: &FormFields,
) -> Result<FormOutcome, PortalError> {
    let actor = visit.actor()?;
    if form.get("act") == "again" {
        let fresh = visit.portal.repeat(actor, id, &visit.source).await?;
        let open = RunAction::Next(None);
        visit
            .portal
            .advance(actor, fresh, 0, open, &visit.source)
            .await?;
        return Ok(FormOutcome::Answer(Answer::See(links::run(fresh))));
    }
    match form.get("act") {
        "all" => {
            visit.portal.run_all(actor, id, &visit.source).await?;
            Ok(FormOutcome::Answer(Answer::See(links::run(id))))
        }
        "upload" => upload(visit, id, form).await,
        "offer" => {
            let offer: Offer = form.parse("offer").ok_or(PortalError::NotFound)?;
            advance(visit, id, form, RunAction::Offered(offer)).await
        }
        _ => next(visit, id, form).await,
    }
}

/// Makes a call, from where the form saw the run.
async fn advance(
    visit: &Visit,
    id: RunId,
    form: &FormFields,
    act: RunAction<'_>,
) -> Result<FormOutcome, PortalError> {
    let at = form.parse("at").ok_or(PortalError::NotFound)?;
    let done = visit
        .portal
        .advance(visit.actor()?, id, at, act, &visit.source)
        .await;
    match done {
        Ok(()) => Ok(FormOutcome::Answer(Answer::See(links::run(id)))),
        Err(PortalError::Conflict(why)) => Ok(FormOutcome::Again(SubmittedForm {
            refused: Some(why),
            ..SubmittedForm::default()
        })),
        Err(other) => Err(other),
    }
}

async fn upload(visit: &Visit, id: RunId, form: &FormFields) -> Result<FormOutcome, PortalError> {
    let kind = form.get("kind");
    let file = match &visit.file {
        _ if form.get("sample") == "yes" => File::Sample,
        Some(file) => File::Chosen {
            name: &file.name,
            bytes: &file.bytes,
        },
        None => {
            let why = "Choose a file first, or use a sample.".to_owned();
            return Ok(FormOutcome::Again(SubmittedForm {
                file: Some((kind.to_owned(), why)),
                ..SubmittedForm::default()
            }));
        }
    };
    advance(visit, id, form, RunAction::Upload { kind, file }).await
}

/// The call that comes next; a step takes its data from the form.
async fn next(visit: &Visit, id: RunId, form: &FormFields) -> Result<FormOutcome, PortalError> {
    let run = visit.portal.run(visit.actor()?, id).await?;
    let shown: usize = form.parse("at").ok_or(PortalError::NotFound)?;
    let NextCall::Step { schema, .. } = &run.next else {
        return advance(visit, id, form, RunAction::Next(None)).await;
    };
    if shown != run.calls.len() {
        return advance(visit, id, form, RunAction::Next(None)).await;
    }
    let step = StepForm::of(schema);
    let again = |data| {
        Ok(FormOutcome::Again(SubmittedForm {
            data: Some(data),
            ..SubmittedForm::default()
        }))
    };
    let text = match typed(&step, form) {
        Ok(text) => text,
        Err(data) => return again(data),
    };
    match form.get("to") {
        "json" => again(StepData::text(text, None)),
        "form" => again(as_form(&step, text)),
        _ => match advance(visit, id, form, RunAction::Next(Some(&text))).await {
            Err(PortalError::Refused(errors)) => {
                let why = errors.into_iter().next().map(|error| error.message);
                again(StepData::text(text, why))
            }
            other => other,
        },
    }
}

/// The data that was typed, as JSON.
fn typed(step: &StepForm, form: &FormFields) -> Result<String, StepData> {
    if form.get("shape") != "form" {
        return Ok(form.get("data").to_owned());
    }
    match step.read(form) {
        Ok(data) => Ok(pretty(&data)),
        Err(errors) => Err(StepData::Form(Typed {
            values: form.clone(),
            errors,
        })),
    }
}

/// Data that was typed as JSON, as a form: if it is JSON, and the form can say it.
fn as_form(step: &StepForm, text: String) -> StepData {
    if let Some(values) = step.fill(&text) {
        return StepData::Form(Typed {
            values,
            errors: Vec::new(),
        });
    }
    let why = match json::read(text.as_bytes(), ReadLimits::BODY) {
        Ok(_) => "The form has no place for some of this: it can be sent as JSON only.".to_owned(),
        Err(json::Fault {
            why, line, column, ..
        }) => format!("This is not JSON yet: line {line}, column {column}: {why}."),
    };
    StepData::text(text, Some(why))
}

fn pretty(data: &Value) -> String {
    serde_json::to_string_pretty(data).unwrap_or_default()
}

/// The data of the step that comes next as the page shows it first: as a form wherever that can say it, with what the
/// API found wrong; the errors that belong to no control are in the second place.
pub(super) fn shown(run: &Run, wrong: StepErrors) -> (Option<StepData>, StepErrors) {
    let NextCall::Step { schema, data, .. } = &run.next else {
        return (None, wrong);
    };
    let step = StepForm::of(schema);
    match step.fill(data) {
        Some(values) => {
            let (errors, left) = step.place(wrong);
            (Some(StepData::Form(Typed { values, errors })), left)
        }
        None => (Some(StepData::text(data.clone(), None)), wrong),
    }
}
