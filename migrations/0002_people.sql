-- Servicers, the people who work for them, and how people prove who they are.
CREATE TABLE servicers (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('provider', 'consumer', 'both')),
    legal_form TEXT NOT NULL CHECK (legal_form IN ('company', 'person')),
    country TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('sandbox', 'approved', 'suspended')),
    -- What a suspended servicer was before, and why it was suspended.
    resumes_as TEXT CHECK (resumes_as IN ('sandbox', 'approved')),
    suspended_reason TEXT,
    created_at TIMESTAMPTZ NOT NULL
);

-- A one-time way into an existing servicer: the id alone lets nobody in.
CREATE TABLE claim_tokens (
    digest BYTEA PRIMARY KEY,
    servicer_id UUID NOT NULL REFERENCES servicers (id),
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    used_at TIMESTAMPTZ
);

CREATE TABLE people (
    id UUID PRIMARY KEY,
    -- As typed, and the form under which spellings count as one mailbox.
    email TEXT NOT NULL,
    email_key TEXT NOT NULL,
    -- argon2id, PHC string; none until a password link was used.
    password TEXT,
    verified_at TIMESTAMPTZ,
    admin BOOLEAN NOT NULL,
    created_at TIMESTAMPTZ NOT NULL
);
-- An unverified sign-up holds no address: only a proved one is unique.
CREATE UNIQUE INDEX people_verified_email ON people (email_key) WHERE verified_at IS NOT NULL;
CREATE INDEX people_email ON people (email_key, created_at);

CREATE TABLE memberships (
    person_id UUID NOT NULL REFERENCES people (id),
    servicer_id UUID NOT NULL REFERENCES servicers (id),
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'developer', 'analyst', 'auditor')),
    created_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (person_id, servicer_id)
);
CREATE INDEX memberships_servicer ON memberships (servicer_id);

-- Links that were mailed or printed: to prove an address, or to set a password.
CREATE TABLE email_links (
    digest BYTEA PRIMARY KEY,
    person_id UUID NOT NULL REFERENCES people (id),
    purpose TEXT NOT NULL CHECK (purpose IN ('verify', 'password')),
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    used_at TIMESTAMPTZ
);

CREATE TABLE portal_sessions (
    -- Digest of the cookie's value: a stolen table signs nobody in.
    digest BYTEA PRIMARY KEY,
    -- Names the session in the device list.
    handle UUID NOT NULL UNIQUE,
    person_id UUID REFERENCES people (id),
    data TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    ip TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL,
    proved_at TIMESTAMPTZ,
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX portal_sessions_person ON portal_sessions (person_id);
CREATE INDEX portal_sessions_expiry ON portal_sessions (expires_at);

-- Failed sign-ins in a row, per account and per source.
CREATE TABLE sign_in_failures (
    subject TEXT PRIMARY KEY,
    failures BIGINT NOT NULL,
    last_at TIMESTAMPTZ NOT NULL,
    blocked_until TIMESTAMPTZ
);
