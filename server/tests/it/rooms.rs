//! The arrows of ARCHITECTURE.md, held by reading the source: a room may name only the rooms below it.

use std::fs;
use std::path::{Path, PathBuf};

/// A room, what of `crate::` it may name besides itself, and which crates it may not name at all.
struct Room {
    path: &'static str,
    may_name: &'static [&'static str],
    never: &'static [&'static str],
}

const ROOMS: &[Room] = &[
    Room {
        path: "storage",
        may_name: &["clock", "crypto", "text", "security"],
        never: &["axum", "leptos", "reqwest", "lettre", "utoipa"],
    },
    Room {
        path: "skills",
        may_name: &["clock", "crypto", "config", "text"],
        never: &["axum", "leptos", "sqlx"],
    },
    Room {
        path: "mail",
        may_name: &["clock", "config", "crypto"],
        never: &["axum", "leptos", "sqlx"],
    },
    Room {
        path: "jobs",
        may_name: &[
            "background",
            "clock",
            "config",
            "crypto",
            "mail",
            "services",
            "skills",
            "state",
            "storage",
        ],
        never: &["axum", "leptos", "sqlx"],
    },
    Room {
        path: "services",
        may_name: &[
            "background",
            "clock",
            "config",
            "crypto",
            "gate",
            "jobs",
            "mail",
            "skills",
            "security",
            "state",
            "storage",
            "text",
            "partial_file",
        ],
        never: &["leptos", "sqlx", "utoipa"],
    },
    Room {
        path: "state",
        may_name: &[
            "background",
            "clock",
            "config",
            "crypto",
            "jobs",
            "mail",
            "services",
            "skills",
            "storage",
        ],
        never: &["axum", "leptos", "sqlx"],
    },
    Room {
        path: "worker",
        may_name: &["background", "jobs", "services", "state", "storage"],
        never: &["axum", "leptos", "sqlx"],
    },
    Room {
        path: "wire",
        may_name: &["services", "skills"],
        never: &["axum", "leptos", "sqlx"],
    },
    Room {
        path: "api",
        may_name: &[
            "clock", "config", "http", "json", "problem", "services", "skills", "state", "text",
            "wire",
        ],
        never: &["leptos", "sqlx"],
    },
    Room {
        path: "portal",
        may_name: &[
            "clock", "config", "crypto", "gate", "http", "json", "problem", "security", "services",
            "state", "storage", "text",
        ],
        never: &["sqlx", "utoipa"],
    },
    Room {
        path: "bank",
        may_name: &[
            "background",
            "clock",
            "crypto",
            "gate",
            "json",
            "storage",
            "text",
        ],
        never: &["leptos", "utoipa"],
    },
    Room {
        path: "gate",
        may_name: &[],
        never: &["leptos", "sqlx", "utoipa", "app"],
    },
    Room {
        path: "http",
        may_name: &[
            "clock", "gate", "json", "problem", "security", "services", "state", "storage", "text",
        ],
        never: &["leptos", "sqlx", "reqwest", "lettre"],
    },
    Room {
        path: "backup",
        may_name: &[
            "clock",
            "config",
            "crypto",
            "storage",
            "security",
            "partial_file",
        ],
        never: &["axum", "leptos", "reqwest", "lettre", "utoipa"],
    },
    Room {
        path: "crypto",
        may_name: &["clock"],
        never: &["axum", "leptos", "reqwest", "lettre", "utoipa", "app"],
    },
    Room {
        path: "config",
        may_name: &[],
        never: &["axum", "leptos", "sqlx", "reqwest", "lettre", "utoipa"],
    },
    Room {
        path: "text",
        may_name: &[],
        never: &[
            "axum", "leptos", "sqlx", "reqwest", "lettre", "utoipa", "app",
        ],
    },
];

