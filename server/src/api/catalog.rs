//! The catalog: public for published sandbox skills; with a tenant's keys it also says which it may use.

use app::domain::country::COUNTRIES;
use app::domain::problem::Code;
use app::domain::skill::{SkillName, SkillType};
use app::domain::tenant::Environment;
use app::domain::zone::Zone;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::json::Json;
use utoipa::openapi::{RefOr, Schema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::data::Limit;
use super::refusals::GetSkillErrors;
use crate::http::call::{Call, OptionalAuth};
use crate::http::fields::{Field, FieldPath, fields, schema_of_pattern, word_field};
use crate::http::path_text::PathText;
use crate::http::paths;
use crate::http::tagged::Tagged;
use crate::problem::Problem;
use crate::services::access::catalog::{self, CatalogFilter, Offer};
use crate::services::refusal::{FieldProblem, Refusal};
use crate::state::AppState;
use crate::wire::catalog::*;

pub fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one))
        .routes(routes!(servicers))
        .routes(routes!(get_all))
}

fields! {
    /// Filter of the skills to list. A skill is listed if it matches every field that is given.
    pub struct CatalogQuery for OptionalAuth {
        /// Skill type: `account_information`, `payment_initiation`, `marketplace`.
        kind = "type": Option<SkillType>,
        /// ISO 3166-1 alpha-2: two letters.
        country: Option<Country>,
        /// `sandbox` or `production`.
        flavour: Option<Environment>,
        /// Code of the servicer that provides it.
        servicer: Option<String>,
        /// Text found in name, title or provider.
        q: Option<String>,
        /// 1 to 500; 100 if absent.
        limit: Option<Limit<500>>,
        /// `next_cursor` of the page before.
        after: Option<String>,
    }
}

fields! {
    /// Asks for the servicers that provide skills, page by page.
    pub struct ServicerQuery for OptionalAuth {
        /// 1 to 500; 100 if absent.
        limit: Option<Limit<500>>,
        /// `next_cursor` of the page before.
        after: Option<String>,
    }
}

fields! {
    /// Keys only, and optional: with them the answer says which skills the tenant may use.
    pub struct KeysOnly for OptionalAuth {}
}

/// Lists skills.
#[utoipa::path(get, path = "/v1/catalog/skills", tag = "catalog", params(CatalogQuery), responses((status = 200, body = SkillPage)))]
async fn list(
    State(state): State<AppState>,
    headers: HeaderMap,
    call: Call<CatalogQuery>,
) -> Result<Response, Problem> {
    let limit = limit(call.input.limit).unwrap_or(100);
    let offers = catalog::list(&state, call.by.as_ref(), &filter(call.input)?).await?;
    let has_more = offers.len() > limit;
    let items: Vec<SkillSummary> = offers.iter().take(limit).map(summary).collect();
    let next_cursor = items
        .last()
        .filter(|_| has_more)
        .map(|last| URL_SAFE_NO_PAD.encode(&last.skill));
    let page = SkillPage {
        items,
        next_cursor,
        has_more,
    };
    Ok(Tagged::new(&page).answer(&headers))
}

/// Lists skills, in the documented style: a bare array.
#[utoipa::path(post, path = "/v1/catalogs/get", tag = "catalog", request_body = CatalogQuery, responses((status = 200, body = Vec<SkillSummary>)))]
async fn get_all(
    State(state): State<AppState>,
    call: Call<CatalogQuery>,
) -> Result<Json<Vec<SkillSummary>>, Problem> {
    let limit = limit(call.input.limit).unwrap_or(usize::MAX);
    let offers = catalog::list(&state, call.by.as_ref(), &filter(call.input)?).await?;
    Ok(Json(offers.iter().take(limit).map(summary).collect()))
}

/// Returns one skill: its steps with their JSON Schemas, uploads and examples. Percent-encode the name: `#` is `%23`.
#[utoipa::path(get, path = "/v1/catalog/skills/{skill}", tag = "catalog", params(("skill" = String, Path, description = "The skill's name, percent-encoded"), KeysOnly), responses((status = 200, body = SkillDetail), GetSkillErrors))]
async fn one(
    State(state): State<AppState>,
    PathText(name): PathText,
    headers: HeaderMap,
    call: Call<KeysOnly>,
) -> Result<Response, Problem> {
    let offer = catalog::one(&state, call.by.as_ref(), &name).await?;
    let offer = offer.ok_or_else(|| {
        let hint = if name.contains("%23") {
            "The name is percent-encoded twice: write %23 for #, and % for nothing else, as in /v1/catalog/skills/xyz_ro_aisp_sbx_%231.0."
        } else if name.contains('#') {
            "Copy a name from GET /v1/catalog/skills and percent-encode it: # is %23."
        } else {
            paths::NUMBER_SIGN
        };
        Refusal::new(Code::NotFound).hints(hint)
    })?;
    Ok(Tagged::new(&detail(&offer)).answer(&headers))
}

