//! Payments: what was ordered, and what the bank last said about it.

use app::domain::ids::{CredentialsId, PaymentId, SessionId, TenantId};
use app::domain::payment::{PaymentKind, PaymentStatus};
use app::domain::skill::SkillName;
use chrono::{DateTime, Utc};

use super::{DbResult, Tx, run};

/// One payment. It has no pair of its own before its end-user has authorised it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct PaymentRow {
    pub id: PaymentId,
    pub tenant_id: TenantId,
    pub session_id: SessionId,
    /// The step that ordered it.
    pub position: i64,
    pub consent_id: Option<CredentialsId>,
    pub skill: SkillName,
    pub kind: PaymentKind,
    pub status: PaymentStatus,
    #[sqlx(rename = "final")]
    pub is_final: bool,
    /// The order as submitted; sealed.
    pub ordered: Vec<u8>,
    /// State that its connector asks the bank with before there is a grant; sealed.
    pub bank_ref: Option<Vec<u8>>,
    /// Last answer of the bank about it; sealed.
    pub said: Option<Vec<u8>>,
    pub as_of: Option<DateTime<Utc>>,
    pub look_at: DateTime<Utc>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

/// Answer of a bank about a payment.
pub struct ProviderStatus<'a> {
    pub status: PaymentStatus,
    pub is_final: bool,
    /// The answer; sealed.
    pub said: &'a [u8],
    /// Time the bank was asked.
    pub as_of: DateTime<Utc>,
    pub now: DateTime<Utc>,
}

/// Every column of a payment, in one place.
macro_rules! payment_columns {
    () => {
        "id, tenant_id, session_id, position, consent_id, skill, kind, status, final, ordered, bank_ref, said, as_of, look_at, \
         created_at, updated_at"
    };
}

impl Tx {
    /// Writes down what a step has ordered.
    pub async fn insert_payment(&mut self, row: &PaymentRow) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO payments (id, tenant_id, session_id, position, skill, kind, status, final, ordered, bank_ref,
                                       look_at, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            )
            .bind(row.id)
            .bind(row.tenant_id)
            .bind(row.session_id)
            .bind(row.position)
            .bind(&row.skill)
            .bind(row.kind)
            .bind(row.status)
            .bind(row.is_final)
            .bind(&row.ordered)
            .bind(&row.bank_ref)
            .bind(row.look_at)
            .bind(row.created_at)
            .bind(row.updated_at)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Gives the last payment of a session to the consent that reads it; `None` if the session ordered none.
    pub async fn grant_payment(
        &mut self,
        session: SessionId,
        consent: CredentialsId,
    ) -> DbResult<Option<PaymentId>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "UPDATE payments SET consent_id = $2
                 WHERE session_id = $1 AND position = (SELECT MAX(position) FROM payments WHERE session_id = $1)
                 RETURNING id",
            )
            .bind(session)
            .bind(consent)
            .fetch_optional(conn)
            .await
        })
    }

    pub async fn payment(&mut self, id: PaymentId) -> DbResult<Option<PaymentRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "SELECT ",
                payment_columns!(),
                " FROM payments WHERE id = $1"
            ))
            .bind(id)
            .fetch_optional(conn)
            .await
        })
    }

    /// The payment that a consent reads.
    pub async fn payment_of(&mut self, consent: CredentialsId) -> DbResult<Option<PaymentRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "SELECT ",
                payment_columns!(),
                " FROM payments WHERE consent_id = $1"
            ))
            .bind(consent)
            .fetch_optional(conn)
            .await
        })
    }

    /// Writes down what the bank said; what is final stays, and so does what was asked later.
    pub async fn put_provider_status(
        &mut self,
        id: PaymentId,
        said: &ProviderStatus<'_>,
    ) -> DbResult<bool> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE payments SET updated_at = CASE WHEN status = $2 THEN updated_at ELSE $6 END,
                                     status = $2, final = $3, said = $4, as_of = $5
                 WHERE id = $1 AND NOT final AND (as_of IS NULL OR as_of <= $5)",
            )
            .bind(id)
            .bind(said.status)
            .bind(said.is_final)
            .bind(said.said)
            .bind(said.as_of)
            .bind(said.now)
            .execute(conn)
            .await
            .map(|done| done.rows_affected() == 1)
        })
    }

    /// Claims a poll that is due, and sets the time of the next one; `None` if another took it, or nothing can change.
    pub async fn claim_payment_poll(
        &mut self,
        id: PaymentId,
        now: DateTime<Utc>,
        next: DateTime<Utc>,
    ) -> DbResult<Option<PaymentRow>> {
        run!(self, |conn| {
            sqlx::query_as(concat!(
                "UPDATE payments SET look_at = $3 WHERE id = $1 AND look_at <= $2 AND NOT final RETURNING ",
                payment_columns!()
            ))
            .bind(id)
            .bind(now)
            .bind(next)
            .fetch_optional(conn)
            .await
        })
    }

    /// Makes a poll of the open payment of a session due; returns the payment's id.
    pub async fn poll_now(
        &mut self,
        session: SessionId,
        now: DateTime<Utc>,
    ) -> DbResult<Option<PaymentId>> {
        run!(self, |conn| {
            sqlx::query_scalar(
                "UPDATE payments SET look_at = $2
                 WHERE session_id = $1 AND NOT final
                   AND position = (SELECT MAX(position) FROM payments WHERE session_id = $1)
                 RETURNING id",
            )
            .bind(session)
            .bind(now)
            .fetch_optional(conn)
            .await
        })
    }

    /// Writes down that nobody will authorise what a session has ordered so far.
    pub async fn reject_payment(&mut self, session: SessionId, now: DateTime<Utc>) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "UPDATE payments SET status = 'RJCT', final = TRUE, updated_at = $2
                 WHERE session_id = $1 AND consent_id IS NULL AND NOT final",
            )
            .bind(session)
            .bind(now)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }
}
