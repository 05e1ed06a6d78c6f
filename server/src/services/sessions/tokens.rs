//! The exchange of a `temp_token` for the pair `credentials_id` + `access_token`: once, by the tenant that opened the
//! session (docs/API.md, "Token exchange").

use app::domain::ids::{AuditId, CredentialsId};
use app::domain::problem::Code;
use app::domain::session::EndedBy;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Duration, Utc};
use kernel::crypto::Digest;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::one_time_tokens::temp_token_digest;
use super::standing::progress_at;
use super::{renewals, uploads};
use crate::security::SecurityEvent;
use crate::services::access::idempotency::{IdempotentRequest, running};
use crate::services::access::keys::Client;
use crate::services::consents::end_user::{check_user, require_user};
use crate::services::consents::reminders;
use crate::services::consents::{self, Credentials, access_digest};
use crate::services::refusal::{ApiError, FieldProblem, Refusal};
use crate::state::AppState;
use crate::storage::Tx;
use crate::storage::audit::AuditRow;
use crate::storage::consents::Opening;
use crate::storage::sessions::SessionRow;
use crate::storage::temp_tokens::TempTokenRow;

/// Deep links fire twice: a second use this soon is refused and nothing more.
const GRACE: Duration = Duration::seconds(10);

/// Fields of a request to exchange a token.
pub struct Exchange {
    pub temp_token: SecretString,
    /// PKCE (RFC 7636, section 4.5): needed if the session was opened with a challenge.
    pub code_verifier: Option<SecretString>,
    pub tenant_user_id: Option<String>,
    /// Pair that came along: it must be one of the tenant's own.
    pub pair: Option<Credentials>,
}

/// Result of an exchange. The `access_token` is in here once, and stored nowhere else but as a digest.
#[derive(Clone, Debug)]
pub struct Exchanged {
    pub credentials_id: CredentialsId,
    pub access_token: SecretString,
    pub consent_exp: DateTime<Utc>,
    pub max_data_retention: DateTime<Utc>,
}

/// Answer to an exchange.
#[derive(Debug)]
pub enum ExchangeResult {
    First(Exchanged),
    /// The status and body that the same call was answered before.
    Replay(u16, Vec<u8>),
}

/// Exchanges a token. A refusal leaves it as it was, but for a late second use, which ends what the first one opened.
///
/// Under a key the answer is kept in the transaction of the exchange, as `written`: whatever breaks off afterwards, the
/// same call gets it again, and never counts as a second use.
pub async fn exchange_once(
    state: &AppState,
    client: &Client,
    exchange: Exchange,
    once: Option<IdempotentRequest>,
    written: fn(&Exchanged) -> Vec<u8>,
) -> Result<ExchangeResult, ApiError> {
    let digest = temp_token_digest(state, exchange.temp_token.expose_secret());
    let mut tx = state.db.read().await?;
    if let Some(answer) = first_answer(state, &mut tx, once.as_ref()).await? {
        return Ok(answer);
    }
    // Behind the kept answer: a renewal's exchange ends the token that its own repeat still carries.
    if let Some(pair) = &exchange.pair {
        consents::check_pair(state, &mut tx, client, pair).await?;
    }
    let row = known(&mut tx, client, &exchange.temp_token, &digest).await?;
    if row.exchanged_at.is_some() {
        drop(tx);
        return used(state, client, &row, once.as_ref()).await;
    }
    let session = tx.session(row.session_id).await?;
    let session = session.ok_or_else(|| ApiError::broken("a token without its session"))?;
    let row = waited_for(state, &mut tx, &session, row).await?;
    alive(&mut tx, &row, state.now_of(row.tenant_id)).await?;
    check_verifier(&session, exchange.code_verifier.as_ref())?;
    let (bound, user) = (
        session.tenant_user.as_ref(),
        exchange.tenant_user_id.as_deref(),
    );
    require_user(bound, user)?;
    check_user(state, client.tenant(), bound, user)?;
    drop(tx);
    open(state, client, &digest, &session, (once, written)).await
}

/// The exchange of a call without a key.
#[cfg(test)]
pub async fn exchange(
    state: &AppState,
    client: &Client,
    exchange: Exchange,
) -> Result<Exchanged, ApiError> {
    match exchange_once(state, client, exchange, None, |_| Vec::new()).await? {
        ExchangeResult::First(exchanged) => Ok(exchanged),
        ExchangeResult::Replay(..) => Err(ApiError::broken("an answer was kept without a key")),
    }
}

