//! Consents: reading and deleting them, in both styles.

use app::domain::ids::CredentialsId;
use app::domain::problem::Code;
use app::domain::session::ConsentStatus;
use app::domain::skill::SkillName;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use json::JsonValue as Given;
use kernel::json::Json;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::data::{Limit, credentials, pair};
use super::refusals::{
    DeleteConsentErrors, ExtendConsentErrors, GetConsentErrors, ListConsentsErrors,
};
use super::sessions::Challenge;
use crate::http::call::{Call, ConsentAuth, ExtraCredentials, ServerAuth};
use crate::http::fields::{Field, FieldPath, Text, fields, unproved_problem, word_field};
use crate::http::idempotency::{self, Idempotency};
use crate::http::path_text::PathText;
use crate::problem::Problem;
use crate::services::access::keys::Client;
use crate::services::consents::{self, ConsentQuery, Credentials};
use crate::services::refusal::{FieldProblem, Refusal};
use crate::services::sessions::renewals::{self, NewRenewal};
use crate::state::AppState;
use crate::wire::consents::{Consent, ConsentAnswer, ConsentPage, DeletedConsent};
use crate::wire::sessions::SessionOpened;

/// The operations of this file.
pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(delete))
        .routes(routes!(get_one, delete_one))
        .routes(routes!(list_by_post))
        .routes(routes!(list))
        .routes(routes!(extend))
}

fields! {
    /// Asks what a consent says about itself.
    pub struct GetConsent for ConsentAuth {}
}

fields! {
    /// Deletes a consent.
    pub struct DeleteConsent for ConsentAuth {
        /// Minutes for which the cached data outlives the consent, up to the tenant's own maximum; 0: gone as soon as
        /// possible. If not given, the data stays as long as it would have.
        pcd_data_retention: Option<Minutes>,
    }
}

fields! {
    /// Asks what a consent says about itself.
    pub struct GetOneConsent for ServerAuth {}
}

fields! {
    /// Deletes a consent.
    pub struct DeleteOneConsent for ServerAuth {
        /// Minutes for which the cached data outlives the consent, up to the tenant's own maximum; 0: gone as soon as
        /// possible. If not given, the data stays as long as it would have.
        pcd_data_retention: Option<Minutes>,
    }
}

fields! {
    /// Asks for the tenant's consents, page by page.
    pub struct ListConsents for ServerAuth {
        /// `ACTIVE`, `DELETED` or `EXPIRED`.
        status: Option<ConsentStatus>,
        /// Name of the skill that the consent was given through.
        skill: Option<String>,
        /// 1 to 500; 100 if not given.
        limit: Option<Limit<500>>,
        /// The `next_cursor` of the page before.
        after: Option<CredentialsId>,
    }
}

fields! {
    /// Asks for a session that renews a consent.
    pub struct ExtendConsent for ConsentAuth {
        /// PKCE (RFC 7636), S256: then the exchange needs the `code_verifier`.
        code_challenge: Option<Challenge>,
        /// Your own, handed back as `state` on your redirect link.
        state: Option<Text<1024>>,
    }
}

/// A time in minutes. How many there may be is up to the tenant's terms, and so is the refusal of any that are too few
/// or too many; the schema says what holds for all tenants.
pub struct Minutes(i64);

impl Field for Minutes {
    fn read(value: Given<'_>, at: &mut FieldPath<'_>) -> Option<Self> {
        i64::read(value, at).map(Self)
    }

    fn schema() -> RefOr<Schema> {
        let minutes = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)));
        Schema::Object(minutes.minimum(Some(0)).build()).into()
    }
}

word_field! {
    ConsentStatus, "must be ACTIVE, DELETED or EXPIRED";
}

/// Read a consent
#[utoipa::path(post, path = "/v1/consents/get", tag = "Consents", request_body = GetConsent,
    responses((status = 200, body = ConsentAnswer<Consent>), GetConsentErrors))]
async fn get(
    State(state): State<AppState>,
    call: Call<GetConsent>,
) -> Result<Json<ConsentAnswer<Consent>>, Problem> {
    let (client, credentials) = credentials(call.by, call.extra);
    read(&state, &client, &credentials).await
}

/// Delete a consent
///
/// Nothing can be read with it any more, and the bank is told. Deleting it again changes nothing.
#[utoipa::path(post, path = "/v1/consents/delete", tag = "Consents", request_body = DeleteConsent,
    responses((status = 200, body = ConsentAnswer<DeletedConsent>), DeleteConsentErrors))]
async fn delete(
    State(state): State<AppState>,
    call: Call<DeleteConsent>,
) -> Result<Response, Problem> {
    let retention = call.input.pcd_data_retention.map(|minutes| minutes.0);
    let (client, credentials) = credentials(call.by, call.extra);
    end(state, client, credentials, retention, call.idempotency).await
}

/// List consents
///
/// All consents of the tenant, active or ended, newest first; with `tenant_user_id`, those of one end-user.
#[utoipa::path(post, path = "/v1/consents/list", tag = "Consents", request_body = ListConsents,
    responses((status = 200, body = ConsentPage), ListConsentsErrors))]
async fn list_by_post(
    State(state): State<AppState>,
    call: Call<ListConsents>,
) -> Result<Json<ConsentPage>, Problem> {
    page(state, call, false).await
}

