//! Descriptions of the operations whose handlers give a title alone: mostly a second path or style of an operation that is
//! described at its first.

use serde_json::Value;

const LIST: &str = "Answers `items`, `next_cursor` and `has_more`. Keys travel in headers: `client_id` and `client_secret` as HTTP Basic, \
                    the consent in `X-Credentials-Id` and `X-Access-Token`.";

/// Operation id and description.
const DESCRIPTIONS: &[(&str, &str)] = &[
    (
        "health_livez",
        "Answers 200 as long as the process can answer at all, whatever the database does. Restart the process when it does not answer.",
    ),
    (
        "health_readyz",
        "Answers 200 while calls should be sent here, and 503 while the database does not answer or the server is stopping. Take the process out of the load balancer while it answers 503.",
    ),
    ("accounts_list", LIST),
    (
        "accounts_get_at_accounts",
        "The path of the first documents for `POST /v1/accounts/get`: same body, same response.",
    ),
    (
        "accounts_get",
        "Answers every account of the consent as a bare array, each with its balances as the bank last gave them. `as_of` and `served_from` say how fresh they are.",
    ),
    ("balances_list", LIST),
    (
        "balances_get",
        "Answers the balances of the consent's accounts as a bare array: one entry for each account and type of balance (ISO 20022 names).",
    ),
    (
        "catalog_servicers",
        "Answers who provides the published skills. Needs no keys.",
    ),
    (
        "catalog_list",
        "Answers the published skills, filtered by type, country, flavour, servicer or text. Needs no keys; with a tenant's keys each entry also says whether the tenant's whitelist holds it.",
    ),
    (
        "catalog_one",
        "Answers what a session of the skill takes: its steps in order, the JSON Schema of each step's `data`, required files, whether the user is redirected or a decision is waited for, and examples.",
    ),
    (
        "catalog_get_all",
        "The documented-style twin of `GET /v1/catalog/skills`: the same filters as fields of the body.",
    ),
    (
        "consents_list",
        "Answers the tenant's consents, newest first, live and ended ones, without any bank data. Filter by state, skill and `tenant_user_id`.",
    ),
    (
        "consents_get",
        "Answers the state of a consent, when it ends, and until when its data is kept.",
    ),
    (
        "consents_get_one",
        "The REST style of `POST /v1/consents/get`: the id is in the path, keys are in headers.",
    ),
    (
        "consents_delete_one",
        "Ends the consent at once, here and at the bank. Its data is erased now, or after `pcd_data_retention` minutes if that is given.",
    ),
    (
        "payments_get_one",
        "The REST style of `POST /v1/payments/get`: answers each payment's ISO 20022 status, the status in a plain word, and whether it is final.",
    ),
    (
        "payments_cancel_one",
        "The REST style of `POST /v1/payments/cancel`: cancels what the bank has not executed yet.",
    ),
    (
        "products_list",
        "Answers the products behind a marketplace consent, with their state at the provider. Keys travel in headers.",
    ),
    (
        "sessions_upload_in_session",
        "The same as `POST /v1/steps/{step_id}/upload`, for clients that keep everything of a session below its path.",
    ),
    (
        "tokens_exchange_at_token",
        "The path of the first documents for `POST /v1/tokens`: same body, same response.",
    ),
    (
        "transactions_get_at_transactions",
        "The path of the first documents for `POST /v1/transactions/get`: same body, same response.",
    ),
];

/// Gives an operation without a description its own.
pub(super) fn complete(operation: &mut Value) {
    let id = operation.get("operationId").and_then(Value::as_str);
    let found = DESCRIPTIONS.iter().find(|(known, _)| Some(*known) == id);
    if let (Some((_, words)), Some(operation)) = (found, operation.as_object_mut()) {
        operation
            .entry("description")
            .or_insert_with(|| (*words).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_a_description_of_its_own_and_no_entry_is_left_over() {
        let document = crate::api::openapi("http://127.0.0.1:3000");
        let paths = document["paths"].as_object().unwrap();
        let operations = paths
            .values()
            .flat_map(|item| item.as_object().unwrap().values());
        let mut seen = Vec::new();
        for operation in operations {
            let id = operation["operationId"].as_str().unwrap();
            let words = operation["description"].as_str().unwrap_or_default();
            assert!(words.len() > 40, "{id} has no description: {words:?}");
            seen.push(id);
            for other in DESCRIPTIONS.iter().filter(|(known, _)| *known == id) {
                assert!(words.starts_with(other.1), "{id} is described twice");
            }
        }
        for (id, _) in DESCRIPTIONS {
            assert!(seen.contains(id), "no operation is called {id}");
        }
    }

    #[test]
    fn the_document_says_where_it_is_served() {
        let document = crate::api::openapi("https://api.example.com");
        assert_eq!(document["servers"][0]["url"], "https://api.example.com");
    }
}
