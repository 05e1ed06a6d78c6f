//! Other tenants' transactions in bulk, so that `cargo xtask bench` can ask what a page costs in a large table. Each is a
//! copy of a model consent's row under a consent that nobody can open; their details never open either.

use app::domain::ids::{AccountId, CredentialsId, SessionId, TenantId};
use sqlx::QueryBuilder;

use super::{Db, DbResult, Tx, run};

/// A consent that holds copies, and what they hang on.
pub struct FilledConsent {
    pub tenant: TenantId,
    pub session: SessionId,
    pub id: CredentialsId,
}

/// Number of a model's rows that are copied for each holder: its first changes.
pub const MODELS: i64 = 2_000;

/// The copies: every model row for every holder, those of one time beside each other, as banks bring them in.
macro_rules! copies {
    ($id:literal) => {
        concat!(
            "INSERT INTO transactions (id, consent_id, account_id, utx, status, credit_debit, currency, amount, booked_at,
                                       category, merchant, sealed, inserted_at, change_no, change_kind, replaces)
             SELECT ", $id, ", holder, account, utx, status, credit_debit, currency, amount, booked_at,
                    category, merchant, sealed, inserted_at, change_no, change_kind, replaces
             FROM (SELECT ROW_NUMBER() OVER (ORDER BY t.change_no, h.id) AS n, h.id AS holder, own.id AS account, t.utx,
                          t.status, t.credit_debit, t.currency, t.amount, t.booked_at, t.category, t.merchant, t.sealed,
                          t.inserted_at, t.change_no, t.change_kind, t.replaces
                   FROM transactions t
                   JOIN accounts a ON a.id = t.account_id
                   CROSS JOIN consents h
                   JOIN accounts own ON own.consent_id = h.id AND own.bank_key = a.bank_key
                   WHERE t.consent_id = $1 AND t.change_no <= $2 AND h.tenant_id = $3) AS copies
             ORDER BY n"
        )
    };
}

impl Tx {
    /// A tenant like another, under a new id and without keys.
    pub async fn copy_tenant(&mut self, of: TenantId, id: TenantId) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO tenants (id, servicer_id, name, environment, status, utx_key, created_at)
                 SELECT $2, servicer_id, name, environment, 'paused', utx_key, created_at FROM tenants WHERE id = $1",
            )
            .bind(of)
            .bind(id)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// A consent like another, with its session and without a token.
    pub async fn copy_consent(&mut self, of: CredentialsId, copy: &FilledConsent) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO sessions (id, tenant_id, skill, status, awaiting, position, created_at, updated_at, expires_at, erased_at)
                 SELECT $2, $3, skill, status, awaiting, position, created_at, updated_at, expires_at, updated_at
                 FROM sessions WHERE id = (SELECT session_id FROM consents WHERE id = $1)",
            )
            .bind(of)
            .bind(copy.session)
            .bind(copy.tenant)
            .execute(&mut *conn)
            .await?;
            sqlx::query(
                "INSERT INTO consents (id, tenant_id, session_id, skill, status, created_at, updated_at, data_until, fetched_at)
                 SELECT $2, $3, $4, skill, status, created_at, updated_at, data_until, fetched_at
                 FROM consents WHERE id = $1",
            )
            .bind(of)
            .bind(copy.id)
            .bind(copy.tenant)
            .bind(copy.session)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// An account like another, under a consent's copy.
    pub async fn copy_account(
        &mut self,
        of: AccountId,
        id: AccountId,
        under: CredentialsId,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO accounts (id, consent_id, bank_key, place, sealed, fetched_at)
                 SELECT $2, $3, bank_key, place, sealed, fetched_at FROM accounts WHERE id = $1",
            )
            .bind(of)
            .bind(id)
            .bind(under)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Copies a model's rows for every consent of a tenant; answers how many there are now. Their ids begin with
    /// `prefix` (16 hexadecimal digits), so that they sort by birth like all others.
    pub async fn copy_transactions(
        &mut self,
        model: CredentialsId,
        tenant: TenantId,
        prefix: &str,
    ) -> DbResult<u64> {
        match self.link() {
            super::Connection::Sqlite(conn) => {
                let sql = sqlx::query(copies!("unhex($4 || printf('%016x', n))"));
                let sql = sql.bind(model).bind(MODELS).bind(tenant).bind(prefix);
                Ok(sql.execute(conn).await?.rows_affected())
            }
            super::Connection::Postgres(conn) => {
                let sql = sqlx::query(copies!("CAST($4 || lpad(to_hex(n), 16, '0') AS UUID)"));
                let sql = sql.bind(model).bind(MODELS).bind(tenant).bind(prefix);
                Ok(sql.execute(conn).await?.rows_affected())
            }
        }
    }

    /// Counts the transactions of a consent, or all of them with `None`.
    pub async fn count_transactions(&mut self, consent: Option<CredentialsId>) -> DbResult<i64> {
        run!(self, |conn| {
            let mut sql = QueryBuilder::new("SELECT COUNT(*) FROM transactions");
            if let Some(consent) = consent {
                sql.push(" WHERE consent_id = ").push_bind(consent);
            }
            sql.build_query_scalar().fetch_one(conn).await
        })
    }
}

impl Db {
    /// Does at once the upkeep that either database does by itself after many writes, so that it does not fall into a
    /// measurement.
    pub async fn settle(&self) -> DbResult<()> {
        let Some(writer) = self.postgres_writer() else {
            return self.scrub().await.map(|_| ());
        };
        let vacuum = sqlx::query("VACUUM (ANALYZE) transactions");
        vacuum.execute(writer).await.map(|_| ())?;
        sqlx::query("CHECKPOINT").execute(writer).await.map(|_| ())
    }
}
