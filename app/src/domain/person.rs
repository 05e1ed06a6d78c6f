//! People who use the portal: their e-mail addresses, passwords, roles and what a role permits.

use std::fmt;

use super::text::{BadText, hidden, nfkc};

string_enum! {
    /// Role of a person within one servicer.
    Role {
        /// Everything, including closing the servicer.
        Owner = "owner",
        /// Team, tenants and keys, production included.
        Admin = "admin",
        /// Sandbox keys, console and logs.
        Developer = "developer",
        /// Reads everything but keys.
        Analyst = "analyst",
        /// Reads the audit log and consents.
        Auditor = "auditor",
    }
}

/// One thing a role may or may not do. The portal's screen table and the services ask the same matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// See tenants, requests and the overview.
    ReadTenants,
    /// Create sandbox tenants, change their settings, whitelist skills.
    ManageSandboxTenants,
    /// Create production tenants, change their settings, whitelist skills.
    ManageProductionTenants,
    /// See and rotate the keys of sandbox tenants.
    ManageSandboxKeys,
    /// See and rotate the keys of production tenants.
    ManageProductionKeys,
    /// Run sessions in the sandbox console.
    UseConsole,
    /// Change the servicer's own data.
    ManageServicer,
}

impl Permission {
    /// Returns `true` if the permission reaches production, which is closed to accounts without a proved address.
    pub const fn is_production(self) -> bool {
        matches!(
            self,
            Self::ManageProductionTenants | Self::ManageProductionKeys
        )
    }
}

impl Role {
    /// Returns `true` if this role has a permission.
    pub const fn may(self, permission: Permission) -> bool {
        use Permission::{ManageSandboxKeys, ManageSandboxTenants, ReadTenants, UseConsole};
        match self {
            Self::Owner | Self::Admin => true,
            Self::Developer => matches!(
                permission,
                ReadTenants | ManageSandboxTenants | ManageSandboxKeys | UseConsole
            ),
            Self::Analyst => matches!(permission, ReadTenants),
            Self::Auditor => false,
        }
    }
}

/// An email address, trimmed, in the one spelling of its mailbox: NFKC, with the domain as A-labels in lower case
/// (UTS 46), so that `ana@bücher.example` and `ana@xn--bcher-kva.example` are one address.
///
/// Only the shape is judged: one `@`, a local part that is a dot-string (RFC 5321 4.1.2, RFC 6531 3.3) of at most 64
/// octets, a dotted domain, at most 254 octets in all (RFC 5321 4.5.3.1), nothing invisible anywhere. Whether the mailbox
/// exists is proved by a mail that is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Email(String);

/// Reason a text is not an email address; says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnEmail {
    #[error("Enter an email address like name@example.com.")]
    Shape,
    #[error("The part before the @ can't begin or end with a dot, or have two in a row.")]
    Dots,
    #[error("{0}")]
    Hidden(#[from] BadText),
}

