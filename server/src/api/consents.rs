//! Consents: reading and deleting them, in both styles.

use app::domain::ids::CredentialsId;
use app::domain::problem::Code;
use axum::Json;
use axum::extract::{Path, State};
use secrecy::SecretString;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::data::credentials;
use super::refusals::{Consenting, Ending};
use crate::http::call::{Also, Call, Data, Server};
use crate::http::fields::fields;
use crate::problem::Problem;
use crate::services::consents::{self, Credentials};
use crate::services::keys::Client;
use crate::services::refusal::{FieldProblem, Refusal};
use crate::state::AppState;
use crate::wire::consents::{Consent, ConsentAnswer, DeletedConsent};

/// The operations of this file.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(delete))
        .routes(routes!(get_one, delete_one))
}

fields! {
    /// Asks what a consent says about itself.
    pub struct GetConsent for Data {}
}

fields! {
    /// Deletes a consent.
    pub struct DeleteConsent for Data {
        /// Minutes for which the cached data outlives the consent; 0: gone as soon as possible. If not given, the data
        /// stays as long as it would have.
        pcd_data_retention: Option<i64>,
    }
}

fields! {
    /// Asks what a consent says about itself.
    pub struct GetOneConsent for Server {}
}

fields! {
    /// Deletes a consent.
    pub struct DeleteOneConsent for Server {
        /// Minutes for which the cached data outlives the consent; 0: gone as soon as possible. If not given, the data
        /// stays as long as it would have.
        pcd_data_retention: Option<i64>,
    }
}

/// Read a consent
#[utoipa::path(post, path = "/v1/consents/get", tag = "Consents", request_body = GetConsent,
    responses((status = 200, body = ConsentAnswer<Consent>), Consenting))]
async fn get(
    State(state): State<AppState>,
    call: Call<GetConsent>,
) -> Result<Json<ConsentAnswer<Consent>>, Problem> {
    let (client, credentials) = credentials(call.by, call.also);
    read(&state, &client, &credentials).await
}

/// Delete a consent
///
/// Nothing can be read with it any more, and the bank is told. Deleting it again changes nothing.
#[utoipa::path(post, path = "/v1/consents/delete", tag = "Consents", request_body = DeleteConsent,
    responses((status = 200, body = ConsentAnswer<DeletedConsent>), Ending))]
async fn delete(
    State(state): State<AppState>,
    call: Call<DeleteConsent>,
) -> Result<Json<ConsentAnswer<DeletedConsent>>, Problem> {
    let retention = call.input.pcd_data_retention;
    let (client, credentials) = credentials(call.by, call.also);
    end(&state, &client, &credentials, retention).await
}

/// Read a consent by its id
#[utoipa::path(get, path = "/v1/consents/{credentials_id}", tag = "Consents",
    params(("credentials_id" = uuid::Uuid, Path, description = "The consent."), GetOneConsent),
    responses((status = 200, body = ConsentAnswer<Consent>), Consenting))]
async fn get_one(
    State(state): State<AppState>,
    Path(id): Path<String>,
    call: Call<GetOneConsent>,
) -> Result<Json<ConsentAnswer<Consent>>, Problem> {
    let credentials = named(&id, call.also)?;
    read(&state, &call.by, &credentials).await
}

/// Delete a consent by its id
#[utoipa::path(delete, path = "/v1/consents/{credentials_id}", tag = "Consents",
    params(("credentials_id" = uuid::Uuid, Path, description = "The consent."), DeleteOneConsent),
    responses((status = 200, body = ConsentAnswer<DeletedConsent>), Ending))]
async fn delete_one(
    State(state): State<AppState>,
    Path(id): Path<String>,
    call: Call<DeleteOneConsent>,
) -> Result<Json<ConsentAnswer<DeletedConsent>>, Problem> {
    let credentials = named(&id, call.also)?;
    end(
        &state,
        &call.by,
        &credentials,
        call.input.pcd_data_retention,
    )
    .await
}

async fn read(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
) -> Result<Json<ConsentAnswer<Consent>>, Problem> {
    let info = consents::get(state, client, credentials).await?;
    Ok(Json(ConsentAnswer::read(client.tenant().0, info)))
}

async fn end(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
    retention: Option<i64>,
) -> Result<Json<ConsentAnswer<DeletedConsent>>, Problem> {
    let id = consents::delete(state, client, credentials, retention).await?;
    Ok(Json(ConsentAnswer::deleted(client.tenant().0, id.0)))
}

/// The pair of a call whose path names the consent; a header that names another one is an error.
fn named(id: &str, also: Also) -> Result<Credentials, Problem> {
    let id: CredentialsId = id.parse().map_err(|_| Code::InvalidCredentialsId)?;
    if also
        .credentials_id
        .is_some_and(|header| header.parse() != Ok(id))
    {
        return Err(Code::InvalidCredentialsId.into());
    }
    let access_token: SecretString = also.access_token.ok_or_else(|| {
        let field = FieldProblem::new("X-Access-Token", Code::MissingFields, "is required");
        Refusal::new(Code::MissingFields).at(vec![field])
    })?;
    Ok(Credentials {
        id,
        access_token,
        tenant_user_id: also.tenant_user_id,
    })
}
