//! People who use the portal: their e-mail addresses, passwords, roles and what a role permits.

use std::fmt;

words! {
    /// What a person is within one servicer.
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
    /// The same for production tenants.
    ManageProductionTenants,
    /// See and rotate the keys of sandbox tenants.
    ManageSandboxKeys,
    /// The same for production tenants.
    ManageProductionKeys,
    /// Run sessions in the sandbox console.
    UseConsole,
    /// Change the servicer's own data.
    ManageServicer,
}

impl Role {
    /// Whether this role has a permission.
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

/// An e-mail address as a person typed it, trimmed, with its domain in lower case.
///
/// Only the shape is judged (one `@`, a dotted domain, no spaces or control characters, at most 254 octets,
/// RFC 5321 4.5.3.1): whether the mailbox exists is proved by a mail that is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Email(String);

/// Why a text is not an e-mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Enter an e-mail address like name@example.com.")]
pub struct NotAnEmail;

impl Email {
    /// Parses and normalises an address.
    pub fn parse(text: &str) -> Result<Self, NotAnEmail> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(NotAnEmail)?;
        let plain = |c: char| {
            !c.is_whitespace()
                && !c.is_control()
                && !matches!(c, '<' | '>' | ',' | ';' | '"' | '(' | ')' | '@')
        };
        let labels_ok = domain.contains('.')
            && domain
                .split('.')
                .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
            && domain
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-'));
        if local.is_empty()
            || local.len() > 64
            || text.len() > 254
            || !local.chars().all(plain)
            || !labels_ok
        {
            return Err(NotAnEmail);
        }
        Ok(Self(format!("{local}@{}", domain.to_lowercase())))
    }

    /// The address as it is written to.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form under which two spellings count as one mailbox: all in lower case.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
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
        ] {
            assert_eq!(Email::parse(text), Err(NotAnEmail), "{text}");
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
