//! Texts of the letters. Plain words, one link, and what to do if the letter was not expected.

use super::Letter;

/// Characters of a text that somebody typed, at most, in a letter.
const QUOTED: usize = 60;

/// A text that somebody typed, as a letter may quote it: short, on one line, and nothing in it that a mail program would
/// make a link of. It is shown between quotation marks and said to be somebody's words, and never stands in a subject.
fn quoted(text: &str) -> String {
    let plain = text.chars().map(|c| {
        let kept = c.is_alphanumeric() || matches!(c, ' ' | '-' | '&' | '\'' | '+');
        if kept { c } else { ' ' }
    });
    let plain: String = plain.collect();
    let words: Vec<_> = plain.split_whitespace().collect();
    let mut short: String = words.join(" ").chars().take(QUOTED).collect();
    if words.join(" ").chars().count() > QUOTED {
        short.push_str("...");
    }
    format!("\"{short}\"")
}

/// Letter to a person who registered: the `servicer_id` and the link that proves the address. Its words are the same
/// if the address has an account already, as the form it answers must not tell.
pub fn welcome(brand: &str, to: &str, servicer: &str, servicer_id: &str, link: &str) -> Letter {
    let servicer = quoted(servicer);
    Letter {
        to: to.to_owned(),
        subject: format!("Confirm your email address for {brand}"),
        body: format!(
            "Hello,\n\n\
             somebody registered on {brand} with this email address. The name they typed is {servicer}; we have not checked it.\n\n\
             Servicer id: {servicer_id}\n\n\
             If it was you, open this link and confirm with the password that you chose. It works once, for a day:\n\n\
             {link}\n\n\
             If you have another account with this address, the link asks for its password, too, and brings this servicer into it.\n\
             If it was not you, do nothing: without your confirmation that account never gets beyond its own sandbox, and ends.\n"
        ),
    }
}

/// Letter to a person who asked for the link again.
pub fn verification(brand: &str, to: &str, link: &str) -> Letter {
    Letter {
        to: to.to_owned(),
        subject: format!("Confirm your email address for {brand}"),
        body: format!(
            "Hello,\n\n\
             open this link to confirm that this address is yours. It works once, for a day:\n\n\
             {link}\n\n\
             If you did not ask for it, do nothing.\n"
        ),
    }
}

/// Letter to a person who forgot their password.
pub fn password_link(brand: &str, to: &str, link: &str) -> Letter {
    Letter {
        to: to.to_owned(),
        subject: format!("Choose a new password for {brand}"),
        body: format!(
            "Hello,\n\n\
             open this link to choose a new password. It works once, for ten minutes:\n\n\
             {link}\n\n\
             Your account is then signed out everywhere. If you never confirmed this address, the sandbox keys created so far \
             stop working, because somebody else may have created them.\n\
             If you did not ask for it, do nothing: your password stays as it is.\n"
        ),
    }
}

/// Letter to a person whose password was changed, by them or by somebody in their place.
pub fn password_changed(brand: &str, to: &str, forgot: &str) -> Letter {
    Letter {
        to: to.to_owned(),
        subject: format!("Your password for {brand} was changed"),
        body: format!(
            "Hello,\n\n\
             the password of your account was changed just now, and other browsers were signed out.\n\n\
             If this was not you, choose a new one at once:\n\n\
             {forgot}\n"
        ),
    }
}

/// Letter to the owner of a servicer that was approved.
pub fn approved(brand: &str, to: &str, servicer: &str, tenants: &str) -> Letter {
    let servicer = quoted(servicer);
    Letter {
        to: to.to_owned(),
        subject: format!("Your servicer may use production on {brand}"),
        body: format!(
            "Hello,\n\n\
             your servicer {servicer} was approved. You can create production tenants now:\n\n\
             {tenants}\n"
        ),
    }
}

