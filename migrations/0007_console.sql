-- Runs of the sandbox console. What they hold (tokens, bodies) is sealed, and forgotten a day after they began.
CREATE TABLE console_runs (
    id UUID PRIMARY KEY,
    servicer_id UUID NOT NULL REFERENCES servicers (id),
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    person_id UUID NOT NULL REFERENCES people (id),
    skill TEXT NOT NULL,
    next_call TEXT NOT NULL CHECK (next_call IN (
        'open_session', 'step', 'bank', 'ask', 'exchange', 'accounts', 'transactions', 'done', 'dead_end')),
    session_id UUID UNIQUE,
    session_status TEXT,
    -- How many calls were made: an advance is bound to the number its asker saw.
    calls BIGINT NOT NULL,
    -- Until when somebody is making the next call.
    claimed_until TIMESTAMPTZ,
    -- Nonces, tokens and what the next call needs, sealed; none once forgotten.
    held BYTEA,
    started_at TIMESTAMPTZ NOT NULL,
    forget_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX console_runs_servicer ON console_runs (servicer_id, id);
CREATE INDEX console_runs_forget ON console_runs (forget_at) WHERE held IS NOT NULL;

CREATE TABLE console_calls (
    run_id UUID NOT NULL REFERENCES console_runs (id),
    position BIGINT NOT NULL,
    request_id UUID NOT NULL,
    at TIMESTAMPTZ NOT NULL,
    title TEXT NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    status BIGINT NOT NULL,
    -- Microseconds.
    latency BIGINT NOT NULL,
    browser_safe BOOLEAN NOT NULL,
    -- Both bodies, secrets replaced, sealed.
    bodies BYTEA NOT NULL,
    PRIMARY KEY (run_id, position)
);
