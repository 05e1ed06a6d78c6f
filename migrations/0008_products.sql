-- Offline verifications, and the products that sessions of the marketplace lead to.

-- How often the provider was asked what its verification says, in the present one.
ALTER TABLE sessions ADD COLUMN asked BIGINT NOT NULL DEFAULT 0;
-- Whether the attempt that the step began ended with a no: its files are not waited for.
ALTER TABLE session_steps ADD COLUMN refused BOOLEAN NOT NULL DEFAULT FALSE;
CREATE INDEX sessions_pending ON sessions (pending_since) WHERE awaiting = 'provider';

CREATE TABLE products (
    id UUID PRIMARY KEY,
    consent_id UUID NOT NULL REFERENCES consents (id),
    -- Keyed digest of what the provider knows the product by.
    bank_key BYTEA NOT NULL,
    -- The provider's own order.
    place BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    fetched_at TIMESTAMPTZ NOT NULL,
    UNIQUE (consent_id, bank_key)
);

-- The sandbox bank's: applications for its products. It keeps no personal data: that it saw some is all it needs.
CREATE TABLE bank_applications (
    -- Chosen by the client: whoever repeats a call repeats the id.
    id UUID PRIMARY KEY,
    client_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('deposit', 'credit_card')),
    status TEXT NOT NULL CHECK (status IN (
        'draft', 'verifying', 'ask_again', 'source_of_funds', 'offered', 'signed', 'rejected', 'withdrawn')),
    -- The product's terms as asked for, JSON.
    terms TEXT NOT NULL,
    -- The client's id of the verification under way, or the last one.
    verification UUID,
    -- When the bank decides by itself; none before all documents are there.
    decide_at TIMESTAMPTZ,
    -- Why the bank said no, or asks again.
    reason TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL
);

-- Documents, of which only this is kept.
CREATE TABLE bank_documents (
    application_id UUID NOT NULL REFERENCES bank_applications (id),
    -- The submission they belong to: a later one needs its own.
    part UUID NOT NULL,
    kind TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size BIGINT NOT NULL,
    -- What the document's content wants decided.
    wish TEXT CHECK (wish IN ('wait', 'ask_again', 'reject')),
    received_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (application_id, part, kind)
);

CREATE TABLE bank_products (
    id UUID PRIMARY KEY,
    application_id UUID NOT NULL UNIQUE REFERENCES bank_applications (id),
    client_id TEXT NOT NULL,
    reference TEXT NOT NULL,
    -- The submission whose documents it waits for, if it does.
    part UUID,
    opened_on BIGINT NOT NULL,
    -- Whether the client may still look at it.
    shared BOOLEAN NOT NULL
);
