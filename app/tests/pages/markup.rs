//! Markup that somebody types, or that comes from a provider, is text wherever it is shown: in every component of `ui`, in every
//! field of every form, and in what a page says about itself.

use std::collections::BTreeSet;

use app::pages::{FormFields, Frame, Page, shell};
use app::ui::sequence::{ArrowKind, Mark, Message, Sequence};
use app::ui::*;
use leptos::prelude::*;

use crate::fake::{World, actor, now, visit};
use crate::preview::shots;
use crate::show;

/// Ends every element that a browser reads as raw text, leaves attributes, and then is an element of its own.
const MARKUP: &str =
    "</textarea></title></script></style></option>\"'><b-attack onerror=x>&amp;<!--";
/// Element that none of it may become.
const ELEMENT: &str = "<b-attack";

fn entry(name: &'static str) -> FormField {
    FormField {
        name: name.into(),
        value: MARKUP.into(),
        error: Some(MARKUP.into()),
        first_error: true,
    }
}

/// Every component of `ui` with markup wherever it takes a text, by its name.
fn components() -> Vec<(&'static str, AnyView)> {
    let m = || MARKUP.to_owned();
    let choices = || vec![Choice::new(m(), m()).about(m())];
    let pairs = || vec![(m(), m())];
    let message = Message::new(ArrowKind::Call, 0, 1, m()).noted(m(), Mark::First);
    vec![
        ("ChoiceGroup", view! { <ChoiceGroup entry=entry("a") label=m() hint=m() choices=choices() chosen=vec![m()] many=true /> }.into_any()),
        ("Tick", view! { <Tick entry=entry("a") label=m() hint=m() /> }.into_any()),
        ("CodeBlock", view! { <CodeBlock id=m() code=m() label=m() /> }.into_any()),
        ("Json", view! { <Json id=m() text=format!("{{\"{MARKUP}\": \"{MARKUP}\"}}") label=m() /> }.into_any()),
        ("Chip", view! { <Chip text=m() /> }.into_any()),
        ("HttpStatus", view! { <HttpStatus code=200 /> }.into_any()),
        ("Notice", view! { <Notice title=m()>{m()}</Notice> }.into_any()),
        ("Empty", view! { <Empty icon="info" title=m()>{m()}</Empty> }.into_any()),
        ("Field", view! { <Field entry=entry("a") label=m() hint=m() /> }.into_any()),
        ("TextArea", view! { <TextArea entry=entry("a") label=m() hint=m() /> }.into_any()),
        ("Select", view! { <Select entry=entry("a") label=m() hint=m() options=pairs() /> }.into_any()),
        ("ErrorSummary", view! { <ErrorSummary errors=vec![entry(""), entry("a"), entry("b"), entry("c")] /> }.into_any()),
        ("PostButton", view! { <PostButton action=m() label=m() spoken=m() fields=vec![("a", m())] /> }.into_any()),
        // Its name is one of ours, never somebody's.
        ("Icon", view! { <Icon name="info" /> }.into_any()),
        ("PageHead", view! { <PageHead title=m() lead=m() beside=m().into_any()>{m()}</PageHead> }.into_any()),
        ("Tabs", view! { <Tabs label=m() tabs=vec![Tab::new(m(), m(), true)] /> }.into_any()),
        ("Search", view! { <Search action="/x" label="Search" query=m() /> }.into_any()),
        ("NoMatch", view! { <NoMatch columns=1 sentence=m() all="/x" label="All" /> }.into_any()),
        ("Sequence", view! { <Sequence label=m() lanes=["a", "b", "c", "d"] zone=(1, "z") messages=vec![message] /> }.into_any()),
        ("Table", view! { <Table caption=m() columns=vec![TableColumn::text("a")]>{m()}</Table> }.into_any()),
        ("Facts", view! { <Facts facts=vec![("a", m().into_any())] /> }.into_any()),
        ("Ago", view! { <Ago at=now() now=now() /> }.into_any()),
        ("Until", view! { <Until at=now() now=now() /> }.into_any()),
        ("Stamp", view! { <Stamp at=now() /> }.into_any()),
    ]
}

#[test]
fn no_component_lets_markup_through() {
    Owner::new_root(None).with(|| {
        for (name, view) in components() {
            let html = view.to_html();
            assert!(!html.contains(ELEMENT), "{name}: {html}");
            assert!(!html.contains("</textarea></title>"), "{name}: {html}");
        }
    });
}

/// A component that nobody fed markup to has to be fed.
#[test]
fn every_component_is_tried() {
    let written: BTreeSet<String> = sources("src/ui")
        .iter()
        .flat_map(|source| {
            source
                .split("#[component]")
                .skip(1)
                .filter_map(|rest| rest.split("pub fn ").nth(1))
                .filter_map(|rest| rest.split(['(', '<']).next())
                .map(str::to_owned)
                .collect::<Vec<_>>()
        })
        .collect();
    let tried: BTreeSet<String> = Owner::new_root(None).with(|| {
        let all = components().into_iter();
        all.map(|(name, _)| name.to_owned()).collect()
    });
    assert_eq!(written, tried);
}

/// The elements whose text Leptos does not escape are written by `inner_html`, which says who escaped it.
#[test]
fn raw_text_elements_have_no_children() {
    for source in sources("src") {
        for element in [
            "textarea",
            "title",
            "script",
            "style",
            "noscript",
            "xmp",
            "iframe",
            "plaintext",
        ] {
            for tag in source.split(&format!("<{element}")).skip(1) {
                // Not the name of another element, nor a doc comment.
                if !tag.starts_with([' ', '>', '\n']) || source.contains(&format!("//! <{element}"))
                {
                    continue;
                }
                let whole = tag
                    .split(&format!("</{element}>"))
                    .next()
                    .unwrap_or_default();
                assert!(
                    whole.contains("inner_html="),
                    "<{element}{}",
                    whole.chars().take(80).collect::<String>()
                );
            }
        }
    }
}

