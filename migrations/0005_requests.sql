-- The request log, redacted before it gets here, and answers kept for repeated requests.
CREATE TABLE requests (
    id UUID PRIMARY KEY,
    at TIMESTAMPTZ NOT NULL,
    tenant_id UUID,
    servicer_id UUID,
    session_id UUID,
    key_id UUID,
    source TEXT NOT NULL CHECK (source IN ('api', 'console')),
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    operation TEXT NOT NULL,
    status BIGINT NOT NULL,
    error_code TEXT,
    latency_us BIGINT NOT NULL,
    user_agent TEXT NOT NULL,
    ip TEXT NOT NULL,
    client_request_id TEXT,
    request_body TEXT NOT NULL,
    response_body TEXT NOT NULL
);
CREATE INDEX requests_servicer ON requests (servicer_id, id);
CREATE INDEX requests_tenant ON requests (tenant_id, at);
CREATE INDEX requests_session ON requests (session_id, id) WHERE session_id IS NOT NULL;
CREATE INDEX requests_key ON requests (key_id, at) WHERE key_id IS NOT NULL;
CREATE INDEX requests_at ON requests (at);

-- One row per Idempotency-Key in use: running under a lease, or answered and kept for a while.
CREATE TABLE kept_answers (
    tenant_id UUID NOT NULL,
    operation TEXT NOT NULL,
    key_digest BYTEA NOT NULL,
    -- What the first request asked; another body under the same key is refused.
    fingerprint BYTEA NOT NULL,
    -- The request that runs or ran it, and until when nobody else may.
    holder UUID NOT NULL,
    lease_until TIMESTAMPTZ NOT NULL,
    status BIGINT,
    -- Opens only with the secret the caller presented.
    sealed BYTEA,
    expires_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, operation, key_digest)
);
CREATE INDEX kept_answers_expiry ON kept_answers (expires_at);
