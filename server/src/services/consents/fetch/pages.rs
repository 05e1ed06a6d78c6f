//! The pages of a bank's list as they come. Some banks lead in circles, and while a list is read its entries move on: what
//! ended one page then begins the next.

use std::collections::HashSet;

use chrono::NaiveDate;

use crate::services::consents::utx::content_hash;
use crate::skills::BankTransaction;
use app::domain::transaction::BookingStatus;

/// Most pages in a row that bring nothing that was not seen before.
const MOST_IDLE: usize = 50;

/// An entry as it looks, with its day.
type SeenEntry = (u64, Option<NaiveDate>);

/// Pages of one account's list so far.
#[derive(Default)]
pub struct Pages {
    links: HashSet<String>,
    entries: HashSet<u64>,
    /// Booked entries of the page before, and pending ones.
    before: (Vec<SeenEntry>, Vec<SeenEntry>),
    idle: usize,
}

/// A page without what was on the one before.
pub struct UnseenPage {
    pub entries: Vec<BankTransaction>,
    /// `true` if the list goes round in circles: there is nothing new on the page, and what follows it was read before.
    pub circles: bool,
}

impl Pages {
    /// Takes the next page, which `next` follows.
    pub fn take(&mut self, page: Vec<BankTransaction>, next: Option<&str>) -> UnseenPage {
        let known = self.entries.len();
        self.entries.extend(page.iter().map(content_hash));
        let news = self.entries.len() > known;
        self.idle = if news { 0 } else { self.idle + 1 };
        let again = next.is_some_and(|link| !self.links.insert(link.to_owned()));
        if !news && (again || self.idle > MOST_IDLE) {
            return UnseenPage {
                entries: Vec::new(),
                circles: true,
            };
        }
        UnseenPage {
            entries: self.without_overlap(page),
            circles: false,
        }
    }

    fn without_overlap(&mut self, page: Vec<BankTransaction>) -> Vec<BankTransaction> {
        let seen = |status: BookingStatus| -> Vec<SeenEntry> {
            let of = page.iter().filter(|entry| entry.status == status);
            of.map(|entry| (content_hash(entry), entry.booking_date.or(entry.value_date)))
                .collect()
        };
        let now = (seen(BookingStatus::Booked), seen(BookingStatus::Pending));
        let mut booked = overlap(&self.before.0, &now.0);
        let mut pending = overlap(&self.before.1, &now.1);
        self.before = now;
        let mut page = page;
        page.retain(|entry| {
            let left = match entry.status {
                BookingStatus::Booked => &mut booked,
                BookingStatus::Pending => &mut pending,
            };
            let is_over = *left == 0;
            *left = left.saturating_sub(1);
            is_over
        });
        page
    }
}

/// Returns how many entries at the beginning of a page are those at the end of the page before. Entries of one day may
/// look alike and be several, so that only what goes back to an earlier day counts.
fn overlap(before: &[SeenEntry], page: &[SeenEntry]) -> usize {
    let most = before.len().min(page.len());
    let goes_back = |part: &[SeenEntry]| {
        let first = part.first().map(|seen| seen.1);
        part.iter().any(|seen| Some(seen.1) != first)
    };
    let is_again = |length: &usize| {
        let part = page.get(..*length);
        part.is_some_and(|part| before.ends_with(part) && goes_back(part))
    };
    (1..=most).rev().find(is_again).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str, day: &str) -> BankTransaction {
        let mut entry = crate::testing::transaction("x", "-5.00", day);
        (entry.id, entry.remittance) = (None, Some(text.into()));
        entry
    }

    fn texts(fresh: &UnseenPage) -> Vec<&str> {
        let texts = fresh.entries.iter();
        texts
            .map(|entry| entry.remittance.as_deref().unwrap())
            .collect()
    }

    #[test]
    fn what_moved_on_to_the_next_page_is_taken_once() {
        let mut pages = Pages::default();
        let list = [
            entry("d", "2026-01-04"),
            entry("c", "2026-01-03"),
            entry("b", "2026-01-02"),
            entry("a", "2026-01-01"),
        ];
        let first = pages.take(list[..3].to_vec(), Some("2"));
        assert_eq!(texts(&first), ["d", "c", "b"]);
        let second = pages.take(list[1..].to_vec(), None);
        assert_eq!(texts(&second), ["a"]);
    }

    #[test]
    fn two_of_a_day_that_look_alike_are_two_on_any_pages() {
        let mut pages = Pages::default();
        let coffee = || entry("coffee", "2026-01-02");
        for (page, count) in [
            (vec![entry("b", "2026-01-03"), coffee()], 2),
            (vec![coffee()], 1),
            (vec![coffee(), entry("a", "2026-01-01")], 2),
        ] {
            assert_eq!(pages.take(page, None).entries.len(), count);
        }
    }

    #[test]
    fn a_list_in_circles_is_read_once() {
        let (a, b) = (entry("a", "2026-01-01"), entry("b", "2026-01-01"));
        let mut pages = Pages::default();
        for (page, next, taken, circles) in [
            (&a, "2", 1, false),
            (&b, "1", 1, false),
            // A link that was followed before, with a new entry behind it, is no circle.
            (&entry("c", "2026-01-01"), "2", 1, false),
            (&a, "2", 0, true),
        ] {
            let fresh = pages.take(vec![page.clone()], Some(next));
            assert_eq!((fresh.entries.len(), fresh.circles), (taken, circles));
        }
        // Nor does one that names its one page anew each time go on forever.
        let mut pages = Pages::default();
        let read = (0..1_000).take_while(|n: &usize| {
            let fresh = pages.take(vec![a.clone()], Some(&n.to_string()));
            !fresh.circles
        });
        assert_eq!(read.count(), MOST_IDLE + 1);
    }
}