async fn first_answer(
    state: &AppState,
    tx: &mut Tx,
    once: Option<&IdempotentRequest>,
) -> Result<Option<ExchangeResult>, ApiError> {
    let Some(once) = once else {
        return Ok(None);
    };
    let first = once.first_answer(state, tx).await?;
    Ok(first.map(|(status, body)| ExchangeResult::Replay(status, body)))
}

/// Writes the body of an answer, so that it can be kept with its effect.
type Written = fn(&Exchanged) -> Vec<u8>;

async fn open(
    state: &AppState,
    client: &Client,
    digest: &Digest,
    session: &SessionRow,
    (once, written): (Option<IdempotentRequest>, Written),
) -> Result<ExchangeResult, ApiError> {
    let now = state.now_of(client.tenant());
    let mut tx = state.db.write().await?;
    if let Some(once) = &once
        && !once.take(state, &mut tx).await?
    {
        // The same call, sent twice at once: whoever was faster has written its answer.
        let first = first_answer(state, &mut tx, Some(once)).await?;
        return first.ok_or_else(running);
    }
    tx.hold_session(session.id).await?;
    let mark = once.as_ref().map(IdempotentRequest::mark);
    let exchanged = tx
        .exchange_temp_token(digest, client.tenant(), mark.as_deref(), now)
        .await?;
    if !exchanged {
        let row = tx.temp_token(digest).await?;
        let row = row.ok_or_else(|| ApiError::broken("a token that was there is gone"))?;
        if row.exchanged_at.is_some() {
            drop(tx);
            return used(state, client, &row, once.as_ref()).await;
        }
        alive(&mut tx, &row, now).await?;
        return Err(ApiError::Broken(
            "a token that is alive could not be exchanged".into(),
        ));
    }
    tx.kill_temp_tokens(session.id, now).await?;
    let terms = tx.skill_terms(client.tenant(), &session.skill).await?;
    let terms = terms.ok_or_else(|| {
        Refusal::new(Code::UnauthorizedTenant).says(format!(
            "{} is no longer on this tenant's whitelist.",
            session.skill
        ))
    })?;
    let consent = tx.consent_of(session.id).await?;
    let consent = consent.ok_or_else(|| ApiError::broken("a token without its consent"))?;
    let asked = now + Duration::minutes(terms.consent_duration);
    // The provider may end it earlier than was asked.
    let expires_at = consent.valid_until.map_or(asked, |until| until.min(asked));
    let access_token = state.clock.token();
    let opening = Opening {
        access_token: &access_digest(state, &access_token),
        now,
        expires_at,
        data_until: now + Duration::minutes(terms.cache_max_data_retention),
        reminded: reminders::told_by_itself(state, expires_at - now),
    };
    let mut exchanged = Exchanged {
        credentials_id: consent.id,
        access_token: access_token.into(),
        consent_exp: opening.expires_at,
        max_data_retention: opening.data_until,
    };
    if let Some(renewal) = tx.renewal(session.id).await? {
        exchanged.credentials_id =
            renewals::complete(state, &mut tx, &renewal, &consent, opening).await?;
    } else if !tx.open_consent(session.id, &opening).await? {
        return Err(Code::InactiveCredentials.into());
    }
    if let Some(once) = &once {
        let body = written(&exchanged);
        once.keep_in(state, &mut tx, 200, &body).await?;
    }
    tx.commit().await?;
    Ok(ExchangeResult::First(exchanged))
}

/// A token of this client's; another tenant's is an unknown one.
async fn known(
    tx: &mut Tx,
    client: &Client,
    text: &SecretString,
    digest: &Digest,
) -> Result<TempTokenRow, ApiError> {
    let row = tx.temp_token(digest).await?;
    row.filter(|row| row.tenant_id == client.tenant())
        .ok_or_else(|| {
            let refusal = Refusal::new(Code::InvalidTempToken);
            if text.expose_secret().trim().is_empty() {
                refusal.says("The temp_token is empty: read it from the query of your redirect link, or from the answer to the last step.")
            } else {
                refusal
            }
            .into()
        })
}

/// A token whose life may begin: while its session's last step lacks uploads it is refused for that alone.
async fn waited_for(
    state: &AppState,
    tx: &mut Tx,
    session: &SessionRow,
    row: TempTokenRow,
) -> Result<TempTokenRow, ApiError> {
    let lacks = progress_at(session, state.now_of(session.tenant_id)).lacks_uploads();
    if row.died_at.is_some() || row.expires_at.is_some() || !lacks {
        return Ok(row);
    }
    uploads::none_missing(state, tx, session).await?;
    // The last one came in this very moment.
    let row = tx.temp_token(&row.digest).await?;
    row.ok_or_else(|| ApiError::broken("a token that was there is gone"))
}

