//! What is stored, and until when.

use std::collections::BTreeSet;

use server::storage::inventory::{KeptUntil, tables};

#[test]
fn what_the_schedule_deletes_has_a_rule_and_nothing_else_has() {
    let ruled: BTreeSet<_> = server::storage::retention::RULES
        .iter()
        .map(|rule| rule.table)
        .collect();
    let told: BTreeSet<_> = tables()
        .filter(|table| table.until == KeptUntil::Schedule)
        .map(|table| table.name)
        .collect();
    assert_eq!(ruled, told);
}
