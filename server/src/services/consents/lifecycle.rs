//! Consents: who may read with them, what they say about themselves, and their end.
//!
//! A consent is dead at the instant its time runs out or it is deleted, whatever a job has written down by then.

use app::domain::ids::CredentialsId;
use app::domain::problem::Code;
use app::domain::session::{ConsentStatus, EndedBy};
use app::domain::skill::{SkillName, SkillType};
use chrono::{DateTime, Duration, Utc};
use kernel::crypto::Digest;
use secrecy::{ExposeSecret as _, SecretString};

use super::end_user::{self, check_user, user_digest};
use super::grants;
use crate::jobs::revoke_grant::RevokeGrant;
use crate::services::access::keys::Client;
use crate::services::refusal::{ApiError, FieldProblem, Refusal};
use crate::skills::Grant;
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::consents::{ConsentFilter, ConsentRow};
use crate::storage::digests::DigestOwner;
use crate::storage::paging::{Paged, one_more};

/// The longest `pcd_data_retention` where a tenant's own terms are gone: the default cache retention (120 days).
const LONGEST_RETENTION: i64 = 172_800;

/// The pair that points at user data, with the end-user it is for.
pub struct Credentials {
    pub id: CredentialsId,
    pub access_token: SecretString,
    pub tenant_user_id: Option<String>,
}

/// Consents to list: those that match every field that is given.
#[derive(Default)]
pub struct ConsentQuery {
    pub status: Option<ConsentStatus>,
    pub skill: Option<SkillName>,
    /// The end-user as the tenant knows them; consents of sessions that named nobody are not theirs.
    pub tenant_user_id: Option<String>,
    /// Pair that came along: it must be one of the tenant's own.
    pub pair: Option<Credentials>,
}

/// Status and terms of a consent, as the API reports them.
pub struct ConsentInfo {
    pub id: CredentialsId,
    pub status: ConsentStatus,
    pub skill: SkillName,
    /// The servicer behind the skill.
    pub provider: String,
    /// ISO 3166-1 alpha-2, lower case.
    pub country: Option<String>,
    pub tenant_name: String,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub consent_exp: DateTime<Utc>,
    pub max_data_retention: DateTime<Utc>,
    /// The party that ended it before its time; `None` if nobody did.
    pub ended_by: Option<EndedBy>,
}

/// The digest an `access_token` is known by.
pub fn access_digest(state: &AppState, token: &str) -> Digest {
    state.pepper.digest("access_token", token)
}

/// The consent that a pair opens, for reading data: it has to be alive.
pub async fn authorise(
    state: &AppState,
    tx: &mut Tx,
    client: &Client,
    credentials: &Credentials,
) -> Result<ConsentRow, ApiError> {
    let row = identify(state, tx, client, credentials).await?;
    match status_at(&row, state.now_of(row.tenant_id)) {
        ConsentStatus::Active => Ok(row),
        ConsentStatus::Deleted => Err(Code::InactiveCredentials.into()),
        ConsentStatus::Expired => Err(Code::ExpiredCredentials.into()),
    }
}

/// Returns the status and terms of a consent, whether it is active or has ended.
pub async fn get(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
) -> Result<ConsentInfo, ApiError> {
    let mut tx = state.db.read().await?;
    let row = identify(state, &mut tx, client, credentials).await?;
    Ok(info(state, client, row))
}

/// Checks a pair that came along with a call which does not need one: it must be the pair of a consent of this tenant,
/// active or ended.
pub async fn check_pair(
    state: &AppState,
    tx: &mut Tx,
    client: &Client,
    credentials: &Credentials,
) -> Result<(), ApiError> {
    identify(state, tx, client, credentials).await?;
    Ok(())
}

/// Returns the consents of a tenant, active and ended, newest first: at most `limit` of those after one, and `true` if
/// there are more.
pub async fn list(
    state: &AppState,
    client: &Client,
    query: ConsentQuery,
    after: Option<CredentialsId>,
    limit: i64,
) -> Result<(Vec<ConsentInfo>, bool), ApiError> {
    let now = state.now_of(client.tenant());
    let user = query.tenant_user_id.as_deref();
    let filter = ConsentFilter {
        status: query.status,
        skill: query.skill,
        tenant_user: user.map(|user| user_digest(state, client.tenant(), user)),
    };
    let mut tx = state.db.read().await?;
    if let Some(pair) = &query.pair {
        check_pair(state, &mut tx, client, pair).await?;
    }
    if let Some(after) = after {
        let seen = tx.consent(after).await?;
        if seen.is_none_or(|row| row.tenant_id != client.tenant()) {
            let expected = "must be a next_cursor of this list";
            let field = FieldProblem::new("after", Code::InvalidField, expected);
            return Err(Refusal::new(Code::InvalidField)
                .says("Wrong: after.")
                .at(vec![field])
                .into());
        }
    }
    let rows = tx
        .consents_of_tenant(client.tenant(), &filter, now, after, one_more(limit))
        .await?;
    drop(tx);
    let page = Paged::from_rows(rows, limit);
    let infos = page.rows.into_iter().map(|row| info(state, client, row));
    Ok((infos.collect(), page.has_more))
}

fn info(state: &AppState, client: &Client, row: ConsentRow) -> ConsentInfo {
    let manifest = state.skills.get(&row.skill).map(|skill| &skill.manifest);
    ConsentInfo {
        id: row.id,
        status: status_at(&row, state.now_of(row.tenant_id)),
        provider: manifest.map_or_else(String::new, |manifest| manifest.provider.name.clone()),
        country: manifest.and_then(|manifest| manifest.country.clone()),
        tenant_name: client.name().to_owned(),
        created_at: row.exchanged_at.unwrap_or(row.created_at),
        updated_at: row.updated_at,
        consent_exp: row.expires_at.unwrap_or(row.data_until),
        max_data_retention: row.data_until,
        ended_by: row.ended_by,
        skill: row.skill,
    }
}

