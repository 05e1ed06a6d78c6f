//! Skills and servicers as the catalog tells them.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// One published skill.
#[derive(Serialize, ToSchema)]
pub struct SkillSummary {
    /// The name to open sessions with. Contains `#`: percent-encode it in URLs.
    #[schema(example = "xyz_ro_aisp_sbx_#1.0")]
    pub skill: String,
    pub title: String,
    /// `account_information`, `payment_initiation`, `marketplace`, `customer_care` or `resource_management`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// ISO 3166-1 alpha-2, lower case.
    pub country: Option<String>,
    /// Where its days begin, as the IANA database names it: "today" of a payment's dates. Absent where it is UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "Europe/Bucharest")]
    pub time_zone: Option<&'static str>,
    /// `sandbox` or `production`.
    pub flavour: &'static str,
    pub servicer: CatalogServicer,
    /// Names of the steps, in order.
    pub steps: Vec<String>,
    /// `true` if the tenant may use the skill. Absent if the call was made without keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whitelisted: Option<bool>,
}

/// A servicer that provides skills.
#[derive(Clone, Serialize, ToSchema)]
pub struct CatalogServicer {
    /// The first word of its skills' names.
    pub code: String,
    pub name: String,
}

/// One skill with all that implementing it needs.
#[derive(Serialize, ToSchema)]
pub struct SkillDetail {
    #[serde(flatten)]
    pub summary: SkillSummary,
    /// Time a session may take, in minutes.
    pub session_minutes: i64,
    /// Description of the data that the skill gives after consent.
    pub data_contract: String,
    /// The steps in the order in which a session without branches takes them.
    pub step_details: Vec<StepDetail>,
}

/// One step of a skill.
#[derive(Serialize, ToSchema)]
pub struct StepDetail {
    /// Name of the step, sent as `step`.
    pub step: String,
    pub title: String,
    /// JSON Schema (draft 2020-12) of `data`.
    #[schema(value_type = Object)]
    pub schema: Value,
    /// Example of `data` that the schema accepts.
    #[schema(value_type = Object)]
    pub example: Value,
    /// `true` if the answer may redirect the end-user's browser to the provider.
    pub redirect: bool,
    /// `true` if the provider may verify the step offline: the session is then `SESSION_PENDING` for a while.
    pub pending: bool,
    /// `true` if the session may be complete after this step.
    pub last: bool,
    pub uploads: Vec<UploadDetail>,
    /// Largest number of files that the step takes, of all kinds together.
    pub max_uploads: u32,
}

/// A file that a step takes.
#[derive(Serialize, ToSchema)]
pub struct UploadDetail {
    /// Kind of the file, sent as `kind` beside it.
    pub kind: String,
    pub title: String,
    pub required: bool,
    pub max_bytes: u64,
}

/// A page of skills.
#[derive(Serialize, ToSchema)]
pub struct SkillPage {
    pub items: Vec<SkillSummary>,
    /// Cursor of the next page: send it as `after`. `null` on the last page.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

/// Every servicer that provides a skill.
#[derive(Serialize, ToSchema)]
pub struct ServicerPage {
    pub items: Vec<CatalogServicer>,
    pub next_cursor: Option<String>,
    pub has_more: bool,
}
