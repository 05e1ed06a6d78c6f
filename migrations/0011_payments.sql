-- Payments: what a session ordered of a bank, and what the bank last said about it. Who pays whom is sealed.
CREATE TABLE payments (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    session_id UUID NOT NULL REFERENCES sessions (id),
    -- The step that ordered it. A session whose end-user refused may order again with a later one.
    position BIGINT NOT NULL,
    -- The record whose pair reads it; none until the end-user has authorised it.
    consent_id UUID UNIQUE REFERENCES consents (id),
    skill TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('single', 'future_dated', 'periodic', 'bulk')),
    -- ISO 20022.
    status TEXT NOT NULL,
    final BOOLEAN NOT NULL,
    -- The order as it was submitted; sealed.
    ordered BYTEA NOT NULL,
    -- What its connector asks the bank by before there is a grant; sealed.
    bank_ref BYTEA,
    -- What the bank said last beside the status; sealed. None before it was first asked.
    said BYTEA,
    -- When it was asked for that; an older answer never replaces a newer one.
    as_of TIMESTAMPTZ,
    -- When a job looks again; of several that reach for it one gets it.
    look_at TIMESTAMPTZ NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    -- When the status last changed.
    updated_at TIMESTAMPTZ NOT NULL,
    UNIQUE (session_id, position)
);
