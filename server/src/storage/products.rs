//! Products cached under a consent.

use app::domain::ids::{CredentialsId, ProductId};
use chrono::{DateTime, Utc};
use kernel::crypto::Digest;

use super::{DbResult, Tx, run};

/// One product; its details open with the data that `services/consents/products` names.
#[derive(Clone, sqlx::FromRow)]
pub struct ProductRow {
    pub id: ProductId,
    pub consent_id: CredentialsId,
    /// Keyed digest of the provider's own id.
    pub bank_key: Digest,
    /// Position in the provider's own order.
    pub place: i64,
    pub sealed: Vec<u8>,
    pub fetched_at: DateTime<Utc>,
}

impl Tx {
    /// Keeps a product, in place of what was known of it.
    pub async fn put_product(&mut self, row: &ProductRow) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query(
                "INSERT INTO products (id, consent_id, bank_key, place, sealed, fetched_at)
                 VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (consent_id, bank_key) DO UPDATE
                 SET place = excluded.place, sealed = excluded.sealed, fetched_at = excluded.fetched_at",
            )
            .bind(row.id)
            .bind(row.consent_id)
            .bind(&row.bank_key)
            .bind(row.place)
            .bind(&row.sealed)
            .bind(row.fetched_at)
            .execute(conn)
            .await
            .map(|_| ())
        })
    }

    /// Gives a product the name it has today, if it still has the one from before there were data keys.
    pub async fn rename_product(
        &mut self,
        consent: CredentialsId,
        bank_key: &Digest,
    ) -> DbResult<()> {
        if !bank_key.has_other() {
            return Ok(());
        }
        run!(self, |conn| {
            sqlx::query("UPDATE products SET bank_key = $3 WHERE consent_id = $1 AND bank_key = $2")
                .bind(consent)
                .bind(bank_key.other())
                .bind(bank_key)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// Drops what was not seen any more when the provider was asked last.
    pub async fn drop_products(
        &mut self,
        consent: CredentialsId,
        not_seen_since: DateTime<Utc>,
    ) -> DbResult<()> {
        run!(self, |conn| {
            sqlx::query("DELETE FROM products WHERE consent_id = $1 AND fetched_at < $2")
                .bind(consent)
                .bind(not_seen_since)
                .execute(conn)
                .await
                .map(|_| ())
        })
    }

    /// The products of a consent, in the provider's order.
    pub async fn products(&mut self, consent: CredentialsId) -> DbResult<Vec<ProductRow>> {
        run!(self, |conn| {
            sqlx::query_as(
                "SELECT id, consent_id, bank_key, place, sealed, fetched_at FROM products
                 WHERE consent_id = $1 ORDER BY place, id",
            )
            .bind(consent)
            .fetch_all(conn)
            .await
        })
    }
}
