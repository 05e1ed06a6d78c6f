//! A skill: one provider API in one flavour. A skill is data: its name and its manifest.

use std::fmt;

use super::tenant::Environment;

words! {
    /// What a skill is for. The set is open by design: two are on the roadmap of the first documents.
    SkillType {
        AccountInformation = "account_information",
        PaymentInitiation = "payment_initiation",
        Marketplace = "marketplace",
        CustomerCare = "customer_care",
        ResourceManagement = "resource_management",
    }
}

/// `<servicer>[_<cc>][_<type>][_sbx]_#<major>.<minor>`, for example `xyz_ro_aisp_sbx_#1.0`.
///
/// Contains `#`: percent-encode it in URLs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[cfg_attr(feature = "ssr", derive(sqlx::Type), sqlx(transparent))]
pub struct SkillName(String);

/// A text that is no skill name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a skill name looks like xyz_ro_aisp_sbx_#1.0")]
pub struct NotASkillName;

impl SkillName {
    /// Parses a name: lower-case words joined by `_`, then `_#`, then `major.minor`; at most 64 characters.
    pub fn parse(text: &str) -> Result<Self, NotASkillName> {
        let (words, version) = text.split_once("_#").ok_or(NotASkillName)?;
        let (major, minor) = version.split_once('.').ok_or(NotASkillName)?;
        let number = |digits: &str| {
            (1..=5).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit())
        };
        let word = |word: &str| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        let count = words.split('_').count();
        if text.len() > 64
            || !number(major)
            || !number(minor)
            || !words.split('_').all(word)
            || count > 4
        {
            return Err(NotASkillName);
        }
        Ok(Self(text.to_owned()))
    }

    /// The flavour: sandbox if the name carries `sbx`, else production.
    pub fn environment(&self) -> Environment {
        let words = self.0.split_once("_#").map_or("", |(words, _)| words);
        if words.split('_').skip(1).any(|word| word == "sbx") {
            Environment::Sandbox
        } else {
            Environment::Production
        }
    }

    /// The name as sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SkillName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_names_are_names() {
        for name in [
            "xyz_aisp_sbx_#1.0",
            "xyz_ro_aisp_sbx_#1.0",
            "xyz_sbx_#3.0",
            "rzb_ro_aisp_#2.10",
            "xyz_card_sbx_#1.0",
        ] {
            assert!(SkillName::parse(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "xyz",
            "xyz_#1",
            "xyz#1.0",
            "XYZ_#1.0",
            "xyz__aisp_#1.0",
            "_#1.0",
            "xyz_#1.0 ",
            "xyz_#1.0\n",
        ] {
            assert_eq!(SkillName::parse(name), Err(NotASkillName), "{name}");
        }
    }

    #[test]
    fn the_flavour_is_in_the_name() {
        assert_eq!(
            SkillName::parse("xyz_aisp_sbx_#1.0").unwrap().environment(),
            Environment::Sandbox
        );
        assert_eq!(
            SkillName::parse("xyz_aisp_#1.0").unwrap().environment(),
            Environment::Production
        );
        assert_eq!(
            SkillName::parse("sbx_aisp_#1.0").unwrap().environment(),
            Environment::Production
        );
    }
}
