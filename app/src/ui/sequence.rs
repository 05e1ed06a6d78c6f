//! Sequence diagrams as SVG, drawn on the server, with the same story as a list: for those who cannot see it, and for
//! screens too narrow to draw it with letters of a readable size.

use leptos::prelude::*;

/// One arrow between two lanes.
#[derive(Clone, Debug)]
pub struct Message {
    pub from: usize,
    pub to: usize,
    pub text: String,
    /// Note behind the text, with a mark that does not rely on colour: `● nonce 1`.
    pub note: Option<(String, Mark)>,
    pub kind: ArrowKind,
}

/// Kind of an arrow, which decides how it is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArrowKind {
    /// A request.
    Call,
    /// An answer: dashed.
    Answer,
    /// An answer that says no: dashed, red.
    Refusal,
    /// A message that comes next: in the accent colour.
    Next,
}

/// The colour of a note; its text says the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    First,
    Second,
    Third,
}

impl Mark {
    const fn class(self) -> &'static str {
        match self {
            Self::First => "note one",
            Self::Second => "note two",
            Self::Third => "note three",
        }
    }
}

impl Message {
    /// An arrow with a text.
    pub fn new(kind: ArrowKind, from: usize, to: usize, text: impl Into<String>) -> Self {
        Self {
            from,
            to,
            text: text.into(),
            note: None,
            kind,
        }
    }

    /// Adds a note behind the text.
    #[must_use]
    pub fn noted(mut self, note: impl Into<String>, mark: Mark) -> Self {
        self.note = Some((note.into(), mark));
        self
    }
}

/// Horizontal positions of the lanes in a drawing 640 units wide: as far apart as the texts between them need.
const LANES: [i32; 4] = [74, 270, 448, 574];
const TOP: i32 = 40;
const ROW: i32 = 30;
/// Widths of a letter in the two faces at 12 px: only to keep texts inside the drawing.
const MONO: i32 = 7;

/// Draws up to four lanes. `zone` is a shaded part from the first lane to the one named, with its meaning.
#[component]
pub fn Sequence(
    #[prop(into)] label: String,
    lanes: [&'static str; 4],
    zone: (usize, &'static str),
    messages: Vec<Message>,
) -> impl IntoView {
    let height = TOP + ROW * i32::try_from(messages.len()).unwrap_or(0) + 36;
    let list = messages
        .iter()
        .map(|message| description(message, lanes))
        .collect_view();
    let rows = messages
        .iter()
        .zip(1..)
        .map(|(message, row)| arrow(message, TOP + ROW * row))
        .collect_view();
    let lives = LANES
        .iter()
        .map(|x| view! { <path class="life" d=format!("M{x} {TOP}V{}", height - 24)></path> })
        .collect_view();
    let names = lanes
        .iter()
        .zip(LANES)
        .map(|(name, x)| view! { <text class="who" x=x.to_string() y="24" text-anchor="middle">{*name}</text> })
        .collect_view();
    let (edge, meaning) = zone;
    let width = lane(edge) + 52;
    view! {
        <div class="sequence">
            <svg viewBox=format!("0 0 640 {height}") role="img" aria-label=label>
                <rect class="zone" x="4" y=TOP.to_string() width=width.to_string() height=(height - TOP - 4).to_string() rx="8"></rect>
                <text class="meaning" x="16" y=(height - 12).to_string()>{meaning}</text>
                {names}
                {lives}
                {rows}
            </svg>
            <ol>{list}</ol>
        </div>
    }
}

fn lane(at: usize) -> i32 {
    LANES.get(at).copied().unwrap_or(0)
}

/// One arrow with its text above; the head is drawn by hand, so that it takes the arrow's colour.
fn arrow(message: &Message, y: i32) -> impl IntoView + use<> {
    let (from, to) = (lane(message.from), lane(message.to));
    let (tip, back) = if to > from {
        (to, to - 7)
    } else {
        (to, to + 7)
    };
    let class = match message.kind {
        ArrowKind::Call => "arrow",
        ArrowKind::Answer => "arrow answer",
        ArrowKind::Refusal => "arrow answer refusal",
        ArrowKind::Next => "arrow next",
    };
    let note = message
        .note
        .clone()
        .map(|(text, mark)| view! { <tspan class=mark.class() dx="8">{text}</tspan> });
    let mono = message.text.starts_with("POST") || message.text.starts_with("GET");
    let (x, anchor) = label_position(message, from.min(to), from.max(to));
    view! {
        <g class=class>
            <path d=format!("M{from} {y}H{back}")></path>
            <path class="head" d=format!("M{back} {}L{tip} {y}L{back} {}Z", y - 4, y + 4)></path>
            <text class=mono.then_some("mono") x=x.to_string() y=(y - 6).to_string() text-anchor=anchor>
                {message.text.clone()}
                {note}
            </text>
        </g>
    }
}

/// A text begins at its arrow's left end, or ends at its right end if it would leave the drawing.
fn label_position(message: &Message, left: i32, right: i32) -> (i32, &'static str) {
    let letters = message.text.chars().count()
        + message
            .note
            .as_ref()
            .map_or(0, |(note, _)| note.chars().count() + 2);
    let width = i32::try_from(letters).unwrap_or(0) * MONO;
    if left + 12 + width > 636 {
        (right - 12, "end")
    } else {
        (left + 12, "start")
    }
}

/// Renders an arrow in words.
fn description(message: &Message, lanes: [&'static str; 4]) -> impl IntoView + use<> {
    let name = |at: usize| lanes.get(at).copied().unwrap_or_default();
    let class = match message.kind {
        ArrowKind::Call => "",
        ArrowKind::Answer => "answer",
        ArrowKind::Refusal => "refusal",
        ArrowKind::Next => "next",
    };
    view! {
        <li class=class>
            <span class="between">{name(message.from)} " → " {name(message.to)}</span>
            <span>{message.text.clone()}</span>
            {message.note.clone().map(|(text, mark)| view! { <span class=mark.class()>{text}</span> })}
        </li>
    }
}
