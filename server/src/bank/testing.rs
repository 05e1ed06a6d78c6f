//! A look behind the counter, for tests of those who bank here.

use chrono::{DateTime, Utc};

use super::payments::order::{Order, Service};
use super::payments::status::standing;
use super::storage::{applications, payments};
use crate::storage::Db;

/// The status of every payment ever ordered, in their order.
pub async fn payments(db: &Db, now: DateTime<Utc>) -> Vec<&'static str> {
    let mut tx = db.read().await.unwrap();
    let rows = payments::all(&mut tx).await.unwrap();
    let status = |row: &payments::BankPaymentRow| {
        let body = serde_json::from_str(&row.body).unwrap();
        let service = Service::parse(&row.service).unwrap();
        let order = Order::read(service, &row.product, &body).ok().unwrap();
        standing(row, &order, now).status
    };
    rows.iter().map(status).collect()
}

/// Every application for a product: its status, and to how many products it led.
pub async fn applications(db: &Db) -> Vec<(String, i64)> {
    let mut tx = db.read().await.unwrap();
    applications::all(&mut tx).await.unwrap()
}
