//! The tables of the sandbox bank, whose people are made up.

use super::{Table, Until, table};

pub(super) const TABLES: &[Table] = &[
    table(
        "bank_ledgers",
        Until::Books,
        ["", "", "", "username version loaded_to"],
    ),
    table(
        "bank_accounts",
        Until::Books,
        [
            "",
            "",
            "",
            "id username iban currency name product cash_account_type usage credit_limit",
        ],
    ),
    table(
        "bank_entries",
        Until::Books,
        [
            "",
            "",
            "",
            "account_id booking_day position made_day payee salt amount balance_after",
        ],
    ),
    table(
        "bank_consents",
        Until::Schedule,
        [
            "",
            "browser",
            "",
            "id client_id status redirect_uri recurring frequency_per_day username created_at authorise_by expires_at \
             changed_at brand revoked_at",
        ],
    ),
    table(
        "bank_consent_accounts",
        Until::Schedule,
        ["", "", "", "consent_id resource_id account_id"],
    ),
    table(
        "bank_tokens",
        Until::Schedule,
        ["", "digest", "", "consent_id expires_at"],
    ),
    table(
        "bank_visits",
        Until::Schedule,
        [
            "",
            "cookie code",
            "",
            "id kind subject_id redirect_uri state client_state code_challenge username created_at expires_at \
             code_expires_at code_used_at brand",
        ],
    ),
    table(
        "bank_payments",
        Until::Schedule,
        [
            "",
            "fingerprint",
            "",
            "id client_id request_id service product redirect_uri body created_at authorise_by authorised_at refused_at \
             cancelled_at username account_id binding_at brand",
        ],
    ),
    table(
        "bank_applications",
        Until::Schedule,
        [
            "",
            "",
            "",
            "id client_id kind status terms verification decide_at reason created_at changed_at",
        ],
    ),
    table(
        "bank_documents",
        Until::Schedule,
        [
            "",
            "sha256",
            "",
            "application_id part kind size wish received_at",
        ],
    ),
    table(
        "bank_products",
        Until::Schedule,
        [
            "",
            "",
            "",
            "id application_id client_id reference part opened_on shared",
        ],
    ),
];