/// Every file of a folder of this crate, the folders below it included.
fn sources(folder: &str) -> Vec<String> {
    let mut waiting = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)];
    let mut read = Vec::new();
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                read.push(std::fs::read_to_string(path).unwrap());
            }
        }
    }
    read
}

/// Names of what a page's forms send, apart from what the page itself filled in and hid.
fn typed_fields(html: &str) -> BTreeSet<String> {
    let tags = html.split('<').filter_map(|tag| tag.split('>').next());
    let controls = tags.filter(|tag| {
        ["input ", "textarea ", "select "]
            .iter()
            .any(|start| tag.starts_with(start))
    });
    controls
        .filter(|tag| !tag.contains("type=\"hidden\""))
        .filter_map(|tag| tag.split(" name=\"").nth(1)?.split('"').next())
        .map(str::to_owned)
        .collect()
}

/// Returns the hidden fields of a page's forms: names, and the values that the page filled in.
fn hidden_fields(html: &str) -> Vec<(String, String)> {
    let tags = html
        .split("<input ")
        .skip(1)
        .filter_map(|tag| tag.split('>').next());
    let hidden = tags.filter(|tag| tag.contains("type=\"hidden\""));
    hidden
        .filter_map(|tag| {
            let attribute = |name: &str| tag.split(&format!("{name}=\"")).nth(1)?.split('"').next();
            Some((
                attribute("name")?.to_owned(),
                attribute("value")?.to_owned(),
            ))
        })
        .filter(|(name, _)| name != "to" && name != "theme")
        .collect()
}

#[test]
fn markup_typed_into_any_field_is_text() {
    let mut tried = BTreeSet::new();
    for (name, world, who, path, form) in shots() {
        let actor = (who != '-').then(|| actor(who == 'a'));
        let mut first = visit(world, &path, actor.clone());
        first.form = form.map(crate::fake::fields);
        let (_, html) = show_or_nothing(first);
        let names = typed_fields(&html);
        if names.is_empty() {
            continue;
        }
        let mut again = visit(world, &path, actor);
        let mut sent = hidden_fields(&html);
        sent.extend(names.iter().map(|field| (field.clone(), MARKUP.to_owned())));
        tried.extend(names);
        again.form = Some(FormFields(sent));
        let (_, html) = show_or_nothing(again);
        assert!(!html.contains(ELEMENT), "{name}: {html}");
    }
    for field in [
        "name",
        "email",
        "redirect_links",
        "origins",
        "material",
        "data",
    ] {
        assert!(tried.contains(field), "{field} was not tried: {tried:?}");
    }
}

/// The page of a visit; nothing where it leads on.
fn show_or_nothing(visit: app::pages::Visit) -> (u16, String) {
    match crate::open(visit) {
        (app::pages::Answer::Page(page) | app::pages::Answer::SignedInPage { page, .. }, visit) => {
            (page.status, shell::render(page, &visit, "n0nce"))
        }
        _ => (303, String::new()),
    }
}

#[test]
fn markup_in_an_address_is_text() {
    for (path, field) in [
        ("/tenants", "q"),
        ("/requests", "q"),
        ("/signin", "next"),
        ("/signup", "servicer"),
    ] {
        let signed_in = path.starts_with("/tenants") || path.starts_with("/requests");
        let mut visit = visit(World::Full, path, signed_in.then(|| actor(false)));
        visit.query = FormFields(vec![(field.to_owned(), MARKUP.to_owned())]);
        let (_, html) = show(visit);
        assert!(!html.contains(ELEMENT), "{path}?{field}");
    }
}

#[test]
fn a_title_is_its_text_and_nothing_else() {
    let visit = visit(World::Full, "/overview", Some(actor(false)));
    for frame in [
        Frame::Public,
        Frame::Card,
        Frame::Focus,
        Frame::App,
        Frame::Admin,
    ] {
        let page = Page::new(frame, MARKUP, || view! { <h1>"Title"</h1> }).under(MARKUP, MARKUP);
        let html = shell::render(page, &visit, "n0nce");
        let title = html
            .split("<title>")
            .nth(1)
            .unwrap()
            .split("</title>")
            .next()
            .unwrap();
        assert!(!title.contains('<'), "{title}");
        assert!(title.ends_with(" · Tessera"), "{title}");
        assert!(!html.contains(ELEMENT), "{html}");
    }
}

#[test]
fn every_page_describes_itself() {
    for (name, _, html) in crate::preview::every_state() {
        let described = html.split("<meta name=\"description\" content=\"").nth(1);
        let described = described.and_then(|rest| rest.split('"').next());
        let length = described.map_or(0, |text| text.chars().count());
        assert!((30..=300).contains(&length), "{name}: {described:?}");
    }
}

#[test]
fn only_islands_are_woken() {
    let (_, html) = show(visit(World::Full, "/signin", None));
    let script = html.split("<script").nth(1).unwrap();
    assert!(script.contains("Object.hasOwn(m,c)"), "{script}");
    for source in sources("src/islands") {
        for island in source.split("#[island]").skip(1) {
            let name = island
                .split("pub fn ")
                .nth(1)
                .unwrap()
                .split('(')
                .next()
                .unwrap();
            assert!(app::islands::NAMES.contains(&name), "{name}");
            assert!(script.contains(name), "{name}");
        }
    }
}
