-- Sessions and their one-time things, consents, and the data cached under them. What may identify anybody is sealed;
-- secrets are kept as keyed digests, beside a sealed copy where the same one must be handed out again.
CREATE TABLE sessions (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    skill TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN (
        'SESSION_CREATED', 'SESSION_IN_PROGRESS', 'SESSION_PENDING', 'SESSION_COMPLETED',
        'SESSION_FAILED', 'SESSION_EXPIRED', 'SESSION_CANCELLED')),
    awaiting TEXT NOT NULL CHECK (awaiting IN ('step', 'redirect', 'provider', 'nothing')),
    -- Number of the step that comes next, and its name while there is one.
    position BIGINT NOT NULL,
    next_step TEXT,
    -- Digest of tenant_user_id.
    tenant_user BYTEA,
    -- PKCE, S256.
    code_challenge TEXT,
    -- The caller's own state, to be handed back on its redirect link; sealed.
    client_state BYTEA,
    -- Who works on the session now (a step_id), and until when nobody else may.
    claim UUID,
    claim_until TIMESTAMPTZ,
    -- What the connector asked to have kept; sealed.
    bank_ref BYTEA,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    pending_since TIMESTAMPTZ,
    erased_at TIMESTAMPTZ
);
CREATE INDEX sessions_tenant ON sessions (tenant_id, id);
CREATE INDEX sessions_expiry ON sessions (expires_at) WHERE erased_at IS NULL;

CREATE TABLE session_steps (
    id UUID PRIMARY KEY,
    session_id UUID NOT NULL REFERENCES sessions (id),
    position BIGINT NOT NULL,
    step TEXT NOT NULL,
    -- The data of the answer; sealed.
    answer BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    UNIQUE (session_id, position)
);

CREATE TABLE nonces (
    digest BYTEA PRIMARY KEY,
    session_id UUID NOT NULL REFERENCES sessions (id),
    position BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    -- Its life starts when it is first handed out.
    expires_at TIMESTAMPTZ,
    used_at TIMESTAMPTZ,
    UNIQUE (session_id, position)
);

-- One row for each time an end-user was sent to a provider's pages.
CREATE TABLE bank_returns (
    state BYTEA PRIMARY KEY,
    session_id UUID NOT NULL REFERENCES sessions (id),
    position BIGINT NOT NULL,
    -- The step to try again after a refusal.
    step TEXT NOT NULL,
    -- The tenant's own link; sealed.
    link BYTEA NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('waiting', 'granted', 'refused')),
    -- Digest of the code that brought the outcome: only the same return may be repeated.
    code BYTEA,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX bank_returns_session ON bank_returns (session_id, position);

CREATE TABLE temp_tokens (
    digest BYTEA PRIMARY KEY,
    session_id UUID NOT NULL REFERENCES sessions (id),
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    sealed BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ,
    exchanged_at TIMESTAMPTZ,
    -- Replaced by a later one, or ended with its session.
    died_at TIMESTAMPTZ
);
CREATE UNIQUE INDEX temp_tokens_alive ON temp_tokens (session_id) WHERE died_at IS NULL;

CREATE TABLE consents (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    session_id UUID NOT NULL UNIQUE REFERENCES sessions (id),
    skill TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('ACTIVE', 'DELETED', 'EXPIRED')),
    -- Digest; none before the exchange.
    access_token BYTEA UNIQUE,
    tenant_user BYTEA,
    -- What opens the data at the provider; sealed, and gone once the data is.
    bank_grant BYTEA,
    -- When the provider ends the consent by itself.
    valid_until TIMESTAMPTZ,
    created_at TIMESTAMPTZ NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    exchanged_at TIMESTAMPTZ,
    expires_at TIMESTAMPTZ,
    -- Until when cached data is kept; before the exchange, how long it is waited for.
    data_until TIMESTAMPTZ NOT NULL,
    fetched_at TIMESTAMPTZ,
    fetch_claim UUID,
    fetch_until TIMESTAMPTZ,
    erased_at TIMESTAMPTZ
);
CREATE INDEX consents_tenant ON consents (tenant_id, id);
CREATE INDEX consents_data ON consents (data_until) WHERE erased_at IS NULL;

CREATE TABLE accounts (
    id UUID PRIMARY KEY,
    consent_id UUID NOT NULL REFERENCES consents (id),
    -- Keyed digest of what the bank knows the account by.
    bank_key BYTEA NOT NULL,
    -- The bank's own order.
    place BIGINT NOT NULL,
    sealed BYTEA NOT NULL,
    fetched_at TIMESTAMPTZ NOT NULL,
    UNIQUE (consent_id, bank_key)
);
CREATE INDEX accounts_consent ON accounts (consent_id, place, id);

CREATE TABLE balances (
    id UUID PRIMARY KEY,
    consent_id UUID NOT NULL REFERENCES consents (id),
    account_id UUID NOT NULL REFERENCES accounts (id),
    balance_type TEXT NOT NULL,
    currency TEXT NOT NULL,
    sealed BYTEA NOT NULL,
    fetched_at TIMESTAMPTZ NOT NULL,
    UNIQUE (account_id, balance_type, currency)
);
CREATE INDEX balances_consent ON balances (consent_id, id);

CREATE TABLE transactions (
    id UUID PRIMARY KEY,
    consent_id UUID NOT NULL REFERENCES consents (id),
    account_id UUID NOT NULL REFERENCES accounts (id),
    -- utx_id, decoded.
    utx BYTEA NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('booked', 'pending')),
    credit_debit TEXT NOT NULL CHECK (credit_debit IN ('credit', 'debit')),
    currency TEXT NOT NULL,
    -- Without sign, in ten-thousandths.
    amount BIGINT NOT NULL,
    booked_at TIMESTAMPTZ NOT NULL,
    category TEXT,
    -- Keyed digest: equality is all that is asked of it.
    merchant BYTEA,
    sealed BYTEA NOT NULL,
    -- Whole seconds, as sent.
    inserted_at TIMESTAMPTZ NOT NULL,
    UNIQUE (consent_id, utx)
);
CREATE INDEX transactions_newest ON transactions (consent_id, booked_at, id);
CREATE INDEX transactions_account ON transactions (account_id, booked_at, id);
