-- The sandbox bank: another company that happens to live in the same file. Nothing refers to its tables from outside,
-- and they refer to nothing outside.

-- Whose books are loaded: by which version of their author, and to which day.
CREATE TABLE bank_ledgers (
    username TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
    -- Days since 1970-01-01, as everywhere in these tables: calendar days, without a time zone.
    loaded_to BIGINT NOT NULL
);

CREATE TABLE bank_accounts (
    id BIGINT PRIMARY KEY,
    username TEXT NOT NULL,
    iban TEXT NOT NULL UNIQUE,
    currency TEXT NOT NULL,
    name TEXT NOT NULL,
    product TEXT NOT NULL,
    cash_account_type TEXT NOT NULL,
    usage TEXT NOT NULL CHECK (usage IN ('PRIV', 'ORGA')),
    -- Minor units.
    credit_limit BIGINT NOT NULL
);
CREATE INDEX bank_accounts_username ON bank_accounts (username, id);

-- What varies from entry to entry; the words around it (who, what for) follow from payee and salt.
CREATE TABLE bank_entries (
    account_id BIGINT NOT NULL REFERENCES bank_accounts (id),
    booking_day BIGINT NOT NULL,
    -- Place within the booking day.
    position BIGINT NOT NULL,
    -- When it was made: pending from then until the booking day.
    made_day BIGINT NOT NULL,
    payee BIGINT NOT NULL,
    salt BIGINT NOT NULL,
    -- Minor units with their sign, and what the account holds after the entry.
    amount BIGINT NOT NULL,
    balance_after BIGINT NOT NULL,
    PRIMARY KEY (account_id, booking_day, position)
);

-- Berlin Group account consents. 'expired' is not stored: it follows from expires_at.
CREATE TABLE bank_consents (
    id UUID PRIMARY KEY,
    client_id TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('received', 'valid', 'rejected', 'terminatedByTpp')),
    redirect_uri TEXT NOT NULL,
    recurring BOOLEAN NOT NULL,
    frequency_per_day BIGINT NOT NULL,
    username TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    -- Until when it may be authorised.
    authorise_by TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL
);

-- What the end-user ticked. The id that the consent's holder knows an account by is good in this consent only.
CREATE TABLE bank_consent_accounts (
    consent_id UUID NOT NULL REFERENCES bank_consents (id),
    resource_id UUID NOT NULL UNIQUE,
    account_id BIGINT NOT NULL,
    PRIMARY KEY (consent_id, account_id)
);

-- One visit of one browser to the authorise page.
CREATE TABLE bank_authorisations (
    id UUID PRIMARY KEY,
    consent_id UUID NOT NULL REFERENCES bank_consents (id),
    state TEXT NOT NULL CHECK (state IN ('started', 'signed_in', 'approved', 'refused')),
    -- Digest of the cookie's value: the page belongs to the browser that opened it.
    cookie TEXT NOT NULL,
    -- The state of the other side, given back as it came (RFC 6749), and its PKCE challenge (RFC 7636, S256).
    client_state TEXT NOT NULL,
    code_challenge TEXT NOT NULL,
    username TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    expires_at TIMESTAMPTZ NOT NULL,
    code TEXT UNIQUE,
    code_expires_at TIMESTAMPTZ,
    code_used_at TIMESTAMPTZ
);
CREATE INDEX bank_authorisations_consent ON bank_authorisations (consent_id);

CREATE TABLE bank_tokens (
    digest TEXT PRIMARY KEY,
    consent_id UUID NOT NULL REFERENCES bank_consents (id),
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX bank_tokens_consent ON bank_tokens (consent_id);
