//! Choosing the theme: a form in every footer, kept in a cookie, so that the first paint is right without scripts.

use super::{Answer, Visit};
use crate::links;

pub(super) fn screen(visit: Visit) -> Answer {
    let Some(form) = visit.form else {
        return Answer::See(links::HOME.into());
    };
    Answer::Theme {
        theme: match form.get("theme") {
            "light" => Some("light"),
            "dark" => Some("dark"),
            _ => None,
        },
        to: links::local(form.get("to")).unwrap_or(links::HOME).into(),
    }
}