impl Email {
    /// Parses and normalises an address.
    pub fn parse(text: &str) -> Result<Self, NotAnEmail> {
        let text = text.trim();
        // Before anything is mapped: mapping drops what cannot be seen.
        if let Some((at, c)) = text.chars().enumerate().find(|(_, c)| hidden(*c).is_some()) {
            return Err(NotAnEmail::Hidden(BadText::Character {
                code: u32::from(c),
                name: hidden(c).unwrap_or_default(),
                position: at + 1,
            }));
        }
        if text.len() > 1024 {
            return Err(NotAnEmail::Shape);
        }
        let text = nfkc(text);
        let (local, domain) = text.rsplit_once('@').ok_or(NotAnEmail::Shape)?;
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| NotAnEmail::Shape)?;
        let plain = |c: char| {
            !c.is_whitespace()
                && hidden(c).is_none()
                && !matches!(
                    c,
                    '<' | '>' | ',' | ';' | ':' | '"' | '(' | ')' | '[' | ']' | '\\' | '@'
                )
        };
        // No top-level domain is a number (RFC 3696, section 2): what ends in one is an IP address.
        let is_number = |label: &str| label.bytes().all(|b| b.is_ascii_digit());
        let labels_ok = domain.contains('.')
            && !domain.rsplit('.').next().is_none_or(is_number)
            && domain.split('.').all(|label| {
                !label.is_empty()
                    && !label.starts_with('-')
                    && !label.ends_with('-')
                    && label
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            });
        if local.is_empty()
            || local.len() > 64
            || local.len() + 1 + domain.len() > 254
            || !local.chars().all(plain)
            || !labels_ok
        {
            return Err(NotAnEmail::Shape);
        }
        if local.split('.').any(str::is_empty) {
            return Err(NotAnEmail::Dots);
        }
        Ok(Self(format!("{local}@{domain}")))
    }

    /// An address as it is stored: what was accepted once stays one, whatever is refused today.
    pub fn stored(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The address as it is written to.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form under which two spellings count as one account: all in lower case, whatever stands beside a letter (a
    /// sigma at the end of a word is a sigma), and composed again. RFC 5321 lets a host tell `Ana` from `ana`; hardly one
    /// does, and two accounts for one person would be the commoner harm. Letters are written to the address as it was
    /// typed. Dots and `+tags` before the `@` are different mailboxes.
    pub fn key(&self) -> String {
        let lower = self.0.chars().flat_map(char::to_lowercase);
        let folded: String = lower.map(|c| if c == 'ς' { 'σ' } else { c }).collect();
        nfkc(&folded)
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_trimmed_and_their_domain_lowered() {
        assert_eq!(
            Email::parse(" Ana@Example.COM ").unwrap().as_str(),
            "Ana@example.com"
        );
        assert_eq!(
            Email::parse("Ana@Example.COM").unwrap().key(),
            "ana@example.com"
        );
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "ana",
            "ana@",
            "@example.com",
            "ana@example",
            "a b@example.com",
            "ana@exa mple.com",
            "ana@-a.com",
            "<ana@example.com>",
            "ana@exa_mple.com",
            "ana@example..com",
            "ana@example.com.",
            "ana@a@example.com",
            "ana@[192.0.2.1]",
            "ana@192.0.2.1",
            "ana@example.123",
        ] {
            assert_eq!(Email::parse(text), Err(NotAnEmail::Shape), "{text}");
        }
        for text in [".ana@example.com", "ana.@example.com", "a..na@example.com"] {
            assert_eq!(Email::parse(text), Err(NotAnEmail::Dots), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_seen_in_an_address_is_named() {
        for (text, name) in [
            ("ana\u{200b}@example.com", "U+200B (zero width space)"),
            ("ana\u{202e}@example.com", "U+202E (right-to-left override)"),
            ("ana@exa\u{ad}mple.com", "U+00AD (soft hyphen)"),
            ("ana@exa\u{200d}mple.com", "U+200D (zero width joiner)"),
            ("a\u{0}na@example.com", "U+0000 (null)"),
        ] {
            let refusal = Email::parse(text).unwrap_err().to_string();
            assert!(refusal.contains(name), "{text:?}: {refusal}");
        }
    }

    #[test]
    fn one_mailbox_has_one_key() {
        let key = |text: &str| Email::parse(text).unwrap().key();
        for (one, other) in [
            ("ana@bücher.example", "ana@xn--bcher-kva.example"),
            ("ana@BÜCHER.example", "ana@bu\u{308}cher.example"),
            ("ana@ｅxample.com", "ana@example.com"),
            ("ａna@example.com", "ana@example.com"),
            ("ana＠example.com", "ana@example.com"),
            ("ana@example。com", "ana@example.com"),
            ("josé@example.com", "jose\u{301}@example.com"),
            ("Ana@Example.COM", "ana@example.com"),
            ("ana@faß.example", "ana@xn--fa-hia.example"),
            ("ΟΔΥΣΣΕΥΣ@example.com", "οδυσσευς@example.com"),
            ("οδυσσευσ@example.com", "οδυσσευς@example.com"),
            ("J\u{30c}ana@example.com", "\u{1f0}ana@example.com"),
            ("Aẞ@example.com", "aß@example.com"),
        ] {
            assert_eq!(key(one), key(other), "{one}");
        }
        for (one, other) in [
            ("ana@example.com", "a.na@example.com"),
            ("ana@example.com", "ana+x@example.com"),
            ("ana@bücher.example", "ana@bucher.example"),
        ] {
            assert_ne!(key(one), key(other), "{one}");
        }
    }

    #[test]
    fn only_owners_and_admins_reach_production() {
        for role in Role::ALL {
            assert_eq!(
                role.may(Permission::ManageProductionKeys),
                matches!(role, Role::Owner | Role::Admin)
            );
        }
    }
}
