-- The bank's own database: nothing outside refers to it, and it refers to nothing outside. Calendar days are days since
-- 1970-01-01, without a time zone; amounts are minor units.

-- Facts about the database, one line each: whose bank it is.
CREATE TABLE bank_meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- Whose books are loaded: by which version of their author, and to which day.
CREATE TABLE bank_ledgers (
    username TEXT PRIMARY KEY,
    version BIGINT NOT NULL,
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
    -- With its sign, and what the account holds after the entry.
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
    changed_at TIMESTAMPTZ NOT NULL,
    -- What the app calls itself that a third-party provider asks for: its own claim, shown on the bank's pages.
    brand TEXT,
    -- Digest of the cookie of the browser in which it was given: it lists and ends what was given in it.
    browser TEXT,
    -- When its user ended it at the bank.
    revoked_at TIMESTAMPTZ
);
CREATE INDEX bank_consents_browser ON bank_consents (browser);
CREATE INDEX bank_consents_end ON bank_consents (expires_at);

-- What the end-user ticked. The id that the consent's holder knows an account by is good in this consent only.
CREATE TABLE bank_consent_accounts (
    consent_id UUID NOT NULL REFERENCES bank_consents (id),
    resource_id UUID NOT NULL UNIQUE,
    account_id BIGINT NOT NULL,
    PRIMARY KEY (consent_id, account_id)
);

CREATE TABLE bank_tokens (
    digest TEXT PRIMARY KEY,
    consent_id UUID NOT NULL REFERENCES bank_consents (id),
    expires_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX bank_tokens_consent ON bank_tokens (consent_id);
CREATE INDEX bank_tokens_end ON bank_tokens (expires_at);

-- Payments. What becomes of one follows from these facts and the clock: no status is stored.
CREATE TABLE bank_payments (
    id UUID PRIMARY KEY,
    client_id TEXT NOT NULL,
    -- The X-Request-ID it was ordered with, and a digest of what was ordered: the same again is the same payment.
    request_id UUID NOT NULL,
    fingerprint TEXT NOT NULL,
    service TEXT NOT NULL CHECK (service IN ('payments', 'periodic-payments', 'bulk-payments')),
    product TEXT NOT NULL,
    redirect_uri TEXT NOT NULL,
    -- The order as it came, JSON.
    body TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    -- Until when it may be authorised.
    authorise_by TIMESTAMPTZ NOT NULL,
    -- At most one of these three happens first, and for good, but that a later-dated one may still be cancelled.
    authorised_at TIMESTAMPTZ,
    refused_at TIMESTAMPTZ,
    cancelled_at TIMESTAMPTZ,
    -- Who pays, and from which account.
    username TEXT,
    account_id BIGINT,
    -- From when on it cannot be cancelled once authorised; none: it has no last day.
    binding_at TIMESTAMPTZ,
    brand TEXT,
    UNIQUE (client_id, request_id)
);
CREATE INDEX bank_payments_age ON bank_payments (authorise_by);

-- One visit of one browser to the authorise page, for a consent or a payment.
CREATE TABLE bank_visits (
    id UUID PRIMARY KEY,
    -- AIS: a consent. PIS: a payment.
    kind TEXT NOT NULL CHECK (kind IN ('AIS', 'PIS')),
    subject_id UUID NOT NULL,
    redirect_uri TEXT NOT NULL,
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
    code_used_at TIMESTAMPTZ,
    brand TEXT
);
CREATE INDEX bank_visits_subject ON bank_visits (subject_id);
CREATE INDEX bank_visits_end ON bank_visits (expires_at);

-- Applications for products. The bank keeps no personal data: that it saw some is all it needs.
CREATE TABLE bank_applications (
    -- Chosen by the client: whoever repeats a call repeats the id.
    id UUID PRIMARY KEY,
    client_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('deposit', 'credit_card')),
    status TEXT NOT NULL CHECK (status IN (
        'draft', 'verifying', 'ask_again', 'source_of_funds', 'offered', 'signed', 'rejected', 'withdrawn')),
    -- The product's terms as asked for, JSON.
    terms TEXT NOT NULL,
    -- The client's id of the verification under way, or the last one.
    verification UUID,
    -- When the bank decides by itself; none before all documents are there.
    decide_at TIMESTAMPTZ,
    -- Why the bank said no, or asks again.
    reason TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL
);
CREATE INDEX bank_applications_age ON bank_applications (changed_at);

-- Documents, of which only this is kept.
CREATE TABLE bank_documents (
    application_id UUID NOT NULL REFERENCES bank_applications (id),
    -- The submission they belong to: a later one needs its own.
    part UUID NOT NULL,
    kind TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    size BIGINT NOT NULL,
    -- What the document's content wants decided.
    wish TEXT CHECK (wish IN ('wait', 'ask_again', 'reject')),
    received_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (application_id, part, kind)
);

CREATE TABLE bank_products (
    id UUID PRIMARY KEY,
    application_id UUID NOT NULL UNIQUE REFERENCES bank_applications (id),
    client_id TEXT NOT NULL,
    reference TEXT NOT NULL,
    -- The submission whose documents it waits for, if it does.
    part UUID,
    opened_on BIGINT NOT NULL,
    -- Whether the client may still look at it.
    shared BOOLEAN NOT NULL
);
