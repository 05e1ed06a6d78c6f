//! A skill: one provider API in one flavour. A skill is data: its name and its manifest.

use std::fmt;

use super::tenant::Environment;
use super::zone::Zone;

string_enum! {
    /// Purpose of a skill. The set is open by design: two are on the roadmap of the first documents.
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
#[derive(
    Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
#[serde(try_from = "String")]
#[cfg_attr(feature = "ssr", derive(sqlx::Type), sqlx(transparent))]
pub struct SkillName(String);

impl TryFrom<String> for SkillName {
    type Error = NotASkillName;
    fn try_from(text: String) -> Result<Self, NotASkillName> {
        Self::parse(&text)
    }
}

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

/// A skill as data: what the catalogue publishes and what drives a session. One manifest may be published under
/// several names, all of one flavour.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkillManifest {
    /// Every name the skill is published under, the preferred one first.
    pub names: Vec<SkillName>,
    pub title: String,
    pub provider: Provider,
    /// ISO 3166-1 alpha-2, lower case; none for a skill of no one country.
    #[serde(default)]
    pub country: Option<String>,
    /// Time zone in which a bank that carries out payments counts its days; UTC if it is `None`.
    #[serde(default)]
    pub time_zone: Option<Zone>,
    #[serde(rename = "type")]
    pub kind: SkillType,
    /// Name of the connector that runs the skill.
    pub connector: String,
    /// In the order in which a session without branches takes them.
    pub steps: Vec<SkillStep>,
    /// Longest duration of a session, in minutes, time in `SESSION_PENDING` not counted; 1,440 at most.
    pub session_minutes: i64,
    /// Description of the data that the skill gives once consented, in a few sentences for developers.
    pub data_contract: String,
    /// `true` if everybody may see the skill. An unpublished one is for administrators, and for the tenants on whose
    /// whitelist they put it.
    #[serde(default = "yes")]
    pub published: bool,
}

/// The servicer that supplies a skill.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// The first word of the skill's names.
    pub code: String,
    pub name: String,
}

/// One step of a skill.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkillStep {
    pub name: String,
    pub title: String,
    /// JSON Schema, draft 2020-12, of the step's `data`. Objects in it refuse unknown keys.
    pub schema: serde_json::Value,
    /// `data` that the schema accepts.
    pub example: serde_json::Value,
    #[serde(default)]
    pub uploads: Vec<UploadRule>,
    /// Highest number of files that the step takes in all; 5 unless the manifest says otherwise.
    #[serde(default = "five")]
    pub max_uploads: u32,
    /// `true` if the answer may send the end-user's browser to the provider.
    #[serde(default)]
    pub redirect: bool,
    /// `true` if the provider may verify the step offline: the session is then pending for a while.
    #[serde(default)]
    pub pending: bool,
    /// `true` if the session may be complete after this step.
    #[serde(default)]
    pub last: bool,
}

/// A file that a step takes.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UploadRule {
    /// `id_front`, `selfie`: sent beside the file.
    pub kind: String,
    pub title: String,
    pub required: bool,
    /// Largest size, in bytes; 10 MiB unless the manifest says otherwise.
    #[serde(default = "ten_mebibytes")]
    pub max_bytes: u64,
}

const fn ten_mebibytes() -> u64 {
    10 * 1024 * 1024
}

const fn yes() -> bool {
    true
}

const fn five() -> u32 {
    5
}

impl SkillStep {
    /// The rule for files of a kind.
    pub fn upload(&self, kind: &str) -> Option<&UploadRule> {
        self.uploads.iter().find(|rule| rule.kind == kind)
    }

    /// Returns `true` if the step is not complete without files.
    pub fn requires_uploads(&self) -> bool {
        self.uploads.iter().any(|rule| rule.required)
    }
}

impl SkillManifest {
    /// The step of a name.
    pub fn step(&self, name: &str) -> Option<&SkillStep> {
        self.steps.iter().find(|step| step.name == name)
    }

    /// The step a session begins with.
    pub fn first_step(&self) -> Option<&SkillStep> {
        self.steps.first()
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