/// Rooms that may name every other: the start of the program, and the tests that run with random input.
const ABOVE_ALL: [&str; 2] = ["cli", "fuzz"];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The lines of a file up to its tests, without comments: what the room itself names.
/// Test worlds may reach everywhere, so their files count as empty.
fn code(path: &Path) -> Vec<String> {
    let test_file = path.components().any(|part| {
        matches!(
            part.as_os_str().to_str(),
            Some("testing.rs" | "tests.rs" | "tests" | "testing")
        )
    });
    if test_file {
        return Vec::new();
    }
    let text = fs::read_to_string(path).unwrap();
    text.lines()
        .map(|line| line.split("//").next().unwrap_or_default().to_owned())
        .take_while(|line| !line.contains("#[cfg(test)]"))
        .collect()
}

/// The words that follow `marker` in a line: `crate::storage::Db` gives `storage` for `crate::`.
fn named(line: &str, marker: &str) -> Vec<String> {
    let word = |text: &str| {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect::<String>()
    };
    let inside_a_word = |at: usize| line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    line.match_indices(marker)
        .filter(|(at, _)| !inside_a_word(*at))
        .flat_map(|(at, _)| {
            let rest = &line[at + marker.len()..];
            match rest.strip_prefix('{') {
                Some(list) => list.split(',').map(|part| word(part.trim())).collect(),
                None => vec![word(rest)],
            }
        })
        .filter(|word| !word.is_empty())
        .collect()
}

fn names_crate(line: &str, krate: &str) -> bool {
    !named(line, &format!("{krate}::")).is_empty()
}

fn report(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_room_has_its_row() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut without = Vec::new();
    for entry in fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let known =
            ABOVE_ALL.contains(&name.as_str()) || ROOMS.iter().any(|room| room.path == name);
        if entry.path().is_dir() && !known {
            without.push(format!("{name}: say in ROOMS what it may name"));
        }
    }
    report(&without);
}

#[test]
fn arrows_point_one_way() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for room in ROOMS {
        let folder = source.join(room.path);
        assert!(
            folder.is_dir(),
            "the room {} is gone: mend this list",
            room.path
        );
        for path in sources(&folder) {
            for line in code(&path) {
                let strays = named(&line, "crate::")
                    .into_iter()
                    .filter(|word| word != room.path && !room.may_name.contains(&word.as_str()));
                wrong.extend(strays.map(|word| {
                    format!(
                        "{}: {} may not name crate::{word}",
                        path.display(),
                        room.path
                    )
                }));
                let crates = room.never.iter().filter(|krate| names_crate(&line, krate));
                wrong.extend(crates.map(|krate| {
                    format!(
                        "{}: {} may not name the crate {krate}",
                        path.display(),
                        room.path
                    )
                }));
            }
        }
    }
    report(&wrong);
}

#[test]
fn words_know_nothing_of_the_world() {
    let app = Path::new(env!("CARGO_MANIFEST_DIR")).join("../app/src");
    let mut wrong = Vec::new();
    for path in sources(&app) {
        let domain = path.starts_with(app.join("domain"));
        for line in code(&path) {
            if domain && named(&line, "crate::").iter().any(|word| word != "domain") {
                wrong.push(format!("{}: domain names no other room", path.display()));
            }
            let never: &[&str] = if domain {
                &["axum", "tokio", "reqwest", "leptos"]
            } else {
                &["axum", "tokio", "reqwest"]
            };
            let crates = never.iter().filter(|krate| names_crate(&line, krate));
            wrong.extend(
                crates.map(|krate| format!("{}: may not name the crate {krate}", path.display())),
            );
        }
    }
    report(&wrong);
}

#[test]
fn only_the_start_of_the_program_knows_the_bank() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for path in sources(&source) {
        let start = path.parent() == Some(&source) || path.starts_with(source.join("cli"));
        if start || path.starts_with(source.join("bank")) {
            continue;
        }
        if code(&path)
            .iter()
            .any(|line| named(line, "crate::").iter().any(|word| word == "bank"))
        {
            wrong.push(format!("{}: reach the bank by HTTP", path.display()));
        }
    }
    report(&wrong);
}
