//! A look behind the counter, for whoever runs the bank: what was ordered here and applied for, and what became of it.

use chrono::{DateTime, Utc};

use super::payments::order::{Order, Service};
use super::payments::status::standing;
use super::storage::{Db, DbResult, applications, payments};

/// Returns the status of every payment ever ordered, in their order.
pub async fn payments(db: &Db, now: DateTime<Utc>) -> DbResult<Vec<&'static str>> {
    let mut tx = db.read().await?;
    let rows = payments::all(&mut tx).await?;
    let status = |row: &payments::BankPaymentRow| {
        let body = serde_json::from_str(&row.body).ok()?;
        let service = Service::parse(&row.service)?;
        let order = Order::read(service, &row.product, &body).ok()?;
        Some(standing(row, &order, now).status)
    };
    Ok(rows.iter().filter_map(status).collect())
}

/// Returns every application for a product: its status, and to how many products it led.
pub async fn applications(db: &Db) -> DbResult<Vec<(String, i64)>> {
    applications::all(&mut db.read().await?).await
}