/// List consents (REST style)
#[utoipa::path(get, path = "/v1/consents", tag = "Consents", params(ListConsents),
    responses((status = 200, body = ConsentPage), ListConsentsErrors))]
async fn list(
    State(state): State<AppState>,
    call: Call<ListConsents>,
) -> Result<Json<ConsentPage>, Problem> {
    page(state, call, true).await
}

/// Extend a consent
///
/// Opens a session for the same end-user and skill: take them through its steps, then exchange its `temp_token` as always.
/// The exchange gives the same `credentials_id` a new `access_token`; the old one works until then.
#[utoipa::path(post, path = "/v1/consents/extend", tag = "Consents", request_body = ExtendConsent,
    responses((status = 200, body = SessionOpened), ExtendConsentErrors))]
async fn extend(
    State(state): State<AppState>,
    call: Call<ExtendConsent>,
) -> Result<Response, Problem> {
    let new = NewRenewal {
        code_challenge: call.input.code_challenge.map(|challenge| challenge.0),
        state: call.input.state.map(|text| text.0),
    };
    let (client, credentials) = credentials(call.by, call.extra);
    let (engine, context) = (state.clone(), call.context);
    let work = async move {
        let opened = renewals::begin(&engine, &client, &credentials, new).await?;
        context.note_session(opened.session_id);
        Ok(Json(SessionOpened::from(opened)).into_response())
    };
    call.idempotency
        .run(&state, "consents.extend", idempotency::DAY, work)
        .await
}

/// Read a consent by its id
#[utoipa::path(get, path = "/v1/consents/{credentials_id}", tag = "Consents",
    params(("credentials_id" = uuid::Uuid, Path, description = "The consent."), GetOneConsent),
    responses((status = 200, body = ConsentAnswer<Consent>), GetConsentErrors))]
async fn get_one(
    State(state): State<AppState>,
    PathText(id): PathText,
    call: Call<GetOneConsent>,
) -> Result<Json<ConsentAnswer<Consent>>, Problem> {
    let credentials = named(&id, call.extra)?;
    read(&state, &call.by, &credentials).await
}

/// Delete a consent by its id
#[utoipa::path(delete, path = "/v1/consents/{credentials_id}", tag = "Consents",
    params(("credentials_id" = uuid::Uuid, Path, description = "The consent."), DeleteOneConsent),
    responses((status = 200, body = ConsentAnswer<DeletedConsent>), DeleteConsentErrors))]
async fn delete_one(
    State(state): State<AppState>,
    PathText(id): PathText,
    call: Call<DeleteOneConsent>,
) -> Result<Response, Problem> {
    let retention = call.input.pcd_data_retention.map(|minutes| minutes.0);
    let credentials = named(&id, call.extra)?;
    end(state, call.by, credentials, retention, call.idempotency).await
}

async fn page(
    state: AppState,
    call: Call<ListConsents>,
    in_headers: bool,
) -> Result<Json<ConsentPage>, Problem> {
    let skill = call.input.skill.as_deref().map(SkillName::parse);
    let query = ConsentQuery {
        status: call.input.status,
        skill: skill
            .transpose()
            .map_err(|_| Problem::new(Code::InvalidSkillName))?,
        tenant_user_id: call.extra.tenant_user_id.clone(),
        pair: pair(call.extra, in_headers)?,
    };
    let limit = call.input.limit.map_or(100, |limit| limit.0);
    let (infos, has_more) =
        consents::list(&state, &call.by, query, call.input.after, limit).await?;
    let client_id = call.by.tenant().0;
    let items: Vec<Consent> = infos
        .into_iter()
        .map(|info| Consent::of(client_id, info))
        .collect();
    let last = items.last().filter(|_| has_more);
    Ok(Json(ConsentPage {
        next_cursor: last.map(|last| last.credentials_id.to_string()),
        has_more,
        items,
    }))
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
    state: AppState,
    client: Client,
    credentials: Credentials,
    retention: Option<i64>,
    idempotency: Idempotency,
) -> Result<Response, Problem> {
    let engine = state.clone();
    let work = async move {
        let id = consents::delete(&engine, &client, &credentials, retention).await?;
        Ok(Json(ConsentAnswer::deleted(client.tenant().0, id.0)).into_response())
    };
    idempotency
        .run(&state, "consents.delete", idempotency::DAY, work)
        .await
}

/// The pair of a call whose path names the consent; a header that names another one is an error.
fn named(id: &str, also: ExtraCredentials) -> Result<Credentials, Problem> {
    let id: CredentialsId = id.parse().map_err(|_| Code::InvalidCredentialsId)?;
    if also
        .credentials_id
        .is_some_and(|header| header.parse() != Ok(id))
    {
        let why = "names another consent than the path: send one of them";
        return Err(Refusal::new(Code::InvalidField)
            .says("X-Credentials-Id and the path name two consents.")
            .at(vec![FieldProblem::new(
                "credentials_id",
                Code::InvalidField,
                why,
            )])
            .into());
    }
    let access_token = also.access_token.ok_or_else(|| {
        let field = FieldProblem::new("access_token", Code::MissingFields, "is required");
        unproved_problem(vec![field])
    })?;
    Ok(Credentials {
        id,
        access_token,
        tenant_user_id: also.tenant_user_id,
    })
}
