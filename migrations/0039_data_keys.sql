-- A key per tenant, and one of the system (the nil id), each wrapped under the vault key of the key file.
CREATE TABLE data_keys (
    owner UUID PRIMARY KEY,
    -- What stands in front of everything sealed under it: a version and the key's id.
    head BYTEA NOT NULL,
    -- The id of the vault key it is wrapped under.
    under BYTEA NOT NULL,
    -- None once the owner was erased: what was sealed under it is lost for good.
    wrapped BYTEA,
    created_at TIMESTAMPTZ NOT NULL,
    erased_at TIMESTAMPTZ
);
CREATE INDEX data_keys_erased ON data_keys (erased_at) WHERE erased_at IS NOT NULL;

-- Which keys of the key file each running process has read: no key is used or dropped before all of them know it.
CREATE TABLE key_holders (
    process UUID PRIMARY KEY,
    -- Ids of keys: the active vault key, the active pepper, and all there are.
    vault TEXT NOT NULL,
    pepper TEXT NOT NULL,
    keys TEXT NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL
);
