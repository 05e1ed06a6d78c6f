//! The arrows of ARCHITECTURE.md, held by reading the source: a room may name only the rooms below it, and no two files,
//! areas or rooms name each other, over however many steps. A parent and its own children may.

mod clocks;
mod graph;
mod loops;
mod paths;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use graph::{Sources, circle, joined, without_parents};
use paths::Module;
use table::{ABOVE_ALL, ROOMS, Room};

fn sources() -> Sources {
    Sources::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
}

/// The room that a module lies in: an area where it has areas, and a part of the kernel by itself.
fn room(module: &[String]) -> String {
    let in_areas = ["services", "kernel"];
    let parts = if module
        .first()
        .is_some_and(|first| in_areas.contains(&first.as_str()))
    {
        2
    } else {
        1
    };
    let parts = module.iter().take(parts).map(String::as_str);
    parts.collect::<Vec<_>>().join("/")
}

fn names_crate(code: &str, krate: &str) -> bool {
    let path = format!("{krate}::");
    let inside_a_word =
        |at: usize| code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
    code.match_indices(&path).any(|(at, _)| !inside_a_word(at))
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_room_and_area_has_its_row() {
    let rooms: BTreeSet<String> = sources().code().map(|(module, _)| room(module)).collect();
    let rows: BTreeSet<&str> = ROOMS.iter().map(|room| room.path).collect();
    let known = |name: &str| rows.contains(name) || ABOVE_ALL.contains(&name);
    // The root of the crate, and the head of the areas.
    let heads = ["", "services"];
    let without = rooms
        .iter()
        .filter(|name| !heads.contains(&name.as_str()) && !known(name));
    let mut wrong: Vec<String> = without
        .map(|name| format!("{name}: say in ROOMS what it may name"))
        .collect();
    let gone = rows.iter().filter(|name| !rooms.contains(**name));
    wrong.extend(gone.map(|name| format!("the room {name} is gone: mend this list")));
    report(&wrong);
}

#[test]
fn rooms_name_only_what_their_row_says() {
    let sources = sources();
    let rows: BTreeMap<&str, &Room> = ROOMS.iter().map(|room| (room.path, room)).collect();
    let mut wrong = Vec::new();
    let mut arrows = sources.arrows();
    for (module, parts) in sources.parts_named("kernel") {
        arrows.entry(module).or_default().extend(parts);
    }
    for (module, named) in arrows {
        let here = room(&module);
        let Some(row) = rows.get(here.as_str()) else {
            continue;
        };
        for named in named {
            let there = room(&named);
            let allowed = row.may_name.contains(&there.as_str());
            if there != here && there != "services" && !allowed {
                let (from, to) = (module.join("::"), named.join("::"));
                wrong.push(format!("{here} may not name {there}: {from} names {to}"));
            }
        }
    }
    for (module, code) in sources.code() {
        let row = rows.get(room(module).as_str());
        let never = row.map_or(&[] as &[&str], |row| row.never);
        let crates = never.iter().filter(|krate| names_crate(code, krate));
        wrong.extend(
            crates.map(|krate| format!("{} may not name the crate {krate}", module.join("::"))),
        );
    }
    report(&wrong);
}

#[test]
fn arrows_point_one_way() {
    let mut rows = graph::Arrows::new();
    for room in ROOMS {
        rows.insert(room.path, room.may_name.iter().copied().collect());
    }
    assert_eq!(circle(&rows), None, "rows that allow an arrow both ways");
    let arrows = sources().arrows();
    let mut rooms = joined(&arrows, |module| room(module));
    // The head of the areas declares them and is named with each of them.
    rooms.remove("services");
    assert_eq!(circle(&rooms), None, "rooms or areas that name each other");
}

#[test]
fn no_files_name_each_other_in_a_circle() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let crates = [
        "src",
        "bank/src",
        "kernel/src",
        "../app/src",
        "../xtask/src",
    ];
    for src in crates {
        let arrows = without_parents(&Sources::read(&here.join(src)).arrows());
        assert!(arrows.len() > 15, "the files of {src} were not found");
        let circle = circle(&arrows);
        let circle =
            circle.map(|files| files.iter().map(|file| file.join("::")).collect::<Vec<_>>());
        assert_eq!(
            circle, None,
            "these name each other: move what both need below them"
        );
    }
}

#[test]
fn words_know_nothing_of_the_world() {
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("../app/src");
    let sources = Sources::read(&app);
    let mut wrong = Vec::new();
    for (module, named) in sources.arrows() {
        let is_word = |module: &Module| module.first().is_some_and(|first| first == "domain");
        if is_word(&module) && !named.iter().all(is_word) {
            wrong.push(format!("{}: domain names no other room", module.join("::")));
        }
    }
    for (module, code) in sources.code() {
        let never: &[&str] = if room(module) == "domain" {
            &["axum", "tokio", "reqwest", "leptos"]
        } else {
            &["axum", "tokio", "reqwest"]
        };
        let crates = never.iter().filter(|krate| names_crate(code, krate));
        wrong.extend(
            crates.map(|krate| format!("{}: may not name the crate {krate}", module.join("::"))),
        );
    }
    report(&wrong);
}

/// Rooms that open the bank's database, back it up, or open the bank itself.
const KNOW_THE_BANK: [&str; 3] = ["start", "backup", "cli"];

#[test]
fn only_the_start_of_the_program_knows_the_bank() {
    let mut wrong = Vec::new();
    for (module, code) in sources().code() {
        if names_crate(code, "bank") && !KNOW_THE_BANK.contains(&room(module).as_str()) {
            wrong.push(format!("{}: reach the bank by HTTP", module.join("::")));
        }
    }
    report(&wrong);
}

/// The compiler holds the wall; this holds what the compiler is told.
#[test]
fn the_bank_and_the_kernel_stand_on_no_crate_with_a_product_word() {
    let crates = [
        ("bank", &["json", "kernel", "kernel-testing"] as &[&str]),
        ("kernel", &["json"]),
        ("kernel/testing", &["kernel"]),
        ("kernel/json", &[]),
    ];
    let ours = [
        "app",
        "bank",
        "json",
        "kernel",
        "kernel-testing",
        "server",
        "xtask",
    ];
    for (krate, may) in crates {
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join(krate);
        let manifest = std::fs::read_to_string(manifest.join("Cargo.toml")).unwrap();
        let named = manifest.lines().filter_map(|line| {
            let name = line.split(['.', ' ', '=']).next()?;
            ours.contains(&name).then_some(name)
        });
        let named: BTreeSet<_> = named.collect();
        assert_eq!(named, may.iter().copied().collect(), "{krate}");
    }
}