/// Letter to the owner of a tenant whose consents are about to end: their number and the days left, not their users.
pub fn consents_end(
    brand: &str,
    to: &str,
    tenant: &str,
    counts: &[(i64, usize)],
    link: &str,
) -> Letter {
    let lines: String = counts
        .iter()
        .map(|(days, count)| {
            let consents = if *count == 1 { "consent" } else { "consents" };
            let days = match days {
                1 => "a day".to_owned(),
                days => format!("{days} days"),
            };
            format!("  {count} {consents} within {days}\n")
        })
        .collect();
    let tenant = quoted(tenant);
    let total: usize = counts.iter().map(|(_, count)| count).sum();
    Letter {
        to: to.to_owned(),
        subject: format!("Consents that end soon ({total})"),
        body: format!(
            "Hello,\n\n\
             consents given to your tenant {tenant} on {brand} end soon:\n\n\
             {lines}\n\
             GET /v1/consents lists them with their consent_exp; POST /v1/consents/extend begins to renew one.\n\
             How long consents last is set for each skill:\n\n\
             {link}\n"
        ),
    }
}

/// Letter to the owner of a servicer that was suspended. The reason is in the operators' own words.
pub fn suspended(portal: &crate::config::Portal, to: &str, servicer: &str, reason: &str) -> Letter {
    let (brand, servicer) = (&portal.brand, quoted(servicer));
    let support = if portal.support.is_empty() {
        String::new()
    } else {
        format!(
            "\nTo have this looked at again, write to {}.\n",
            portal.support
        )
    };
    Letter {
        to: to.to_owned(),
        subject: format!("Your servicer on {brand} is suspended"),
        body: format!(
            "Hello,\n\n\
             all API calls of your servicer {servicer} are refused from now on, and the portal is read-only.\n\n\
             The reason given:\n\n\
             {reason}\n{support}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_letter_has_one_link_on_a_line_of_its_own() {
        let link = "https://portal.example.com/verify/token";
        for letter in [
            welcome("Tessera", "ana@example.com", "Example Ltd", "id", link),
            verification("Tessera", "ana@example.com", link),
            password_link("Tessera", "ana@example.com", link),
            password_changed("Tessera", "ana@example.com", link),
            consents_end(
                "Tessera",
                "ana@example.com",
                "Budget app",
                &[(7, 2), (1, 1)],
                link,
            ),
            approved("Tessera", "ana@example.com", "Example Ltd", link),
        ] {
            let lines: Vec<_> = letter
                .body
                .lines()
                .filter(|line| line.contains("https://"))
                .collect();
            assert_eq!(lines, [link], "{}", letter.subject);
        }
    }

    #[test]
    fn a_strangers_text_is_quoted_short_and_links_nowhere() {
        let name = "URGENT: open https://evil.example/pay now or www.evil.example\r\nBcc: x@evil.example \u{202e}";
        let support = crate::config::Portal {
            support: "help@example.com".to_owned(),
            ..crate::config::Portal::default()
        };
        for letter in [
            welcome("Tessera", "ana@example.com", name, "id", "link"),
            approved("Tessera", "ana@example.com", name, "link"),
            suspended(&support, "ana@example.com", name, "No contract."),
            consents_end("Tessera", "ana@example.com", name, &[(7, 2)], "link"),
        ] {
            assert!(!letter.subject.contains("URGENT"), "{}", letter.subject);
            let line = letter.body.lines().find(|line| line.contains("URGENT"));
            let quote = line.unwrap().split('"').nth(1).unwrap();
            assert_eq!(
                quote,
                "URGENT open https evil example pay now or www evil example B..."
            );
            for part in ["evil.example", "://", "\u{202e}"] {
                assert!(!letter.body.contains(part), "{part}: {}", letter.body);
            }
        }
    }

    #[test]
    fn nobody_is_told_to_write_where_nobody_reads() {
        let mut portal = crate::config::Portal::default();
        let letter = suspended(&portal, "ana@example.com", "Example Ltd", "No contract.");
        assert!(!letter.body.contains("write to"), "{}", letter.body);
        portal.support = "help@example.com".to_owned();
        let letter = suspended(&portal, "ana@example.com", "Example Ltd", "No contract.");
        assert!(
            letter.body.contains("write to help@example.com"),
            "{}",
            letter.body
        );
    }
}