/// Refuses a token that can be exchanged no more. Another one of its session may have been: that ends nothing.
async fn alive(tx: &mut Tx, row: &TempTokenRow, now: DateTime<Utc>) -> Result<(), ApiError> {
    if row.died_at.is_some() {
        let siblings = tx.temp_tokens_of(row.session_id).await?;
        if siblings.iter().any(|other| other.exchanged_at.is_some()) {
            return Err(Refusal::new(Code::TempTokenUsed)
                .says("Another temp_token of the same session was exchanged: its end-user's return was loaded more than once. What that one opened is not touched.")
                .into());
        }
        return Err(Refusal::new(Code::TempTokenExpired)
            .says("The session of this temp_token was called off.")
            .into());
    }
    match row.expires_at {
        Some(end) if end > now => Ok(()),
        _ => Err(Code::TempTokenExpired.into()),
    }
}

/// The answer to a second use: the first one's where it is the same call again. Else a refusal; a late one ends what the
/// first opened, and the security log says so.
async fn used(
    state: &AppState,
    client: &Client,
    row: &TempTokenRow,
    once: Option<&IdempotentRequest>,
) -> Result<ExchangeResult, ApiError> {
    let now = state.now_of(row.tenant_id);
    if let Some(once) = once
        && row.exchange_mark == Some(once.mark())
    {
        let mut tx = state.db.read().await?;
        let first = first_answer(state, &mut tx, Some(once)).await?;
        return first.ok_or_else(|| {
            Refusal::new(Code::TempTokenUsed)
                .says("This very call exchanged the temp_token before; its answer was kept for an hour. What it opened is not touched.")
                .into()
        });
    }
    if row.exchanged_at.is_none_or(|at| now - at <= GRACE) {
        return Err(Code::TempTokenUsed.into());
    }
    let mut tx = state.db.write().await?;
    let consent = renewals::opened_by(&mut tx, row.session_id).await?;
    if let Some(consent) = consent
        && tx
            .end_consent(consent.id, now, now, EndedBy::Tenant)
            .await?
    {
        crate::services::consents::revoke_at_provider(state, &mut tx, &consent).await?;
        tx.audit(&AuditRow {
            id: AuditId(state.clock.id()),
            at: state.clock.now(),
            person: None,
            actor: "server".into(),
            servicer: Some(client.servicer()),
            tenant: Some(client.tenant()),
            action: SecurityEvent::ConsentRevoked,
            target: consent.id.to_string(),
            detail: json!({ "why": "temp_token used again", "session_id": row.session_id, "tenant_id": client.tenant() }),
            ip: String::new(),
        })
        .await?;
        tx.commit().await?;
        tracing::warn!(tenant = %client.tenant(), session = %row.session_id, "a temp_token was used again: its consent was ended");
    }
    Err(Refusal::new(Code::TempTokenUsed)
        .says(
            "This temp_token was used before; what its first use opened has been ended for safety.",
        )
        .into())
}

fn check_verifier(session: &SessionRow, verifier: Option<&SecretString>) -> Result<(), ApiError> {
    match (&session.code_challenge, verifier) {
        (None, None) => Ok(()),
        // A verifier nobody asked for hides a challenge that was lost on the way (RFC 9700, section 2.1.1).
        (None, Some(_)) => Err(Refusal::new(Code::InvalidCodeVerifier)
            .says("The session was opened without a code_challenge.")
            .into()),
        (Some(_), None) => Err(missing(
            "code_verifier",
            "is required: the session has a code_challenge",
        )
        .into()),
        (Some(challenge), Some(verifier)) => {
            let hash = Sha256::digest(verifier.expose_secret().as_bytes());
            let made = URL_SAFE_NO_PAD.encode(hash);
            if made.as_bytes().ct_eq(challenge.as_bytes()).into() {
                Ok(())
            } else {
                Err(Code::InvalidCodeVerifier.into())
            }
        }
    }
}

fn missing(name: &str, why: &str) -> Refusal {
    let field = FieldProblem::new(name, Code::MissingFields, why);
    Refusal::new(Code::MissingFields)
        .says(format!("Missing: {name}."))
        .at(vec![field])
}
