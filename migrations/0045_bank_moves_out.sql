-- The sandbox bank has a database of its own, with migrations of its own (migrations/bank). Before this runs, its rows are
-- taken over there (server/src/start/bank_moves_out.rs); here only empty tables are left.
DROP TABLE IF EXISTS bank_products;
DROP TABLE IF EXISTS bank_documents;
DROP TABLE IF EXISTS bank_applications;
DROP TABLE IF EXISTS bank_visits;
DROP TABLE IF EXISTS bank_payments;
DROP TABLE IF EXISTS bank_tokens;
DROP TABLE IF EXISTS bank_consent_accounts;
DROP TABLE IF EXISTS bank_consents;
DROP TABLE IF EXISTS bank_entries;
DROP TABLE IF EXISTS bank_accounts;
DROP TABLE IF EXISTS bank_ledgers;
