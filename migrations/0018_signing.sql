-- Signed requests: whose keys sign, which signatures were accepted, and why others were not.
CREATE TABLE signing_keys (
    id UUID PRIMARY KEY,
    servicer_id UUID NOT NULL REFERENCES servicers (id),
    -- Which of the ten places the key holds.
    slot BIGINT NOT NULL CHECK (slot BETWEEN 0 AND 9),
    -- What the signatures say in `iss`.
    issuer TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('key', 'jwks_url')),
    -- The public key as JWK, or the URL of a set.
    material TEXT NOT NULL,
    kid TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    created_by TEXT NOT NULL,
    stopped_at TIMESTAMPTZ,
    last_used_at TIMESTAMPTZ,
    -- Of a URL: the set it last answered, and when it was last asked.
    fetched TEXT,
    fetched_at TIMESTAMPTZ,
    asked_at TIMESTAMPTZ,
    problem TEXT
);
-- At most ten live keys, whoever adds one at the same time.
CREATE UNIQUE INDEX signing_keys_places ON signing_keys (servicer_id, slot) WHERE stopped_at IS NULL;

-- Digests of accepted signatures, as long as they could be sent again.
CREATE TABLE used_signatures (
    digest BYTEA PRIMARY KEY,
    ends_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX used_signatures_end ON used_signatures (ends_at);

-- What was found wrong with a refused signature, for the owner's eyes.
CREATE TABLE refused_signatures (
    request_id UUID PRIMARY KEY,
    servicer_id UUID NOT NULL REFERENCES servicers (id),
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    at TIMESTAMPTZ NOT NULL,
    method TEXT NOT NULL,
    path TEXT NOT NULL,
    -- JSON: the checks and what each found. Claims and digests, never the request's content.
    findings TEXT NOT NULL
);
CREATE INDEX refused_signatures_servicer ON refused_signatures (servicer_id, request_id);

-- Whether server calls must be signed, and how long a signature may live at most, in seconds.
ALTER TABLE tenants ADD COLUMN signed_only BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE tenants ADD COLUMN signature_seconds BIGINT NOT NULL DEFAULT 3600;
