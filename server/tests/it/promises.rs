//! `docs/PROMISES.md` names the test that shows each promise: here each of them is looked for where it is said to be.

use std::fs;
use std::path::Path;

/// The promises that have to be shown (`docs/PROMISES.md` says what each of them is).
const NUMBERS: &[u32] = &[
    1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 23, 24, 25, 26, 27, 28, 30, 31,
    32, 35, 36, 38, 40, 42,
];

/// The cells of a table's row, or nothing for a line that is none.
fn cells(line: &str) -> Option<Vec<&str>> {
    let inside = line.strip_prefix('|')?.strip_suffix('|')?;
    Some(inside.split('|').map(str::trim).collect())
}

#[test]
fn every_promise_has_a_row_and_every_named_test_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let page = fs::read_to_string(root.join("docs/PROMISES.md")).unwrap();
    let rows: Vec<(u32, Vec<&str>)> = page
        .lines()
        .filter_map(cells)
        .filter_map(|cells| Some((cells.first()?.parse().ok()?, cells)))
        .collect();
    let numbers: Vec<u32> = rows.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, NUMBERS, "one row for each promise, in order");
    let mut named = 0;
    for (number, cells) in &rows {
        let [_, promise, whom, tests, _figure] = cells.as_slice() else {
            panic!("{number}: five columns, not {}", cells.len());
        };
        assert!(!promise.is_empty() && !whom.is_empty(), "{number}");
        for test in tests.split('`').skip(1).step_by(2) {
            let (path, name) = test
                .split_once('#')
                .unwrap_or_else(|| panic!("{number}: `{test}` is not path#name"));
            let source = fs::read_to_string(root.join(path))
                .unwrap_or_else(|error| panic!("{number}: {path}: {error}"));
            let is_rust = Path::new(path).extension().is_some_and(|kind| kind == "rs");
            let there = if is_rust {
                source.contains(&format!("fn {name}(")) || source.contains(&format!("fn {name}<"))
            } else {
                source.contains(name)
            };
            assert!(there, "{number}: {path} has no test {name}");
            named += 1;
        }
    }
    assert!(named >= NUMBERS.len(), "only {named} tests are named");
}
