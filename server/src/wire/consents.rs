//! Consents as sent: an envelope with what was done, and the record.

use serde::Serialize;
use uuid::Uuid;

use super::Time;
use crate::services::consents::ConsentInfo;

/// Result of an operation on a consent.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ConsentAnswer<T> {
    /// `read` or `delete`.
    #[schema(value_type = String)]
    pub op_type: &'static str,
    /// `credentials_info` or `credentials_deleted`.
    #[schema(value_type = String)]
    pub code: &'static str,
    /// 200.
    pub http: u16,
    #[schema(value_type = String)]
    pub message: &'static str,
    pub result: T,
}

/// A consent record.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Consent {
    pub credentials_id: Uuid,
    /// `ACTIVE`, `DELETED` or `EXPIRED`.
    #[schema(value_type = String)]
    pub status: &'static str,
    pub originator: Originator,
    pub tenant_app_info: TenantApp,
    pub utc_created: Time,
    pub utc_last_update: Time,
    /// Time at which the consent expires.
    pub consent_exp: Time,
    /// Time at which the data cached under the consent is erased.
    pub max_data_retention: Time,
    /// Party that ended the consent before it expired: `tenant`, or `bank` for the end-user at their bank. Absent while
    /// the consent is active, and if it expired.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub ended_by: Option<&'static str>,
}

/// One page of a tenant's consents.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ConsentPage {
    pub items: Vec<Consent>,
    /// Opaque; send it as `after` for the page that follows. `null` on the last page.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

/// Origin of the data: country, servicer and skill.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Originator {
    /// Name of the country, or empty.
    pub country: String,
    pub servicer: String,
    pub skill: String,
}

/// Whom the consent was given to.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TenantApp {
    pub client_id: Uuid,
    pub name: String,
}

/// A consent that was deleted.
#[derive(Serialize, utoipa::ToSchema)]
pub struct DeletedConsent {
    pub client_id: Uuid,
    pub credentials_id: Uuid,
}

impl ConsentAnswer<Consent> {
    /// The answer to a reading.
    pub fn read(client_id: Uuid, info: ConsentInfo) -> Self {
        Self {
            op_type: "read",
            code: "credentials_info",
            http: 200,
            message: "Consent info retrieved",
            result: Consent::of(client_id, info),
        }
    }
}

impl Consent {
    /// A consent of this tenant.
    pub fn of(client_id: Uuid, info: ConsentInfo) -> Self {
        Self {
            credentials_id: info.id.0,
            status: info.status.as_str(),
            originator: Originator {
                country: info.country.as_deref().map(country).unwrap_or_default(),
                servicer: info.provider,
                skill: info.skill.to_string(),
            },
            tenant_app_info: TenantApp {
                client_id,
                name: info.tenant_name,
            },
            utc_created: Time(info.created_at),
            utc_last_update: Time(info.updated_at),
            consent_exp: Time(info.consent_exp),
            max_data_retention: Time(info.max_data_retention),
            ended_by: info.ended_by.map(app::domain::session::EndedBy::as_str),
        }
    }
}

impl ConsentAnswer<DeletedConsent> {
    /// The answer to a deletion, the first as well as a repeated one.
    pub fn deleted(client_id: Uuid, credentials_id: Uuid) -> Self {
        Self {
            op_type: "delete",
            code: "credentials_deleted",
            http: 200,
            message: "Consent deleted",
            result: DeletedConsent {
                client_id,
                credentials_id,
            },
        }
    }
}

/// The English name of a country that skills come from, else its code.
fn country(code: &str) -> String {
    match code {
        "ro" => "Romania".to_owned(),
        "hr" => "Croatia".to_owned(),
        "de" => "Germany".to_owned(),
        "fr" => "France".to_owned(),
        other => other.to_uppercase(),
    }
}
