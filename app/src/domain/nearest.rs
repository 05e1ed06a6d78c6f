//! Which registered link somebody meant who presented another one, and where the two differ. For the tenant's own eyes:
//! whoever may not know what is registered is not told.

use super::link::{Parts, is_loopback};

/// Links longer than this are cut where they are shown.
const SHOWN: usize = 200;

/// The registered link that is most like one that was presented.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nearest {
    pub link: String,
    /// In words.
    pub difference: String,
    /// The presented link, what differs in brackets.
    pub marked: String,
}

impl Nearest {
    /// Finds it; `None` where nothing is registered.
    pub fn of<'l>(presented: &str, registered: impl Iterator<Item = &'l str>) -> Option<Self> {
        let near = |link: &&str| {
            let (head, tail) = alike(link, presented);
            (head + tail, std::cmp::Reverse(link.len()))
        };
        let link = registered.max_by_key(near)?;
        Some(Self {
            link: cut(link),
            difference: difference(link, presented).to_owned(),
            marked: marked(link, presented),
        })
    }

    /// One sentence for the developer.
    pub fn says(&self) -> String {
        format!(
            "The nearest registered link is {}: {}. Yours, with the difference in brackets: {}",
            self.link, self.difference, self.marked
        )
    }
}

/// Counts the bytes that two links have in common at their beginning, and then at their end; letters in any case.
fn alike(link: &str, presented: &str) -> (usize, usize) {
    let same = |pair: &(u8, u8)| pair.0.eq_ignore_ascii_case(&pair.1);
    let head = link.bytes().zip(presented.bytes()).take_while(same).count();
    let left = link.len().min(presented.len()) - head;
    let tail = link.bytes().rev().zip(presented.bytes().rev());
    (head, tail.take(left).take_while(same).count())
}

fn difference(link: &str, presented: &str) -> &'static str {
    let trimmed = |text: &'_ str| text.trim_end_matches('/').len();
    if trimmed(link) == trimmed(presented) && link.starts_with(presented.trim_end_matches('/')) {
        return if link.len() < presented.len() {
            "yours has a slash at its end"
        } else {
            "it has a slash at its end, and yours has not"
        };
    }
    if link.eq_ignore_ascii_case(presented) {
        return "capital and small letters differ";
    }
    let (Ok(own), Ok(other)) = (Parts::split(link), Parts::split(presented)) else {
        return "yours has a character that links cannot have";
    };
    let same_rest = own.rest == other.rest;
    if own.scheme != other.scheme {
        return "another scheme";
    }
    if !own.host().eq_ignore_ascii_case(other.host()) {
        return match (is_loopback(own.host()), is_loopback(other.host())) {
            (true, true) => {
                "another name of this machine: localhost, 127.0.0.1 and [::1] are not the same (RFC 8252, section 8.3)"
            }
            _ if own.host().trim_start_matches("www.")
                == other.host().trim_start_matches("www.") =>
            {
                "one has www. and the other has not"
            }
            _ => "another host",
        };
    }
    if own.host() != other.host() && same_rest {
        return "capital and small letters of the host differ";
    }
    if own.port() != other.port() && same_rest {
        return "another port; a default port is not left out here";
    }
    let path = |parts: &Parts| parts.rest.split('?').next().map(str::to_owned);
    if path(&own) != path(&other) {
        return "another path";
    }
    "another query"
}

/// The presented link with what differs in brackets, fit to be shown and kept in logs: what its query holds may be
/// about an end-user, and is not.
fn marked(link: &str, presented: &str) -> String {
    let parts = |text: &str| match text.split_once('?') {
        Some((before, _)) => (before.to_owned(), "?…"),
        None => (text.to_owned(), ""),
    };
    let ((own, _), (other, query)) = (parts(link), parts(presented));
    if own == other {
        return format!("{}[{query}]", cut(&other));
    }
    format!("{}{query}", between(&own, &other))
}

fn between(link: &str, presented: &str) -> String {
    let head = link
        .char_indices()
        .zip(presented.chars())
        .find(|((_, own), other)| own != other)
        .map_or(link.len().min(presented.len()), |((at, _), _)| at);
    let (own, other) = (
        link.get(head..).unwrap_or_default(),
        presented.get(head..).unwrap_or_default(),
    );
    let tail: usize = own
        .chars()
        .rev()
        .zip(other.chars().rev())
        .take_while(|(own, other)| own == other)
        .map(|(own, _)| own.len_utf8())
        .sum();
    let middle = other.get(..other.len() - tail).unwrap_or_default();
    let (before, after) = (
        presented.get(..head).unwrap_or_default(),
        other.get(other.len() - tail..).unwrap_or_default(),
    );
    format!("{}[{}]{}", cut(before), cut(middle), cut(after))
}

/// A text of somebody else's, short and without anything that is not seen.
fn cut(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN)
        .flat_map(|c| {
            let escaped = c.is_control() || !c.is_ascii();
            let own = (!escaped).then_some(c);
            own.into_iter()
                .chain(c.escape_unicode().filter(move |_| escaped))
        })
        .collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_is_named_and_marked() {
        let registered = ["http://127.0.0.1/cb", "https://app.example.com/return"];
        let cases = [
            (
                "https://app.example.com/return/",
                "a slash at its end",
                "https://app.example.com/return[/]",
            ),
            (
                "https://APP.example.com/return",
                "capital and small",
                "https://[APP].example.com/return",
            ),
            (
                "https://app.example.com:443/return",
                "port",
                "https://app.example.com[:443]/return",
            ),
            (
                "http://localhost:5000/cb",
                "RFC 8252, section 8.3",
                "http://[localhost:5000]/cb",
            ),
            (
                "https://www.app.example.com/return",
                "www.",
                "https://[www.]app.example.com/return",
            ),
            (
                "https://app.example.com/returns",
                "another path",
                "https://app.example.com/return[s]",
            ),
            (
                "https://app.example.com/return?x=1",
                "another query",
                "https://app.example.com/return[?…]",
            ),
            (
                "http://app.example.com/return",
                "another scheme",
                "http[]://app.example.com/return",
            ),
            (
                "https://evil.example/return",
                "another host",
                "https://[evil.example]/return",
            ),
        ];
        for (presented, difference, marked) in cases {
            let nearest = Nearest::of(presented, registered.into_iter()).unwrap();
            assert!(
                nearest.difference.contains(difference),
                "{presented}: {nearest:?}"
            );
            assert_eq!(nearest.marked, marked, "{presented}");
        }
        assert_eq!(
            Nearest::of("https://app.example.com/", [].into_iter()),
            None
        );
    }

    #[test]
    fn what_is_shown_is_short_and_seen() {
        let long = format!("https://app.example.com/{}\u{202e}é", "a".repeat(3000));
        let nearest = Nearest::of(&long, ["https://app.example.com/"].into_iter()).unwrap();
        assert!(
            nearest.says().len() < 1500 && nearest.says().is_ascii()
                || nearest.marked.contains('…')
        );
        assert!(!nearest.says().contains('\u{202e}'));
    }
}
