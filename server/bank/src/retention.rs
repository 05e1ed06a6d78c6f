//! Retention rules for the bank's own tables, run by the program's one schedule.

use chrono::Duration;
use kernel::retention::RetentionRule;

const DAY: Duration = Duration::days(1);
const QUARTER: Duration = Duration::days(90);

/// Every rule, what hangs on a row before the row itself. The books themselves are made anew from their author's rules,
/// and forget what is older than the bank's history when they are loaded.
pub const RULES: &[RetentionRule] = &[
    RetentionRule::delete("bank_tokens", "digest", "expires_at < $1", DAY),
    RetentionRule::delete("bank_visits", "id", "expires_at < $1", DAY),
    RetentionRule::delete(
        "bank_consent_accounts",
        "consent_id, account_id",
        "consent_id IN (SELECT id FROM bank_consents WHERE expires_at < $1)",
        QUARTER,
    ),
    RetentionRule::delete(
        "bank_consents",
        "id",
        "expires_at < $1
           AND NOT EXISTS (SELECT 1 FROM bank_consent_accounts a WHERE a.consent_id = bank_consents.id)
           AND NOT EXISTS (SELECT 1 FROM bank_tokens t WHERE t.consent_id = bank_consents.id)",
        QUARTER,
    ),
    // Payments that came to nothing, and those that nothing can happen to any more. One without a last day stays.
    RetentionRule::delete(
        "bank_payments",
        "id",
        "authorise_by < $1
           AND (authorised_at IS NULL OR cancelled_at < $1 OR refused_at < $1 OR binding_at < $1)",
        QUARTER,
    ),
    // Applications that led to nothing, or to a product that its client has given back.
    RetentionRule::delete(
        "bank_documents",
        "application_id, part, kind",
        "application_id IN (SELECT a.id FROM bank_applications a WHERE a.changed_at < $1)",
        QUARTER,
    ),
    RetentionRule::delete(
        "bank_products",
        "id",
        "NOT shared AND application_id IN (SELECT a.id FROM bank_applications a WHERE a.changed_at < $1)",
        QUARTER,
    ),
    RetentionRule::delete(
        "bank_applications",
        "id",
        "changed_at < $1
           AND NOT EXISTS (SELECT 1 FROM bank_documents d WHERE d.application_id = bank_applications.id)
           AND NOT EXISTS (SELECT 1 FROM bank_products p WHERE p.application_id = bank_applications.id)",
        QUARTER,
    ),
];