/// Lists the servicers that provide skills.
#[utoipa::path(get, path = "/v1/catalog/servicers", tag = "catalog", params(ServicerQuery), responses((status = 200, body = ServicerPage)))]
async fn servicers(
    State(state): State<AppState>,
    headers: HeaderMap,
    call: Call<ServicerQuery>,
) -> Result<Response, Problem> {
    let offers = catalog::list(&state, call.by.as_ref(), &CatalogFilter::default()).await?;
    let mut items: Vec<CatalogServicer> = offers.iter().map(servicer).collect();
    items.sort_by(|a, b| a.code.cmp(&b.code));
    items.dedup_by(|a, b| a.code == b.code);
    if let Some(after) = call.input.after {
        let seen = items.iter().position(|item| item.code == after);
        let seen = seen.ok_or_else(|| invalid("after", "must be a next_cursor of this list"))?;
        items.drain(..=seen);
    }
    let limit = limit(call.input.limit).unwrap_or(100);
    let has_more = items.len() > limit;
    items.truncate(limit);
    let page = ServicerPage {
        next_cursor: items
            .last()
            .filter(|_| has_more)
            .map(|last| last.code.clone()),
        has_more,
        items,
    };
    Ok(Tagged::new(&page).answer(&headers))
}

word_field! {
    SkillType, "must be account_information, payment_initiation, marketplace, customer_care or resource_management";
    Environment, "must be sandbox or production";
}

/// A country's two letters, in lower case.
pub struct Country(String);

impl Field for Country {
    fn read(value: json::JsonValue<'_>, at: &mut FieldPath<'_>) -> Option<Self> {
        let text = String::read(value, at)?;
        let upper = text.to_ascii_uppercase();
        if COUNTRIES.iter().any(|(code, _)| *code == upper) {
            return Some(Self(text.to_ascii_lowercase()));
        }
        at.invalid("must be the two letters of a country (ISO 3166-1), like ro")
    }
    fn schema() -> RefOr<Schema> {
        schema_of_pattern("^[A-Za-z]{2}$")
    }
}

fn limit(given: Option<Limit<500>>) -> Option<usize> {
    usize::try_from(given?.0).ok()
}

fn filter(query: CatalogQuery) -> Result<CatalogFilter, Problem> {
    let after = query.after.map(|cursor| {
        let name = URL_SAFE_NO_PAD
            .decode(cursor)
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .filter(|name| SkillName::parse(name).is_ok());
        name.ok_or_else(|| invalid("after", "must be the next_cursor of an earlier page"))
    });
    Ok(CatalogFilter {
        kind: query.kind,
        country: query.country.map(|country| country.0),
        flavour: query.flavour,
        servicer: query.servicer,
        q: query.q,
        after: after.transpose()?,
    })
}

fn invalid(path: &str, message: &str) -> Problem {
    let field = FieldProblem::new(path, Code::InvalidField, message);
    Refusal::new(Code::InvalidField)
        .says(format!("Wrong: {path}."))
        .at(vec![field])
        .into()
}

fn summary(offer: &Offer) -> SkillSummary {
    let manifest = &offer.skill.manifest;
    SkillSummary {
        skill: offer.skill.name.to_string(),
        title: manifest.title.clone(),
        kind: manifest.kind.as_str(),
        country: manifest.country.clone(),
        time_zone: manifest.time_zone.map(Zone::name),
        flavour: offer.skill.name.environment().as_str(),
        servicer: servicer(offer),
        steps: manifest
            .steps
            .iter()
            .map(|step| step.name.clone())
            .collect(),
        whitelisted: offer.whitelisted,
    }
}

fn servicer(offer: &Offer) -> CatalogServicer {
    let provider = &offer.skill.manifest.provider;
    CatalogServicer {
        code: provider.code.clone(),
        name: provider.name.clone(),
    }
}

fn detail(offer: &Offer) -> SkillDetail {
    let manifest = &offer.skill.manifest;
    let step = |step: &app::domain::skill::SkillStep| StepDetail {
        step: step.name.clone(),
        title: step.title.clone(),
        schema: step.schema.clone(),
        example: step.example.clone(),
        redirect: step.redirect,
        pending: step.pending,
        last: step.last,
        uploads: step
            .uploads
            .iter()
            .map(|upload| UploadDetail {
                kind: upload.kind.clone(),
                title: upload.title.clone(),
                required: upload.required,
                max_bytes: upload.max_bytes,
            })
            .collect(),
        max_uploads: step.max_uploads,
    };
    SkillDetail {
        summary: summary(offer),
        session_minutes: manifest.session_minutes,
        data_contract: manifest.data_contract.clone(),
        step_details: manifest.steps.iter().map(step).collect(),
    }
}
