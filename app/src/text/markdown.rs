//! Markdown to pieces of a page. The guides are our own text, so HTML in them is ours, too.

use pulldown_cmark::{
    CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html,
};

use super::{GuideBody, Piece};

/// The paragraph that stands for the diagram of a session.
const SEQUENCE: &str = "%SEQUENCE%";

/// Renders a guide without its first heading, which the page writes itself.
pub(super) fn render(source: &str) -> GuideBody {
    let mut body = GuideBody {
        pieces: Vec::new(),
        headings: Vec::new(),
    };
    let mut prose: Vec<Event<'_>> = Vec::new();
    let mut events = Parser::new_ext(source, Options::ENABLE_TABLES).peekable();
    while let Some(event) = events.next() {
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let text = text_until(&mut events, TagEnd::CodeBlock);
                flush(&mut prose, &mut body);
                add_code(&mut body, language(&kind), text);
            }
            Event::Start(Tag::Heading {
                level: HeadingLevel::H1,
                ..
            }) => {
                text_until(&mut events, TagEnd::Heading(HeadingLevel::H1));
            }
            Event::Start(Tag::Heading {
                level,
                classes,
                attrs,
                ..
            }) => {
                let text = heading_text(&mut events, level, &mut prose, (classes, attrs));
                if level == HeadingLevel::H2 {
                    body.headings.push((anchor(&text), text));
                }
            }
            Event::Text(text) if &*text == SEQUENCE => {
                // It stands alone in a paragraph, which goes with it: begun before, ended after.
                prose.pop();
                events.next();
                flush(&mut prose, &mut body);
                body.pieces.push(Piece::Sequence);
            }
            other => prose.push(other),
        }
    }
    flush(&mut prose, &mut body);
    body
}

/// The id of a heading: its words, joined by hyphens.
fn anchor(text: &str) -> String {
    let words: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.join("-")
}

type Events<'a> = std::iter::Peekable<Parser<'a>>;
type Extras<'a> = (Vec<CowStr<'a>>, Vec<(CowStr<'a>, Option<CowStr<'a>>)>);

/// Writes a heading with its id; answers its text.
fn heading_text<'a>(
    events: &mut Events<'a>,
    level: HeadingLevel,
    prose: &mut Vec<Event<'a>>,
    (classes, attrs): Extras<'a>,
) -> String {
    let mut inside = Vec::new();
    let mut text = String::new();
    for event in events.by_ref() {
        match event {
            Event::End(TagEnd::Heading(_)) => break,
            other => {
                if let Event::Text(part) | Event::Code(part) = &other {
                    text.push_str(part);
                }
                inside.push(other);
            }
        }
    }
    let id = Some(CowStr::from(anchor(&text)));
    prose.push(Event::Start(Tag::Heading {
        level,
        id,
        classes,
        attrs,
    }));
    prose.extend(inside);
    prose.push(Event::End(TagEnd::Heading(level)));
    text
}

fn text_until(events: &mut Events<'_>, end: TagEnd) -> String {
    let mut text = String::new();
    for event in events.by_ref() {
        match event {
            Event::Text(part) | Event::Code(part) => text.push_str(&part),
            Event::End(found) if found == end => break,
            _ => {}
        }
    }
    text
}

fn language(kind: &CodeBlockKind<'_>) -> String {
    match kind {
        CodeBlockKind::Fenced(info) => info.split(' ').next().unwrap_or_default().to_owned(),
        CodeBlockKind::Indented => String::new(),
    }
}

/// A JavaScript sample right behind a shell one is the same sample again.
fn add_code(body: &mut GuideBody, language: String, text: String) {
    match body.pieces.last_mut() {
        Some(Piece::Code(samples))
            if language == "javascript" && samples.last().is_some_and(|(last, _)| last == "sh") =>
        {
            samples.push((language, text));
        }
        _ => body.pieces.push(Piece::Code(vec![(language, text)])),
    }
}

/// Tables scroll in a box of their own that the keyboard reaches.
fn flush(prose: &mut Vec<Event<'_>>, body: &mut GuideBody) {
    let mut text = String::new();
    html::push_html(&mut text, prose.drain(..));
    let text = text
        .replace("<p></p>\n", "")
        .replace("</table>", "</table></div>")
        .replace("<th>", "<th scope=\"col\">");
    let text = boxed_tables(&text, body);
    if !text.trim().is_empty() {
        body.pieces.push(Piece::Html(text));
    }
}

/// Puts each table into its box, numbered through the guide: regions of one page need names of their own.
fn boxed_tables(text: &str, body: &GuideBody) -> String {
    let before = body.pieces.iter().map(|piece| match piece {
        Piece::Html(html) => html.matches("<table>").count(),
        _ => 0,
    });
    let first = before.sum::<usize>() + 1;
    let mut parts = text.split("<table>");
    let start = parts.next().unwrap_or_default().to_owned();
    parts.zip(first..).fold(start, |boxed, (part, number)| {
        boxed
            + &format!(
                "<div class=\"table\" role=\"region\" aria-label=\"Table {number}\" tabindex=\"0\"><table>{part}"
            )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_two_languages_are_one_piece() {
        let body = render(
            "# Title\n\nText\n\n```sh\na\n```\n\n```javascript\nb\n```\n\n## Next `one`\n\n%SEQUENCE%\n",
        );
        assert_eq!(
            body.headings,
            [("next-one".to_owned(), "Next one".to_owned())]
        );
        let kinds: Vec<&str> = body
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Html(_) => "html",
                Piece::Code(samples) if samples.len() == 2 => "samples",
                Piece::Code(_) => "code",
                Piece::Sequence => "sequence",
            })
            .collect();
        assert_eq!(kinds, ["html", "samples", "html", "sequence"]);
    }
}
