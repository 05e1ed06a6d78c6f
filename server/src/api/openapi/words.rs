//! Closed sets of words in answers: generated clients get them as types, and readers as a list.

use app::domain::account::CreditDebit;
use app::domain::payment::{PaymentKind, PaymentStatus};
use app::domain::problem::ProblemType;
use app::domain::session::{ConsentStatus, SessionStatus};
use app::domain::skill::SkillType;
use app::domain::transaction::BookingStatus;
use serde_json::{Map, Value, json};

/// Gives every property that is one of a closed set of words an `enum`, unless it has one.
pub fn complete(schemas: &mut Map<String, Value>) {
    for (name, schema) in schemas {
        let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
        for (field, property) in properties.into_iter().flatten() {
            let is_text = property.get("type") == Some(&json!("string"));
            if let (true, Some(words), Some(property)) =
                (is_text, of(name, field), property.as_object_mut())
            {
                property.entry("enum").or_insert(words);
            }
        }
    }
}

fn of(schema: &str, field: &str) -> Option<Value> {
    Some(match (schema, field) {
        (
            "SessionOpened" | "SessionStanding" | "SessionCancelled" | "StepTaken" | "Uploaded",
            "status",
        ) => json!(SessionStatus::ALL),
        ("Consent", "status") => json!(ConsentStatus::ALL),
        ("TransactionData", "status") => json!(BookingStatus::ALL),
        ("Payment" | "PaymentItem", "status") => json!(PaymentStatus::ALL),
        ("Payment", "kind") => json!(PaymentKind::ALL),
        ("SkillSummary" | "SkillDetail", "type") => json!(SkillType::ALL),
        ("Error", "type") => json!(ProblemType::ALL),
        (_, "credit_debit_indicator") => json!(CreditDebit::ALL),
        (_, "flavour") => json!(["sandbox", "production"]),
        (_, "id_stability") => json!(["bank", "derived", "positional"]),
        (_, "served_from") => json!(["cache", "bank"]),
        (_, "freshness") => json!(["current", "suspect"]),
        (_, "op_type") => json!(["read", "delete"]),
        _ => return None,
    })
}
