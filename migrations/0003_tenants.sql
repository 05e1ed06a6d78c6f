-- Tenants: their settings, whitelist and keys.
CREATE TABLE tenants (
    id UUID PRIMARY KEY,
    servicer_id UUID NOT NULL REFERENCES servicers (id),
    name TEXT NOT NULL,
    environment TEXT NOT NULL CHECK (environment IN ('sandbox', 'production')),
    status TEXT NOT NULL CHECK (status IN ('active', 'paused')),
    -- Key under which this tenant's utx_id values are made, sealed.
    utx_key BYTEA NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX tenants_servicer ON tenants (servicer_id);

CREATE TABLE tenant_redirect_links (
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    link TEXT NOT NULL,
    PRIMARY KEY (tenant_id, link)
);

CREATE TABLE tenant_origins (
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    origin TEXT NOT NULL,
    PRIMARY KEY (tenant_id, origin)
);

CREATE TABLE tenant_skills (
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    skill TEXT NOT NULL,
    -- Minutes.
    consent_duration BIGINT NOT NULL,
    cache_max_data_retention BIGINT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (tenant_id, skill)
);

CREATE TABLE tenant_keys (
    id UUID PRIMARY KEY,
    tenant_id UUID NOT NULL REFERENCES tenants (id),
    kind TEXT NOT NULL CHECK (kind IN ('client_secret', 'client_app_key')),
    -- Which of the two places of its kind the key holds: at most two are live.
    slot BIGINT NOT NULL CHECK (slot IN (0, 1)),
    digest BYTEA NOT NULL UNIQUE,
    -- The key itself, sealed: app keys only.
    sealed BYTEA,
    tail TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    created_by TEXT NOT NULL,
    ends_at TIMESTAMPTZ,
    stopped_at TIMESTAMPTZ,
    seen_at TIMESTAMPTZ,
    last_used_at TIMESTAMPTZ,
    last_used_by TEXT
);
CREATE INDEX tenant_keys_tenant ON tenant_keys (tenant_id, kind);
-- At most two live keys of a kind, whoever rotates at the same time: a place is free once its key was stopped.
CREATE UNIQUE INDEX tenant_keys_places ON tenant_keys (tenant_id, kind, slot) WHERE stopped_at IS NULL;
