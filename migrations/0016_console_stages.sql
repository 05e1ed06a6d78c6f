-- Runs wait for more: files, a provider's decision, and what a payment or a product gives. SQLite cannot widen a CHECK,
-- so the tables are made anew and their rows copied.
CREATE TABLE console_runs_wider (
    id UUID PRIMARY KEY,
    servicer_id UUID NOT NULL REFERENCES servicers (id),
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    person_id UUID NOT NULL REFERENCES people (id),
    skill TEXT NOT NULL,
    next_call TEXT NOT NULL CHECK (next_call IN (
        'open_session', 'step', 'uploads', 'bank', 'pending', 'ask', 'exchange',
        'accounts', 'transactions', 'payment', 'products', 'done', 'dead_end')),
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
INSERT INTO console_runs_wider
    (id, servicer_id, tenant_id, person_id, skill, next_call, session_id, session_status, calls, claimed_until, held, started_at, forget_at)
    SELECT id, servicer_id, tenant_id, person_id, skill, next_call, session_id, session_status, calls, claimed_until, held, started_at, forget_at
    FROM console_runs;

CREATE TABLE console_calls_wider (
    run_id UUID NOT NULL REFERENCES console_runs_wider (id),
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
INSERT INTO console_calls_wider
    (run_id, position, request_id, at, title, method, path, status, latency, browser_safe, bodies)
    SELECT run_id, position, request_id, at, title, method, path, status, latency, browser_safe, bodies
    FROM console_calls;

DROP TABLE console_calls;
DROP TABLE console_runs;
ALTER TABLE console_runs_wider RENAME TO console_runs;
ALTER TABLE console_calls_wider RENAME TO console_calls;
CREATE INDEX console_runs_servicer ON console_runs (servicer_id, id);
CREATE INDEX console_runs_forget ON console_runs (forget_at) WHERE held IS NOT NULL;