/// Ends a consent: nothing can be read with it from now on, and the provider is told. `pcd_data_retention` is how many
/// minutes its cached data survives; without it, as long as it would have. Ending what has ended changes nothing.
pub async fn delete(
    state: &AppState,
    client: &Client,
    credentials: &Credentials,
    pcd_data_retention: Option<i64>,
) -> Result<CredentialsId, ApiError> {
    let now = state.now_of(client.tenant());
    let mut tx = state.db.write().await?;
    let row = identify(state, &mut tx, client, credentials).await?;
    let terms = tx.skill_terms(client.tenant(), &row.skill).await?;
    let longest = terms.map_or(LONGEST_RETENTION, |terms| terms.cache_max_data_retention);
    let data_until = match pcd_data_retention {
        None => row.data_until,
        Some(minutes) if (0..=longest).contains(&minutes) => now + Duration::minutes(minutes),
        Some(_) => return Err(bad_retention(longest).into()),
    };
    if tx
        .end_consent(row.id, now, data_until, EndedBy::Tenant)
        .await?
    {
        match revoke_at_provider(state, &mut tx, &row).await {
            Ok(()) => {}
            Err(ApiError::Database(error)) => return Err(error.into()),
            // It ends here all the same.
            Err(error) => {
                tracing::error!(consent = %row.id, %error, "the bank of a deleted consent could not be told");
            }
        }
        tx.commit().await?;
    }
    Ok(row.id)
}

/// Tells the provider that a consent has ended, in a job of the same transaction. The job carries the grant itself,
/// because the row may be erased before it runs.
pub async fn revoke_at_provider(
    state: &AppState,
    tx: &mut Tx,
    row: &ConsentRow,
) -> Result<(), ApiError> {
    let state = &state.for_tenant(tx, row.tenant_id).await?;
    match grants::open(state, row)? {
        Some(grant) => revoke(state, tx, &row.skill, &grant).await,
        None => Ok(()),
    }
}

/// Adds the job that revokes a grant at the provider, for a grant that no stored consent holds.
pub async fn revoke(
    state: &AppState,
    tx: &mut Tx,
    skill: &SkillName,
    grant: &Grant,
) -> Result<(), ApiError> {
    let job = RevokeGrant::new(skill, grant.0.expose());
    Ok(state.queue.add(tx, &job).await?)
}

/// The status at a time. A consent without data that may still be kept is over, too.
pub fn status_at(row: &ConsentRow, now: DateTime<Utc>) -> ConsentStatus {
    let over = row.expires_at.is_some_and(|end| end <= now) || row.data_until <= now;
    match row.status {
        ConsentStatus::Active if over => ConsentStatus::Expired,
        status => status,
    }
}

/// The consent of a pair: a foreign one, or one nobody has exchanged, is an unknown one.
async fn identify(
    state: &AppState,
    tx: &mut Tx,
    client: &Client,
    credentials: &Credentials,
) -> Result<ConsentRow, ApiError> {
    let given = access_digest(state, credentials.access_token.expose_secret());
    let row = tx.consent(credentials.id).await?;
    let row = row.filter(|row| row.tenant_id == client.tenant());
    let Some((row, token)) = row.and_then(|row| row.access_token.clone().map(|token| (row, token)))
    else {
        return Err(Code::InvalidCredentialsId.into());
    };
    if given != token {
        return Err(Code::InvalidAccessToken.into());
    }
    let user = credentials.tenant_user_id.as_deref();
    let bound = row.tenant_user.as_ref();
    let user = check_user(state, client.tenant(), bound, user)?;
    if let (Some(bound), Some(given)) = (bound, &user) {
        let whose = DigestOwner::TenantUser(row.id);
        state.digests.note(whose, bound, given);
    }
    let whose = DigestOwner::AccessToken(row.id);
    state.digests.note(whose, &token, &given);
    Ok(row)
}

/// Refuses a data call that lacks the end-user its session named.
pub fn require_user(row: &ConsentRow, credentials: &Credentials) -> Result<(), ApiError> {
    let given = credentials.tenant_user_id.as_deref();
    end_user::require_user(row.tenant_user.as_ref(), given)
}

/// Refuses a call that reads data of another kind than the consent is for.
pub fn require_kind(state: &AppState, row: &ConsentRow, wanted: SkillType) -> Result<(), ApiError> {
    let skill = state.skills.get(&row.skill);
    let (points_at, instead) = match skill.map(|skill| skill.manifest.kind) {
        None => return Ok(()),
        Some(kind) if kind == wanted => return Ok(()),
        Some(SkillType::AccountInformation) => (
            "accounts",
            "POST /v1/accounts/get, /v1/balances/get or /v1/transactions/get",
        ),
        Some(SkillType::PaymentInitiation) => ("a payment", "POST /v1/payments/get"),
        Some(SkillType::Marketplace) => ("a product", "POST /v1/products/get"),
        Some(SkillType::CustomerCare | SkillType::ResourceManagement) => {
            ("something else", "what the skill's data contract names")
        }
    };
    Err(Refusal::new(Code::WrongKindOfConsent)
        .says(format!("This consent points at {points_at}."))
        .hints(format!("Use {instead}."))
        .into())
}

fn bad_retention(longest: i64) -> Refusal {
    let expected = format!("must be a whole number of minutes from 0 to {longest}");
    let field = FieldProblem::new("pcd_data_retention", Code::InvalidField, expected);
    Refusal::new(Code::InvalidPcdDataRetention).at(vec![field])
}
