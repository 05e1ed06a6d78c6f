//! Whose time it is. What belongs to a tenant goes by the tenant's time (`state.now_of(tenant)`), which a sandbox clock may
//! have moved forward; the rest by the real one (`state.clock.now()`). Where sessions and consents ask for the real time,
//! this list says why; a new place has to be decided.

use std::collections::BTreeMap;
use std::path::Path;

use super::graph::Sources;
use super::paths::tokens;
use super::{report, sources};

/// Areas in which everything belongs to one tenant, unless the list says otherwise.
const OF_TENANTS: [&str; 2] = ["services::sessions", "services::consents"];

/// Places in these areas that ask for the real time: the module, their number, and why.
const REAL: &[(&str, usize, &str)] = &[
    (
        "services::sessions::callbacks",
        1,
        "the lease on a return: two processes agree on it",
    ),
    (
        "services::sessions::erasure",
        2,
        "the sweep looks at the rows of all tenants, and at uploads that rested",
    ),
    (
        "services::sessions::payments",
        1,
        "the next poll is a job's",
    ),
    ("services::sessions::steps", 1, "the lease on a step"),
    (
        "services::sessions::steps::check",
        1,
        "whether the lease on a step still holds",
    ),
    ("services::sessions::tokens", 1, "an entry of the audit log"),
    (
        "services::sessions::transition",
        1,
        "the first enquiry about a verification is a job's",
    ),
    (
        "services::sessions::uploads::incoming",
        1,
        "an upload is known to rest by the sweep of all of them",
    ),
    (
        "services::sessions::verifications",
        2,
        "the lease on an enquiry, and the next one, which is a job's",
    ),
    (
        "services::consents::fetch",
        3,
        "the lease on a fetch, twice, and the next look of the schedule at all consents",
    ),
    (
        "services::consents::payments",
        2,
        "the first poll, and the one when a session is over, are a job's",
    ),
    (
        "services::consents::reminders",
        1,
        "the look at the consents of all tenants, once a day",
    ),
];

fn is_of_tenants(module: &str) -> bool {
    OF_TENANTS.iter().any(|area| {
        let below = module.strip_prefix(area);
        below.is_some_and(|below| below.is_empty() || below.starts_with("::"))
    })
}

/// Counts the places that read a clock without asking for whom.
fn asks_real_time(code: &str) -> usize {
    let tokens = tokens(code);
    let reads = tokens.windows(4).filter(|four| {
        matches!(
            four,
            ["clock", ".", "now", "("] | ["Clock", "::", "now", ..]
        )
    });
    reads.count()
}

/// Counts the places that ask for somebody's time.
fn asks_for_somebody(code: &str) -> usize {
    let tokens = tokens(code);
    let asks = tokens.windows(4).filter(|four| {
        matches!(
            four,
            [_, _, "now_of", "("] | ["clock", ".", "of", "("] | ["Clock", "::", "of", ..]
        )
    });
    asks.count()
}

fn counted(sources: &Sources, count: fn(&str) -> usize) -> BTreeMap<String, usize> {
    let counts = sources
        .code()
        .map(|(module, code)| (module.join("::"), count(code)));
    counts.filter(|(_, count)| *count > 0).collect()
}

#[test]
fn sessions_and_consents_go_by_their_tenants_time() {
    let mut found = counted(&sources(), asks_real_time);
    assert!(
        found.len() > 40,
        "the files that read the clock were not found"
    );
    found.retain(|module, _| is_of_tenants(module));
    let listed: BTreeMap<String, usize> = REAL
        .iter()
        .map(|(module, count, _)| ((*module).to_owned(), *count))
        .collect();
    let mut wrong = Vec::new();
    for module in found.keys().chain(listed.keys()) {
        let (is, says) = (found.get(module), listed.get(module));
        if is != says {
            let (is, says) = (is.unwrap_or(&0), says.unwrap_or(&0));
            wrong.push(format!(
                "{module} asks for the real time in {is} places, and this list knows {says}: what belongs to a tenant \
                 goes by state.now_of(tenant); if it has to be the real time, say here why"
            ));
        }
    }
    wrong.dedup();
    report(&wrong);
}

#[test]
fn what_tenants_share_goes_by_the_real_time() {
    let found = counted(&sources(), asks_for_somebody);
    assert!(
        found.len() > 15,
        "the files that ask for a tenant's time were not found"
    );
    let others = found
        .keys()
        .filter(|module| !is_of_tenants(module) && *module != "state");
    let wrong: Vec<String> = others
        .map(|module| {
            format!("{module} asks for a tenant's time: signatures, budgets, kept answers, jobs, people go by the real one")
        })
        .collect();
    report(&wrong);
    let bank = Sources::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("bank/src"));
    assert_eq!(counted(&bank, asks_for_somebody), BTreeMap::new());
}

#[test]
fn clocks_are_found_however_they_are_read() {
    for code in [
        "let now = state.clock.now();",
        "let clock = &self.state.clock; clock.now().trunc_subsecs(0)",
        "state\n    .clock\n    .now()",
        "let now = Clock::now(&state.clock);",
    ] {
        assert_eq!(asks_real_time(code), 1, "{code}");
        assert_eq!(asks_for_somebody(code), 0, "{code}");
    }
    for code in [
        "let now = state.now_of(tenant);",
        "let now = state.clock.of(tenant.0).now();",
        "let of = Clock::of(&state.clock, tenant.0);",
    ] {
        assert_eq!(asks_for_somebody(code), 1, "{code}");
        assert_eq!(asks_real_time(code), 0, "{code}");
    }
}
