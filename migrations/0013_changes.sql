-- What changed in a consent's transactions, numbered in the order in which it was committed: numbers are taken from a
-- counter in the consent's own row, which stays locked until the change itself is committed.
ALTER TABLE consents ADD COLUMN changes BIGINT NOT NULL DEFAULT 0;
-- When the bank was asked without the end-user being there, in the last 24 hours: 8 bytes each, microseconds since 1970.
ALTER TABLE consents ADD COLUMN bank_calls BYTEA;
-- Until when the bank is left alone after it refused or failed.
ALTER TABLE consents ADD COLUMN quiet_until TIMESTAMPTZ;
-- When the data is fetched again though nobody reads it.
ALTER TABLE consents ADD COLUMN refresh_at TIMESTAMPTZ;
-- Of how many days before its end the tenant was told last.
ALTER TABLE consents ADD COLUMN reminded BIGINT;
CREATE INDEX consents_refresh ON consents (refresh_at) WHERE status = 'ACTIVE' AND refresh_at IS NOT NULL;
CREATE INDEX consents_end ON consents (expires_at) WHERE status = 'ACTIVE' AND expires_at IS NOT NULL;

-- The change that made the row what it is. What it was before is in past_changes.
ALTER TABLE transactions ADD COLUMN change_no BIGINT NOT NULL DEFAULT 0;
ALTER TABLE transactions ADD COLUMN change_kind TEXT NOT NULL DEFAULT 'added' CHECK (change_kind IN ('added', 'modified'));
-- utx of the pending transaction this one took the place of.
ALTER TABLE transactions ADD COLUMN replaces BYTEA;
UPDATE transactions SET change_no = numbered.n
FROM (SELECT id AS row_id, ROW_NUMBER() OVER (PARTITION BY consent_id ORDER BY id) AS n FROM transactions) AS numbered
WHERE transactions.id = numbered.row_id;
UPDATE consents SET changes = COALESCE((SELECT MAX(change_no) FROM transactions WHERE consent_id = consents.id), 0);
CREATE UNIQUE INDEX transactions_changes ON transactions (consent_id, change_no);
-- Few at any time, and asked for often.
CREATE INDEX transactions_pending ON transactions (consent_id, booked_at, id) WHERE status = 'pending';

-- Changes that a later one has overtaken: each with the row as that change made it, a removal with nothing sealed.
CREATE TABLE past_changes (
    consent_id UUID NOT NULL REFERENCES consents (id),
    change_no BIGINT NOT NULL,
    change_kind TEXT NOT NULL CHECK (change_kind IN ('added', 'modified', 'removed')),
    id UUID NOT NULL,
    account_id UUID NOT NULL,
    utx BYTEA NOT NULL,
    status TEXT NOT NULL,
    credit_debit TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount BIGINT NOT NULL,
    booked_at TIMESTAMPTZ NOT NULL,
    category TEXT,
    merchant BYTEA,
    sealed BYTEA NOT NULL,
    inserted_at TIMESTAMPTZ NOT NULL,
    replaces BYTEA,
    PRIMARY KEY (consent_id, change_no)
);

-- Sessions that renew a consent instead of making one.
CREATE TABLE renewals (
    session_id UUID PRIMARY KEY REFERENCES sessions (id),
    consent_id UUID NOT NULL REFERENCES consents (id),
    -- When its token was exchanged.
    done_at TIMESTAMPTZ
);
CREATE INDEX renewals_consent ON renewals (consent_id);
