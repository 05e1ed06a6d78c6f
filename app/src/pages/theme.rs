//! Choosing the theme: a form in every footer, kept in a cookie, so that the first paint is right without scripts.

use super::{Answer, Shown, Visit};
use crate::links;

pub(super) fn screen(visit: Visit) -> Shown {
    let Some(form) = visit.form else {
        return Ok(Answer::See(links::HOME.into()));
    };
    Ok(Answer::Theme {
        theme: match form.get("theme") {
            "light" => Some("light"),
            "dark" => Some("dark"),
            _ => None,
        },
        to: links::local(form.get("to")).unwrap_or(links::HOME).into(),
    })
}
