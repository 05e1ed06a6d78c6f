//! What the exchange of a `temp_token` answers.

use secrecy::ExposeSecret as _;
use serde::Serialize;
use uuid::Uuid;

use super::Time;
use crate::services::sessions::tokens::Exchanged;

/// The pair that opens an end-user's data. Keep it on your server, with your user.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Token {
    pub credentials_id: Uuid,
    /// Shown here once and never again.
    pub access_token: String,
    /// Time at which the consent expires.
    pub consent_exp: Time,
    /// Time at which the data cached under the consent is erased.
    pub max_data_retention: Time,
}

impl From<Exchanged> for Token {
    fn from(exchanged: Exchanged) -> Self {
        Self {
            credentials_id: exchanged.credentials_id.0,
            access_token: exchanged.access_token.expose_secret().to_owned(),
            consent_exp: Time(exchanged.consent_exp),
            max_data_retention: Time(exchanged.max_data_retention),
        }
    }
}
