//! How many of something each source has at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::source::SourceAddress;

/// Counts by source. Whoever has none is not remembered.
#[derive(Clone, Default)]
pub struct Counts(Arc<Mutex<HashMap<SourceAddress, u32>>>);

/// One of what its source may have; given back when dropped.
pub struct CountSlot {
    counts: Counts,
    source: SourceAddress,
}

impl Counts {
    /// One more for a source, unless it has `most` already.
    pub fn enter(&self, source: SourceAddress, most: u32) -> Option<CountSlot> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(source).or_insert(0);
        if *count >= most.max(1) {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(CountSlot {
            counts: self.clone(),
            source,
        })
    }
}

impl Drop for CountSlot {
    fn drop(&mut self) {
        let mut counts = self.counts.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.source) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.source);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn source(text: &str) -> SourceAddress {
        SourceAddress::from(text.parse::<IpAddr>().unwrap())
    }

    #[test]
    fn each_source_has_its_own_and_a_network_of_ipv6_is_one() {
        let counts = Counts::default();
        let (a, b) = (source("192.0.2.1"), source("192.0.2.2"));
        let held: Vec<CountSlot> = (0..2).filter_map(|_| counts.enter(a, 2)).collect();
        assert!(held.len() == 2 && counts.enter(a, 2).is_none());
        assert!(counts.enter(b, 2).is_some(), "another source is another");
        drop(held);
        assert!(counts.enter(a, 2).is_some(), "what was given back is there");
        assert!(counts.0.lock().unwrap().is_empty(), "nobody is remembered");
        let one = counts.enter(source("2001:db8::1"), 1);
        assert!(one.is_some() && counts.enter(source("2001:db8::2"), 1).is_none());
        assert!(counts.enter(source("2001:db8:0:1::1"), 1).is_some());
    }
}
