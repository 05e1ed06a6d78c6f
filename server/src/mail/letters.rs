//! What the letters say. Plain words, one link, and what to do if the letter was not expected.

use super::Letter;

/// To a person who registered: the `servicer_id` and the link that proves the address. The same words whether or not
/// the address has an account already, for the form it answers must not tell.
pub fn welcome(brand: &str, to: &str, servicer: &str, servicer_id: &str, link: &str) -> Letter {
    Letter {
        to: to.to_owned(),
        subject: format!("{servicer} on {brand}: your servicer id, and one link to open"),
        body: format!(
            "Hello,\n\n\
             {servicer} is registered on {brand} and its sandbox keys work already.\n\n\
             Your servicer_id: {servicer_id}\n\n\
             Open this link to prove that this address is yours. It works once, for a day:\n\n\
             {link}\n\n\
             If you have an account with this address already, the link adds {servicer} to it.\n\
             If you did not register, do not open the link: nothing else will come.\n"
        ),
    }
}

/// To a person who asked for the link again.
pub fn verification(brand: &str, to: &str, link: &str) -> Letter {
    Letter {
        to: to.to_owned(),
        subject: format!("Prove your address for {brand}"),
        body: format!(
            "Hello,\n\n\
             open this link to prove that this address is yours. It works once, for a day:\n\n\
             {link}\n\n\
             If you did not ask for it, do not open it.\n"
        ),
    }
}

/// To a person who forgot their password.
pub fn password_link(brand: &str, to: &str, link: &str) -> Letter {
    Letter {
        to: to.to_owned(),
        subject: format!("Choose a new password for {brand}"),
        body: format!(
            "Hello,\n\n\
             open this link to choose a new password. It works once, for ten minutes:\n\n\
             {link}\n\n\
             Your account is then signed out everywhere.\n\
             If you did not ask for it, do nothing: your password stays as it is.\n"
        ),
    }
}

/// To a person whose password was changed, by them or by somebody in their place.
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

/// To the owner of a servicer that was approved.
pub fn approved(brand: &str, to: &str, servicer: &str, tenants: &str) -> Letter {
    Letter {
        to: to.to_owned(),
        subject: format!("{servicer} may use production on {brand}"),
        body: format!(
            "Hello,\n\n\
             {servicer} was approved. You can create production tenants now:\n\n\
             {tenants}\n"
        ),
    }
}

/// To the owner of a tenant whose consents are about to end: how many within how many days, and nothing of whose.
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
    let total: usize = counts.iter().map(|(_, count)| count).sum();
    Letter {
        to: to.to_owned(),
        subject: format!("{tenant}: consents that end soon ({total})"),
        body: format!(
            "Hello,\n\n\
             consents given to {tenant} on {brand} end soon:\n\n\
             {lines}\n\
             GET /v1/consents lists them with their consent_exp; POST /v1/consents/extend begins to renew one.\n\
             How long consents last is set for each skill:\n\n\
             {link}\n"
        ),
    }
}

/// To the owner of a servicer that was suspended.
pub fn suspended(brand: &str, to: &str, servicer: &str, reason: &str) -> Letter {
    Letter {
        to: to.to_owned(),
        subject: format!("{servicer} is suspended on {brand}"),
        body: format!(
            "Hello,\n\n\
             all API calls of {servicer} are refused from now on, and the portal shows everything and changes nothing.\n\n\
             The reason given:\n\n\
             {reason}\n\n\
             Answer your contact at {brand} to have this looked at again.\n"
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
}
