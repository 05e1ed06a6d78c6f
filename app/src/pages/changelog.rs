//! The changelog, as the repository has it.

use leptos::prelude::*;

use super::{Answer, Frame, Page, Visit};
use crate::text::{self, Piece};

/// `/changelog`: a page, or its Markdown.
pub(super) fn screen(visit: Visit) -> Answer {
    if visit.markdown {
        return Answer::markdown(text::CHANGELOG.to_owned());
    }
    let brand = visit.site.brand.clone();
    Page::new(Frame::Public, "Changelog", move || {
        let prose = text::changelog()
            .pieces
            .iter()
            .filter_map(|piece| match piece {
                Piece::Html(html) => {
                    Some(view! { <div class="prose" inner_html=html.clone()></div> })
                }
                Piece::Code(_) | Piece::Sequence => None,
            });
        view! {
            <div class="docs alone">
                <article>
                    <h1>"Changelog"</h1>
                    <p class="lead">{format!("Notable changes of {brand}.")}</p>
                    {prose.collect_view()}
                </article>
            </div>
        }
    })
    .described("Notable changes of every version, newest first.")
    .into()
}
