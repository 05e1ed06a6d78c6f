-- What keeps data steady when a bank answers oddly.

-- By which rule a tenant's derived utx_ids are made: 1 takes texts to the letter, 2 folds them first. Ids never change, so
-- tenants keep the rule that they began with.
ALTER TABLE tenants ADD COLUMN utx_version BIGINT NOT NULL DEFAULT 1;

-- Keyed digest of the bank's own resourceId, once it is known: it says which account is which before anything else does.
ALTER TABLE accounts ADD COLUMN resource_key BYTEA;
-- Since when the bank has not shown it, until a later fetch confirms that it is gone.
ALTER TABLE accounts ADD COLUMN missing_since TIMESTAMPTZ;
-- When the bank was first seen to use one transaction id for two transactions: its ids are not trusted since.
ALTER TABLE accounts ADD COLUMN ids_reused_at TIMESTAMPTZ;

ALTER TABLE transactions ADD COLUMN missing_since TIMESTAMPTZ;
CREATE INDEX transactions_missing ON transactions (account_id) WHERE missing_since IS NOT NULL;

-- Since when the bank's answer took away so much that it is believed only once a later one confirms it.
ALTER TABLE consents ADD COLUMN suspect_since TIMESTAMPTZ;
-- Entries of the bank's last answer that could not be read.
ALTER TABLE consents ADD COLUMN unreadable BIGINT NOT NULL DEFAULT 0;

-- Those entries as they came, sealed, with the member that could not be read.
CREATE TABLE unreadable_entries (
    consent_id UUID NOT NULL REFERENCES consents (id),
    account_id UUID NOT NULL,
    -- Keyed digest of the entry.
    digest BYTEA NOT NULL,
    field TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (consent_id, account_id, digest)
);
